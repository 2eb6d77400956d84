"""Steps remember by content: when they compute, when they do not, and what the record says."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.build.steps.projects import Project

import assay
from assay.build.steps.step import step
from assay.build.steps.why import components_of
from assay.errors import InvalidInput
from assay.record.clock import moment
from assay.record.sqlstore import SqlStore
from assay.record.store import Row
from assay.record.tracking.runs import start_run


class Executed(list[object]):
    """What ran. Its pickle is always empty: a global counts by its content, and this one must not."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return (Executed, ())


EXECUTED = Executed()


@pytest.fixture(autouse=True)
def _nothing_executed_yet() -> None:
    EXECUTED.clear()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path / "project", monkeypatch)
    made.folder.mkdir()
    yield made
    made.forget()


@step
def scale(x: object, factor: float = 2.0, *, seed: int = 0) -> object:
    EXECUTED.append((x, factor, seed))
    return [x, factor, seed]


@step
def table_of(n: int) -> pa.Table:
    EXECUTED.append(n)
    return pa.table({"n": np.arange(n)})


@step
def total(table: pa.Table) -> int:
    EXECUTED.append(table)
    return int(np.sum(table["n"].to_numpy()))


@step
def failing(message: str) -> None:
    EXECUTED.append(message)
    raise ArithmeticError(message)


@step
def handle() -> object:
    EXECUTED.append("handle")
    return lambda: None


def adder(n: object) -> Callable[[int], object]:
    @step
    def add(x: int) -> object:
        EXECUTED.append((x, n))
        return [x, n]

    return add


def applying(function: Callable[[int], int]) -> Callable[[int], int]:
    @step
    def apply(x: int) -> int:
        EXECUTED.append(x)
        return function(x)

    return apply


def counting_down() -> Callable[[int], int]:
    def down(n: int) -> int:
        return down(n - 1) if n else 0

    return applying(down)


def run_steps(store: SqlStore, *calls: Callable[[], object]) -> list[Row]:
    """The calls in a run of their own; returns the records of its steps."""
    with start_run(store, "steps") as run:
        for call in calls:
            call()
    return store.query("step", {"run_id": run.run_id}, order_by=["step_id"])


def states(rows: list[Row]) -> list[str]:
    return [row["state"] for row in rows]


def test_outside_a_run_a_step_is_the_function(store: SqlStore) -> None:
    assert scale(1) == scale(1) == [1, 2.0, 0]
    assert len(EXECUTED) == 2
    assert store.query("step") == []
    assert scale.__name__ == "scale"
    with pytest.raises(TypeError, match="missing"):
        scale()  # type: ignore[call-arg] # on purpose


def test_the_second_call_is_remembered_in_the_same_and_in_another_run(store: SqlStore) -> None:
    results: list[object] = []
    first = run_steps(store, lambda: results.append(scale("a")), lambda: results.append(scale("a")))
    second = run_steps(store, lambda: results.append(scale("a")))
    assert (states(first), states(second)) == (["done", "cached"], ["cached"])
    assert results == [["a", 2.0, 0]] * 3
    assert EXECUTED == [("a", 2.0, 0)]


