from pathlib import Path

import pytest

from assay.errors import Conflict, InvalidInput, NotFound, Tampered
from assay.record.models import registry
from assay.record.models.registry import (
    CHAMPION,
    ModelVersion,
    find_version,
    list_models,
    model_folder,
    move_alias,
    register,
)
from assay.record.sqlstore import SqlStore
from assay.record.tracking import runs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "weights").write_bytes(b"1")
    return made


def _register(store: SqlStore, folder: Path, model: str = "churn", count: int = 1) -> list[ModelVersion]:
    return [register(store, model, folder, run=None, signature={"age": "int64"}) for _ in range(count)]


def test_versions_are_numbered_by_model(store: SqlStore, folder: Path) -> None:
    assert [version.version for version in _register(store, folder, count=3)] == [1, 2, 3]
    assert [version.version for version in _register(store, folder, "other")] == [1]
    assert [version.version for version in _register(store, folder)] == [4]


def test_a_version_comes_from_a_run_and_is_its_output(store: SqlStore, folder: Path) -> None:
    with runs.start_run(store, "churn") as run:
        made = register(store, "churn", folder, run=run, signature={"age": "int64"}, description="first")
    assert registry.version_by_id(store, made.mv_id) == made
    assert (made.run_id, made.signature, made.description) == (run.run_id, {"age": "int64"}, "first")
    assert runs.show_run(store, run.run_id).outputs == {"churn/1": made.hash}
    artifact = store.get("artifact", {"artifact_id": made.mv_id})
    assert (artifact["type"], artifact["name"], artifact["blob"]) == ("model", "churn/1", made.hash)


def test_a_refused_version_uses_no_number_and_leaves_no_row(store: SqlStore, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        register(store, "churn", tmp_path / "nothing", run=None, signature={})
    with pytest.raises(NotFound):
        register(store, "churn", folder, run=runs.Run(store, "nobody"), signature={})
    assert store.query("model_version") == []
    assert store.query("artifact") == []
    assert _register(store, folder)[0].version == 1


def test_the_folder_is_made_from_the_store_and_checked(store: SqlStore, folder: Path, tmp_path: Path) -> None:
    (version,) = _register(store, folder)
    (folder / "weights").write_bytes(b"2")  # what happens to the original afterwards does not matter
    made = model_folder(store, version)
    assert (made / "weights").read_bytes() == b"1"
    assert made == tmp_path / "store" / "models" / version.hash
    (made / "weights").write_bytes(b"2")
    with pytest.raises(Tampered, match="weights"):
        model_folder(store, version)


def test_a_version_is_found_by_number_and_alias(store: SqlStore, folder: Path) -> None:
    first, second = _register(store, folder, count=2)
    assert registry.alias(store, "churn", CHAMPION) is None
    move_alias(store, first, CHAMPION, decision=1, expect=None)
    assert find_version(store, "churn", CHAMPION) == first
    assert find_version(store, "churn", 2) == find_version(store, "churn", "2") == second
    move_alias(store, second, CHAMPION, decision=2, expect=first)
    assert find_version(store, "churn", CHAMPION) == second
    moves = store.query("alias_move", order_by=["seq"])
    assert [(move["seq"], move["mv_id"], move["previous_mv_id"], move["decision"]) for move in moves] == [
        (1, first.mv_id, None, 1),
        (2, second.mv_id, first.mv_id, 2),
    ]


def test_what_is_not_there_is_not_found_and_the_message_says_what_is(store: SqlStore, folder: Path) -> None:
    with pytest.raises(NotFound, match="there are no models"):
        find_version(store, "churn", 1)
    (first,) = _register(store, folder)
    _register(store, folder, "price")
    with pytest.raises(NotFound, match="no version 7") as caught:
        find_version(store, "churn", 7)
    assert caught.value.hint == "it has the versions 1"
    with pytest.raises(NotFound, match="no alias 'best'"):
        find_version(store, "churn", "best")
    with pytest.raises(NotFound, match="did you mean 'churn'"):
        find_version(store, "chrun", 1)
    with pytest.raises(NotFound, match="there are churn, price"):
        list_models(store, model="zzz")
    with pytest.raises(NotFound):
        registry.version_by_id(store, "nobody")
    assert find_version(store, "churn", 1) == first


def test_an_alias_that_was_moved_by_somebody_else_stays(store: SqlStore, folder: Path) -> None:
    first, second, third = _register(store, folder, count=3)
    move_alias(store, first, CHAMPION, decision=1, expect=None)
    for expect in (None, third):
        with pytest.raises(Conflict, match="churn@champion was moved"):
            move_alias(store, second, CHAMPION, decision=2, expect=expect)
    assert find_version(store, "churn", CHAMPION) == first


def test_models_are_listed_with_aliases_and_last_verdict(store: SqlStore, folder: Path) -> None:
    first, second = _register(store, folder, count=2)
    _register(store, folder, "age")
    move_alias(store, first, CHAMPION, decision=1, expect=None)
    move_alias(store, second, "shadow", decision=2, expect=None)
    move_alias(store, second, CHAMPION, decision=3, expect=first)
    for number, outcome in enumerate(("fail", "pass")):
        gate = dict.fromkeys(("subject_hash", "evaluation_id", "policy_version", "checks", "mode"), "x")
        gate |= {"id": outcome, "mv_id": second.mv_id, "outcome": outcome, "ts": f"2013-0{number + 1}"}
        store.append("gate", {**gate, "decision": number})
    listed = [(one.model, one.version, one.aliases, one.verdict) for one in list_models(store)]
    assert listed == [("age", 1, [], None), ("churn", 2, ["champion", "shadow"], "pass"), ("churn", 1, [], None)]
    assert [one.model for one in list_models(store, model="age")] == ["age"]
    assert list_models(store, model="age")[0].hash == first.hash
