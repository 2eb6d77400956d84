import json
import math

import pyarrow as pa
import pytest

from assay.errors import InvalidInput, NotFound
from assay.record.canonical import canonical_json
from assay.record.datasets import snapshot
from assay.record.sqlstore import SqlStore
from assay.record.tracking.comparing import compare, diff
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import DatasetUse, log, log_datasets
from assay.record.tracking.runs import start_run


def _run(store: SqlStore, rate: str, losses: list[float], **tags: str) -> str:
    with start_run(store, "churn", f"rate {rate}") as run:
        run.params({"rate": rate, "depth": 3})
        run.tags({"team": "red", **tags})
        points = [(step, 1000 + step, value) for step, value in enumerate(losses)]
        log(store, run.run_id, metrics={"loss": points_of(points), "auc": points_of([(0, 1, 0.5)])})
    return run.run_id


def _pretend(store: SqlStore, run_id: str, env: str, packages: dict[str, str], python: str, **columns: object) -> None:
    detail = canonical_json({"packages": packages, "python": python})
    store.append_many("environment", [{"env_hash": env, "detail": detail}], skip_existing=True)
    store.amend("run", {"run_id": run_id}, {"env_hash": env, **columns})


def test_only_what_differs_is_put_side_by_side(either_store: SqlStore) -> None:
    first, second = _run(either_store, "0.1", [1.0, 0.5]), _run(either_store, "0.2", [1.0, 0.25, 0.125], note="x")
    found = compare(either_store, [second[:10], first])
    assert [run.run_id for run in found.runs] == [second, first]
    assert found.params == {"rate": ["0.2", "0.1"]}
    assert found.metrics == {"loss": [0.125, 0.5]}
    assert found.courses == {"loss": [[1.0, 0.25, 0.125], [1.0, 0.5]]}
    assert found.tags == {"note": ["x", None]}
    assert found.equal == 3  # depth, auc, team
    whole = compare(either_store, [first, second], all_keys=True)
    assert (set(whole.params), set(whole.metrics), whole.equal) == ({"rate", "depth"}, {"loss", "auc"}, 0)


def test_a_value_that_is_no_number_in_both_is_the_same(store: SqlStore) -> None:
    first, second = _run(store, "0.1", [math.nan]), _run(store, "0.1", [math.nan])
    assert compare(store, [first, second]).metrics == {}


@pytest.mark.parametrize("runs", [[], ["a"], ["a", "a"]])
def test_a_comparison_needs_two_runs(store: SqlStore, runs: list[str]) -> None:
    with pytest.raises(InvalidInput, match="expected: 2 to 100"):
        compare(store, runs)
    with pytest.raises(NotFound, match="no run whose id begins with 'zz'"):
        compare(store, ["zz", "yy"])


def test_what_comes_after_the_end_of_a_run_does_not_count(store: SqlStore) -> None:
    first, second = _run(store, "0.1", [1.0]), _run(store, "0.1", [1.0])
    log(store, first, metrics={"loss": points_of([(9, 9000, 0.1)])}, params={"more": "1"}, late="mark")
    assert compare(store, [first, second]).metrics == {}
    assert diff(store, first, second).params == []


def test_a_run_does_not_differ_from_its_twin(store: SqlStore) -> None:
    first, second = _run(store, "0.1", [1.0]), _run(store, "0.1", [1.0])
    for run_id in (first, second):
        _pretend(store, run_id, "e", {"numpy": "2"}, "3.12", code_sha="c" * 40, dirty=0)
    found = diff(store, first, second)
    assert found.same
    assert found.code == "the same code"


def test_code_environment_and_data_of_two_runs_are_told_apart(store: SqlStore) -> None:
    first, second = _run(store, "0.1", [1.0]), _run(store, "0.2", [0.5])
    patches = [store.blobs.put(f"--- a\n+++ b\n+{line}\n".encode()) for line in ("x = 1", "x = 2")]
    details = [json.dumps({"git": {"diff": patch}}) for patch in patches]
    _pretend(store, first, "e1", {"numpy": "2.0", "old": "1"}, "3.11", code_sha="c" * 40, dirty=1, detail=details[0])
    _pretend(store, second, "e2", {"numpy": "2.4", "new": "1"}, "3.12", code_sha="c" * 40, dirty=1, detail=details[1])
    for run_id, rows in ((first, [1, 2]), (second, [1, 2, 3])):
        version = snapshot(store, "train", pa.table({"a": rows}))
        link = {"run_id": run_id, "role": "input", "artifact_id": version.artifact_id, "name": "train"}
        store.append("run_io", link)
    log_datasets(store, second, [DatasetUse("test", "d2", "local", "here")], late="accept")
    found = diff(store, first, second)
    assert not found.same
    assert [(c.key, c.before, c.after) for c in found.params] == [("rate", "0.1", "0.2")]
    assert [(c.key, c.before, c.after) for c in found.metrics] == [("loss", 1.0, 0.5)]
    packages = [(c.key, c.before, c.after) for c in found.environment]
    assert packages == [("new", None, "1"), ("numpy", "2.0", "2.4"), ("old", "1", None)]
    assert found.python is not None
    assert (found.python.before, found.python.after) == ("3.11", "3.12")
    assert [c.key for c in found.data] == ["test", "train"]
    assert found.data[0].before is None
    assert "-+x = 1" in found.patch
    assert "++x = 2" in found.patch
    assert "with uncommitted changes" in found.code
