"""Tasks in threads of this process: no cost to start, nothing is copied, and nothing is stopped from outside.

What a task writes through `sys.stdout` and `sys.stderr` in its own thread is captured. Threads that it starts, compiled
code and child processes write where they always do.
"""

import io
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Self, TextIO

from assay.build.executors.crew import Crew
from assay.build.executors.executor import Info, Outcome, Task, TaskId
from assay.build.executors.log_ends import LogEnds

__all__ = ["ThreadExecutor"]


class ThreadExecutor:
    """The executor that is always there; see `Executor`."""

    def __init__(self, workers: int) -> None:
        self._crew: Crew[Task] = Crew(workers, _run)

    def submit(self, task: Task) -> TaskId:
        """Take a task."""
        return self._crew.submit(task)

    def wait(self, ids: Collection[TaskId], timeout_s: float | None = None) -> dict[TaskId, Outcome]:
        """The outcomes of those that have ended."""
        return self._crew.wait(ids, timeout_s)

    def cancel(self, task: TaskId) -> bool:
        """Only what has not begun."""
        return self._crew.withdraw(task)

    def info(self) -> Info:
        """What it is."""
        return Info("threads", "threads of this process", self._crew.size)

    def close(self) -> None:
        """Drop what has not begun, and wait for the others."""
        self._crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _run(place: int, task: Task) -> Outcome:
    log = LogEnds()
    began, cpu = time.perf_counter(), time.thread_time()
    value, error = None, None
    with _captured(log):
        try:
            value = task.function(*task.args, **task.kwargs)
        except BaseException as raised:  # noqa: BLE001 # the outcome carries it to who asked
            error = raised
    return Outcome(
        value=value,
        error=error,
        log=log.text(),
        worker=f"thread {place}",
        seconds=time.perf_counter() - began,
        cpu_s=time.thread_time() - cpu,
    )


_here = threading.local()  # .log: where this thread's output goes
_lock = threading.Lock()
_tasks = 0  # how many run in threads of this process
_switched: "list[_Switch]" = []


@contextmanager
def _captured(log: LogEnds) -> Iterator[None]:
    """What this thread writes goes to `log`; other threads are not disturbed."""
    global _tasks  # noqa: PLW0603 # sys.stdout is one for the process, and so is this
    with _lock:
        _tasks += 1
        for name in ("stdout", "stderr"):
            if not isinstance(getattr(sys, name), _Switch):  # somebody else may have put theirs there meanwhile
                switch = _Switch(name, getattr(sys, name))
                _switched.append(switch)
                setattr(sys, name, switch)
    before = getattr(_here, "log", None)  # a task may itself have opened an executor and closed it
    _here.log = log
    try:
        yield
    finally:
        _here.log = before
        with _lock:
            _tasks -= 1
            if not _tasks:
                while _switched:
                    _switched.pop().put_back()


class _Switch(io.TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr` while tasks run: each thread's text to where it belongs."""

    def __init__(self, name: str, before: TextIO) -> None:
        self._name = name
        self._before = before

    def put_back(self) -> None:
        """Make the stream from before the one in use again, unless another took this one's place."""
        if getattr(sys, self._name) is self:
            setattr(sys, self._name, self._before)

    def write(self, text: str) -> int:
        log: LogEnds | None = getattr(_here, "log", None)
        if log is None:
            return self._before.write(text)
        log.add(text.encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        if getattr(_here, "log", None) is None:
            self._before.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return getattr(_here, "log", None) is None and self._before.isatty()

    def fileno(self) -> int:
        return self._before.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override] # read-only here
        return self._before.encoding

    @property
    def buffer(self) -> object:
        return self._before.buffer
