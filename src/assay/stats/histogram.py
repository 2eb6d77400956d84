"""Score histograms on fixed bins: the top 18 bits of the score as float32.

A bin is 0.2 % of its score wide at most, needs no range to be known beforehand, and is fine where rare events
have their scores: uniform bins fail there. Positives and negatives are counted apart, sparsely, per group.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.stats.grouping import Integers, compress, fold, sum_by, total
from assay.stats.sums import FRACTION_BITS, AreaCounts

__all__ = ["BINS", "BIN_BITS", "WEIGHT_UNIT", "Histogram", "bin_edges", "bin_of"]

BIN_BITS = 16  # a key is group << BIN_BITS | bin
WEIGHT_UNIT = 2.0**FRACTION_BITS
_SHIFT = 14
_DENSE = 2**25  # cells up to which counting into an array is faster than sorting
_TENTHS = 10
_PACKED = 26  # bits of a count, where two stand in one number that float64 holds exactly
BINS = (int(np.float32(1.0).view(np.uint32)) >> _SHIFT) + 1


def bin_of(scores: NDArray[np.float64]) -> Integers:
    """The bin, 0 to BINS − 1, of scores in [0, 1]; increasing with the score."""
    # Adding 0.0 turns -0.0, whose bits are not those of 0.0, into 0.0.
    return (scores + 0.0).astype(np.float32).view(np.uint32).astype(np.int64) >> _SHIFT


def bin_edges(bins: Integers) -> NDArray[np.float64]:
    """The smallest float32 score of each bin."""
    return (bins.astype(np.uint32) << np.uint32(_SHIFT)).view(np.float32).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Occupied (group, bin) pairs in increasing order, with the positives and negatives in each.

    Of weighted rows these are sums of weights, in whole numbers of 1/`unit`.
    """

    group: Integers
    bin: Integers
    positives: Integers
    negatives: Integers
    unit: float = 1.0

    @classmethod
    def count(
        cls,
        groups: Integers,
        size: int,
        scores: NDArray[np.float64],
        positive: NDArray[np.bool_],
        weights: NDArray[np.float64] | None = None,
    ) -> "Histogram":
        """The histogram of rows with a group below `size`, a score in [0, 1] and a label, perhaps with weights."""
        occupied, rank = compress(bin_of(scores), BINS)
        cells = size * len(occupied) * 2
        keys = (groups * len(occupied) + rank) * 2 + positive
        if weights is not None:
            distinct, place = np.unique(keys, return_inverse=True)
            heavy = sum_by(place, len(distinct), np.rint(weights * WEIGHT_UNIT))
            label = distinct & 1
            found, table = fold(distinct >> 1, np.stack([heavy * label, heavy * (1 - label)], axis=1))
        elif cells <= _DENSE:
            counts = np.bincount(keys, minlength=cells).reshape(-1, 2)
            found = np.flatnonzero(counts.any(axis=1))
            table = counts[found][:, ::-1].astype(np.int64)
        else:
            distinct, count = np.unique(keys, return_counts=True)
            label = distinct & 1
            found, table = fold(distinct >> 1, np.stack([count * label, count * (1 - label)], axis=1))
        width = max(1, len(occupied))
        unit = 1.0 if weights is None else WEIGHT_UNIT
        keys = found // width << BIN_BITS | occupied[found % width]
        return cls.of_keys(keys, np.ascontiguousarray(table), unit)

    @classmethod
    def of_keys(cls, keys: Integers, table: Integers, unit: float = 1.0) -> "Histogram":
        """From distinct increasing keys (group << BIN_BITS | bin) and [keys, 2] positives and negatives."""
        return cls(keys >> BIN_BITS, keys & ((1 << BIN_BITS) - 1), table[:, 0], table[:, 1], unit)

    def to_keys(self) -> tuple[Integers, Integers]:
        """The inverse of `of_keys`."""
        return self.group << BIN_BITS | self.bin, np.stack([self.positives, self.negatives], axis=1)

    def regroup(self, new_group: Integers, keep: NDArray[np.bool_] | None = None) -> "Histogram":
        """With group g counted into new_group[g], and only groups with keep[g] (all where None)."""
        rows = slice(None) if keep is None else keep[self.group]
        keys = new_group[self.group[rows]] << BIN_BITS | self.bin[rows]
        return self.of_keys(*fold(keys, np.stack([self.positives[rows], self.negatives[rows]], axis=1)), self.unit)

    @classmethod
    def joined(cls, parts: "Sequence[Histogram]", starts: Sequence[int]) -> "Histogram":
        """Several histograms, one after the other, the groups of each numbered from its start on."""
        pairs = list(zip(parts, starts, strict=True))
        return cls(
            np.concatenate([part.group + start for part, start in pairs]),
            np.concatenate([part.bin for part in parts]),
            np.concatenate([part.positives for part in parts]),
            np.concatenate([part.negatives for part in parts]),
            parts[0].unit if parts else 1.0,
        )

    @classmethod
    def total(cls, parts: "Sequence[Histogram]", groups: Sequence[Integers], size: int) -> "Histogram":
        """The sum of several, group g of part i being groups[i][g], below `size`; each increasing."""
        occupied = np.zeros(BINS, dtype=bool)
        for part in parts:
            occupied[part.bin] = True
        bins, rank = np.flatnonzero(occupied), np.cumsum(occupied) - 1
        width = max(1, len(bins))
        keys = [own[part.group] * width + rank[part.bin] for part, own in zip(parts, groups, strict=True)]
        most = max(
            sum(int(part.positives.max(initial=0)) for part in parts),
            sum(int(part.negatives.max(initial=0)) for part in parts),
        )
        if most >> _PACKED or size * width > _DENSE or parts[0].unit != 1.0:  # a weight may be 0
            tables = [np.stack([part.positives, part.negatives], axis=1) for part in parts]
            found, table = total(list(zip(keys, tables, strict=True)), size * width)
        else:  # both counts in one number: the cells are read and written once, and no sum leaves 2^53
            packed = np.concatenate([part.positives << _PACKED | part.negatives for part in parts])
            cells = np.bincount(np.concatenate(keys), weights=packed, minlength=size * width)
            found = np.flatnonzero(cells)
            counts = cells[found].astype(np.int64)
            table = np.stack([counts >> _PACKED, counts & (1 << _PACKED) - 1], axis=1)
        return cls.of_keys(found // width << BIN_BITS | bins[found % width], table, parts[0].unit)

    def only(self, group: int) -> "Histogram":
        """One group, as group 0."""
        part = slice(*np.searchsorted(self.group, [group, group + 1]).tolist())
        counts = self.positives[part], self.negatives[part]
        return Histogram(self.group[part] - group, self.bin[part], *counts, self.unit)

    def area(self, groups: int) -> AreaCounts:
        """Each group's own area counts."""
        credit = 2 * self.negatives_below() + self.negatives
        if self.unit != 1.0:  # products of weights leave 64 bits
            twice = self.positives / self.unit * (credit / self.unit)
            return AreaCounts(
                _sum_of_runs(self.group, groups, twice),
                self._sum(groups, self.positives) / self.unit,
                self._sum(groups, self.negatives) / self.unit,
            )
        return AreaCounts(
            self._sum(groups, self.positives * credit),
            self._sum(groups, self.positives),
            self._sum(groups, self.negatives),
        )

    def average_precision(self, groups: int) -> NDArray[np.float64]:
        """[groups] Σ over bins of (recall gained in the bin)·(precision from the bin upwards); NaN without positives.

        The step-wise area under the precision-recall curve, not interpolated, with the scores of a bin as ties.
        """
        value = np.full(groups, np.nan)
        if not len(self.group):
            return value
        starts = np.flatnonzero(np.concatenate([[True], self.group[1:] != self.group[:-1]]))
        ends = np.append(starts[1:], len(self.group))
        below = np.concatenate([[0], np.cumsum(self.positives)])
        rows_below = np.concatenate([[0], np.cumsum(self.positives + self.negatives)])
        at_least = np.repeat(below[ends], ends - starts) - below[:-1]
        selected = np.repeat(rows_below[ends], ends - starts) - rows_below[:-1]
        found = np.add.reduceat(self.positives * at_least.astype(np.float64) / selected, starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            value[self.group[starts]] = found / (below[ends] - below[starts])
        return value

    def calibration_error(self, groups: int) -> NDArray[np.float64]:
        """[groups] the expected calibration error: Σ over ten equal bins of |Σ score − positives|/rows; NaN without.

        Scores count as the middle of their fine bin, which is off by at most 0.1 % of the score; next to the edge of a
        tenth that may be the neighbouring tenth. The error of right scores is above 0 on few rows, the more so the
        fewer they are.
        """
        middle = np.minimum((bin_edges(self.bin) + bin_edges(self.bin + 1)) / 2.0, 1.0)
        rows = self.positives + self.negatives
        tenth = np.minimum((middle * _TENTHS).astype(np.int64), _TENTHS - 1)
        cells = self.group * _TENTHS + tenth  # increasing, because bins are
        above = rows.astype(np.float64) * middle - self.positives.astype(np.float64)
        gaps = np.abs(_sum_of_runs(cells, groups * _TENTHS, above))
        with np.errstate(invalid="ignore", divide="ignore"):
            value: NDArray[np.float64] = gaps.reshape(groups, _TENTHS).sum(axis=1) / self._sum(groups, rows)
        return value

    def negatives_below(self) -> Integers:
        """For each entry the negatives in lower bins of its group."""
        return _before(self.group, self.negatives)

    def positives_below(self) -> Integers:
        """For each entry the positives in lower bins of its group."""
        return _before(self.group, self.positives)

    def _sum(self, groups: int, values: Integers) -> Integers:
        total = np.zeros(groups, dtype=np.int64)
        if len(values):
            starts = np.flatnonzero(np.concatenate([[True], self.group[1:] != self.group[:-1]]))
            total[self.group[starts]] = np.add.reduceat(values, starts)
        return total


def _sum_of_runs(keys: Integers, size: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[size] sums of the values of each key, keys in increasing order; each alike whatever stands beside it."""
    total = np.zeros(size)
    if len(values):
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        total[keys[starts]] = np.add.reduceat(values, starts)
    return total


def _before(group: Integers, counts: Integers) -> Integers:
    """The sum of `counts` over the entries of the same group that come before."""
    earlier = np.cumsum(counts) - counts
    if not len(group):
        return earlier
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    return earlier - np.repeat(earlier[starts], np.diff(np.append(starts, len(group))))
