"""How far a column has moved from its reference, in several measures, each with what chance alone would show.

A distance between two samples of one distribution is not 0: it shrinks with their rows. So each comes with its root
mean square by chance, and with a scale that says how large it becomes by chance in one of a hundred samples.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats import normal
from assay.stats.drift import shares
from assay.stats.drift.category_column import Categories, bucket_counts, hashes_of
from assay.stats.drift.number_column import INFINITE, Numbers, starts_of
from assay.stats.drift.table_profile import ColumnProfile, Kind
from assay.stats.grouping import Integers

__all__ = [
    "CHANCE_SHARE",
    "MEASURES",
    "Distance",
    "Measure",
    "aligned",
    "cells_of",
    "distance",
    "measures_of",
    "new_values",
    "of_counts",
    "score_of",
]

Floats = NDArray[np.float64]

CHANCE_SHARE = 0.75
"""The share of chance in a score. The more there is, the better small windows are told apart, and the more often moves
as large as chance are taken for drift; with this one both are as promised (simulated, docs/drift_statistics.md).
"""

_CELLS = 10  # of numbers, for the measures that need cells: tenths of the reference
_KOLMOGOROV = math.pi**2 / 12.0  # E[(√(nm/(n + m))·D)²] in the limit
_ROOM = 2**62
_LOG_SPREAD = 0.5  # of the Wasserstein distance by chance; simulated, .29 (t, 3) to .54 (five whole numbers)
_LOG_MIDDLE = -0.1


class Distance(msgspec.Struct, frozen=True):
    """What one measure says of two profiles.

    `value` is the distance, NaN where one side has no values or the measure no meaning. `null` is its root mean square
    (of "psi" and "chi2", which are squares already, its mean) if nothing has changed. `scale` and `cells` say how it is
    spread by chance; `reference_rows` and `current_rows` are the rows that it rests on.
    """

    measure: str
    value: float
    null: float
    scale: float
    cells: int
    reference_rows: int
    current_rows: int

    @property
    def effect(self) -> float:
        """The distance without what chance adds: √(max(0, value² − null²)), of squares max(0, value − null)."""
        return self.without(self.null)

    @property
    def score(self) -> float:
        """√(value² + (¾ null)²), of squares value + (¾)² null: positive, and nearly normal in its logarithm."""
        return score_of(self.value, self.null, is_square=self._is_square)

    def without(self, null: float) -> float:
        """The distance without so much chance."""
        if math.isnan(self.value):
            return math.nan
        if self._is_square:
            return max(0.0, self.value - null)
        return math.sqrt(max(0.0, self.value * self.value - null * null))

    def p_by_chance(self) -> float:
        """P(a distance as large | independent rows of one distribution); 1 for NaN."""
        return 1.0 if math.isnan(self.value) or not self.scale else MEASURES[self.measure].chance.p(self)

    def limit_by_chance(self, alpha: float) -> float:
        """What the distance exceeds by chance with a probability of `alpha`; 0 where chance cannot move it."""
        return MEASURES[self.measure].chance.limit(self, alpha) if self.scale else 0.0

    def spread_by_chance(self) -> float:
        """The standard deviation of ln `score` by chance alone."""
        return MEASURES[self.measure].chance.spread(self)

    @property
    def _is_square(self) -> bool:
        return MEASURES[self.measure].is_square


@dataclass(frozen=True, slots=True)
class Chance:
    """A family of null distributions: P-value of a distance, distance of a P-value, spread of log scores."""

    p: Callable[[Distance], float]
    limit: Callable[[Distance, float], float]
    spread: Callable[[Distance], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """A way to measure: `kinds` of columns it is for, whether it is a `square`, and the smallest `floor` that matters.

    `says` names it in a sentence; `of` gives value, null, scale and cells.
    """

    name: str
    says: str
    kinds: tuple[Kind, ...]
    floor: float
    is_square: bool
    chance: Chance
    of: Callable[[ColumnProfile, ColumnProfile], "tuple[float, float, float, int]"]
    rows: Literal["present", "all"] = "present"


def distance(measure: str, reference: ColumnProfile, current: ColumnProfile) -> Distance:
    """How far `current` is from `reference`.

    InvalidInput for a measure that there is not or that is not for such a column, and for profiles of two kinds.
    """
    known = MEASURES.get(measure)
    if known is None:
        raise InvalidInput(
            f"there is no measure {measure!r}", expected=", ".join(MEASURES), hint=nearest(measure, list(MEASURES))
        )
    if reference.kind != current.kind:
        raise InvalidInput(
            f"the reference is of {reference.kind}, the current column of {current.kind}",
            expected="one kind",
            hint="profile with like= the reference",
        )
    if reference.kind not in known.kinds:
        raise InvalidInput(
            f"{measure!r} does not measure a column of kind {reference.kind!r}",
            expected=", ".join(measures_of(reference.kind)),
        )
    n, m = (one.rows if known.rows == "all" else one.present for one in (reference, current))
    if not n or not m:
        return Distance(measure, math.nan, math.nan, 0.0, 0, n, m)
    return Distance(measure, *known.of(reference, current), n, m)


def score_of(value: float, null: float, *, is_square: bool) -> float:
    """What `Distance.score` is of a distance and of what chance adds to it."""
    return value + CHANCE_SHARE**2 * null if is_square else math.hypot(value, CHANCE_SHARE * null)


def measures_of(kind: Kind) -> list[str]:
    """The names of the measures for columns of a kind."""
    return [name for name, measure in MEASURES.items() if kind in measure.kinds]


def _h(reference: ColumnProfile, current: ColumnProfile) -> float:
    return 1.0 / reference.present + 1.0 / current.present


def aligned(reference: Numbers, current: Numbers) -> tuple[Integers, Integers, Integers]:
    """The bins that occur in either, increasing, and the counts of both."""
    bins = np.concatenate([reference.bins, current.bins])
    order = np.argsort(bins, kind="stable")  # two runs that are in order, which this merges
    bins = bins[order]
    first = np.flatnonzero(np.concatenate([[True], bins[1:] != bins[:-1]])) if len(bins) else np.zeros(0, np.int64)
    is_current = order >= len(reference.bins)
    counts = np.concatenate([reference.counts, current.counts])[order]
    pair = [
        np.add.reduceat(np.where(own, counts, 0), first) if len(first) else first for own in (~is_current, is_current)
    ]
    return bins[first], pair[0], pair[1]


def cells_of(reference: ColumnProfile, current: ColumnProfile) -> tuple[Integers, Integers]:
    """[cells] the counts of both: categories by value, or tenths of the reference of numbers and what lies outside."""
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        wanted = np.arange(1, _CELLS + 1) * (reference.present / _CELLS)
        ends = np.unique(np.searchsorted(np.cumsum(reference.counts), wanted - 1e-9))
        edges = np.concatenate([reference.bins[:1] - 1, reference.bins[np.minimum(ends, len(reference.bins) - 1)]])
        pair = [
            np.bincount(np.searchsorted(edges, one.bins), weights=one.counts, minlength=len(edges) + 1)
            for one in (reference, current)
        ]
        return pair[0].astype(np.int64), pair[1].astype(np.int64)
    assert isinstance(reference, Categories)
    assert isinstance(current, Categories)
    if reference.values == current.values and reference.is_exact and current.is_exact:
        return reference.counts, current.counts
    if not (reference.is_exact and current.is_exact):
        return bucket_counts(reference), bucket_counts(current)
    place = {name: number for number, name in enumerate(reference.values)}
    added = [name for name in current.values if name not in place]
    place |= {name: len(place) + number for number, name in enumerate(added)}
    before, after = np.zeros(len(place), np.int64), np.zeros(len(place), np.int64)
    before[: len(reference.values)] = reference.counts
    after[[place[name] for name in current.values]] = current.counts
    return before, after


def of_counts(measure: str, places: Floats, before: Integers, after: Integers) -> float:
    """The value of a measure of the whole distribution from counts by cell; numbers stand at `places`."""
    if measure == "wasserstein":
        return shares.wasserstein(places, before, after)
    formulas = {
        "ks": shares.ks,
        "js": shares.jensen_shannon,
        "psi": shares.population_stability,
        "hellinger": shares.hellinger,
        "chi2": shares.chi_square,
        "linf": shares.largest_share,
    }
    return formulas[measure](before, after)


def _ks(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float, float, int]:
    assert isinstance(reference, Numbers)
    assert isinstance(current, Numbers)
    n, m = reference.present, current.present
    bins = np.concatenate([reference.bins, current.bins])
    order = np.argsort(bins, kind="stable")
    bins = bins[order]
    # nm·(F − G): whole numbers, where they have room
    steps = (
        [reference.counts * m, current.counts * -n] if n * m < _ROOM else [reference.counts / n, current.counts / -m]
    )
    gaps = np.cumsum(np.concatenate(steps)[order])
    gaps = np.abs(gaps[np.flatnonzero(bins[1:] != bins[:-1])])  # the last one is 0
    largest = gaps.max() if len(gaps) else 0
    value = float(largest / (n * m) if n * m < _ROOM else largest)
    h = _h(reference, current)
    return value, math.sqrt(_KOLMOGOROV * h), math.sqrt(h), len(gaps) + 1


def _wasserstein(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float, float, int]:
    """In standard deviations of the reference where it has any; infinite values are left out."""
    assert isinstance(reference, Numbers)
    assert isinstance(current, Numbers)
    bins, before, after = aligned(reference, current)
    finite = (
        slice(*np.searchsorted(bins, [-INFINITE, INFINITE]).tolist()) if reference.kind == "number" else slice(None)
    )
    places, before, after = starts_of(reference.kind, bins[finite]), before[finite], after[finite]
    value = shares.wasserstein(places, before, after)
    below = np.cumsum(before) / max(1, int(before.sum()))
    by_chance = float(np.sum(np.sqrt(np.maximum(0.0, below * (1.0 - below)))[:-1] * np.diff(places)))
    null = math.sqrt(2.0 / math.pi * _h(reference, current)) * by_chance
    sigma = math.sqrt(reference.variance) if reference.variance > 0 else 1.0
    return value / sigma, null / sigma, null / sigma, len(before)


def _mean(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float, float, int]:
    """|difference of means| in standard deviations of the reference; of the current one where that has none."""
    assert isinstance(reference, Numbers)
    assert isinstance(current, Numbers)
    shift = abs(current.mean - reference.mean)
    spread = max(reference.variance, 0.0) or max(current.variance, 0.0)
    if math.isnan(shift) or math.isnan(spread):
        return math.nan, math.nan, 0.0, 0
    if not spread:
        return (0.0 if not shift else math.nan), 0.0, 0.0, 1
    scale = math.sqrt(_h(reference, current))
    return shift / math.sqrt(spread), scale, scale, 1


def _of_cells(
    formula: Callable[[Integers, Integers], float], per_cell: float, *, is_square: bool
) -> Callable[[ColumnProfile, ColumnProfile], tuple[float, float, float, int]]:
    """A measure whose value, or its square, is `per_cell`·h times a chi-square with cells − 1 degrees of freedom."""

    def of(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float, float, int]:
        before, after = cells_of(reference, current)
        cells = int(np.count_nonzero(before + after))
        unit = per_cell * _h(reference, current) if per_cell else 1.0
        null = max(0, cells - 1) * unit
        scale = unit if cells > 1 else 0.0
        value = formula(before, after)
        return (value, null, scale, cells) if is_square else (value, math.sqrt(null), math.sqrt(scale), cells)

    return of


def _largest(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float, float, int]:
    before, after = cells_of(reference, current)
    cells = int(np.count_nonzero(before + after))
    pooled = (before + after) / (reference.present + current.present)
    spread = float(np.sqrt((pooled * (1.0 - pooled)).max(initial=0.0) * _h(reference, current)))
    # The largest of several normals, as one that is as wide as the widest.
    null = spread * math.sqrt(max(1.0, 2.0 * math.log(max(1.0, cells / 2.0))))
    return shares.largest_share(before, after), null, spread, max(1, cells if cells > 2 else 1)


def _missing(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float, float, int]:
    share = (reference.missing + 0.5) / (reference.rows + 1.0)  # half a row more: no rate is believed to be exactly 0
    value = abs(current.missing / current.rows - reference.missing / reference.rows)
    scale = math.sqrt(share * (1.0 - share) * (1.0 / reference.rows + 1.0 / current.rows))
    return value, scale, scale, 1


def _new(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float, float, int]:
    """The share of rows with values that the reference has not; by chance about its share of values seen once.

    Good 1953 (Biometrika 40:237). Where names were dropped, among the values that would have kept theirs.
    """
    assert isinstance(reference, Categories)
    assert isinstance(current, Categories)
    known = set(reference.values)
    fresh = np.asarray([name not in known for name in current.values], dtype=bool)
    counts, once, n = current.counts, int(np.count_nonzero(reference.counts == 1)), int(reference.counts.sum())
    if not reference.is_exact:
        last = int(hashes_of(reference.values).max(initial=0))
        judged = hashes_of(current.values) <= last
        fresh, counts = fresh[judged], counts[judged]
    m = int(counts.sum()) if not (reference.is_exact and current.is_exact) else current.present
    value = float(counts[fresh].sum() / m) if m else math.nan
    expected = (once + 0.5) / (n + 1.0)
    scale = math.sqrt(expected / max(1, m))
    return value, math.hypot(expected, scale), scale, 1


def new_values(reference: Categories, current: Categories, most: int = 3) -> list[str]:
    """The most frequent values of `current` that the reference has not named."""
    known = set(reference.values)
    return [name for name, _ in current.top(len(current.values)) if name not in known][:most]


def _chi_p(square: Callable[[Distance], float]) -> Callable[[Distance], float]:
    def p(one: Distance) -> float:
        from scipy.special import chdtrc

        return float(chdtrc(max(1, one.cells - 1), square(one)))

    return p


def _chi_limit(one: Distance, alpha: float) -> float:
    from scipy.special import chdtri

    return float(chdtri(max(1, one.cells - 1), alpha))


def _ks_p(one: Distance) -> float:
    from scipy.special import kolmogorov

    return float(kolmogorov(one.value / one.scale))


def _ks_limit(one: Distance, alpha: float) -> float:
    from scipy.special import kolmogi

    return one.scale * float(kolmogi(alpha))


def _normal_p(one: Distance) -> float:
    return min(1.0, 2.0 * one.cells * normal.upper_tail(one.value / one.scale))


def _normal_limit(one: Distance, alpha: float) -> float:
    return one.scale * -normal.quantile(alpha / 2.0 / one.cells)


def _new_p(one: Distance) -> float:
    """A Poisson number of new rows with the mean expected of them."""
    from scipy.special import gammainc

    found = round(one.value * one.current_rows)
    mean = one.scale * one.scale * one.current_rows**2
    return float(gammainc(found, mean)) if found else 1.0


def _new_limit(one: Distance, alpha: float) -> float:
    from scipy.stats import poisson

    return float(poisson.isf(alpha, one.scale * one.scale * one.current_rows**2)) / one.current_rows


def _log_p(one: Distance) -> float:
    if not one.value:
        return 1.0
    return normal.upper_tail((math.log(one.value / one.scale) - _LOG_MIDDLE) / _LOG_SPREAD)


def _log_limit(one: Distance, alpha: float) -> float:
    return one.scale * math.exp(_LOG_MIDDLE - _LOG_SPREAD * normal.quantile(alpha))


@lru_cache(maxsize=1024)
def _log_spread(freedom: int) -> float:
    """The standard deviation of ln(X/freedom + (¾)²), X chi-square with that freedom, from 1,000 of its quantiles."""
    from scipy.special import chdtri

    shares_above = (np.arange(1000) + 0.5) / 1000.0
    return float(np.log(chdtri(freedom, shares_above) / freedom + CHANCE_SHARE**2).std())


_KS_SPREAD = 0.176  # of ln √(K² + (¾)² π²/12), K with Kolmogorov's distribution


_ROOT = Chance(
    _chi_p(lambda one: (one.value / one.scale) ** 2),
    lambda one, alpha: one.scale * math.sqrt(_chi_limit(one, alpha)),
    lambda one: _log_spread(max(1, one.cells - 1)) / 2.0,
)
_SQUARE = Chance(
    _chi_p(lambda one: one.value / one.scale),
    lambda one, alpha: one.scale * _chi_limit(one, alpha),
    lambda one: _log_spread(max(1, one.cells - 1)),
)
_NORMAL = Chance(_normal_p, _normal_limit, lambda _: _log_spread(1) / 2.0)
_KOLMOGOROV_SMIRNOV = Chance(_ks_p, _ks_limit, lambda _: _KS_SPREAD)
_LOG_NORMAL = Chance(_log_p, _log_limit, lambda _: _LOG_SPREAD / 2.0)
_POISSON = Chance(_new_p, _new_limit, lambda _: _log_spread(1) / 2.0)
_ORDERED: tuple[Kind, ...] = ("number", "time")
_NAMED: tuple[Kind, ...] = ("category", "boolean")
_ALL: tuple[Kind, ...] = (*_ORDERED, *_NAMED)
_NATS = 8.0 * math.log(2.0)

MEASURES: dict[str, Measure] = {
    one.name: one
    for one in (
        Measure("ks", "the distribution moved", _ORDERED, 0.05, False, _KOLMOGOROV_SMIRNOV, _ks),
        Measure(
            "js",
            "the shares moved",
            _ALL,
            0.1,
            False,
            _ROOT,
            _of_cells(shares.jensen_shannon, 1 / _NATS, is_square=False),
        ),
        Measure(
            "psi",
            "the shares moved",
            _ALL,
            0.1,
            True,
            _SQUARE,
            _of_cells(shares.population_stability, 1.0, is_square=True),
        ),
        Measure("wasserstein", "values moved", _ORDERED, 0.1, False, _LOG_NORMAL, _wasserstein),
        Measure(
            "hellinger",
            "the shares moved",
            _ALL,
            0.1,
            False,
            _ROOT,
            _of_cells(shares.hellinger, 1 / 8, is_square=False),
        ),
        Measure(
            "chi2", "the shares moved", _ALL, 0.0, True, _SQUARE, _of_cells(shares.chi_square, 0.0, is_square=True)
        ),
        Measure("linf", "the share of a value moved", _ALL, 0.05, False, _NORMAL, _largest),
        Measure("mean", "the mean moved", _ORDERED, 0.1, False, _NORMAL, _mean),
        Measure("missing", "the share of missing values moved", _ALL, 0.01, False, _NORMAL, _missing, "all"),
        Measure("new", "rows have values that the reference has not", ("category",), 0.01, False, _POISSON, _new),
    )
}
