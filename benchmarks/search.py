"""What recording a trial costs: 100 trials of a trivial objective in a store, beside bare Optuna in memory.

    python -m benchmarks.search [--repeats 5]

One line of JSON a figure, the best of the repeats, in milliseconds a trial. `bare_ms` is Optuna's own loop with the
same sampler and nothing kept, in the same process and minute; `times` is the ratio of processor times, which a busy
machine does not change.
"""

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from benchmarks.measured import say

import assay
from assay.build import Float, Trial
from assay.record import open_store

TRIALS = 100
SPACE = {"x": Float(-5, 5), "y": Float(-5, 5), "lr": Float(1e-4, 0.1, log=True)}


def objective(params: dict[str, Any], trial: Trial) -> float:
    for step in range(1, 4):
        trial.report(params["x"] ** 2 + 1 / step, step)
    return float(params["x"] ** 2 + params["y"] ** 2)


def bare(sampler: type[Any]) -> None:
    def trivial(trial: optuna.Trial) -> float:
        x, y = trial.suggest_float("x", -5, 5), trial.suggest_float("y", -5, 5)
        trial.suggest_float("lr", 1e-4, 0.1, log=True)
        for step in range(1, 4):
            trial.report(x**2 + 1 / step, step)
        return x**2 + y**2

    optuna.create_study(sampler=sampler(seed=1)).optimize(trivial, n_trials=TRIALS)


def milliseconds(work: Sequence[Callable[[], object]], repeats: int) -> list[tuple[float, float]]:
    """Wall and processor time of a trial, the least of the repeats of each; in turn, so that a busy minute hits all."""
    best = [(float("inf"), float("inf"))] * len(work)
    for _ in range(repeats):
        for which, one in enumerate(work):
            wall, cpu = time.perf_counter(), time.process_time()
            one()
            took = (time.perf_counter() - wall, time.process_time() - cpu)
            best[which] = (min(best[which][0], took[0] / TRIALS * 1e3), min(best[which][1], took[1] / TRIALS * 1e3))
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)

        def recorded(**options: Any) -> Callable[[], object]:
            given = {"store": store, "experiment": "benchmark", "n_trials": TRIALS, "seed": 1, **options}
            return lambda: assay.search(objective, SPACE, **given)

        for name, peer in (("random", optuna.samplers.RandomSampler), ("tpe", optuna.samplers.TPESampler)):
            work = (recorded(sampler=name), functools.partial(bare, peer))
            (ours, ours_cpu), (theirs, theirs_cpu) = milliseconds(work, repeats)
            say(
                f"search, {name}: ms a recorded trial",
                10.0,
                ours,
                cpu_ms=round(ours_cpu, 3),
                bare_ms=round(theirs, 3),
                bare_cpu_ms=round(theirs_cpu, 3),
                times=round(ours_cpu / theirs_cpu, 2),
            )
        ((ours, ours_cpu),) = milliseconds([recorded(workers=2)], repeats)
        say("search, random, two threads: ms a recorded trial", 10.0, ours, cpu_ms=round(ours_cpu, 3))
        store.close()


if __name__ == "__main__":
    main()
