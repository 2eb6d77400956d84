"""The same pipeline on every executor: the same results, the same keys; lost workers, floods, seeds."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.build.steps import sent_steps

import assay
from assay.build.executors.opening import open_executor
from assay.build.steps.work import Work, derived_seed, perform
from assay.errors import InvalidInput, StoreMismatch, WorkerLost
from assay.record import open_store
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run


@pytest.mark.parametrize("others", [["threads", "processes"], pytest.param(["ray"], marks=pytest.mark.ray)])
def test_results_and_keys_are_the_same_on_every_executor(tmp_path: Any, others: list[str]) -> None:
    found = {}
    for executor in ("inline", *others):
        opened = open_store(tmp_path / executor)
        result = sent_steps.nightly.options(store=opened, executor=executor, workers=2, seed=3)(1000)
        drawn = sent_steps.drawing.options(store=opened, executor=executor, workers=1, seed=3)(2)
        rows = opened.query("step")
        found[executor] = (result, drawn, sorted((row["name"], row["key"], row["state"]) for row in rows))
        assert {row["executor"] for row in rows} == {executor}
        log = next(row["log"] for row in rows if row["name"] == "table_of")
        assert log == (None if executor == "inline" else "making 1000 rows\n")
        if executor not in ("inline", "threads"):
            assert all(row["memory_mb"] > 1 and row["cpu_s"] is not None for row in rows)
            assert all(row["worker"] for row in rows)
        opened.close()
    assert [found[executor] for executor in others] == [found["inline"]] * len(others)
    result = found["inline"][0]
    assert (result["sums"], result["outer"]) == ([499500, 999000], 499500)


def test_seeds_come_from_the_pipelines_seed_the_name_and_the_item(store: SqlStore) -> None:
    def run(seed: int | None) -> list[Any]:
        return sent_steps.drawing.options(store=store, executor="inline", seed=seed)(3)

    first, same, other, none = run(1), run(1), run(2), run(None)
    assert first == same
    assert first[0] != other[0]
    assert first[1] != other[1]
    assert none[0] == run(0)[0] != first[0]
    assert first[2:] == [[5, derived_seed(1, f"{sent_steps.__name__}.item", index)] for index in range(3)]
    assert len({tuple(item) for item in first[2:]}) == 3
    given = assay.step(sent_steps.item.__wrapped__).map([1], seed=4)
    assert given == [[1, 4]]


def test_a_lost_worker_costs_an_attempt_and_not_the_run(store: SqlStore, tmp_path: Any) -> None:
    pipe = sent_steps.perishable.options(store=store, executor="processes", workers=1)
    assert pipe(1, str(tmp_path / "one")) == 1
    rows = store.query("step", order_by=["started"])
    assert [(row["state"], row["exit"], row["attempt"]) for row in rows] == [
        ("failed", "lost", 1),
        ("done", "returned", 2),
    ]
    assert rows[0]["reason"].startswith("the worker was lost, for the 1. time: ")
    with pytest.raises(WorkerLost) as raised:
        pipe(9, str(tmp_path / "nine"))
    assert raised.value.what.startswith(f"step {sent_steps.__name__}.dying lost its worker 3 times; the last time: ")
    assert "memory" in str(raised.value.hint)
    (run,) = store.query("run", {"status": "failed"})
    assert "lost its worker 3 times" in run["reason"]


def test_a_step_that_prints_without_end_keeps_its_first_and_last_words(store: SqlStore) -> None:
    assert sent_steps.flood.options(store=store, executor="processes", workers=1)(200) == 200
    (row,) = store.query("step")
    assert row["log"] is None
    kept = store.blobs.get(row["log_blob"]).decode()
    assert 100_000 < len(kept) < 150_000


@pytest.mark.parametrize(
    ("pipe", "raises", "said"),
    [
        (sent_steps.impossible, InvalidInput, "sent_steps.unsendable"),
        (lambda: sent_steps.broken, ArithmeticError, "no 3"),
    ],
)
def test_what_fails_elsewhere_fails_here(store: SqlStore, pipe: Any, raises: type[Exception], said: str) -> None:
    if pipe is sent_steps.impossible:
        call: Callable[[], object] = sent_steps.impossible.options(store=store, executor="processes", workers=1)
    else:
        broken = sent_steps.broken.options(store=store, executor="processes", workers=1)

        def call() -> object:
            return broken(3)

    with pytest.raises(raises, match=said):
        call()
    (row,) = store.query("step")
    assert (row["state"], row["exit"]) == ("failed", "raised")
    assert store.query("run")[0]["status"] == "failed"


def test_what_a_worker_cannot_import_is_refused_by_name(store: SqlStore) -> None:
    @assay.step
    def local(x: int) -> int:
        return x

    @assay.pipeline
    def pipe() -> int:
        return local(1)

    with pytest.raises(InvalidInput, match=r"local.* cannot be sent to a worker"):
        pipe.options(store=store, executor="processes", workers=1)()
    assert store.query("step")[0]["state"] == "failed"


def test_what_runs_when_a_pipeline_is_interrupted_is_stopped(store: SqlStore) -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sent_steps.interrupted.options(store=store, executor="processes", workers=2)(300.0)
    assert time.monotonic() - began < 60
    rows = store.query("step", order_by=["ended"])
    assert [(row["state"], row["exit"]) for row in rows] == [("done", "returned"), ("cancelled", "stopped")]
    assert store.query("run")[0]["status"] == "killed"
    assert store.query("lease") == [], "others may compute it at once"


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_what_a_step_logs_belongs_to_the_run_of_its_pipeline(store: SqlStore, executor: str) -> None:
    assert sent_steps.logged.options(store=store, executor=executor, workers=1)(0.25) == 0.25
    (run,) = store.query("run")
    assert show_run(store, run["run_id"]).run.metrics == {"loss": 0.25}
    assert len(store.query("step")) == 1


def test_an_executor_that_is_given_stays_open(store: SqlStore) -> None:
    with open_executor("threads", workers=1) as executor:
        for n in (1, 2):
            sent_steps.nightly.options(store=store, executor=executor)(n)


@pytest.mark.parametrize(
    ("changes", "raises", "said"),
    [
        ({"python": "2.7"}, StoreMismatch, "it has Python 3"),
        ({"versions": {"numpy": "0.1"}}, StoreMismatch, "numpy is .* there"),
        ({"versions": {"nothing-of-this-name": "1"}}, StoreMismatch, "is not installed there"),
        ({"function": None, "module": "no_such_module"}, InvalidInput, "no_such_module is not found there"),
    ],
)
def test_a_worker_that_differs_is_an_error_and_not_a_stale_result(
    changes: dict[str, Any], raises: type[Exception], said: str
) -> None:
    work: dict[str, Any] = {
        "name": "pkg.step",
        "function": abs,
        "module": "builtins",
        "qualname": "abs",
        "args": (-1,),
        "kwargs": {},
        "seed": 1,
        "timeout": None,
        "versions": {},
    }
    assert perform(Work(**work)) == 1
    with pytest.raises(raises, match=said):
        perform(Work(**{**work, **changes}))
