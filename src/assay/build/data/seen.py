"""What several expectations ask of the same column, computed once."""

import threading
from collections.abc import Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data import columns
from assay.build.data.columns import is_text

__all__ = ["Seen", "key_codes"]

_STEPS = (86_400_000_000_000, 60_000_000_000, 60_000_000, 1_000_000, 1_000)  # days to thousandths, in ns or us
_MOST_CODES = 2**62  # codes of several columns are multiplied; beyond this they are numbered anew


class Seen:
    """A table and what was computed of its columns, once for all threads."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._columns: dict[str, pa.ChunkedArray] = {}
        self._encoded: dict[str, tuple[pa.Array, pa.ChunkedArray]] = {}
        self._extremes: dict[str, tuple[pa.Scalar, pa.Scalar]] = {}
        self._locks: dict[str, threading.Lock] = {}

    def column(self, name: str) -> pa.ChunkedArray:
        """The column, categories as what they stand for; InvalidInput where there is none of that name, or several."""
        if name not in self._columns:
            self._columns[name] = columns.column(self.table, name)
        return self._columns[name]

    def extremes(self, name: str) -> tuple[pa.Scalar, pa.Scalar]:
        """The smallest and the largest value that is present; NaN counts as no value."""
        if name not in self._extremes:
            found = pc.min_max(self.column(name))
            self._extremes[name] = (found["min"], found["max"])
        return self._extremes[name]

    def encoded(self, name: str) -> tuple[pa.Array, pa.ChunkedArray]:
        """The different values of a column and, for each row, which of them it holds; null stays null."""
        with self._locks.setdefault(name, threading.Lock()):
            if name not in self._encoded:
                self._encoded[name] = _encode(self.column(name), keep_null=True)
        return self._encoded[name]


def key_codes(seen: Seen, key: Sequence[str]) -> NDArray[np.int64]:
    """A whole number for each row, the same exactly where rows agree in all columns of the key, null with null."""
    return reduce(_combine, (_codes(seen, name) for name in key))[0]


def _codes(seen: Seen, name: str) -> tuple[NDArray[np.int64], int]:
    """Codes from 0 and how many there may be."""
    values = seen.column(name)
    kind = values.type
    if len(values) == values.null_count:
        return np.zeros(len(values), np.int64), 1
    if (pa.types.is_integer(kind) and kind != pa.uint64()) or pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _whole_codes(values)
    if is_text(kind):
        distinct, codes = seen.encoded(name)
        filled = pc.fill_null(codes, len(distinct)) if values.null_count else codes
        return filled.to_numpy().astype(np.int64), len(distinct) + 1
    distinct, codes = _encode(values, keep_null=False)
    return codes.to_numpy().astype(np.int64), len(distinct)


def _whole_codes(values: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """Whole numbers and times by their distance from the smallest, in steps as long as all of them allow."""
    whole = values.cast(pa.int32()) if pa.types.is_date32(values.type) else values
    low = int(pc.min(whole.cast(pa.int64())).as_py())
    filled = pc.fill_null(whole.cast(pa.int64()), low) if values.null_count else whole.cast(pa.int64())
    numbers = filled.to_numpy().view(np.uint64) - np.uint64(low % 2**64)
    for step in _STEPS if pa.types.is_timestamp(values.type) else ():
        if not (numbers % np.uint64(step)).any():
            numbers //= np.uint64(step)
            break
    many = int(numbers.max()) + 1
    if many >= _MOST_CODES:
        distinct, codes = _encode(values, keep_null=False)
        return codes.to_numpy().astype(np.int64), len(distinct)
    codes = numbers.view(np.int64)
    if values.null_count:
        codes = np.where(values.is_valid().to_numpy(), codes, many)
    return codes, many + 1


def _combine(
    first: tuple[NDArray[np.int64], int], second: tuple[NDArray[np.int64], int]
) -> tuple[NDArray[np.int64], int]:
    if first[1] * second[1] >= _MOST_CODES:
        first, second = _renumbered(first), _renumbered(second)
    codes = first[0] * second[1]
    codes += second[0]
    return codes, first[1] * second[1]


def _renumbered(codes: tuple[NDArray[np.int64], int]) -> tuple[NDArray[np.int64], int]:
    distinct, numbers = _encode(pa.chunked_array([pa.array(codes[0])]), keep_null=True)
    return numbers.to_numpy().astype(np.int64), len(distinct)


def _encode(values: pa.ChunkedArray, *, keep_null: bool) -> tuple[pa.Array, pa.ChunkedArray]:
    encoded = pc.dictionary_encode(values, null_encoding="mask" if keep_null else "encode").unify_dictionaries()
    if not encoded.num_chunks:
        return pa.array([], values.type), pa.chunked_array([], pa.int32())
    return encoded.chunk(0).dictionary, pa.chunked_array([chunk.indices for chunk in encoded.chunks], pa.int32())
