"""Sums of whole numbers by key: exact, so that neither order nor sharding can change them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Integers", "compress", "fold", "sum_by"]

Integers = NDArray[np.int64]

# bincount adds in float64, exact below 2**53: with addends up to 2**30 a slice of 2**22 rows cannot round.
_SLICE = 2**22


def compress(keys: Integers, size: int) -> tuple[Integers, Integers]:
    """The distinct keys in increasing order, and the position of each row's key in them; keys in [0, size)."""
    if size > 4 * len(keys) + 1024:
        distinct, positions = np.unique(keys, return_inverse=True)
        return distinct, positions.astype(np.int64, copy=False)
    present = np.zeros(size, dtype=bool)
    present[keys] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]


def sum_by(groups: Integers, size: int, values: Integers | None = None) -> Integers:
    """[size] the sum of `values` (each below 2**30 in size; None counts rows) of the rows of each group."""
    if values is None:
        return np.bincount(groups, minlength=size).astype(np.int64, copy=False)
    total = np.zeros(size, dtype=np.int64)
    for start in range(0, len(groups), _SLICE):
        part = slice(start, start + _SLICE)
        total += np.bincount(groups[part], weights=values[part], minlength=size).astype(np.int64)
    return total


def fold(keys: Integers, table: Integers) -> tuple[Integers, Integers]:
    """The distinct keys in increasing order, and for each the sum of its rows of `table` ([rows, columns])."""
    if not len(keys):
        return keys, table
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.add.reduceat(table[order], starts, axis=0)
