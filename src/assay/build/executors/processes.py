"""Tasks in processes of this machine, so that a crash or a lack of memory costs one task and nothing else.

Each worker is a fresh interpreter (child.py) that imports the project's code by itself. It is neither a fork, which
takes locks over that threads of the parent hold, nor a pool of `concurrent.futures` or `loky`: those give up all tasks
when one process dies, cannot stop a task that runs, and do not capture what it prints. Nor does it import the program
again, as `multiprocessing` does: the first result is there in 0.1 s instead of 2 (benchmarks/executors.py).
"""

import os
from collections.abc import Collection
from typing import Self

from assay.build.executors.crew import Crew
from assay.build.executors.executor import Info, Outcome, Task, TaskId
from assay.build.executors.sending import packed
from assay.build.executors.worker import Call, Worker

__all__ = ["ProcessExecutor"]


class ProcessExecutor:
    """As many processes as `workers` says, each started when it is first needed; see `Executor`.

    They share the processors: OMP_NUM_THREADS is set for them unless it is set here, and waiting threads sleep.
    """

    def __init__(self, workers: int) -> None:
        environment = {
            "OMP_WAIT_POLICY": "PASSIVE",  # docs/decisions/0004
            "OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // workers, 1)),
            **os.environ,
        }
        self._workers = [Worker(environment) for _ in range(workers)]
        self._crew: Crew[Call] = Crew(workers, lambda place, call: self._workers[place].run(call))

    def submit(self, task: Task) -> TaskId:
        """Take a task; InvalidInput where it cannot be sent."""
        return self._crew.submit(Call(task.name, packed(task)))

    def wait(self, ids: Collection[TaskId], timeout_s: float | None = None) -> dict[TaskId, Outcome]:
        """The outcomes of those that have ended."""
        return self._crew.wait(ids, timeout_s)

    def cancel(self, task: TaskId) -> bool:
        """Kill the process that runs it, with all that it started."""
        return self._crew.withdraw(task, self._stop)

    def info(self) -> Info:
        """What it is."""
        return Info("processes", "processes of this machine", self._crew.size)

    def close(self) -> None:
        """Kill all processes."""
        self._crew.close(self._stop)
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _stop(self, place: int, call: Call) -> None:
        self._workers[place].drop(call)
