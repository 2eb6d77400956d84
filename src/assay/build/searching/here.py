"""Trials one after the other, in the thread that searches."""

import itertools
from collections.abc import Collection
from typing import Self

from assay.build.executors.executor import Info, Outcome, Task, TaskId

__all__ = ["Here"]


class Here:
    """An executor without workers: a task runs when it is waited for. Ctrl-C reaches the task itself."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._tasks: dict[TaskId, Task] = {}

    def submit(self, task: Task) -> TaskId:
        """Take a task."""
        number = TaskId(next(self._numbers))
        self._tasks[number] = task
        return number

    def wait(self, ids: Collection[TaskId], timeout_s: float | None = None) -> dict[TaskId, Outcome]:  # noqa: ARG002
        """Run the first of them."""
        number = min(ids)
        task = self._tasks.pop(number)
        try:
            return {number: Outcome(task.function(*task.args, **task.kwargs))}
        except Exception as error:  # noqa: BLE001 - it is the outcome
            return {number: Outcome(error=error)}

    def cancel(self, task: TaskId) -> bool:
        """Forget a task that has not run."""
        return self._tasks.pop(task, None) is not None

    def info(self) -> Info:
        """One task at a time."""
        return Info("threads", "this thread", 1)

    def close(self) -> None:
        """Nothing runs."""
        self._tasks.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
