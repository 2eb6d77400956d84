import pytest

from assay.errors import AlreadyExists, InvalidInput, NotFound
from assay.record.changes import changes
from assay.record.contract import in_threads
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import (
    create_experiment,
    delete_experiment,
    delete_experiment_tag,
    ensure_experiment,
    experiment,
    experiment_named,
    rename_experiment,
    restore_experiment,
    set_experiment_tags,
)
from assay.record.tracking.run_changes import create_run, run_row


def test_a_fresh_store_has_the_experiment_default(either_store: SqlStore) -> None:
    found = experiment(either_store, "0")
    assert (found.name, found.artifact_location, found.deleted) == ("Default", "mlflow-artifacts:/0", None)


def test_numbers_count_up_and_names_are_taken_once(either_store: SqlStore) -> None:
    first = create_experiment(either_store, "e1", tags={"team": "red"})
    second = create_experiment(either_store, "e2", artifact_location="s3://bucket/x")
    assert [first.experiment_id, second.experiment_id] == ["1", "2"]
    assert (first.artifact_location, second.artifact_location) == ("mlflow-artifacts:/1", "s3://bucket/x")
    assert first.tags == {"team": "red"}
    with pytest.raises(AlreadyExists, match=r"Experiment\(name=e1\) already exists"):
        create_experiment(either_store, "e1")
    assert create_experiment(either_store, "e3").experiment_id == "3"


def test_deleting_hides_the_runs_too_and_restoring_brings_all_back(either_store: SqlStore) -> None:
    made = create_experiment(either_store, "e")
    run_id = create_run(either_store, made.experiment_id, name="r")
    delete_experiment(either_store, made.experiment_id)
    assert run_row(either_store, run_id)["deleted"]
    gone = experiment_named(either_store, "e")
    assert gone is not None
    assert gone.deleted
    with pytest.raises(NotFound, match="No Experiment with id=1 exists"):
        delete_experiment(either_store, made.experiment_id)
    for refused in (
        lambda: create_run(either_store, made.experiment_id, name="r"),
        lambda: rename_experiment(either_store, made.experiment_id, "x"),
        lambda: set_experiment_tags(either_store, made.experiment_id, {"a": "b"}),
        lambda: ensure_experiment(either_store, "e"),
    ):
        with pytest.raises(InvalidInput):
            refused()
    with pytest.raises(AlreadyExists):
        create_experiment(either_store, "e")
    restore_experiment(either_store, made.experiment_id)
    assert run_row(either_store, run_id)["deleted"] is None
    said = [row["what"] for row in changes(either_store, "experiment", made.experiment_id)]
    assert said == ["deleted", "restored"]
    with pytest.raises(NotFound):
        restore_experiment(either_store, made.experiment_id)


def test_a_name_can_change_but_not_to_one_that_is_taken(either_store: SqlStore) -> None:
    first, second = (create_experiment(either_store, name) for name in ("a", "b"))
    with pytest.raises(AlreadyExists):
        rename_experiment(either_store, first.experiment_id, "b")
    rename_experiment(either_store, first.experiment_id, "c")
    rename_experiment(either_store, second.experiment_id, "b")
    assert experiment(either_store, first.experiment_id).name == "c"
    assert experiment_named(either_store, "a") is None


def test_tags_are_set_and_taken_away(either_store: SqlStore) -> None:
    set_experiment_tags(either_store, "0", {"k": "1", "l": "ü"})
    set_experiment_tags(either_store, "0", {"k": "2"})
    assert experiment(either_store, "0").tags == {"k": "2", "l": "ü"}
    delete_experiment_tag(either_store, "0", "k")
    with pytest.raises(NotFound, match="No tag with name: k"):
        delete_experiment_tag(either_store, "0", "k")
    with pytest.raises(NotFound):
        set_experiment_tags(either_store, "99", {"a": "b"})


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 501])
def test_what_is_no_name_is_refused(store: SqlStore, name: str) -> None:
    with pytest.raises(InvalidInput):
        create_experiment(store, name)
    assert len(store.query("experiment")) == 1


@pytest.mark.parametrize("tags", [{"": "v"}, {"k" * 251: "v"}, {"k": "v" * 20_001}])
def test_a_tag_beyond_the_limits_is_refused(store: SqlStore, tags: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        create_experiment(store, "e", tags=tags)
    assert experiment_named(store, "e") is None


def test_many_make_the_same_experiment_at_once(either_store: SqlStore) -> None:
    found = in_threads(lambda _: ensure_experiment(either_store, "together").experiment_id, 8)
    assert set(found) == {"1"}
