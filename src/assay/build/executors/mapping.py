"""Many tasks on an executor: few in flight, lost ones given again, outcomes as they come."""

import itertools
from collections.abc import Iterable, Iterator

from assay.build.executors.executor import Executor, Outcome, Task, TaskId
from assay.errors import InvalidInput

__all__ = ["map_tasks"]


def map_tasks(
    executor: Executor, tasks: Iterable[Task], *, attempts_if_lost: int = 3, in_flight: int | None = None
) -> Iterator[tuple[int, Outcome]]:
    """Give each task with its number, from 0, and its outcome, in the order in which they end.

    A task is taken from `tasks` only when fewer than `in_flight` are under way, by default twice as many as there are
    workers, so that none waits for the next. One whose worker died is given again, until it was lost
    `attempts_if_lost` times; the last outcome is the one that comes. Who stops to iterate cancels what is under way.

    InvalidInput, naming it, at a task that cannot be sent.
    """
    if attempts_if_lost < 1:
        raise InvalidInput(f"attempts_if_lost must be at least 1, not {attempts_if_lost}")
    if in_flight is not None and in_flight < 1:
        raise InvalidInput(f"in_flight must be at least 1, not {in_flight}")
    room = in_flight or 2 * executor.info().workers
    return _map(executor, enumerate(tasks), attempts_if_lost, room)


def _map(
    executor: Executor, numbered: Iterator[tuple[int, Task]], attempts: int, room: int
) -> Iterator[tuple[int, Outcome]]:
    given: dict[TaskId, tuple[int, Task, int]] = {}
    try:
        while True:
            for number, task in itertools.islice(numbered, room - len(given)):
                given[executor.submit(task)] = (number, task, 1)
            if not given:
                return
            for task_id, outcome in executor.wait(given).items():
                number, task, attempt = given.pop(task_id)
                if outcome.lost and attempt < attempts:
                    given[executor.submit(task)] = (number, task, attempt + 1)
                else:
                    yield number, outcome
    finally:
        for task_id in given:
            executor.cancel(task_id)
