"""An executor without workers: every task runs in the caller's thread, one after another, when it is waited for.

For debuggers, and for steps so small that handing them to a thread costs more than they do.
"""

import time
from collections import deque
from collections.abc import Collection
from typing import Self

from assay.build.executors.executor import Info, Outcome, Task, TaskId

__all__ = ["InlineExecutor"]


class InlineExecutor:
    """See `executors.executor.Executor` for the contract. What tasks print is printed, not kept."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[TaskId, Task]] = deque()
        self._ended: dict[TaskId, Outcome] = {}
        self._count = 0

    def submit(self, task: Task) -> TaskId:
        """Take a task."""
        self._count += 1
        self._waiting.append((TaskId(self._count), task))
        return TaskId(self._count)

    def wait(self, ids: Collection[TaskId], timeout_s: float | None = None) -> dict[TaskId, Outcome]:  # noqa: ARG002
        """Run tasks until one of those has ended."""
        while not (ended := [one for one in ids if one in self._ended]):
            if not self._waiting:
                raise KeyError(next(iter(ids)))
            task_id, task = self._waiting.popleft()
            self._ended[task_id] = _outcome(task)
        return {one: self._ended.pop(one) for one in ended}

    def cancel(self, task: TaskId) -> bool:
        """Take away a task that has not begun."""
        before = len(self._waiting)
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0] != task)
        return len(self._waiting) < before

    def info(self) -> Info:
        """One at a time, here."""
        return Info("inline", "this thread", 1)

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _outcome(task: Task) -> Outcome:
    began, cpu = time.perf_counter(), time.thread_time()
    value, failed = None, None
    try:
        value = task.function(*task.args, **task.kwargs)
    except Exception as error:  # noqa: BLE001 - it is the caller's to judge
        failed = error
    return Outcome(value, failed, seconds=time.perf_counter() - began, cpu_s=time.thread_time() - cpu)
