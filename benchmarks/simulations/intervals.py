"""Coverage of the intervals that rest on a standard error: areas, the jackknife, means; alone and in comparisons.

A run is a segment of one profile; `estimate_all` and `compare_all` answer all runs at once. Where a method says "too
small" there is no interval, and it counts neither as covering nor as missing.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from benchmarks.simulations.figures import Row, Share
from benchmarks.simulations.worlds import Answers, Part, Rows, answers, areas, codes, profile_of, text
from numpy.typing import NDArray

from assay.stats import Comparisons, Estimates, compare_all, estimate_all

__all__ = ["area_coverage", "jackknife_coverage", "mean_coverage"]

Integers = NDArray[np.int64]
Made = Callable[[np.random.Generator, Integers], Answers]

_ROWS_AT_ONCE = 1_000_000


def area_coverage(
    seed: int,
    repetitions: int,
    classes: Iterable[tuple[int, int]] = ((9, 300), (10, 10), (30, 30), (30, 3000), (300, 300)),
    true_areas: Iterable[float] = (0.6, 0.8, 0.95),
) -> list[Row]:
    """DeLong: one area on the logit scale, and the difference of two that is .02; by positives and negatives."""
    rows = []
    for place, (positives, negatives) in enumerate(classes):
        label = (np.arange(positives + negatives) < positives).astype(np.int64)
        for other, area in enumerate(true_areas):
            generator = np.random.default_rng([seed, 6, place, other])

            def make(
                generator: np.random.Generator, runs: Integers, area: float = area, label: Integers = label
            ) -> Answers:
                every = np.tile(label, len(runs))
                return areas(generator, (np.full(len(every), area + 0.02), np.full(len(every), area)), every)

            covered = _Coverage()
            for made in _batches(generator, repetitions, len(label), make):
                profile = profile_of(made, influence=True)
                covered.add("one area", estimate_all(profile, "baseline", "auc"), area)
                covered.add("difference", compare_all(profile, "candidate", "baseline", "auc", 0.02, 0.025), 0.02)
            rows.append(
                Row(
                    {"positives, negatives": f"{positives:,}, {negatives:,}", "true area": f"{area:.2f}"},
                    covered.shares(),
                )
            )
    return rows


def jackknife_coverage(
    seed: int,
    repetitions: int,
    sizes: Iterable[tuple[int, int]] = ((60, 5), (150, 5), (300, 5), (1_000, 5), (10_000, 5), (100_000, 50)),
    most_rows: float = math.inf,
) -> list[Row]:
    """Rows that hang together in units: accuracy .85, its difference .02 and the difference of two areas.

    What two rows of a unit rest on is correlated by .5. With more rows there are fewer runs, of at most
    `most_rows` in all.
    """
    rows = []
    for place, (n, per_unit) in enumerate(sizes):
        runs = int(min(repetitions, most_rows // n))
        covered = _Coverage()
        unit = np.arange(n) // per_unit

        def units(runs: Integers, unit: Integers = unit, n: int = n) -> Integers:
            found: Integers = (runs[:, None] * n + unit).ravel() - runs[0] * n
            return found

        def rates(generator: np.random.Generator, runs: Integers, n: int = n) -> Answers:
            part = np.zeros(len(runs) * n, dtype=np.int64)
            return answers(generator, [Part(0.02)], part, units(runs), alike=math.sqrt(0.5))

        def ranks(generator: np.random.Generator, runs: Integers, n: int = n) -> Answers:
            label = (np.arange(len(runs) * n) % 3 == 0).astype(np.int64)
            every = np.ones(len(label))
            return areas(generator, (0.82 * every, 0.8 * every), label, unit=units(runs))

        for kind, (metric, make) in enumerate({"accuracy": rates, "auc": ranks}.items()):
            generator = np.random.default_rng([seed, 7, place, kind])
            for made in _batches(generator, runs, n, make, unit):
                profile = profile_of(made, influence=metric == "auc")
                truth = 0.85 if metric == "accuracy" else 0.8
                covered.add(metric, estimate_all(profile, "baseline", metric, clustered=True), truth)
                found = compare_all(profile, "candidate", "baseline", metric, 0.02, 0.025, clustered=True)
                covered.add(f"{metric} difference", found, 0.02)
        rows.append(Row({"rows": f"{n:,}", "rows a unit": str(per_unit)}, covered.shares()))
    return rows


def mean_coverage(
    seed: int,
    repetitions: int,
    sizes: Iterable[int] = (20, 50, 100, 1_000, 10_000),
    most_rows: float = math.inf,
) -> list[Row]:
    """Independent rows: the Brier score, log loss and calibration of right scores, by t and √Σp(1 − p)/n."""
    rows = []
    for place, n in enumerate(sizes):
        generator = np.random.default_rng([seed, 8, place])
        truths = {"brier": 1 / 6, "log_loss": 0.5, "calibration_in_the_large": 0.0}

        def make(generator: np.random.Generator, runs: Integers, n: int = n) -> Answers:
            # Uniform scores that are right: E p(1 − p) = 1/6, and E of the entropy = 1/2.
            score = generator.random(len(runs) * n)
            label = (generator.random(len(score)) < score).astype(np.int64)
            return Answers(label, score, score)

        covered = _Coverage()
        for made in _batches(generator, int(min(repetitions, most_rows // n)), n, make):
            profile = profile_of(made)
            for metric, truth in truths.items():
                covered.add(metric, estimate_all(profile, "baseline", metric), truth)
        rows.append(Row({"rows": f"{n:,}"}, covered.shares()))
    return rows


class _Coverage:
    """By name, how many intervals held the truth out of those there were."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._made: dict[str, int] = {}

    def add(self, name: str, found: Estimates | Comparisons, truth: float) -> None:
        low, high = found.low[1:], found.high[1:]  # the first segment is all runs together
        made = ~np.isnan(low)
        self._held[name] = self._held.get(name, 0) + int(((low <= truth) & (truth <= high))[made].sum())
        self._made[name] = self._made.get(name, 0) + int(made.sum())

    def shares(self) -> dict[str, Share | None]:
        """None where every interval was refused."""
        return {name: Share(self._held[name] / made, made) if made else None for name, made in self._made.items()}


def _batches(
    generator: np.random.Generator, repetitions: int, n: int, make: Made, unit: Integers | None = None
) -> Iterator[Rows]:
    """Rows of all runs, n each, some runs at a time; `unit` [n] says which rows of a run belong together."""
    size = max(1, _ROWS_AT_ONCE // n)
    for start in range(0, repetitions, size):
        runs = np.arange(start, min(repetitions, start + size))
        names = [f"{run:07d}" for run in runs.tolist()]
        place = np.repeat(np.arange(len(runs)), n)
        units = None if unit is None else text((runs[:, None] * n + unit).ravel())
        yield Rows(make(generator, runs), {"run": codes(names, place)}, units)
