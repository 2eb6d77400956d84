"""What an executor adds to a task: beside bare Ray, and beside the pools of the standard library, in the same run.

`python -m benchmarks.executors`; without Ray its figures are left out.
"""

import concurrent.futures
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.measured import say

from assay.build.executors.executor import Executor, Task
from assay.build.executors.mapping import map_tasks
from assay.build.executors.opening import open_executor
from assay.errors import MissingExtra

TASKS = 500
WORKERS = 2
ROUNDS = 5


def main() -> None:
    with open_executor("threads", workers=WORKERS) as threads:
        say("a task in a thread, ms", 0.1, best(lambda: mapped(threads)))
    processes()
    try:
        ray = open_executor("ray", workers=WORKERS)
    except MissingExtra:
        print("Ray is not installed: its figures are left out", file=sys.stderr)
        return
    with ray:
        beside_ray(ray)


def processes() -> None:
    with open_executor("processes", workers=WORKERS) as executor:
        ours = best(lambda: mapped(executor))
    say("a task in a process, ms", 1.0, ours, concurrent_futures=round(pooled(), 3))
    started = [first("processes") for _ in range(ROUNDS)]
    spawn, forkserver = (min(first_in_pool(start) for _ in range(ROUNDS)) for start in ("spawn", "forkserver"))
    say(
        "from nothing to the first result of a process, ms",
        200,
        min(started),
        spawn=round(spawn, 1),
        forkserver=round(forkserver, 1),
    )


def beside_ray(executor: Executor) -> None:
    import ray

    bare = ray.remote(max_retries=0)(add)
    ray.get([bare.remote(n) for n in range(50)])
    mapped(executor, in_flight=TASKS)

    def all_bare() -> None:
        ray.get([bare.remote(n) for n in range(TASKS)])

    def one_by_one() -> None:
        for n in range(100):
            ray.get(bare.remote(n))

    def ours_one_by_one() -> None:
        for n in range(100):
            executor.wait([executor.submit(Task("add", add, (n,)))])

    # Each pair in turn, since the machine does other things too.
    pairs = [(best(all_bare, 1), best(lambda: mapped(executor, in_flight=TASKS), 1)) for _ in range(ROUNDS)]
    told("tasks at once on Ray, ms beyond bare Ray for each", pairs)
    pairs = [(best(one_by_one, 1, 100), best(ours_one_by_one, 1, 100)) for _ in range(ROUNDS)]
    told("one task after the other on Ray, ms beyond bare Ray for each", pairs)


def told(workload: str, pairs: list[tuple[float, float]]) -> None:
    bare, ours = (min(values) for values in zip(*pairs, strict=True))
    middle = statistics.median(b - a for a, b in pairs)
    say(workload, 1.0, max(ours - bare, 0.0), bare=round(bare, 3), ours=round(ours, 3), median_pair=round(middle, 3))


def mapped(executor: Executor, in_flight: int | None = None) -> None:
    tasks = (Task("add", add, (n,)) for n in range(TASKS))
    assert sum(outcome.value for _, outcome in map_tasks(executor, tasks, in_flight=in_flight)) == sum(range(TASKS))


def pooled() -> float:
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        list(pool.map(add, range(10)))
        return best(lambda: list(pool.map(add, range(TASKS))))


def first(kind: str) -> float:
    began = time.perf_counter()
    with open_executor(kind, workers=1) as executor:
        executor.wait([executor.submit(Task("abs", abs, (-1,)))])
        return (time.perf_counter() - began) * 1e3


def first_in_pool(start: str) -> float:
    began = time.perf_counter()
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(start)) as pool:
        pool.submit(abs, -1).result()
        return (time.perf_counter() - began) * 1e3


def best(run: Callable[[], object], rounds: int = ROUNDS, tasks: int = TASKS) -> float:
    """Milliseconds for each task, in the best of several rounds."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds) / tasks * 1e3


def add(n: int, m: int = 0) -> int:
    return n + m


if __name__ == "__main__":
    # As a module with its own name, so that workers can import `add`.
    from benchmarks import executors

    executors.main()
