import io
import sys
import threading
from contextlib import redirect_stdout

import pytest
from tests.build.executors import tasks

from assay.build.executors.executor import Outcome, Task
from assay.build.executors.threads import ThreadExecutor


def outcome(executor: ThreadExecutor, task: Task) -> Outcome:
    number = executor.submit(task)
    return executor.wait([number])[number]


def test_output_of_other_threads_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    go, gone = threading.Event(), threading.Event()

    def wait_and_talk() -> None:
        print("from the task")
        go.set()
        gone.wait(10)
        print("still from the task")

    with ThreadExecutor(workers=2) as executor:
        number = executor.submit(Task("talks", wait_and_talk))
        go.wait(10)
        print("from the program")
        gone.set()
        assert executor.wait([number])[number].log == "from the task\nstill from the task\n"
    assert capsys.readouterr().out == "from the program\n"


def test_the_streams_are_put_back_when_no_task_runs() -> None:
    before = sys.stdout, sys.stderr
    with ThreadExecutor(workers=2) as executor:
        outcome(executor, Task("talks", tasks.talk, ("hello",)))
    assert (sys.stdout, sys.stderr) == before


def test_a_stream_that_somebody_else_put_there_stays() -> None:
    mine = io.StringIO()
    begun, end = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        end.wait(10)

    with ThreadExecutor(workers=1) as executor:
        number = executor.submit(Task("waits", wait))
        begun.wait(10)
        with redirect_stdout(mine):
            end.set()
            executor.wait([number])
            print("mine")
            assert sys.stdout is mine
    assert mine.getvalue() == "mine\n"


def test_a_task_may_use_threads_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def outer() -> str:
        print("before")
        with ThreadExecutor(workers=1) as inner:
            log = outcome(inner, Task("inner", tasks.talk, ("inside",))).log
        print("after")
        return log

    with ThreadExecutor(workers=1) as executor:
        ended = outcome(executor, Task("outer", outer))
    assert ended.value == "inside\nand to stderr\n"
    assert ended.log == "before\nafter\n"
    assert capsys.readouterr().out == ""


def test_nothing_is_copied() -> None:
    given = object()
    with ThreadExecutor(workers=1) as executor:
        assert outcome(executor, Task("same", lambda: given)).value is given