def test_the_record_holds_name_key_inputs_output_and_time(store: SqlStore) -> None:
    done, cached = run_steps(store, lambda: scale("a", seed=3), lambda: scale("a", seed=3))
    components = components_of(store, done)
    assert (done["name"], components["step"]) == ("scale", f"{__name__}.scale")
    assert json.loads(done["inputs"]) == components["inputs"]
    assert components["inputs"].keys() == {"x", "factor", "seed"}
    assert f"{__name__}:scale" in components["code"]
    assert components["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert json.loads(done["output"]) == {"as": "json", "value": ["a", 2.0, 3]}
    assert done["seconds"] >= 0
    assert moment(done["ended"]) >= moment(done["started"])
    for name in ("key", "inputs", "output", "components"):
        assert cached[name] == done[name]
    assert done["reason"] is cached["reason"] is None


@pytest.mark.parametrize(
    "other",
    [
        lambda: scale(2),
        lambda: scale(1.0),
        lambda: scale(True),
        lambda: scale("1"),
        lambda: scale([1]),
        lambda: scale(np.int64(1)),
        lambda: scale(1, 2),
        lambda: scale(1, 2.5),
        lambda: scale(1, seed=1),
    ],
)
def test_another_value_type_or_seed_is_computed_again(store: SqlStore, other: Callable[[], object]) -> None:
    assert states(run_steps(store, lambda: scale(1), other)) == ["done", "done"]
    assert len(EXECUTED) == 2


def test_how_an_argument_is_passed_does_not_matter(store: SqlStore) -> None:
    calls = [lambda: scale(1, 2.0), lambda: scale(1), lambda: scale(factor=2.0, x=1), lambda: scale(1, seed=0)]
    assert states(run_steps(store, *calls)) == ["done", "cached", "cached", "cached"]


def test_a_table_that_comes_out_equal_stops_the_wave(store: SqlStore) -> None:
    first = run_steps(store, lambda: total(table_of(4)))
    second = run_steps(store, lambda: total(pa.table({"n": [0, 1, 2, 3]})))
    assert (states(first), states(second)) == (["done", "done"], ["cached"])
    assert run_steps(store, lambda: total(table_of(5)))[1]["state"] == "done"


def test_a_failure_is_recorded_with_its_reason_and_never_remembered(store: SqlStore) -> None:
    for _ in range(2):
        with start_run(store, "steps") as run, pytest.raises(ArithmeticError, match="no such thing"):
            failing("no such thing")
        (row,) = store.query("step", {"run_id": run.run_id})
        assert (row["state"], row["reason"]) == ("failed", "ArithmeticError: no such thing")
        assert row["output"] is None
    assert len(EXECUTED) == 2


def test_a_failure_whose_text_no_database_takes_is_still_the_users_failure(either_store: SqlStore) -> None:
    with start_run(either_store, "steps"), pytest.raises(ArithmeticError):
        failing("null \0 and half \ud800\nsecond line" + "x" * 1000)
    (row,) = either_store.query("step")
    assert row["reason"].startswith("ArithmeticError: null ? and half ?\nsecond line")
    assert len(row["reason"]) == 500


def test_an_interrupted_step_is_recorded(store: SqlStore) -> None:
    @step
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), start_run(store, "steps"):
        interrupted()
    assert states(store.query("step")) == ["failed"]


def test_a_result_that_cannot_be_kept_is_refused_by_name_and_recorded_as_failed(store: SqlStore) -> None:
    with start_run(store, "steps"), pytest.raises(InvalidInput, match=r"test_step\.handle: result is a function"):
        handle()
    (row,) = store.query("step")
    assert row["state"] == "failed"
    assert "cannot be kept" in row["reason"]


def test_an_argument_that_cannot_be_kept_is_refused_by_name_before_anything_runs(store: SqlStore) -> None:
    with start_run(store, "steps"), pytest.raises(InvalidInput, match=r"test_step\.scale: argument x is a function"):
        scale(lambda: None)
    assert EXECUTED == []
    assert store.query("step") == []


def test_variables_of_the_surrounding_function_count_as_arguments(store: SqlStore) -> None:
    one, two, again = adder(1), adder(2), adder(1)
    results: list[object] = []
    rows = run_steps(store, *(lambda add=add: results.append(add(5)) for add in (one, two, again)))
    assert states(rows) == ["done", "done", "cached"]
    assert results == [[5, 1], [5, 2], [5, 1]]


def test_a_surrounding_variable_that_cannot_be_kept_is_refused_by_name(store: SqlStore) -> None:
    with start_run(store, "steps"), pytest.raises(InvalidInput, match="the variable n around it is a generator"):
        adder(x for x in "ab")(1)


def test_functions_around_a_step_count_by_their_code(store: SqlStore) -> None:
    def plus(x: int) -> int:
        return x + 1

    def times(x: int) -> int:
        return x * 10

    results: list[int] = []
    steps = [applying(plus), applying(times), applying(plus)]
    rows = run_steps(store, *(lambda apply=apply: results.append(apply(2)) for apply in steps))
    assert (states(rows), results) == (["done", "done", "cached"], [3, 20, 3])
    assert states(run_steps(store, *(lambda: counting_down()(3) for _ in range(2)))) == ["done", "cached"]


