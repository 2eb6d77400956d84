"""Sums of whole numbers by key: exact, so that neither order nor sharding can change them."""

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput

__all__ = ["Integers", "compress", "fold", "joined", "sum_by"]

Integers = NDArray[np.int64]

_EXACT = 2**53  # bincount adds in float64, where whole numbers below this cannot round
_HALF = 26  # bits of the lower half, where numbers are added in two
_LARGEST_SUM = 2**62


def compress(keys: Integers, size: int) -> tuple[Integers, Integers]:
    """The distinct keys in increasing order, and the position of each row's key in them; keys in [0, size)."""
    if size > 4 * len(keys) + 1024:
        distinct, positions = np.unique(keys, return_inverse=True)
        return distinct, positions.astype(np.int64, copy=False)
    present = np.zeros(size, dtype=bool)
    present[keys] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]


def sum_by(groups: Integers, size: int, values: Integers | NDArray[np.float64] | None = None) -> Integers:
    """[size] the exact sum of `values` (whole numbers; None counts rows) of the rows of each group.

    InvalidInput where a sum could leave 64 bits.
    """
    if values is None:
        return np.bincount(groups, minlength=size).astype(np.int64, copy=False)
    total = np.zeros(size, dtype=np.int64)
    if not len(values):
        return total
    largest = max(1.0, float(np.abs(values).max()))
    if largest * len(values) > _LARGEST_SUM:
        raise InvalidInput(
            f"{len(values):,} values of up to {largest:.2g} in fixed point do not fit into 64 bits",
            hint="measure in a larger unit",
        )
    if largest * len(values) < _EXACT:
        return np.bincount(groups, weights=values, minlength=size).astype(np.int64)
    whole = values.astype(np.int64, copy=False)
    for start in range(0, len(groups), _EXACT >> _HALF):
        part = slice(start, start + (_EXACT >> _HALF))
        for half, shift in ((whole[part] >> _HALF, _HALF), (whole[part] & (1 << _HALF) - 1, 0)):
            total += np.bincount(groups[part], weights=half, minlength=size).astype(np.int64) << shift
    return total


def fold(keys: Integers, table: Integers) -> tuple[Integers, Integers]:
    """The distinct keys in increasing order, and for each the sum of its rows of `table` ([rows, columns])."""
    if not len(keys):
        return keys, table
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.add.reduceat(table[order], starts, axis=0)


def joined(first: tuple[Integers, Integers], second: tuple[Integers, Integers]) -> tuple[Integers, Integers]:
    """The sum of two tables ([rows, columns]) by their keys, which are distinct and increasing, as are those returned.

    Days of one kind mostly have the same keys: then nothing is sorted.
    """
    (keys, table), (others, more) = first, second
    if len(keys) == len(others) and np.array_equal(keys, others):
        return keys, table + more
    every = np.union1d(keys, others)
    total = np.zeros((len(every), table.shape[1]), dtype=np.int64)
    total[np.searchsorted(every, keys)] = table
    total[np.searchsorted(every, others)] += more
    return every, total
