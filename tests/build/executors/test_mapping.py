from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.build.executors import tasks

from assay.build.executors.executor import Executor, Task
from assay.build.executors.mapping import map_tasks
from assay.build.executors.opening import open_executor
from assay.errors import InvalidInput, WorkerLost


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with open_executor("threads", workers=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with open_executor("processes", workers=2) as opened:
        yield opened


def test_every_task_ends_once_under_its_number(threads: Executor) -> None:
    sums = [Task(f"add {n}", tasks.add, (n, 1)) for n in range(50)]
    assert sorted((number, outcome.value) for number, outcome in map_tasks(threads, sums)) == [
        (n, n + 1) for n in range(50)
    ]


def test_outcomes_come_as_they_end(threads: Executor) -> None:
    naps = [Task("long", tasks.nap, (0.3,)), Task("short", tasks.nap, (0.0,))]
    assert [number for number, _ in map_tasks(threads, naps)] == [1, 0]


def test_tasks_are_taken_only_as_there_is_room(threads: Executor) -> None:
    taken = []

    def asked() -> Iterator[Task]:
        for n in range(20):
            taken.append(n)
            yield Task("add", tasks.add, (n,))

    ended = 0
    for _ in map_tasks(threads, asked(), in_flight=3):
        ended += 1
        assert len(taken) <= ended - 1 + 3
    assert ended == 20


def test_an_error_is_the_outcome_of_its_task_alone(threads: Executor) -> None:
    mixed = [Task("add", tasks.add, (1,)), Task("fail", tasks.fail, ("no",)), Task("add", tasks.add, (2,))]
    outcomes = dict(map_tasks(threads, mixed))
    assert [type(outcomes[n].error) for n in range(3)] == [type(None), ValueError, type(None)]


def test_a_lost_task_is_given_again_and_the_others_are_not(processes: Executor, tmp_path: Path) -> None:
    risky = [Task(f"risky {n}", tasks.die_once, (tmp_path / f"died {n}", n)) for n in range(4)]
    outcomes = dict(map_tasks(processes, [*risky, Task("fine", tasks.add, (4,))]))
    assert [outcomes[n].value for n in range(5)] == [0, 1, 2, 3, 4]


def test_a_task_that_is_always_lost_ends_lost(processes: Executor) -> None:
    ((_, outcome),) = map_tasks(processes, [Task("doomed", tasks.kill_itself)], attempts_if_lost=2)
    assert outcome.lost
    assert isinstance(outcome.error, WorkerLost)
    assert "'doomed'" in str(outcome.error)


def test_who_stops_to_iterate_cancels_what_is_under_way(processes: Executor) -> None:
    naps = map_tasks(processes, [Task("short", tasks.nap, (0.0,)), *[Task("long", tasks.nap, (60,))] * 3])
    assert next(naps)[0] == 0
    naps.close()  # type: ignore[attr-defined] # a generator
    assert dict(map_tasks(processes, [Task("next", tasks.add, (1,))]))[0].value == 1


def test_counts_below_one_are_refused(threads: Executor) -> None:
    with pytest.raises(InvalidInput, match="attempts_if_lost"):
        map_tasks(threads, [], attempts_if_lost=0)
    with pytest.raises(InvalidInput, match="in_flight"):
        map_tasks(threads, [], in_flight=0)
