import os
import platform
from datetime import UTC, datetime
from typing import Any

import pytest

from assay.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from assay.record.search.run_listing import list_runs
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import Run, current_run, show_run, start_run


def _one(store: SqlStore) -> dict[str, Any]:
    (row,) = store.query("run")
    return row


def test_a_run_is_recorded_before_its_block_begins(store: SqlStore) -> None:
    with start_run(
        store, "churn", "first", kind="eval", stage="prod", trigger_type="drift", model="m", pipeline="p",
        pipeline_hash="h", seed=2**32 - 1,
    ) as run:  # fmt: skip
        row = _one(store)
        assert current_run() is run
    assert current_run() is None
    given = {
        "run_id": run.run_id, "experiment_id": "1", "name": "first", "kind": "eval", "stage": "prod",
        "trigger_type": "drift", "status": "running", "model": "m", "pipeline": "p", "pipeline_hash": "h",
        "seed": 2**32 - 1, "parent_run_id": None, "host": platform.node(), "pid": os.getpid(), "ended": None,
        "source": "native",
    }  # fmt: skip
    assert row | given == row
    assert store.get("environment", {"env_hash": row["env_hash"]})
    assert row["code_sha"]


def test_a_run_that_reaches_its_end_is_finished(store: SqlStore) -> None:
    with start_run(store, "churn"):
        pass
    row = _one(store)
    assert (row["status"], row["reason"]) == ("finished", None)
    assert row["started"] <= row["ended"]


def test_a_run_that_raises_is_failed_with_the_reason(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="no rows"), start_run(store, "churn"):
        raise ValueError("no rows")
    assert (_one(store)["status"], _one(store)["reason"]) == ("failed", "ValueError: no rows")
    assert current_run() is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_run_is_killed(store: SqlStore, error: type[BaseException]) -> None:
    with pytest.raises(error), start_run(store, "churn"):
        raise error
    assert (_one(store)["status"], _one(store)["reason"]) == ("killed", "interrupted")


def test_a_reason_may_hold_anything(either_store: SqlStore) -> None:
    with pytest.raises(ValueError, match="x"), start_run(either_store, "churn"):
        raise ValueError("x\0\udcff\ny" + "z" * 1000)
    row = _one(either_store)
    assert row["status"] == "failed"
    assert row["reason"].startswith("ValueError: x??\nyz")
    assert len(row["reason"]) == 500