def test_an_edited_helper_is_computed_again_and_a_comment_is_not(store: SqlStore, project: Project) -> None:
    project.write(
        {
            "pkg/helper.py": "def helped(x):\n    return x + 1\n",
            "pkg/steps.py": """
                import assay
                @assay.step
                def work(x):
                    from pkg.helper import helped
                    return helped(x)
            """,
        }
    )
    results: list[object] = []

    def call() -> None:
        results.append(project.function()(1))

    assert states(run_steps(store, call, call)) == ["done", "cached"]
    project.edit("pkg/helper.py", "return", "# a comment\n    return")
    assert states(run_steps(store, call)) == ["cached"]
    project.edit("pkg/helper.py", "x + 1", "x + 2")
    assert states(run_steps(store, call)) == ["done"]
    project.edit("pkg/helper.py", "x + 2", "x + 1")
    assert states(run_steps(store, call)) == ["cached"], "what was known is still known"
    assert results == [2, 2, 2, 3, 2]


@pytest.mark.parametrize("damage", ["lost", "tampered"])
def test_a_result_that_is_lost_or_tampered_with_is_computed_again(store: SqlStore, damage: str) -> None:
    (done,) = run_steps(store, lambda: table_of(3))
    blob = store.blobs.path(json.loads(done["output"])["blob"])
    if damage == "lost":
        blob.unlink()
    else:
        blob.write_bytes(b"PAR1 but not what was written")
    results: list[pa.Table] = []
    (again,) = run_steps(store, lambda: results.append(table_of(3)))
    assert again["state"] == "done"
    assert again["reason"].startswith("computed again: ")
    assert ("no blob" if damage == "lost" else "does not match its hash") in again["reason"]
    assert results[0].equals(pa.table({"n": [0, 1, 2]}))
    if damage == "lost":
        assert states(run_steps(store, lambda: table_of(3))) == ["cached"]


def test_a_result_of_code_that_is_gone_is_computed_again(store: SqlStore) -> None:
    (done,) = run_steps(store, lambda: scale(1))
    gone = {"as": "pickle", "blob": store.blobs.put(b"cno_such_module\nThing\n.")}
    store.amend("step", {"step_id": done["step_id"]}, {"output": json.dumps(gone)})
    (again,) = run_steps(store, lambda: scale(1))
    assert again["state"] == "done"
    assert again["reason"].startswith("computed again: what was kept cannot be read: ModuleNotFoundError")


def test_methods_and_steps_inside_steps_are_recorded(store: SqlStore) -> None:
    @step
    def outer(x: int) -> object:
        return scale(x)

    assert states(run_steps(store, lambda: outer(1))) == ["done", "done"]
    assert states(run_steps(store, lambda: outer(1))) == ["cached"]


SCRIPT = """
import sys, time
import assay
from assay.record import open_store, start_run

@assay.step
def work(x):
    time.sleep(0.05)
    return {"x": [x] * 2000, "y": (x, float("nan"))}

store = open_store(sys.argv[1])
with start_run(store, "together") as run:
    for x in range(4):
        assert work(x)["x"] == [x] * 2000
print(",".join(row["state"] for row in store.query("step", {"run_id": run.run_id})))
"""


def test_two_processes_at_once_agree_and_a_third_finds_their_results(store: SqlStore, tmp_path: Path) -> None:
    script = tmp_path / "together.py"
    script.write_text(SCRIPT)

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, str(script), store.location]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=dict(os.environ))

    both = [start(), start()]
    for process in both:
        found, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert set(found.strip().split(",")) <= {"done", "cached"}
    third = start()
    found, _ = third.communicate(timeout=60)
    assert found.strip() == "cached,cached,cached,cached"


def test_a_step_in_a_run_that_does_not_wait_belongs_to_it(store: SqlStore) -> None:
    for _ in range(2):
        with assay.run("e", store=store.location, system_metrics=False) as run:
            assert scale(3) == [3, 2.0, 0]
    assert EXECUTED == [(3, 2.0, 0)]
    assert [row["state"] for row in store.query("step", order_by=["started"])] == ["done", "cached"]
    assert store.query("step", {"run_id": run.run_id})[0]["state"] == "cached"
