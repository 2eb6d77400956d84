"""Sums of whole numbers by key: exact, so that neither order nor sharding can change them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput

__all__ = ["Integers", "compress", "fold", "sum_by", "total"]

Integers = NDArray[np.int64]

_EXACT = 2**53  # bincount adds in float64, where whole numbers below this cannot round
_DENSE = 2**25  # numbers up to which a table of all keys is made
_CACHED = 2**22
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


def total(parts: Sequence[tuple[Integers, Integers]], size: int) -> tuple[Integers, Integers]:
    """The sum of several tables ([rows, columns]) by their keys, as `fold`; keys in [0, size), distinct in each part.

    Where a table of all keys is small enough the parts are added into it without sorting: row by row where it stays in
    the processor's cache, otherwise column by column, which reads and writes each cell once.
    """
    width = parts[0][1].shape[1]
    if size * width > _DENSE:
        return fold(np.concatenate([keys for keys, _ in parts]), np.concatenate([table for _, table in parts]))
    present = np.zeros(size, dtype=bool)
    for keys, _ in parts:
        present[keys] = True
    found = np.flatnonzero(present)
    if size * width > _CACHED:
        keys = np.concatenate([own for own, _ in parts])
        columns = (np.concatenate([table[:, column] for _, table in parts]) for column in range(width))
        return found, np.stack([sum_by(keys, size, column)[found] for column in columns], axis=1)
    every = np.zeros((size, width), dtype=np.int64)
    for keys, table in parts:
        every[keys] += table
    return found, every[found]
