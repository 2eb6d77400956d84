"""Score histograms on fixed bins: the top 18 bits of the score as float32.

A bin is 0.2 % of its score wide at most, needs no range to be known beforehand, and is fine where rare events
have their scores: uniform bins fail there. Positives and negatives are counted apart, sparsely, per group.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.stats.grouping import Integers, fold

__all__ = ["BINS", "BIN_BITS", "AreaCounts", "Histogram", "bin_edges", "bin_of"]

BIN_BITS = 16  # a key is group << BIN_BITS | bin
_SHIFT = 14
BINS = (int(np.float32(1.0).view(np.uint32)) >> _SHIFT) + 1


def bin_of(scores: NDArray[np.float64]) -> Integers:
    """The bin, 0 to BINS − 1, of scores in [0, 1]; increasing with the score."""
    # Adding 0.0 turns -0.0, whose bits are not those of 0.0, into 0.0.
    return (scores + 0.0).astype(np.float32).view(np.uint32).astype(np.int64) >> _SHIFT


def bin_edges(bins: Integers) -> NDArray[np.float64]:
    """The smallest float32 score of each bin."""
    return (bins.astype(np.uint32) << np.uint32(_SHIFT)).view(np.float32).astype(np.float64)


@dataclass(frozen=True, slots=True)
class AreaCounts:
    """What the area under the ROC curve is made of, per group; all int64, exact.

    `twice` is Σ over pairs of a positive and a negative: 2 where the positive has the higher bin, 1 for a tie.
    The area is twice/(2·positives·negatives).
    """

    twice: Integers
    positives: Integers
    negatives: Integers


@dataclass(frozen=True, slots=True)
class Histogram:
    """Occupied (group, bin) pairs in increasing order, with the positives and negatives in each."""

    group: Integers
    bin: Integers
    positives: Integers
    negatives: Integers

    @classmethod
    def count(cls, groups: Integers, scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> "Histogram":
        """The histogram of rows with a group, a score in [0, 1] and a label."""
        keys = np.sort((groups << BIN_BITS | bin_of(scores)) << 1 | positive)
        if not len(keys):
            return cls.of_keys(keys, np.empty((0, 2), np.int64))
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        counts = np.diff(np.append(starts, len(keys)))
        label = keys[starts] & 1
        table = np.stack([counts * label, counts * (1 - label)], axis=1)
        return cls.of_keys(*fold(keys[starts] >> 1, table))

    @classmethod
    def of_keys(cls, keys: Integers, table: Integers) -> "Histogram":
        """From distinct increasing keys (group << BIN_BITS | bin) and [keys, 2] positives and negatives."""
        return cls(keys >> BIN_BITS, keys & ((1 << BIN_BITS) - 1), table[:, 0], table[:, 1])

    def to_keys(self) -> tuple[Integers, Integers]:
        """The inverse of `of_keys`."""
        return self.group << BIN_BITS | self.bin, np.stack([self.positives, self.negatives], axis=1)

    def followed_by(self, other: "Histogram", groups: int) -> "Histogram":
        """This histogram of `groups` groups, and the other with its groups numbered from `groups` on."""
        return Histogram(
            np.concatenate([self.group, other.group + groups]),
            np.concatenate([self.bin, other.bin]),
            np.concatenate([self.positives, other.positives]),
            np.concatenate([self.negatives, other.negatives]),
        )

    def regroup(self, new_group: Integers, keep: NDArray[np.bool_] | None = None) -> "Histogram":
        """With group g counted into new_group[g], and only groups with keep[g] (all where None)."""
        rows = slice(None) if keep is None else keep[self.group]
        keys = new_group[self.group[rows]] << BIN_BITS | self.bin[rows]
        return self.of_keys(*fold(keys, np.stack([self.positives[rows], self.negatives[rows]], axis=1)))

    def dense(self, groups: int) -> tuple[Integers, Integers, Integers]:
        """Occupied bins in increasing order, and [groups, bins] positives and negatives."""
        bins, column = np.unique(self.bin, return_inverse=True)
        positives = np.zeros((groups, len(bins)), dtype=np.int64)
        negatives = np.zeros_like(positives)
        positives[self.group, column] = self.positives
        negatives[self.group, column] = self.negatives
        return bins, positives, negatives

    def area(self, groups: int) -> AreaCounts:
        """Each group's own area counts."""
        counted = np.cumsum(self.negatives)
        at_start = np.concatenate([[0], counted])[np.searchsorted(self.group, self.group)]
        credit = 2 * (counted - self.negatives - at_start) + self.negatives
        return AreaCounts(
            self._sum(groups, self.positives * credit),
            self._sum(groups, self.positives),
            self._sum(groups, self.negatives),
        )

    def area_total(self) -> AreaCounts:
        """The area counts of all groups together, arrays of length 1."""
        return self.regroup(np.zeros(int(self.group.max(initial=0)) + 1, dtype=np.int64)).area(1)

    def area_without(self, groups: int) -> AreaCounts:
        """For each group, the area counts of all the others together.

        The count is bilinear in positives and negatives, so the counts without group g follow from the total,
        g's positives against all negatives, all positives against g's negatives, and g's own: one pass instead
        of one for each group.
        """
        bins, column = np.unique(self.bin, return_inverse=True)
        positives, negatives = np.zeros((2, len(bins)), dtype=np.int64)
        np.add.at(positives, column, self.positives)
        np.add.at(negatives, column, self.negatives)
        per_positive = 2 * (np.cumsum(negatives) - negatives) + negatives
        per_negative = 2 * (np.cumsum(positives[::-1])[::-1] - positives) + positives
        own = self.area(groups)
        crossed = self._sum(groups, self.positives * per_positive[column])
        crossed += self._sum(groups, self.negatives * per_negative[column])
        return AreaCounts(
            (positives * per_positive).sum() - crossed + own.twice,
            positives.sum() - own.positives,
            negatives.sum() - own.negatives,
        )

    def _sum(self, groups: int, values: Integers) -> Integers:
        total = np.zeros(groups, dtype=np.int64)
        if len(values):
            starts = np.flatnonzero(np.concatenate([[True], self.group[1:] != self.group[:-1]]))
            total[self.group[starts]] = np.add.reduceat(values, starts)
        return total
