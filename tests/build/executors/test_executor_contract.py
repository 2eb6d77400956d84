"""What every executor does, in threads, in processes and on a Ray cluster; where they differ, the test says how."""

import resource
import signal
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.build.executors import tasks

from assay.build.executors.executor import Executor, Outcome, Task, TaskId
from assay.build.executors.log_ends import KEPT_BYTES
from assay.build.executors.opening import open_executor
from assay.errors import InvalidInput, TaskFailed, WorkerLost

KINDS = ["threads", "processes", pytest.param("ray", marks=pytest.mark.ray)]
ELSEWHERE = KINDS[1:]


@pytest.fixture(scope="module")
def opened() -> Iterator[dict[str, Executor]]:
    """Those that are open: each once for the module, since a cluster takes seconds to start."""
    executors: dict[str, Executor] = {}
    yield executors
    for executor in executors.values():
        executor.close()


@pytest.fixture
def executor(request: pytest.FixtureRequest, opened: dict[str, Executor]) -> Executor:
    kind = request.param
    if kind not in opened:
        opened[kind] = open_executor(kind, workers=2)
    return opened[kind]


everywhere = pytest.mark.parametrize("executor", KINDS, indirect=True)
elsewhere = pytest.mark.parametrize("executor", ELSEWHERE, indirect=True)


def outcome(executor: Executor, task: Task) -> Outcome:
    number = executor.submit(task)
    return executor.wait([number])[number]


def outcomes(executor: Executor, numbers: list[TaskId]) -> dict[TaskId, Outcome]:
    ended: dict[TaskId, Outcome] = {}
    while len(ended) < len(numbers):
        ended |= executor.wait([number for number in numbers if number not in ended])
    return ended


@everywhere
def test_it_says_what_it_is(executor: Executor) -> None:
    info = executor.info()
    assert info.kind in ("threads", "processes", "ray")
    assert info.place
    assert info.workers == 2


@everywhere
def test_outcomes_come_in_the_order_in_which_tasks_end_and_once(executor: Executor) -> None:
    outcomes(executor, [executor.submit(Task("warm", tasks.nap, (0.5,))) for _ in range(2)])  # both workers are there
    long = executor.submit(Task("long", tasks.nap, (1.5, "long")))
    short = executor.submit(Task("short", tasks.nap, (0.0,), {"value": "short"}))
    first = executor.wait([long, short])
    assert {number: ended.value for number, ended in first.items()} == {short: "short"}
    assert executor.wait([long])[long].value == "long"
    for known in (long, short):
        with pytest.raises(KeyError):
            executor.wait([known])


@everywhere
def test_waiting_ends_after_its_time_and_at_once_for_nothing(executor: Executor) -> None:
    nap = executor.submit(Task("nap", tasks.nap, (0.5, "slept")))
    assert executor.wait([nap], timeout_s=0.05) == {}
    assert executor.wait([], timeout_s=None) == {}
    assert executor.wait([nap])[nap].value == "slept"


@everywhere
def test_an_error_is_a_value_that_says_where_it_was_raised(executor: Executor) -> None:
    ended = outcome(executor, Task("fails", tasks.fail, ("no such column",)))
    assert isinstance(ended.error, ValueError)
    assert str(ended.error) == "no such column"
    assert not ended.lost
    if executor.info().kind != "threads":
        assert "in fail" in ended.error.__notes__[0]
        assert "'fails'" in ended.error.__notes__[0]


@everywhere
def test_leaving_the_program_is_an_error_of_the_task(executor: Executor) -> None:
    ended = outcome(executor, Task("leaves", tasks.leave))
    assert isinstance(ended.error, SystemExit)
    assert outcome(executor, Task("add", tasks.add, (1,))).value == 1


@elsewhere
@pytest.mark.parametrize(
    ("function", "said"),
    [(tasks.fail_particularly, "Particular: age in row 3"), (tasks.fail_locked, "Locked: ('locked', <unlocked")],
    ids=["unreadable", "unwritable"],
)
def test_an_error_that_cannot_travel_leaves_its_class_and_text(executor: Executor, function: object, said: str) -> None:
    ended = outcome(executor, Task("fails", function))  # type: ignore[arg-type] # either of two functions
    assert isinstance(ended.error, TaskFailed)
    assert f"'fails' raised tests.build.executors.tasks.{said}" in str(ended.error)


