"""Retries, limits of time, steps that are never remembered, and what is refused at the decorator."""

import functools
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, assert_type

import pytest

from assay.build.executors.executor import Task, TaskId
from assay.build.executors.inline import InlineExecutor
from assay.build.steps.pipeline import pipeline
from assay.build.steps.step import step
from assay.build.steps.step_options import Options
from assay.build.steps.time_limit import time_limit
from assay.build.steps.why import components_of
from assay.errors import InvalidInput, TimedOut
from assay.record.sqlstore import SqlStore
from assay.record.store import Row
from assay.record.tracking.runs import start_run


class Failures(list[Exception]):
    """Exceptions still to come. Its pickle is always empty, so that it is no part of a key."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return (Failures, ())


FAILURES = Failures()


def rows_of(store: SqlStore, call: Callable[[], object]) -> list[Row]:
    """The rows of a run that makes one call."""
    with start_run(store, "options") as run:
        call()
    return store.query("step", {"run_id": run.run_id}, order_by=["started"])


@step(retries=2, backoff=0, retry_on=(OSError, ArithmeticError))
def shaky(x: int) -> int:
    if FAILURES:
        raise FAILURES.pop(0)
    return x


@step(cache=False)
def measured(connection: object) -> object:
    return connection


def test_a_step_keeps_its_type_with_and_without_options() -> None:
    assert_type(shaky(1), int)
    assert shaky.__name__ == "shaky"


def test_every_attempt_is_recorded_and_the_last_one_counts(store: SqlStore) -> None:
    FAILURES[:] = [OSError("away"), ZeroDivisionError("nothing")]
    rows = rows_of(store, lambda: shaky(1))
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("failed", "attempt 1 of 3: OSError: away"),
        ("failed", "attempt 2 of 3: ZeroDivisionError: nothing"),
        ("done", "attempt 3 of 3"),
    ]
    assert len({row["key"] for row in rows}) == 1
    assert [row["state"] for row in rows_of(store, lambda: shaky(1))] == ["cached"]


def test_after_the_last_attempt_the_failure_is_the_callers(store: SqlStore) -> None:
    FAILURES[:] = [OSError(str(number)) for number in range(3)]
    with pytest.raises(OSError, match="2"), start_run(store, "options"):
        shaky(1)
    assert [row["state"] for row in store.query("step")] == ["failed"] * 3


def test_what_is_not_on_the_list_is_not_tried_again(store: SqlStore) -> None:
    FAILURES[:] = [KeyError("x")]
    with pytest.raises(KeyError), start_run(store, "options"):
        shaky(1)
    assert len(store.query("step")) == 1


def test_outside_a_run_nothing_is_tried_again() -> None:
    FAILURES[:] = [OSError("away")]
    with pytest.raises(OSError, match="away"):
        shaky(1)
    assert shaky(1) == 1


def test_the_wait_doubles_within_bounds() -> None:
    options = Options(9, (Exception,), 1.0, None, True, None, "function")
    for attempt, middle in ((1, 1.0), (2, 2.0), (5, 16.0), (500, 60.0)):
        waits = [options.wait(attempt) for _ in range(50)]
        assert all(middle * 0.5 <= wait <= middle * 1.5 for wait in waits)
        assert len(set(waits)) > 1


def test_a_step_that_is_not_remembered_takes_and_returns_anything(store: SqlStore) -> None:
    lock = threading.Lock()
    for value, kept in ((lock, False), (3, True)):
        for _ in range(2):
            (row,) = rows_of(store, functools.partial(measured, value))
            assert row["state"] == "done"
            assert (row["output"] is not None) == kept
    (first, *_) = store.query("step", order_by=["started"])
    assert json.loads(first["inputs"]) == {"connection": "not hashed: lock"}


def test_a_version_is_one_more_part_of_the_key(store: SqlStore) -> None:
    def versioned(version: str | int | None) -> Callable[[], int]:
        @step(version=version)
        def work() -> int:
            return 1

        return work

    states = [rows_of(store, versioned(version))[0]["state"] for version in (None, 1, "1", 2, 1)]
    assert states == ["done", "done", "done", "done", "cached"]


def test_a_grain_is_part_of_the_key_by_what_it_takes_in(store: SqlStore) -> None:
    @step(code="module")
    def work() -> int:
        return 1

    (row,) = rows_of(store, work)
    components = components_of(store, row)
    assert f"{__name__}:(whole)" in components["code"]
    assert f"{__name__} widened to module: code='module'" in components["widened"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("retries", -1, "retries is -1"),
        ("retries", True, "retries is True"),
        ("retries", 1.5, "retries is 1.5"),
        ("backoff", -1, "backoff is -1"),
        ("backoff", float("nan"), "backoff is nan"),
        ("timeout", 0, "timeout is 0"),
        ("timeout", float("inf"), "timeout is inf"),
        ("timeout", "1m", "timeout is '1m'"),
        ("cache", 1, "cache is 1"),
        ("version", 1.5, "version is 1.5"),
        ("retry_on", "OSError", "retry_on is 'OSError'"),
        ("retry_on", (OSError, KeyboardInterrupt), "retry_on is <class 'KeyboardInterrupt'>"),
        ("code", "modul", "code is 'modul'"),
        ("code", None, "code is None"),
        ("resources", 2, "resources is 2"),
        ("resources", {"cpus": 2}, "resources has 'cpus'"),
        ("resources", {1: 2}, "resources has 1"),
        ("resources", {"num_gpus": 0}, "resources: num_gpus is 0"),
        ("resources", {"num_cpus": True}, "resources: num_cpus is True"),
        ("resources", {"memory": "4 GB"}, "resources: memory is '4 GB'"),
        ("resources", {"memory": 0.5}, "resources: memory is 0.5"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_the_decorator(option: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        step(**{option: value})
    assert raised.value.what == said
    assert raised.value.where == "@assay.step"
    assert raised.value.expected
    hint = {"modul": 'code="module"', "{'cpus': 2}": '"num_cpus"'}.get(str(value))
    assert raised.value.hint == hint


def test_only_what_can_be_called_is_a_step() -> None:
    with pytest.raises(InvalidInput, match="a step cannot be made of 3"):
        step(3)  # type: ignore[call-overload] # on purpose


@step(timeout=0.1)
def slow(seconds: float) -> float:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(0.01)
    return seconds


def test_a_step_that_takes_too_long_ends_with_its_name_and_its_limit(store: SqlStore) -> None:
    with pytest.raises(TimedOut, match=r"step .*test_step_options\.slow took longer than 0\.1 s"):
        rows_of(store, lambda: slow(5.0))
    (row,) = store.query("step")
    assert row["state"] == "failed"
    assert row["reason"].startswith("TimedOut: step")
    assert row["seconds"] < 3
    assert rows_of(store, lambda: slow(0.0))[0]["state"] == "done"


def sleeping_inside() -> None:
    with pytest.raises(TimedOut, match="inner"), time_limit(0.05, "inner"):
        time.sleep(10)
    with time_limit(100, "never"):
        time.sleep(10)


def test_a_main_thread_that_sleeps_is_interrupted_and_limits_nest() -> None:
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"outer took longer than 0\.2 s"), time_limit(0.2, "outer"):
        sleeping_inside()
    assert time.monotonic() - began < 5


def test_other_threads_have_a_limit_too() -> None:
    seen: list[str] = []

    def work(limit: AbstractContextManager[None]) -> None:
        try:
            with limit:
                ends = time.monotonic() + 10
                while time.monotonic() < ends:
                    time.sleep(0.01)
        except TimedOut as error:
            seen.append(error.what)

    thread = threading.Thread(target=work, args=(time_limit(0.1, "a thread"),))
    thread.start()
    thread.join(8)
    assert seen == ["a thread took longer than 0.1 s"]


class Noting(InlineExecutor):
    """Keeps what tasks ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Mapping[str, float]] = []

    def submit(self, task: Task) -> TaskId:
        self.asked.append(task.resources)
        return super().submit(task)


def test_what_a_step_needs_is_asked_of_the_executor(store: SqlStore) -> None:
    @step(resources={"num_cpus": 2, "memory": 1e9, "tpu_v5": 1})
    def large() -> int:
        return 1

    @step
    def small(x: int) -> int:
        return x

    @pipeline
    def both() -> int:
        return small(large())

    noting = Noting()
    assert both.options(store=store, executor=noting)() == 1
    assert noting.asked == [{"num_cpus": 2, "memory": 1e9, "tpu_v5": 1}, {}]
