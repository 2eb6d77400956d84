"""Coverage of the score intervals of rates, by counting through the outcomes instead of drawing them.

An outcome is a number of successes (or two of them, or b and c of a paired table); its probability is known, and so is
whether the interval of that outcome holds the truth. Outcomes beyond 5 standard deviations are left out, and their
probability (below 1e-6) counts as not covered.
"""

from collections.abc import Callable, Iterable

import numpy as np
from benchmarks.simulations.figures import Row, Share
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from assay.stats import koopman_z, miettinen_nurminen_z, newcombe_independent, normal
from assay.stats.score_arrays import tango_zs, wilson_ends

__all__ = ["ROWS", "group_coverage", "paired_coverage", "wilson_coverage"]

Floats = NDArray[np.float64]

ROWS = (20, 50, 100, 300, 1_000, 10_000, 100_000)
_Z = normal.critical_value(0.95)
_FAR = 5.0
_MOST_OUTCOMES = 4000  # of two groups that are counted through, by functions of one table at a time


def wilson_coverage(rates: int = 400, sizes: Iterable[int] = ROWS) -> list[Row]:
    """Wilson's interval for n rows, over that many rates from 0.1 % to 50 %, spaced evenly on both scales.

    Evenly spaced rates say what a user meets on the whole; a logarithmic grid looks closer at rare events.
    """
    even, logarithmic = np.linspace(0.001, 0.5, rates), np.geomspace(0.001, 0.5, rates)
    rows = []
    for n in sizes:
        covered = {name: np.array([_wilson(n, p) for p in grid]) for name, grid in _named(even, logarithmic)}
        worst = int(covered["log"].argmin())
        rows.append(
            Row(
                {"rows": f"{n:,}", "worst rate": f"{logarithmic[worst]:.4f}"},
                {
                    "mean, even grid": Share(float(covered["even"].mean())),
                    "mean, log grid": Share(float(covered["log"].mean())),
                    "minimum": Share(float(min(one.min() for one in covered.values()))),
                },
            )
        )
    return rows


def _named(even: Floats, logarithmic: Floats) -> list[tuple[str, Floats]]:
    return [("even", even), ("log", logarithmic)]


def _wilson(n: int, p: float) -> float:
    successes = _likely(n, p)
    low, high = wilson_ends(successes, np.full(len(successes), float(n)), _Z)
    chances = scipy_stats.binom.pmf(successes, n, p)
    return float(chances[(low <= p) & (p <= high)].sum())


def paired_coverage(sizes: Iterable[int] = ROWS, disagreements: int = 8) -> list[Row]:
    """Tango's interval for n rows: disagreement from 0.1 % to 50 %, the difference 0, a third of it and all of it."""
    rows = []
    grid = np.geomspace(0.001, 0.5, disagreements)
    for n in sizes:
        covered = {
            (psi, part): _tango(n, psi * (1 + part) / 2, psi * (1 - part) / 2)
            for psi in grid.tolist()
            for part in (0.0, 1 / 3, 1.0)
        }
        worst = min(covered, key=lambda case: covered[case])
        rows.append(
            Row(
                {"rows": f"{n:,}", "worst at": f"ψ {worst[0]:.3f}, Δ {worst[0] * worst[1]:.3f}"},
                {
                    "mean": Share(float(np.mean(list(covered.values())))),
                    "minimum": Share(covered[worst]),
                },
            )
        )
    return rows


def _tango(n: int, p_b: float, p_c: float) -> float:
    """P(the interval holds p_b − p_c): b is binomial, and c of the other rows is binomial given b."""
    total = 0.0
    for b in _likely(n, p_b).tolist():
        chance = float(scipy_stats.binom.pmf(b, n, p_b))
        rest = n - int(b)
        c = _likely(rest, p_c / (1 - p_b))
        z = tango_zs(np.full(len(c), b), c, np.full(len(c), float(n)), np.full(len(c), p_b - p_c))
        total += chance * float(scipy_stats.binom.pmf(c, rest, p_c / (1 - p_b))[np.abs(z) <= _Z].sum())
    return total


def group_coverage(
    seed: int, repetitions: int, sizes: Iterable[tuple[int, int]] = ((20, 20), (30, 90), (300, 300), (100_000, 100_000))
) -> list[Row]:
    """Two groups on different rows: Newcombe's and Miettinen and Nurminen's difference, Koopman's ratio.

    Rates of the first group from 0.1 % to 50 %, of the second as large, 1.5 times and 2 times as large (at most 90 %).
    Small groups are counted through, larger ones drawn `repetitions` times for each pair of rates.
    """
    generator = np.random.default_rng([seed, 1])
    rows = []
    for n_1, n_2 in sizes:
        covered: dict[str, list[float]] = {name: [] for name in _INTERVALS}
        runs: int | None = None
        for p_1 in np.geomspace(0.001, 0.5, 8).tolist():
            for p_2 in (p_1, 1.5 * p_1, min(0.9, 2.0 * p_1)):
                first, second = _likely(n_1, p_1), _likely(n_2, p_2)
                if len(first) * len(second) <= _MOST_OUTCOMES:
                    x_1, x_2 = (grid.ravel() for grid in np.meshgrid(first, second, indexing="ij"))
                    weight = scipy_stats.binom.pmf(x_1, n_1, p_1) * scipy_stats.binom.pmf(x_2, n_2, p_2)
                else:
                    drawn = (generator.binomial(n, p, repetitions) for n, p in ((n_1, p_1), (n_2, p_2)))
                    x_1, x_2 = (some.astype(np.float64) for some in drawn)
                    runs, weight = repetitions, np.full(repetitions, 1.0 / repetitions)
                tables = list(zip(x_1.tolist(), x_2.tolist(), strict=True))
                for name, holds in _INTERVALS.items():
                    held = np.array([holds(one, n_1, two, n_2, p_1, p_2) for one, two in tables])
                    covered[name].append(float(weight[held].sum()))
        for name, shares in covered.items():
            total = None if runs is None else runs * len(shares)
            rows.append(
                Row(
                    {"rows": f"{n_1:,} and {n_2:,}", "interval": name},
                    {"mean": Share(float(np.mean(shares)), total), "minimum": Share(min(shares), runs)},
                )
            )
    return rows


def _newcombe(x_1: float, n_1: int, x_2: float, n_2: int, p_1: float, p_2: float) -> bool:
    interval = newcombe_independent(x_1, n_1, x_2, n_2)
    return interval.low <= p_1 - p_2 <= interval.high


def _miettinen_nurminen(x_1: float, n_1: int, x_2: float, n_2: int, p_1: float, p_2: float) -> bool:
    return abs(miettinen_nurminen_z(x_1, n_1, x_2, n_2, p_1 - p_2)) <= _Z


def _koopman(x_1: float, n_1: int, x_2: float, n_2: int, p_1: float, p_2: float) -> bool:
    return abs(koopman_z(x_1, n_1, x_2, n_2, p_1 / p_2)) <= _Z


_INTERVALS: dict[str, Callable[[float, int, float, int, float, float], bool]] = {
    "Newcombe": _newcombe,
    "Miettinen–Nurminen": _miettinen_nurminen,
    "Koopman": _koopman,
}


def _likely(n: int, p: float) -> Floats:
    """The numbers of successes that are not all but impossible; a Poisson-like tail is longer than a normal one."""
    spread = _FAR * np.sqrt(n * p * (1 - p)) + _FAR**2 / 2
    return np.arange(max(0, int(n * p - spread)), min(n, int(n * p + spread)) + 1, dtype=np.float64)
