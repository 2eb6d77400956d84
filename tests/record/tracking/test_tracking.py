import math
from datetime import timedelta

import pytest

from assay.errors import Conflict, InvalidInput, NotFound
from assay.record.changes import changes
from assay.record.clock import iso
from assay.record.sqlstore import SqlStore
from assay.record.tracking.metrics import history, latest, points_of
from assay.record.tracking.run_changes import (
    DatasetUse,
    create_run,
    delete_run,
    delete_tag,
    log,
    log_datasets,
    log_models,
    restore_run,
    run_row,
    update_run,
)


def _tags(store: SqlStore, run_id: str) -> dict[str, str]:
    return {row["key"]: row["value"] for row in store.query("run_tag", {"run_id": run_id})}


def _params(store: SqlStore, run_id: str) -> dict[str, str]:
    return {row["key"]: row["value"] for row in store.query("run_param", {"run_id": run_id})}


def _logged_model(store: SqlStore, model_id: str) -> None:
    store.append(
        "logged_model",
        {"model_id": model_id, "experiment_id": "0", "name": "m", "status": "READY", "created": "t", "updated": "t"},
    )


def test_a_run_begins_running_and_its_name_is_a_tag(either_store: SqlStore) -> None:
    run_id = create_run(either_store, "0", name="first", tags={"team": "red"}, user_id="ann")
    row = run_row(either_store, run_id)
    assert (row["status"], row["name"], row["user_id"], row["deleted"]) == ("running", "first", "ann", None)
    assert _tags(either_store, run_id) == {"team": "red", "mlflow.runName": "first"}
    update_run(either_store, run_id, name="second")
    assert _tags(either_store, run_id)["mlflow.runName"] == "second"
    log(either_store, run_id, tags={"mlflow.runName": "third"})
    assert run_row(either_store, run_id)["name"] == "third"


def test_a_run_needs_an_experiment(either_store: SqlStore) -> None:
    with pytest.raises(NotFound, match="No Experiment with id=77 exists"):
        create_run(either_store, "77", name="r")
    with pytest.raises(NotFound, match="Run with id=nope not found"):
        log(either_store, "nope", params={"a": "1"})


def test_params_metrics_and_tags_are_kept_together_or_not_at_all(either_store: SqlStore) -> None:
    run_id = create_run(either_store, "0", name="r")
    points = {"auc": points_of([(1, 5, 0.7)])}
    log(either_store, run_id, metrics=points, params={"lr": "0.1"}, tags={"a": "b"})
    with pytest.raises(InvalidInput, match="Changing param values is not allowed"):
        log(either_store, run_id, metrics={"f1": points_of([(1, 5, 0.7)])}, params={"lr": "0.2"}, tags={"c": "d"})
    with pytest.raises(InvalidInput, match="Duplicate parameter keys"):
        log(either_store, run_id, params=[("x", "1"), ("x", "1")])
    assert _params(either_store, run_id) == {"lr": "0.1"}
    assert set(latest(either_store, [run_id])[run_id]) == {"auc"}
    assert "c" not in _tags(either_store, run_id)
    log(either_store, run_id, params={"lr": "0.1", "depth": "3"})  # the same value again is harmless
    assert _params(either_store, run_id) == {"lr": "0.1", "depth": "3"}


@pytest.mark.parametrize("key", ["", "a" * 251, "a//b", "../a", "/a", "a/../b", "a\x00", "what?", "."])
def test_what_is_no_key_is_refused(store: SqlStore, key: str) -> None:
    run_id = create_run(store, "0", name="r")
    for given in ({"params": {key: "1"}}, {"tags": {key: "1"}}, {"metrics": {key: points_of([(0, 0, 1.0)])}}):
        with pytest.raises(InvalidInput):
            log(store, run_id, **given)
    assert _params(store, run_id) == {}


@pytest.mark.parametrize("key", ["a", "a" * 250, "a/b c.d-e:f_g", "größe", "mlflow.data.context"])
def test_what_may_be_a_key(store: SqlStore, key: str) -> None:
    run_id = create_run(store, "0", name="r")
    log(store, run_id, params={key: "1"}, tags={key: "2"}, metrics={key: points_of([(0, 0, math.nan)])})
    assert _params(store, run_id) == {key: "1"}


