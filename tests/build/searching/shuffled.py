"""An executor whose tasks end in an order drawn by chance, several in flight, some of them lost."""

import random
from collections.abc import Collection
from typing import Self

from assay.build.executors.executor import Info, Outcome, Task, TaskId


class Shuffled:
    def __init__(self, workers: int, seed: int = 0, lose: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.workers = workers
        self.lose = lose
        self.tasks: dict[TaskId, Task] = {}
        self.names: list[str] = []
        self.lost = 0

    def submit(self, task: Task) -> TaskId:
        number = TaskId(len(self.names))
        self.tasks[number] = task
        self.names.append(task.name)
        assert len(self.tasks) <= self.workers
        return number

    def wait(self, ids: Collection[TaskId], timeout_s: float | None = None) -> dict[TaskId, Outcome]:
        number = self.random.choice(sorted(ids))
        task = self.tasks.pop(number)
        if self.random.random() < self.lose:
            self.lost += 1
            return {number: Outcome(error=RuntimeError("killed by signal 9"), lost=True)}
        return {number: Outcome(task.function(*task.args, **task.kwargs))}

    def cancel(self, task: TaskId) -> bool:
        return self.tasks.pop(task, None) is not None

    def info(self) -> Info:
        return Info("processes", "a test", self.workers)

    def close(self) -> None:
        self.tasks.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