def test_the_error_of_the_block_matters_more_than_that_of_the_store(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is full")

    with pytest.raises(ValueError, match="mine") as caught, start_run(store, "churn"):  # noqa: PT012
        monkeypatch.setattr(store, "amend", full)
        raise ValueError("mine")
    assert "could not be marked as failed: the disk is full" in caught.value.__notes__[0]


def test_a_block_may_end_its_run(store: SqlStore) -> None:
    with start_run(store, "churn") as run:
        run.finish("stopped", "no better since ten rounds")
    assert (_one(store)["status"], _one(store)["reason"]) == ("stopped", "no better since ten rounds")
    with pytest.raises(Conflict, match="status=stopped"):
        run.finish("finished")
    with pytest.raises(RuntimeError), start_run(store, "other") as run:  # noqa: PT012
        run.finish("stopped")
        raise RuntimeError
    assert store.get("run", {"run_id": run.run_id})["status"] == "stopped"


@pytest.mark.parametrize("status", ["done", "running", ""])
def test_an_unknown_end_is_refused(store: SqlStore, status: str) -> None:
    with start_run(store, "churn") as run:
        with pytest.raises(InvalidInput, match="cannot end as"):
            run.finish(status)
        assert _one(store)["status"] == "running"


def test_a_run_inside_another_is_its_child(store: SqlStore) -> None:
    with start_run(store, "churn", "outer") as outer:
        with start_run(store, "churn", "inner") as inner:
            assert current_run() is inner
        assert current_run() is outer
    with start_run(store, "churn", "after") as after:
        pass
    parents = {row["run_id"]: row["parent_run_id"] for row in store.query("run")}
    assert parents == {outer.run_id: None, inner.run_id: outer.run_id, after.run_id: None}
    assert [child.run_id for child in show_run(store, outer.run_id).children] == [inner.run_id]


def test_show_gives_all_that_was_recorded(store: SqlStore) -> None:
    store.clock.advance(datetime(2013, 4, 1, tzinfo=UTC))
    for artifact_id in "ab":
        row = {"artifact_id": artifact_id, "type": "dataset", "hash": artifact_id * 4, "created": "now"}
        store.append("artifact", row)
    with start_run(store, "churn", "first", seed=7) as run:
        run.params({"depth": 3, "rate": 0.1})
        run.tags({"team": "blue"})
        run.metrics({"loss": 0.5, "auc": 0.8}, step=1)
        run.metrics({"loss": 0.25}, step=2)
        for _ in range(2):
            run.uses("a", "train")
            run.makes("b", "scores")
    found = show_run(store, run.run_id[:6])
    assert found.run.run_id == run.run_id
    assert found.params == {"depth": "3", "rate": "0.1"}
    assert found.tags == {"team": "blue"}
    assert found.run.metrics == {"loss": 0.25, "auc": 0.8}  # the last step
    assert (found.inputs, found.outputs) == ({"train": "aaaa"}, {"scores": "bbbb"})
    assert found.run.event_ts == "2013-04-01T00:00:00.000000Z"
    assert found.run.seconds is not None
    assert 0 <= found.run.seconds < 60
    assert found.packages > 10
    assert (found.seed, found.steps, found.actor) == (7, [], store.actor.name)


def test_a_param_is_set_once(store: SqlStore) -> None:
    with start_run(store, "churn") as run:
        run.params({"a": 1})
        with pytest.raises(InvalidInput, match="Changing param values is not allowed"):
            run.params({"b": 2, "a": 2})
    assert show_run(store, run.run_id).params == {"a": "1"}


@pytest.mark.parametrize("value", ["high", None, 10**400])
def test_a_metric_that_is_no_number_is_refused_and_nothing_is_written(store: SqlStore, value: Any) -> None:
    with start_run(store, "churn") as run:
        with pytest.raises(InvalidInput, match="metric"):
            run.metrics({"loss": 0.5, "auc": value})
        run.metrics({})
    assert store.query("run_metric") == []


def test_a_prefix_must_name_one_run(store: SqlStore) -> None:
    with start_run(store, "churn") as run:
        pass
    for run_id in ("g1", "g2"):
        store.append("run", _one_more(store, run.run_id, run_id))
    assert show_run(store, "g1").run.run_id == "g1"
    assert show_run(store, run.run_id[:1]).run.run_id == run.run_id
    with pytest.raises(InvalidInput, match="more than one run begins with 'g'"):
        show_run(store, "g")
    for prefix in ("", "h", "G1", "g_", "%"):
        with pytest.raises(NotFound, match="no run whose id begins with"):
            show_run(store, prefix)


def _one_more(store: SqlStore, known: str, run_id: str) -> dict[str, Any]:
    return store.get("run", {"run_id": known}) | {"run_id": run_id}


def test_an_imported_run_without_environment_is_shown(store: SqlStore) -> None:
    with start_run(store, "churn") as run:
        pass
    store.append("run", _one_more(store, run.run_id, "g1") | {"env_hash": None, "code_sha": None, "dirty": None})
    found = show_run(store, "g1")
    assert (found.env_hash, found.code_sha, found.dirty, found.packages) == (None, None, False, 0)


def test_steps_of_a_run_are_shown_in_order(store: SqlStore) -> None:
    with start_run(store, "churn") as run:
        for place, name in enumerate(("split", "train")):
            times = {"started": f"2013-0{place + 1}", "ended": "2014", "seconds": 1.5}
            step = {
                "step_id": name,
                "run_id": run.run_id,
                "name": name,
                "key": "k",
                "components": "{}",
                "state": "done",
            }
            store.append("step", step | times)
    assert [(step.name, step.state, step.seconds) for step in show_run(store, run.run_id).steps] == [
        ("split", "done", 1.5),
        ("train", "done", 1.5),
    ]


def test_runs_are_listed_newest_first(store: SqlStore) -> None:
    for name in ("one", "two"):
        with start_run(store, "churn", name):
            pass
    with start_run(store, "other", "three"):
        assert [run.name for run in list_runs(store)] == ["three", "two", "one"]
        assert list_runs(store)[0].seconds is None
    assert [run.name for run in list_runs(store, experiment="churn", limit=1)] == ["two"]
    assert list_runs(store, experiment="nothing") == []
    with pytest.raises(InvalidInput, match="limit is 0"):
        list_runs(store, limit=0)


def test_every_call_has_reached_the_store_when_it_returns(store: SqlStore) -> None:
    with start_run(store, "churn") as run:
        Run(store, run.run_id).metrics({"loss": 0.5})
        assert show_run(store, run.run_id).run.metrics == {"loss": 0.5}