def test_an_ended_run_takes_no_results_unless_asked(either_store: SqlStore) -> None:
    run_id = create_run(either_store, "0", name="r")
    log(either_store, run_id, metrics={"auc": points_of([(0, 1, 0.5)])})
    update_run(either_store, run_id, status="finished")
    point = {"auc": points_of([(1, 2, 0.9)])}
    for given in ({"metrics": point}, {"params": {"a": "1"}}):
        with pytest.raises(Conflict, match="has ended as finished"):
            log(either_store, run_id, **given)
    log(either_store, run_id, tags={"note": "looked at"})
    log(either_store, run_id, tags={"note": "looked at again"})
    (noted,) = changes(either_store, "run", run_id)
    assert (noted["what"], noted["before"], noted["after"]) == ("tag note", "looked at", "looked at again")
    log(either_store, run_id, metrics=point, params={"a": "1"}, late="mark")
    assert len(history(either_store, run_id, "auc")) == 1
    assert len(history(either_store, run_id, "auc", late=True)) == 2
    assert [row["layer"] for row in either_store.query("run_param", {"run_id": run_id})] == [1]


def test_a_run_can_be_opened_again_and_that_is_kept(either_store: SqlStore) -> None:
    run_id = create_run(either_store, "0", name="r")
    ended = iso(either_store.clock.now() + timedelta(hours=1))
    assert update_run(either_store, run_id, status="failed", ended=ended)["ended"] == ended
    assert update_run(either_store, run_id, status="running")["ended"] is None
    log(either_store, run_id, params={"a": "1"})
    assert [row["what"] for row in changes(either_store, "run", run_id)] == ["reopened"]
    with pytest.raises(InvalidInput, match="a run cannot be 'done'"):
        update_run(either_store, run_id, status="done")


def test_a_deleted_run_takes_nothing_until_it_is_back(either_store: SqlStore) -> None:
    run_id = create_run(either_store, "0", name="r")
    for _ in range(2):
        delete_run(either_store, run_id)
    for refused in (
        lambda: log(either_store, run_id, tags={"a": "b"}),
        lambda: update_run(either_store, run_id, status="finished"),
        lambda: delete_tag(either_store, run_id, "mlflow.runName"),
        lambda: log_datasets(either_store, run_id, [DatasetUse("d", "1", "local", "x")]),
    ):
        with pytest.raises(InvalidInput, match="must be in the 'active' state"):
            refused()
    for _ in range(2):
        restore_run(either_store, run_id)
    log(either_store, run_id, tags={"a": "b"})
    assert [row["what"] for row in changes(either_store, "run", run_id)] == ["deleted", "restored"]


def test_a_tag_is_taken_away_once(either_store: SqlStore) -> None:
    run_id = create_run(either_store, "0", name="r", tags={"a": "b"})
    delete_tag(either_store, run_id, "a")
    with pytest.raises(NotFound, match="No tag with name: a"):
        delete_tag(either_store, run_id, "a")


def test_the_first_description_of_a_dataset_stays(either_store: SqlStore) -> None:
    runs = [create_run(either_store, "0", name=name) for name in "ab"]
    first = DatasetUse("train", "d1", "local", "here", schema="s", tags={"mlflow.data.context": "training"})
    for run_id in (runs[0], runs[0]):
        log_datasets(either_store, run_id, [first, DatasetUse("train", "d1", "s3", "there")])
    log_datasets(either_store, runs[1], [DatasetUse("train", "d1", "s3", "there", tags={"x": "y"})])
    (ref,) = either_store.query("dataset_ref")
    assert (ref["source_type"], ref["dataset_source"], ref["schema"]) == ("local", "here", "s")
    uses = either_store.query("run_dataset", order_by=["run_id"])
    assert {row["run_id"]: row["context"] for row in uses} == {runs[0]: "training", runs[1]: None}
    for used in (DatasetUse("", "d", "local", "x"), DatasetUse("d", "", "local", "x")):
        with pytest.raises(InvalidInput, match="no name or no digest"):
            log_datasets(either_store, runs[0], [used])


def test_models_that_a_run_used_and_made(either_store: SqlStore) -> None:
    run_id = create_run(either_store, "0", name="r")
    _logged_model(either_store, "m-1")
    log_models(either_store, run_id, "input", {"m-1": None})
    log_models(either_store, run_id, "output", {"m-1": 3})
    log_models(either_store, run_id, "output", {"m-1": 3})
    found = either_store.query("run_model", order_by=["role"])
    assert [(row["role"], row["step"]) for row in found] == [("input", None), ("output", 3)]
    with pytest.raises(NotFound, match="'m-2' not found"):
        log_models(either_store, run_id, "output", {"m-2": 1})


def test_a_run_that_goes_on_says_so_now_and_then(store: SqlStore) -> None:
    run_id = create_run(store, "0", name="r")
    old = iso(store.clock.now() - timedelta(minutes=5))
    store.amend("run", {"run_id": run_id}, {"seen": old})
    log(store, run_id, params={"a": "1"})
    seen = run_row(store, run_id)["seen"]
    assert seen > old
    log(store, run_id, params={"b": "1"})
    assert run_row(store, run_id)["seen"] == seen
