"""How the area under the ROC curve varies: DeLong's variance from histograms, and what each bucket moves.

The area is not a sum over rows, but to first order it is: a positive with the score's share V10 of the negatives below
it moves the area by (V10 − A)/n₊, a negative with the share V01 of the positives above it by (V01 − A)/n₋ (DeLong 1988;
Obuchowski 1997 for clusters). Those influences need the segment's own histogram first, and the rows again.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.stats.grouping import Integers, sum_by
from assay.stats.histogram import BIN_BITS, BINS, Histogram, bin_of
from assay.stats.sums import FRACTION_BITS

__all__ = ["Influence", "Placed", "delong_variances", "influence_of"]

_DENSE = 2**24  # entries up to which a look-up table is made


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Labelled rows of one segmentation: each row's segment (of the profile) and row of the profile's table.

    The segments are those from `first` to `last`, the last one not included.
    """

    first: int
    last: int
    segment: Integers
    place: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """What rows move the areas by, in fixed point, times min(n₊, n₋) of the segment.

    `buckets` [table rows, models] sums by segment and bucket. `squares` [segments, pairs of models, 2, 2] sums the
    squared differences of a pair over negatives and over positives, in two parts (`square_sums` joins them); pairs in
    the order of the models.
    """

    buckets: Integers
    squares: Integers

    def square_sums(self, pair: int) -> NDArray[np.float64]:
        """[segments, 2] the sums of squared differences over negatives and over positives."""
        parts = self.squares[:, pair].astype(np.float64)
        joined: NDArray[np.float64] = (parts[..., 0] + parts[..., 1] / 2.0**FRACTION_BITS) / 2.0**FRACTION_BITS
        return joined

    def __add__(self, other: "Influence") -> "Influence":
        return Influence(self.buckets + other.buckets, self.squares + other.squares)


def influence_of(
    histograms: Sequence[Histogram],
    segments: int,
    table_rows: int,
    placed: Sequence[Placed],
    scores: Sequence[NDArray[np.float64]],
    positive: NDArray[np.bool_],
    weight: NDArray[np.float64] | None = None,
) -> Influence:
    """The influence of some labelled rows; `histograms` and `scores` by model, the histograms of all rows there are.

    The squares are of rows that count alike: weighted rows are compared by their buckets alone.
    """
    pairs = list(itertools.combinations(range(len(histograms)), 2))
    buckets = np.zeros((table_rows, len(histograms)), dtype=np.int64)
    squares = np.zeros((segments, len(pairs), 2, 2), dtype=np.int64)
    moves = [_Moves(histogram, segments) for histogram in histograms]
    bins = [bin_of(score) for score in scores]
    for part in placed:
        own = [move.of_rows(part, bin_, positive) for move, bin_ in zip(moves, bins, strict=True)]
        low = int(part.place.min(initial=0))
        for model, values in enumerate(own):
            size = int(part.place.max(initial=-1)) + 1 - low
            moved = values if weight is None else np.rint(values * weight)
            buckets[low : low + size, model] += sum_by(part.place - low, size, moved)
        for pair, (first, second) in enumerate(pairs if weight is None else ()):
            difference = own[first] - own[second]
            count = part.last - part.first
            keys = (part.segment - part.first) * 2 + positive
            # Two parts, because of models that hardly differ nothing would be left above the unit, while whole squares
            # would not fit into 64 bits.
            square = difference * difference
            for half, value in enumerate((square >> FRACTION_BITS, square & (1 << FRACTION_BITS) - 1)):
                squares[part.first : part.last, pair, :, half] += sum_by(keys, count * 2, value).reshape(count, 2)
    return Influence(buckets, squares)


class _Moves:
    """By how much a row of a segment, bin and label moves the segment's area."""

    def __init__(self, histogram: Histogram, segments: int) -> None:
        counts = histogram.area(segments)
        self._group, self._bin = histogram.group, histogram.bin
        n_pos, n_neg = counts.positives.astype(np.float64), counts.negatives.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            area = counts.twice / (2.0 * n_pos * n_neg)
            smaller = np.minimum(n_pos, n_neg)
            above, below = _shares(histogram, n_pos, n_neg)
            one = 2.0**FRACTION_BITS
            by_positive = (above - area[self._group]) * (smaller / n_pos)[self._group] * one
            by_negative = (below - area[self._group]) * (smaller / n_neg)[self._group] * one
        # Without one of the classes there is no area to move.
        self._moves = np.rint(np.nan_to_num(np.stack([by_negative, by_positive], axis=1))).astype(np.int64)

    def of_rows(self, part: Placed, bins: Integers, positive: NDArray[np.bool_]) -> Integers:
        start, end = np.searchsorted(self._group, [part.first, part.last])
        group, bin_ = self._group[start:end] - part.first, self._bin[start:end]
        occupied = np.zeros(BINS, dtype=bool)
        occupied[bin_] = True
        rank = np.cumsum(occupied) - 1
        width, local = int(occupied.sum()), part.segment - part.first
        if (part.last - part.first) * width <= _DENSE:
            table = np.zeros(((part.last - part.first) * width, 2), dtype=np.int64)
            table[group * width + rank[bin_]] = self._moves[start:end]
            found: Integers = table.reshape(-1)[(local * width + rank[bins]) * 2 + positive]
            return found
        entry = np.searchsorted(group << BIN_BITS | bin_, local << BIN_BITS | bins)
        return self._moves[start:end].reshape(-1)[entry * 2 + positive]


def delong_variances(histogram: Histogram, segments: int) -> NDArray[np.float64]:
    """[segments] DeLong's variance of the area, rows independent; NaN without 2 rows of each class."""
    counts = histogram.area(segments)
    n_pos, n_neg = counts.positives.astype(np.float64), counts.negatives.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (counts.twice / (2.0 * n_pos * n_neg))[histogram.group]
        above, below = _shares(histogram, n_pos, n_neg)
        S10 = _sum(histogram, segments, histogram.positives * (above - area) ** 2) / (n_pos - 1.0)
        S01 = _sum(histogram, segments, histogram.negatives * (below - area) ** 2) / (n_neg - 1.0)
        variance = S10 / n_pos + S01 / n_neg
    return np.where((n_pos >= 2) & (n_neg >= 2), variance, np.nan)


def _shares(
    histogram: Histogram, n_pos: NDArray[np.float64], n_neg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each entry the share of negatives below it (V10) and of positives above it (V01), ties counting a half."""
    unit = histogram.unit
    above = (histogram.negatives_below() + histogram.negatives / 2.0) / unit / n_neg[histogram.group]
    below = 1.0 - (histogram.positives_below() + histogram.positives / 2.0) / unit / n_pos[histogram.group]
    return above, below


def _sum(histogram: Histogram, segments: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros(segments)
    if len(values):
        starts = np.flatnonzero(np.concatenate([[True], histogram.group[1:] != histogram.group[:-1]]))
        total[histogram.group[starts]] = np.add.reduceat(np.nan_to_num(values), starts)
    return total
