"""How large a shift may be where nothing says what is usual: the interval of a distance without what chance adds."""

import math

import numpy as np
from numpy.typing import NDArray

from assay.stats import normal
from assay.stats.drift.distances import MEASURES, Distance, aligned, cells_of, distance, of_counts
from assay.stats.drift.number_column import Numbers, starts_of
from assay.stats.drift.table_profile import ColumnProfile
from assay.stats.intervals import Interval

__all__ = ["effect_interval"]

_REPLICATES = 200
_CELLS = 64  # of numbers, in the replicates


def effect_interval(
    measure: str, reference: ColumnProfile, current: ColumnProfile, *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """The interval of the effect (`Distance.effect`) by a bootstrap of both profiles' counts.

    Of counts drawn anew a distance has what chance adds twice, once from the rows and once from the drawing, so twice
    its square is taken out. "mean", "missing" and "new" are differences of means: normal. For independent rows.
    NaN where there is nothing to compare.
    """
    found = distance(measure, reference, current)
    z = normal.critical_value(confidence)
    if math.isnan(found.value):
        return Interval(math.nan, math.nan)
    if measure in ("mean", "missing", "new"):
        spread = _spread(found, reference, current)
        return Interval(max(0.0, found.value - z * spread), found.value + z * spread)
    places, before, after = _cells(measure, reference, current)
    generator = np.random.default_rng(seed)
    n, m = int(before.sum()), int(after.sum())
    drawn = [generator.multinomial(rows, one / rows, _REPLICATES) for rows, one in ((n, before), (m, after))]
    # What grouping numbers into fewer cells takes from the distance is put back.
    coarse = of_counts(measure, places, before, after)
    factor = found.value / coarse if coarse else 1.0
    null = found.null * (2.0 if MEASURES[measure].is_square else math.sqrt(2.0))
    effects = []
    for a, b in zip(*drawn, strict=True):
        value = factor * of_counts(measure, places, a, b)
        effects.append(Distance(measure, value, found.null, found.scale, found.cells, n, m).without(null))
    low, high = np.quantile(effects, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]).tolist()
    return Interval(low, high)


def _spread(found: Distance, reference: ColumnProfile, current: ColumnProfile) -> float:
    """The standard error of a difference of means, or of a share."""
    if found.measure == "mean":
        return found.null
    if found.measure == "missing":
        shares = [((one.missing + 0.5) / (one.rows + 1.0), one.rows) for one in (reference, current)]
        return math.sqrt(sum(share * (1.0 - share) / rows for share, rows in shares))
    share = (found.value * current.present + 0.5) / (current.present + 1.0)
    return math.sqrt(share * (1.0 - share) / current.present)


def _cells(
    measure: str, reference: ColumnProfile, current: ColumnProfile
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Places and counts of the cells that are drawn from: those of the measure, or a few of ordered bins."""
    if measure not in ("ks", "wasserstein"):
        before, after = cells_of(reference, current)
        return np.zeros(len(before)), before, after
    assert isinstance(reference, Numbers)
    assert isinstance(current, Numbers)
    bins, before, after = aligned(reference, current)
    below = np.cumsum(before / before.sum() + after / after.sum()) / 2.0
    cell = np.minimum((below * _CELLS).astype(np.int64), _CELLS - 1)
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    sums = [np.add.reduceat(one, first) for one in (before, after)]
    return starts_of(reference.kind, bins[first]), sums[0], sums[1]
