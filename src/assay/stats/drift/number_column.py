"""What a column of numbers or times looks like: counts on fixed bins, missing values, and exact sums.

A bin of numbers is the sign and the top 17 bits of the number as float32, 0.2 % of it wide at most, as in
`stats.histogram`, and a bin of times is a day in UTC. Bins need no range to be known beforehand, so profiles of any
rows add up; everything in them is a whole number, so no order or split of the rows can change them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.stats.grouping import Integers, compress, fold
from assay.stats.histogram import bin_edges

__all__ = ["INFINITE", "Numbers", "count_days", "count_numbers", "starts_of"]

Floats = NDArray[np.float64]

_SHIFT = 14
_REST = (1 << _SHIFT) - 1
_SIGN = 1 << (31 - _SHIFT)
_KEYS = 2 * _SIGN
_EXPONENTS = 512  # with the sign
_STEPS = _KEYS // _EXPONENTS  # bins of one exponent
_SPECIAL = 255  # the exponent of infinities and NaN
_UNIT = 149  # numbers are multiples of 2**-149, the smallest float32
_ROWS = 2**19  # counted at once: so many that a count and a sum of rests stand in one number that float64 holds exactly
_COUNT = 2.0**33  # greater than the rests of so many rows
_DENSE = 2**25

INFINITE = int(np.float32(np.inf).view(np.uint32)) >> _SHIFT
"""The bin of infinity; that of minus infinity is −1 − INFINITE."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A column of `rows` numbers (`kind` "number") or times ("time") of which `missing` are null or NaN.

    `bins` (increasing, only those that occur) with `counts`: bin b >= 0 holds numbers from `starts_of` upwards, bin
    −1 − b those with the opposite sign. Infinities and numbers beyond 3.4e38 are in bins of their own. `total` and
    `squares` are the exact sums of the finite numbers, as float32, and of their squares, in units of 2**-149 and
    2**-298; of times, sums of days since 1970. Add with `+`.
    """

    kind: Literal["number", "time"]
    rows: int
    missing: int
    bins: Integers
    counts: Integers
    total: int
    squares: int

    @property
    def present(self) -> int:
        """Rows with a value, infinite ones too."""
        return self.rows - self.missing

    @property
    def infinite(self) -> int:
        """Rows with an infinite value, of either sign."""
        if self.kind == "time" or not len(self.bins):
            return 0
        low, high = int(self.bins[0]) == -1 - INFINITE, int(self.bins[-1]) == INFINITE
        return int(self.counts[0]) * low + int(self.counts[-1]) * high

    @property
    def zeros(self) -> int:
        """Rows with 0, as float32."""
        return int(self.counts[self.bins == 0].sum())

    @property
    def mean(self) -> float:
        """Of the finite values; NaN without any."""
        finite = self.present - self.infinite
        return self.total / (finite << self._unit) if finite else math.nan

    @property
    def variance(self) -> float:
        """Of the finite values, with divisor n, exact before it is rounded; NaN without any."""
        finite = self.present - self.infinite
        if not finite:
            return math.nan
        return (finite * self.squares - self.total * self.total) / (finite * finite << 2 * self._unit)

    def quantile(self, share: float) -> float:
        """The start of the bin that holds the quantile; NaN without values."""
        if not len(self.bins):
            return math.nan
        place = int(np.searchsorted(np.cumsum(self.counts), share * self.present))
        return float(starts_of(self.kind, self.bins[min(place, len(self.bins) - 1)][None])[0])

    @property
    def _unit(self) -> int:
        return 0 if self.kind == "time" else _UNIT

    def __add__(self, other: "Numbers") -> "Numbers":
        return Numbers.total_of([self, other])

    @staticmethod
    def total_of(parts: "Sequence[Numbers]", weights: Sequence[int] | None = None) -> "Numbers":
        """The sum of one or more profiles of one kind, each taken as often as `weights` says (once)."""
        if len(parts) == 1 and weights is None:
            return parts[0]
        times = [1] * len(parts) if weights is None else list(weights)
        taken = [(part, often) for part, often in zip(parts, times, strict=True) if often]
        bins = np.concatenate([part.bins for part, _ in taken] or [np.zeros(0, np.int64)])
        counts = np.concatenate([part.counts * often for part, often in taken] or [np.zeros(0, np.int64)])
        bins, table = fold(bins, counts[:, None])
        return Numbers(
            parts[0].kind,
            sum(part.rows * often for part, often in taken),
            sum(part.missing * often for part, often in taken),
            bins,
            np.ascontiguousarray(table[:, 0]),
            sum(part.total * often for part, often in taken),
            sum(part.squares * often for part, often in taken),
        )


def starts_of(kind: str, bins: Integers) -> Floats:
    """The number of each bin that is nearest to 0: its start, or the end of one of negative numbers; days of times."""
    if kind == "time":
        return bins.astype(np.float64)
    edges = bin_edges(np.where(bins < 0, -1 - bins, bins))
    return np.where(bins < 0, -edges, edges)


def count_numbers(values: NDArray[np.generic], groups: Integers | None = None, size: int = 1) -> list[Numbers]:
    """[size] the profiles of the rows of each group (below `size`; None: all are of one). NaN is missing."""
    parts: list[list[Numbers]] = [[] for _ in range(size)]
    for start in range(0, max(1, len(values)), _ROWS):
        rows = slice(start, start + _ROWS)
        for own, one in zip(parts, _count(values[rows], None if groups is None else groups[rows], size), strict=True):
            own.append(one)
    return [Numbers.total_of(own) for own in parts]


def _count(values: NDArray[np.generic], groups: Integers | None, size: int) -> list[Numbers]:
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite
        narrow = values.astype(np.float32)
        narrow += np.float32(0.0)  # −0.0 becomes 0.0, whose bits are others
    bits = narrow.view(np.uint32)
    keys = (bits >> _SHIFT).astype(np.int64)
    rest = (bits & _REST).astype(np.float64)
    exponents = keys >> 9
    if groups is None:
        packed = np.bincount(keys, weights=rest + _COUNT, minlength=_KEYS)
        found = np.flatnonzero(packed != 0)
        sums = packed[found]
    else:
        occupied, rank = compress(keys, _KEYS)
        width = max(1, len(occupied))
        cells = groups * width + rank
        exponents = groups * _EXPONENTS + exponents
        if size * width <= _DENSE:
            packed = np.bincount(cells, weights=rest + _COUNT, minlength=size * width)
            cells = np.flatnonzero(packed != 0)
            sums = packed[cells]
        else:
            cells, place = np.unique(cells, return_inverse=True)
            sums = np.bincount(place, weights=rest + _COUNT, minlength=len(cells))
        found = cells // width * _KEYS + occupied[cells % width] if len(occupied) else cells
    np.multiply(rest, rest, out=rest)
    squares = np.bincount(exponents, weights=rest, minlength=size * _EXPONENTS).astype(np.int64)
    counts = (sums // _COUNT).astype(np.int64)
    rests = (sums - counts * _COUNT).astype(np.int64)
    ends = np.searchsorted(found, np.arange(size + 1) * _KEYS).tolist()
    made = []
    for group in range(size):
        part = slice(ends[group], ends[group + 1])
        own = squares[group * _EXPONENTS : (group + 1) * _EXPONENTS]
        made.append(_numbers(found[part] - group * _KEYS, counts[part], rests[part], own))
    return made


def _numbers(keys: Integers, counts: Integers, rests: Integers, squares: Integers) -> Numbers:
    """The profile of one group: its keys (increasing) with counts and sums of rests, and Σ rest² by exponent."""
    rows = int(counts.sum())
    total, total_squares = _exact_sums(keys, counts, rests, squares)
    split = int(np.searchsorted(keys, _SIGN))
    bins = np.concatenate([_SIGN - 1 - keys[split:][::-1], keys[:split]])
    counts = np.concatenate([counts[split:][::-1], counts[:split]])
    low, high = np.searchsorted(bins, [-1 - INFINITE, INFINITE + 1]).tolist()
    inside = counts[low:high]
    return Numbers("number", rows, rows - int(inside.sum()), bins[low:high], inside, total, total_squares)


def _exact_sums(keys: Integers, counts: Integers, rests: Integers, squares: Integers) -> tuple[int, int]:
    """Σ x and Σ x² in units of 2**-149 and 2**-298.

    A number is (s·2**14 + r)·2**shift with s from its bin, r its rest and the shift from its exponent, so sums by
    exponent of s, s², s·r, r and r² say all.
    """
    exponent = keys // _STEPS
    s = keys % _STEPS + np.where(exponent % 256 > 0, _STEPS, 0)
    starts = np.flatnonzero(np.diff(exponent, prepend=-1))
    if not len(starts):
        return 0, 0
    first = np.add.reduceat((s * counts << _SHIFT) + rests, starts).tolist()
    s_squares = np.add.reduceat(s * s * counts, starts).tolist()
    products = np.add.reduceat(s * rests, starts).tolist()
    total = total_squares = 0
    codes = exponent[starts].tolist()
    for code, one, ss, sr, rr in zip(
        codes, first, s_squares, products, squares[exponent[starts]].tolist(), strict=True
    ):
        if code % 256 == _SPECIAL:
            continue
        shift = max(code % 256 - 1, 0)
        total += (-one if code >= 256 else one) << shift
        total_squares += ((ss << 2 * _SHIFT) + (sr << _SHIFT + 1) + rr) << 2 * shift
    return total, total_squares


def count_days(
    days: Integers, known: NDArray[np.bool_] | None = None, groups: Integers | None = None, size: int = 1
) -> list[Numbers]:
    """[size] the profiles of times given as whole days since 1970, of which only the `known` ones (None: all) are."""
    group = np.zeros(len(days), dtype=np.int64) if groups is None else groups
    rows = np.bincount(group, minlength=size).tolist()
    if known is not None:
        days, group = days[known], group[known]
    first = int(days.min(initial=0))
    span = int(days.max(initial=0)) - first + 1
    keys, counts = np.unique(group * span + (days - first), return_counts=True)
    made = []
    for one in range(size):
        low, high = np.searchsorted(keys, [one * span, (one + 1) * span]).tolist()
        bins, own = keys[low:high] - one * span + first, counts[low:high].astype(np.int64)
        pairs = list(zip(bins.tolist(), own.tolist(), strict=True))
        total = sum(day * count for day, count in pairs)
        squares = sum(day * day * count for day, count in pairs)
        made.append(Numbers("time", rows[one], rows[one] - int(own.sum()), bins, own, total, squares))
    return made
