"""What the tracking benchmarks log and search: seeded, the same for everybody in a run."""

from dataclasses import dataclass

import numpy as np

__all__ = ["LoggedRun", "SearchedRun", "many_runs", "one_series", "searched_runs"]

_T0_MS = 1_760_000_000_000


@dataclass
class LoggedRun:
    """A run of 20 params, 5 tags and 50 metrics at 20 steps: 1,000 points."""

    name: str
    params: dict[str, str]
    tags: dict[str, str]
    steps: list[tuple[int, int, dict[str, float]]]  # step, milliseconds, values


def many_runs(
    count: int = 200, *, params: int = 20, tags: int = 5, metrics: int = 50, steps: int = 20
) -> list[LoggedRun]:
    """Runs with random values from a fixed seed."""
    values = np.random.default_rng(11).random((count, steps, metrics)).tolist()
    return [
        LoggedRun(
            name=f"run-{number:05d}",
            params={f"p{i:02d}": str((number * 31 + i * 7) % 997 / 100) for i in range(params)},
            tags={f"t{i}": f"v{(number + i) % 13}" for i in range(tags)},
            steps=[
                (
                    step,
                    _T0_MS + number * 60_000 + step * 1000,
                    {f"m{k:02d}": values[number][step][k] for k in range(metrics)},
                )
                for step in range(steps)
            ],
        )
        for number in range(count)
    ]


def one_series(count: int = 100_000) -> list[tuple[int, int, float]]:
    """(step, milliseconds, value) of one metric."""
    values = np.random.default_rng(12).random(count).tolist()
    return [(step, _T0_MS + step, values[step]) for step in range(count)]


@dataclass
class SearchedRun:
    """A run of 20 params and the latest values of 20 metrics."""

    name: str
    params: dict[str, str]
    metrics: dict[str, float]


def searched_runs(count: int = 5_000, *, params: int = 20, metrics: int = 20) -> list[SearchedRun]:
    """Runs whose `lr` is one of four values and whose `auc` is uniform from 0.5 to 1."""
    random = np.random.default_rng(21)
    values = random.random((count, metrics))
    values[:, 0] = 0.5 + values[:, 0] / 2
    rates = random.choice(["0.1", "0.01", "0.3", "0.001"], count).tolist()
    listed = values.tolist()
    return [
        SearchedRun(
            name=f"q{number:06d}",
            params={"lr": rates[number], **{f"p{i:02d}": str((number * 17 + i) % 101) for i in range(1, params)}},
            metrics={("auc" if k == 0 else f"m{k:02d}"): listed[number][k] for k in range(metrics)},
        )
        for number in range(count)
    ]
