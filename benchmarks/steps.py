"""What a tracked step costs beside the function itself, as lines of JSON; seconds, the best of several runs.

    python -m benchmarks.steps [--rounds 5] [--steps 1000]

Steps do nothing, so that all of it is overhead: key, look-up, lease, record. `remembered` steps were computed before by
another run; `computed` ones are new, each with an argument of its own. A run of `twenty` is a pipeline of 20 remembered
steps, with its beginning and its end.
"""

import argparse
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measured import say

import assay
from assay.record import open_store
from assay.record.store import Store


@assay.step
def nothing(x: int) -> int:
    return x


@assay.pipeline
def fan(first: int, count: int) -> list[int]:
    return [nothing(number) for number in range(first, first + count)]


@assay.pipeline
def chain(first: int, count: int) -> int:
    value = nothing(first)
    for _ in range(count - 1):
        value = nothing(value)
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder))
        measure(store, given.rounds, given.steps)
        store.close()


def measure(store: Store, rounds: int, steps: int) -> None:
    """Every workload, each round with arguments that no other had."""
    fresh = iter(range(0, 10**9, steps))

    def in_a_run(first: int) -> None:
        with assay.start_run(store, "steps"):
            for number in range(first, first + steps):
                nothing(number)

    def anew(pipe: Callable[[int, int], object]) -> None:
        pipe(next(fresh), steps)

    in_a_run(next(fresh))
    first = next(fresh)
    in_a_run(first)
    line("run-1000-remembered", 1.0, steps, best(rounds, lambda: in_a_run(first)))
    line("run-1000-computed", None, steps, best(rounds, lambda: in_a_run(next(fresh))))
    for executor in ("inline", "threads"):
        wide = fan.options(store=store, executor=executor)
        line(f"pipeline-1000-remembered-{executor}", 1.0, steps, best(rounds, functools.partial(wide, first, steps)))
        line(f"pipeline-1000-computed-{executor}", 1.0, steps, best(rounds, functools.partial(anew, wide)))
    twenty = fan.options(store=store)
    line("twenty-remembered", 0.05, 20, best(rounds, lambda: twenty(first, 20)))
    linked = chain.options(store=store)
    linked(first, 20)
    line("twenty-remembered-chain", 0.05, 20, best(rounds, lambda: linked(first, 20)))


def best(rounds: int, call: Callable[[], object]) -> float:
    """The seconds of the fastest round."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def line(workload: str, target: float | None, steps: int, seconds: float) -> None:
    say(workload, target, seconds, steps=steps, ms_a_step=round(seconds * 1000 / steps, 3))


if __name__ == "__main__":
    main()