@everywhere
def test_what_has_not_begun_is_cancelled_and_never_begins(executor: Executor, tmp_path: Path) -> None:
    naps = [executor.submit(Task("nap", tasks.nap, (0.7,))) for _ in range(2)]
    behind = executor.submit(Task("behind", tasks.touch, (tmp_path / "begun",)))
    assert executor.cancel(behind)
    assert not executor.cancel(behind), "it is known no more"
    with pytest.raises(KeyError):
        executor.wait([behind])
    outcomes(executor, naps)
    assert outcome(executor, Task("add", tasks.add, (1,))).value == 1
    assert not (tmp_path / "begun").exists()


@everywhere
def test_what_runs_is_stopped_where_that_is_possible(executor: Executor, tmp_path: Path) -> None:
    is_here = executor.info().kind == "threads"
    begun = [tmp_path / "1", tmp_path / "2"]
    naps = [executor.submit(Task("nap", tasks.begin_and_nap, (flag, 0.5 if is_here else 60))) for flag in begun]
    tasks.until(lambda: all(flag.exists() for flag in begun), "begun")
    assert [executor.cancel(nap) for nap in naps] == [not is_here] * 2
    assert outcome(executor, Task("next", tasks.add, (2,))).value == 2, "its worker is free again"
    if is_here:
        assert executor.wait([naps[0]])[naps[0]].error is None
        assert executor.wait([naps[1]])[naps[1]].error is None


@everywhere
def test_what_has_ended_is_not_cancelled(executor: Executor) -> None:
    add, nap = (executor.submit(Task("add", tasks.add, (3,))), executor.submit(Task("nap", tasks.nap, (0.3,))))
    executor.wait([nap])
    assert not executor.cancel(add)
    assert executor.wait([add])[add].value == 3
    assert not executor.cancel(add)


@elsewhere
def test_a_worker_that_is_killed_costs_its_task_alone(executor: Executor) -> None:
    nap = executor.submit(Task("beside", tasks.nap, (1.0, "slept")))
    ended = outcome(executor, Task("doomed", tasks.kill_itself))
    assert ended.lost
    assert isinstance(ended.error, WorkerLost)
    assert "'doomed'" in str(ended.error)
    assert executor.wait([nap])[nap].value == "slept"
    if executor.info().kind == "processes":
        assert "signal 9 (SIGKILL)" in str(ended.error)
        assert ended.log == "before the end\n"


@elsewhere
@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Task("crashes", tasks.crash), "signal 11 (SIGSEGV)"),
        (Task("exits", tasks.exit_at_once, (3,)), "exit code 3"),
        (Task("is ended", tasks.kill_itself, (signal.SIGTERM,)), "signal 15 (SIGTERM)"),
    ],
    ids=lambda given: given.name if isinstance(given, Task) else "",
)
def test_a_worker_that_dies_otherwise_is_lost_too(executor: Executor, task: Task, said: str) -> None:
    ended = outcome(executor, task)
    assert ended.lost
    assert f"task {task.name!r} lost its worker" in str(ended.error)
    if executor.info().kind == "processes":
        assert said in str(ended.error)
    if said.startswith("signal 11") and executor.info().kind == "processes":
        assert "in crash" in ended.log, "the line that called the code which crashed"


@everywhere
def test_what_a_task_writes_is_its_log(executor: Executor) -> None:
    talks = [executor.submit(Task(f"talk {n}", tasks.talk, (f"I am {n}",))) for n in range(4)]
    ended = outcomes(executor, talks)
    assert [ended[number].log for number in talks] == [f"I am {n}\nand to stderr\n" for n in range(4)]


@elsewhere
def test_so_is_what_compiled_code_and_child_processes_write(executor: Executor) -> None:
    said = outcome(executor, Task("talk", tasks.talk_below_python)).log.splitlines()
    assert sorted(said) == ["from a child process", "from compiled code", "from the descriptor"]


@everywhere
@pytest.mark.no_cover
def test_of_a_gigabyte_both_ends_are_kept(executor: Executor) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mebibytes = 1024 if executor.info().kind == "processes" else 128
    ended = outcome(executor, Task("talks much", tasks.talk_much, (mebibytes,)))
    assert ended.value == mebibytes
    assert ended.log.startswith("the beginning\nxxx")
    assert ended.log.endswith("xxx\nthe end\n")
    left_out = mebibytes * 2**20 + len("the beginning\nthe end\n") - 2 * KEPT_BYTES
    assert f"[{left_out:,} bytes left out here]" in ended.log
    assert len(ended.log) < 2 * KEPT_BYTES + 100
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 64, "in MiB"


