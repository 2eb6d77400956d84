"""Threads that take tasks in order, one at a time each, and keep the outcomes until they are asked for.

It knows neither what a task is nor where it runs: an executor gives it a function that runs one.
"""

import itertools
import threading
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from assay.build.executors.executor import Outcome, TaskId
from assay.errors import InvalidInput

__all__ = ["Crew"]

J = TypeVar("J")


class Crew(Generic[J]):
    """`run(place, job)` runs in one of `size` threads, `place` from 0 to `size - 1`; a thread begins when it is needed.

    All methods may be called from any thread; `run` must not raise.
    """

    def __init__(self, size: int, run: Callable[[int, J], Outcome]) -> None:
        self.size = size
        self._run = run
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)
        self._work_ended = threading.Condition(self._lock)
        self._numbers = itertools.count(1)
        self._waiting: dict[TaskId, J] = {}
        self._running: dict[TaskId, tuple[int, J]] = {}
        self._ended: dict[TaskId, Outcome] = {}
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def submit(self, job: J) -> TaskId:
        """Queue a job; InvalidInput after the end."""
        with self._lock:
            if self._closed:
                raise InvalidInput("this executor is closed", hint="open another one with open_executor")
            number = TaskId(next(self._numbers))
            self._waiting[number] = job
            if len(self._waiting) > self._idle and len(self._threads) < self.size:
                place = len(self._threads)
                thread = threading.Thread(target=self._work, args=(place,), name=f"task-{place}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._work_came.notify()
            return number

    def wait(self, ids: Collection[TaskId], timeout_s: float | None = None) -> dict[TaskId, Outcome]:
        """As `Executor.wait`."""
        wanted = set(ids)
        with self._lock:
            for number in wanted:
                if number not in self._ended and number not in self._running and number not in self._waiting:
                    raise KeyError(number)
            if wanted:
                self._work_ended.wait_for(lambda: not wanted.isdisjoint(self._ended), timeout_s)
            ended = [number for number in self._ended if number in wanted]
            return {number: self._ended.pop(number) for number in ended}

    def withdraw(self, number: TaskId, stop: Callable[[int, J], None] | None = None) -> bool:
        """Forget a job that has not begun; one that runs only where `stop(place, job)` can stop it."""
        with self._lock:
            if self._waiting.pop(number, None) is not None:
                return True
            if stop is None or number not in self._running:
                return False
            stop(*self._running.pop(number))
            return True

    def close(self, stop: Callable[[int, J], None] | None = None) -> None:
        """Forget all jobs that have not begun, `stop(place, job)` the others, and wait until every thread has ended."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            if stop is not None:
                for place, job in self._running.values():
                    stop(place, job)
            self._running.clear()
            self._ended.clear()
            self._work_came.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self, place: int) -> None:
        while True:
            with self._lock:
                self._idle += 1
                self._work_came.wait_for(lambda: self._waiting or self._closed)
                self._idle -= 1
                if self._closed:
                    return
                number = next(iter(self._waiting))
                job = self._waiting.pop(number)
                self._running[number] = place, job
            outcome = self._run(place, job)
            with self._lock:
                if self._running.pop(number, None) is not None:  # else nobody wants it any more
                    self._ended[number] = outcome
                    self._work_ended.notify_all()
