"""Pipelines: handles, what runs beside what, what is remembered, what is refused, and what the record says."""

import json
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

import assay
from assay.build.steps.handles import Handle
from assay.errors import InvalidInput, NotFound
from assay.record.sqlstore import SqlStore
from assay.record.store import Row
from assay.record.tracking.lost import state_of


class Executed(list[object]):
    """What ran. Its pickle is always empty, so that it is no part of a key."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return (Executed, ())


EXECUTED = Executed()
BROKEN = Executed()
BARRIER: list[threading.Barrier] = []


@pytest.fixture(autouse=True)
def _nothing_executed_yet() -> None:
    EXECUTED.clear()


@assay.step
def numbers(n: int) -> list[int]:
    EXECUTED.append(("numbers", n))
    return list(range(n))


@assay.step
def total(values: list[int], factor: int = 1) -> int:
    EXECUTED.append(("total", factor))
    return sum(values) * factor


@assay.step
def together(parts: dict[str, Any], more: tuple[int, ...] = ()) -> float:
    EXECUTED.append("together")
    return float(sum(sum(one) if isinstance(one, list) else one for one in parts.values()) + sum(more))


@assay.step
def failing(x: int) -> int:
    EXECUTED.append(("failing", x))
    if x % 3 == 2:
        raise ArithmeticError(f"no {x}")
    return x * 10


@assay.pipeline
def nightly(n: int, factor: int = 2) -> dict[str, object]:
    values = numbers(n)
    one, two = total(values), total(values, factor)
    return {"sum": together({"a": one, "b": [two, 1]}, (one,)), "n": n}


def rows_of(store: SqlStore) -> list[Row]:
    (run,) = store.query("run", order_by=["-started"], limit=1)
    return store.query("step", {"run_id": run["run_id"]}, order_by=["started", "step_id"])


def states(rows: list[Row]) -> list[str]:
    return [row["state"] for row in rows]


def test_a_pipeline_runs_as_a_run_and_is_remembered(either_store: SqlStore) -> None:
    pipe = nightly.options(store=either_store)
    assert pipe(4) == {"sum": 6 + 12 + 1 + 6, "n": 4}
    (run,) = either_store.query("run")
    assert (run["kind"], run["status"], run["name"]) == ("pipeline", "finished", "nightly")
    assert run["pipeline"] == f"{__name__}.nightly"
    assert states(rows_of(either_store)) == ["done"] * 4
    assert {row["executor"] for row in rows_of(either_store)} == {"threads"}
    EXECUTED.clear()
    assert pipe(4) == {"sum": 25, "n": 4}
    assert EXECUTED == []
    assert states(rows_of(either_store)) == ["cached"] * 4


def test_upstream_that_ran_again_with_equal_output_stops_the_wave(store: SqlStore) -> None:
    nightly.options(store=store)(4)
    nightly.options(store=store, from_step="numbers", only=None)(4)
    assert states(rows_of(store)) == ["done"] * 4, "from_step computes a step and what takes its result"
    EXECUTED.clear()

    @assay.step
    def other_numbers(n: int) -> list[int]:
        return list(range(n))

    @assay.pipeline
    def again(n: int) -> int:
        return total(other_numbers(n))

    assert again.options(store=store)(4) == 6
    assert EXECUTED == []
    assert states(rows_of(store)) == ["done", "cached"]


def test_without_handles_a_step_outside_a_pipeline_stays_a_function() -> None:
    assert total(numbers(3)) == 3
    assert failing.map([0, 1]) == [0, 10]


@assay.step
def meeting(name: str) -> str:
    BARRIER[0].wait(10)
    return name


def test_what_does_not_need_each_other_runs_at_the_same_time(store: SqlStore) -> None:
    BARRIER[:] = [threading.Barrier(2)]

    @assay.pipeline(workers=2)
    def both() -> list[str]:
        return [meeting("a"), meeting("b")]

    assert both.options(store=store)() == ["a", "b"]


def test_values_are_waited_for_and_decide_what_comes_next(store: SqlStore) -> None:
    @assay.pipeline
    def growing() -> int:
        n, found = 1, 0
        while found < 10:
            handle = total(numbers(n))
            assert isinstance(handle, Handle)
            found = handle.result()
            n += 1
        return found

    assert growing.options(store=store)() == 10
    assert growing.options(store=store, executor="inline")() == 10


def test_a_handle_is_no_value(store: SqlStore) -> None:
    said: list[str] = []

    @assay.pipeline
    def wrong() -> None:
        handle: Any = numbers(2)
        for attempt in (lambda: bool(handle), lambda: list(handle), lambda: handle[0], lambda: len(handle)):
            with pytest.raises(InvalidInput, match="it is not there yet") as raised:
                attempt()
            said.append(str(raised.value.hint))
        with pytest.raises(AttributeError, match=r"numbers is not there yet: take it by \.result\(\) before \.shape"):
            _ = handle.shape

    wrong.options(store=store)()
    assert said == [".result() waits for the value"] * 4


def test_what_does_not_fit_an_annotation_is_refused_before_anything_runs(store: SqlStore) -> None:
    @assay.pipeline
    def wrong() -> object:
        values = numbers(3)
        return total(values, "2")  # type: ignore[arg-type] # on purpose

    @assay.pipeline
    def wrong_handle() -> object:
        values = numbers(3)
        return numbers(values)  # type: ignore[arg-type] # on purpose

    with pytest.raises(InvalidInput) as raised:
        wrong.options(store=store)()
    assert raised.value.what == f"step {__name__}.total: argument factor is str"
    assert raised.value.expected == "int"
    with pytest.raises(InvalidInput, match="argument n is list, the result of step numbers"):
        wrong_handle.options(store=store)()
    with pytest.raises(InvalidInput, match=r"pipeline .*nightly: argument n is str"):
        nightly.options(store=store)("4")  # type: ignore[arg-type] # on purpose
    with pytest.raises(InvalidInput, match=r"pipeline nightly is called in a wrong way: missing"):
        nightly.options(store=store)()  # type: ignore[call-arg] # on purpose
    assert EXECUTED == []
    assert {row["status"] for row in store.query("run")} == {"failed"}


def test_a_failure_names_its_step_ends_the_run_and_leaves_the_rest_remembered(store: SqlStore) -> None:
    @assay.pipeline
    def broken() -> object:
        bad = failing(2)
        return [total(numbers(5)), total([bad]), total([1])]

    with pytest.raises(ArithmeticError, match="no 2") as raised:
        broken.options(store=store)()
    assert raised.value.__notes__ == [f"in step {__name__}.failing"]
    (run,) = store.query("run")
    assert (run["status"], run["reason"]) == ("failed", "ArithmeticError: no 2")
    assert sorted(states(rows_of(store))) == ["done", "done", "done", "failed"]
    assert ("total", 1) in EXECUTED


def test_a_failure_that_nobody_asks_about_still_fails_the_pipeline(store: SqlStore) -> None:
    @assay.pipeline
    def careless() -> int:
        failing(2)
        return 1

    @assay.pipeline
    def careful() -> int:
        try:
            return failing(2)
        finally:
            pass

    @assay.pipeline
    def handled() -> int:
        try:
            return int(cast(Any, failing(2)).result())
        except ArithmeticError:
            return -1

    for pipe in (careless, careful):
        with pytest.raises(ArithmeticError):
            pipe.options(store=store)()
    assert handled.options(store=store)() == -1


def test_one_failing_item_does_not_discard_the_others(store: SqlStore) -> None:
    @assay.pipeline
    def many(count: int) -> list[int]:
        return failing.map(range(count))

    with pytest.raises(ExceptionGroup) as raised:
        many.options(store=store)(7)
    assert raised.value.message == f"step {__name__}.failing: 2 of 7 items failed: 2, 5"
    assert [str(error) for error in raised.value.exceptions] == ["no 2", "no 5"]
    assert "item 5" in raised.value.exceptions[1].__notes__
    assert sorted(states(rows_of(store))) == ["done"] * 5 + ["failed"] * 2
    EXECUTED.clear()
    assert many.options(store=store)(2) == [0, 10]
    assert EXECUTED == []


def test_mapped_results_are_a_list_and_handles_each(store: SqlStore) -> None:
    @assay.pipeline
    def mapped() -> list[int]:
        tens = failing.map(numbers(2))
        assert len(tens) == 2
        return [total(tens), total([tens[1]], factor=3), *total.map([[1], [2]], factor=2)]

    assert mapped.options(store=store)() == [10, 30, 2, 4]
    with pytest.raises(InvalidInput, match="map was given int"):
        failing.map(3)  # type: ignore[arg-type] # on purpose


def test_equal_calls_are_computed_once(store: SqlStore) -> None:
    @assay.pipeline
    def same() -> list[int]:
        return [total([1, 2]) for _ in range(5)]

    assert same.options(store=store)() == [3] * 5
    assert EXECUTED == [("total", 1)]
    assert sorted(states(rows_of(store))) == ["cached"] * 4 + ["done"]


def test_what_runs_although_it_is_remembered(store: SqlStore) -> None:
    nightly.options(store=store)(4)
    for settings, ran in (
        ({"no_cache": True}, {"numbers", "total", "together"}),
        ({"from_step": "total"}, {"total", "together"}),
        ({"from_step": f"{__name__}.together"}, {"together"}),
        ({"only": "total"}, {"total"}),
    ):
        EXECUTED.clear()
        nightly.options(store=store, **settings)(4)
        assert {one if isinstance(one, str) else one[0] for one in EXECUTED} == ran  # type: ignore[index]
    with pytest.raises(NotFound, match=r"step .*numbers is not remembered, and only together may run"):
        nightly.options(store=store, only="together")(5)
    with pytest.raises(InvalidInput, match="from_step is 'totl', and no such step was called") as raised:
        nightly.options(store=store, from_step="totl")(4)
    assert raised.value.hint == "from_step='total'"


def test_settings_that_make_no_sense_are_refused_before_there_is_a_run(store: SqlStore) -> None:
    for settings, said in (
        ({"executor": "thread"}, "unknown executor 'thread'"),
        ({"workers": 0}, "workers must be at least 1"),
    ):
        with pytest.raises(InvalidInput, match=said):
            nightly.options(store=store, **settings)(4)
    for seed in (-1, 2**32, True, "7"):
        with pytest.raises(InvalidInput, match="the seed of a pipeline is"):
            nightly.options(store=store, seed=seed)  # type: ignore[arg-type] # on purpose
        with pytest.raises(InvalidInput, match="the seed of a pipeline is"):
            assay.pipeline(seed=seed)  # type: ignore[arg-type] # on purpose
    assert store.query("run") == []

    @assay.pipeline
    def wrong() -> int:
        return total()  # type: ignore[call-arg] # on purpose

    with pytest.raises(InvalidInput, match=r"step .*total is called in a wrong way"):
        wrong.options(store=store)()


def test_a_killed_pipeline_is_lost_after_minutes(store: SqlStore) -> None:
    nightly.options(store=store)(4)
    (row,) = store.query("run")
    now = store.clock.now()
    assert state_of({**row, "status": "running"}, now) == "running"
    assert state_of({**row, "status": "running"}, now + timedelta(minutes=4)) == "lost"


def test_a_pipeline_that_calls_itself_is_refused(store: SqlStore) -> None:
    @assay.pipeline
    def endless(n: int) -> object:
        return endless(n + 1)

    with pytest.raises(InvalidInput, match="endless calls itself"):
        endless.options(store=store)(1)


@assay.step
def calls_a_pipeline(n: int) -> object:
    return nightly(n)


@assay.step
def calls_itself(n: int) -> int:
    return calls_itself(n)


def test_a_step_neither_runs_a_pipeline_nor_waits_for_itself(store: SqlStore) -> None:
    @assay.pipeline
    def around() -> object:
        return calls_a_pipeline(1)

    with pytest.raises(InvalidInput, match=r"step .*calls_a_pipeline calls the pipeline .*nightly"):
        around.options(store=store)()
    with assay.start_run(store, "e"), pytest.raises(InvalidInput, match="waits for itself"):
        calls_itself(1)


@assay.step
def calls_a_step(n: int) -> int:
    return total(numbers(n)) + 1


def test_a_step_that_a_step_calls_is_part_of_it(store: SqlStore) -> None:
    @assay.pipeline
    def nested() -> int:
        return calls_a_step(3)

    assert nested.options(store=store)() == 4
    assert [row["name"] for row in rows_of(store)] == ["calls_a_step"]


def test_inside_a_run_a_pipeline_is_its_child(store: SqlStore) -> None:
    with assay.start_run(store, "e") as outer:
        nightly(2)
        assert total([2]) == 2
    (inner,) = store.query("run", {"kind": "pipeline"})
    assert inner["parent_run_id"] == outer.run_id
    assert [row["name"] for row in store.query("step", {"run_id": outer.run_id})] == ["total"]


def test_the_nearest_store_is_used_where_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert nightly(4)["sum"] == 25
    opened = assay.open_store(create=False)
    assert states(rows_of(opened)) == ["done"] * 4
    opened.close()
    assert nightly.options(store=tmp_path / "other")(4)["sum"] == 25


def test_a_resumed_run_computes_only_what_was_not_finished(store: SqlStore) -> None:
    BROKEN[:] = [True]

    @assay.step(cache=False)
    def clock() -> float:
        EXECUTED.append("clock")
        return time.time()

    @assay.step
    def last(values: list[object]) -> list[object]:
        if BROKEN:
            raise OSError("away")
        return values

    @assay.pipeline
    def fragile(n: int, path: str = "x") -> list[object]:
        return last([clock(), clock(), total(numbers(n))])

    with pytest.raises(OSError, match="away"):
        fragile.options(store=store)(3)
    (run,) = store.query("run")
    assert run["status"] == "failed"
    first = EXECUTED.copy()
    EXECUTED.clear()
    BROKEN.clear()
    found = fragile.options(store=store).resume(run["run_id"][:8])
    assert EXECUTED == []
    assert len(first) == 4
    assert found[2] == 3
    assert found[0] != found[1]
    (again,) = store.query("run")
    assert (again["status"], again["reason"], again["run_id"]) == ("finished", None, run["run_id"])
    rows = store.query("step", {"name": "last"}, order_by=["started"])
    assert states(rows) == ["failed", "done"]
    with pytest.raises(InvalidInput, match=r"is no run of pipeline .*nightly"):
        nightly.options(store=store, resume=run["run_id"])(3)
    with pytest.raises(NotFound, match="no run whose id begins"):
        nightly.options(store=store).resume("nothing")


def test_what_a_step_prints_is_kept(store: SqlStore) -> None:
    @assay.step
    def talking(times: int) -> int:
        for _ in range(times):
            print("x" * 99)
        return times

    @assay.pipeline
    def talk() -> list[int]:
        return [talking(2), talking(5000)]

    talk.options(store=store)()
    short, long = store.query("step", order_by=["started", "step_id"])
    assert short["log"] == ("x" * 99 + "\n") * 2
    assert long["log"] is None
    kept = store.blobs.get(long["log_blob"]).decode()
    assert len(kept) < 150_000
    assert kept.startswith("x" * 99)


def test_a_result_that_cannot_be_kept_names_its_step(store: SqlStore) -> None:
    @assay.step
    def handle_of() -> object:
        return lambda: None

    @assay.pipeline
    def pipe() -> object:
        return handle_of()

    with pytest.raises(InvalidInput, match=r"handle_of: result is a function"):
        pipe.options(store=store)()
    assert store.query("run")[0]["status"] == "failed"
    assert "cannot be kept" in store.query("step")[0]["reason"]


def test_a_damaged_result_is_computed_again_and_said(store: SqlStore) -> None:
    @assay.step
    def big(n: int) -> list[str]:
        return ["x" * 100] * n

    @assay.pipeline
    def large() -> list[str]:
        return big(100)

    pipe = large.options(store=store)
    expected = pipe()
    (row,) = store.query("step")
    encoded = json.loads(row["output"])
    assert encoded["as"] in ("list", "json")
    store.amend("step", {"step_id": row["step_id"]}, {"output": json.dumps({"as": "table", "blob": "0" * 64})})
    assert pipe() == expected
    (again,) = rows_of(store)
    assert (again["state"], again["reason"]) == ("done", f"computed again: no blob with hash {'0' * 12}")