@elsewhere
def test_a_result_that_cannot_be_written_or_read_names_its_task(executor: Executor) -> None:
    for function, why in ((tasks.unsendable, "cannot pickle '_thread.lock'"), (tasks.unreadable, "not here")):
        ended = outcome(executor, Task("opens", function))
        assert isinstance(ended.error, InvalidInput)
        assert str(ended.error).startswith(f"the result of task 'opens' cannot be sent back: {why}")


@elsewhere
def test_a_task_that_cannot_be_sent_is_refused_at_once(executor: Executor) -> None:
    with pytest.raises(InvalidInput, match="task 'anonymous' cannot be sent to a worker"):
        executor.submit(Task("anonymous", lambda: 1))
    with pytest.raises(InvalidInput, match="task 'holds' cannot be sent to a worker: cannot pickle"):
        executor.submit(Task("holds", tasks.same, (threading.Lock(),)))


@elsewhere
def test_code_that_a_worker_cannot_import_is_named(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    ghost = types.ModuleType("only_here")
    exec("def appear(): return 1", ghost.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", ghost)
    ended = outcome(executor, Task("appears", ghost.appear))
    assert isinstance(ended.error, InvalidInput)
    assert "task 'appears': a worker cannot import the module 'only_here'" in str(ended.error)


@elsewhere
def test_a_worker_looks_where_this_process_looks_for_modules(
    executor: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome(executor, Task("warm", tasks.nap, (0,)))
    (tmp_path / "found_later.py").write_text("def twice(n):\n    return 2 * n\n")
    monkeypatch.syspath_prepend(tmp_path)
    import found_later  # type: ignore[import-not-found] # just written

    assert outcome(executor, Task("twice", found_later.twice, (4,))).value == 8
    (tmp_path / "found_later.py").write_text("")
    exec("def thrice(n): return 3 * n", found_later.__dict__)
    ended = outcome(executor, Task("thrice", found_later.thrice, (4,)))
    assert "task 'thrice': a worker cannot import what it needs" in str(ended.error)
    assert "thrice" in str(ended.error)


@everywhere
def test_time_and_memory_are_those_of_the_task(executor: Executor) -> None:
    ended = outcome(executor, Task("computes", tasks.compute, (0.2,)))
    assert ended.cpu_s is not None
    assert 0.15 < ended.cpu_s < 1
    assert ended.seconds >= 0.15
    if executor.info().kind != "threads":
        large = outcome(executor, Task("large", tasks.allocate, (300,)))
        small = [outcome(executor, Task("small", tasks.add, (1,))) for _ in range(4)]
        assert large.memory_mb is not None
        assert large.memory_mb > 300
        assert all(other.memory_mb is not None and other.memory_mb < 250 for other in small)


@everywhere
def test_large_arguments_and_results_travel_whole(executor: Executor) -> None:
    sent = bytes(range(256)) * 2**17  # 32 MiB
    assert outcome(executor, Task("same", tasks.same, (sent,))).value == sent


@everywhere
def test_a_task_may_say_what_it_needs(executor: Executor) -> None:
    assert outcome(executor, Task("add", tasks.add, (1, 1), resources={"num_cpus": 1, "memory": 2**20})).value == 2


@pytest.mark.ray
@pytest.mark.parametrize("executor", ["ray"], indirect=True)
@pytest.mark.parametrize("resources", [{"num_cpus": -1}, {"num_gpus": 64}])
def test_resources_that_cannot_be_are_refused(executor: Executor, resources: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="task 'add' asks for"):
        executor.submit(Task("add", tasks.add, (1,), resources=resources))
    assert outcome(executor, Task("add", tasks.add, (1,))).value == 1


@pytest.mark.parametrize("kind", KINDS)
def test_closing_stops_everything_and_twice_changes_nothing(
    kind: str, opened: dict[str, Executor], tmp_path: Path
) -> None:
    executor = opened.pop(kind, None) or open_executor(kind, workers=2)
    with executor as context:
        assert context is executor
        begun = [tmp_path / "1", tmp_path / "2"]
        for flag in begun:
            executor.submit(Task("nap", tasks.begin_and_nap, (flag, 0.5 if kind == "threads" else 60)))
        tasks.until(lambda: all(flag.exists() for flag in begun), "begun")
        executor.submit(Task("behind", tasks.touch, (tmp_path / "behind",)))
    executor.close()
    with pytest.raises(InvalidInput, match="closed"):
        executor.submit(Task("late", tasks.add, (1,)))
    assert not (tmp_path / "behind").exists()
