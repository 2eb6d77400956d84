"""Rows as 128 bits by their content, so that the rows of a source can be compared with those that are known.

Two lanes of 64 bits, each a chain of splitmix64's finaliser over the bits of the columns; text comes in by murmur3 of
128 bits. Two different rows agree by chance once in 2^128; the hash is no defence against rows that are made to agree.
"""

from collections.abc import Sequence

import mmh3
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column
from assay.stats.buckets import mixed_bits

__all__ = ["HASH", "row_hashes"]

HASH = np.dtype([("high", "<u8"), ("low", "<u8")])
_LANES = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)  # of the golden ratio, and of the plastic number
_NULL = (0x8CB92BA72F3D8DD7, 0xAEF17502108EF2D9)


def row_hashes(rows: pa.Table, names: Sequence[str], salt: int = 0) -> NDArray[np.void]:
    """[rows] of `HASH`: equal rows in these columns have equal ones. Each salt gives others."""
    found = np.empty(rows.num_rows, HASH)
    columns = [_bits(column(rows, name)) for name in names]
    for lane, name in enumerate(("high", "low")):
        state = np.full(rows.num_rows, (_LANES[lane] * (salt + 1)) & 2**64 - 1, np.uint64)
        for bits, missing in columns:
            values = bits[lane] if missing is None else np.where(missing, np.uint64(_NULL[lane]), bits[lane])
            state = mixed_bits(state + np.uint64(_LANES[lane]) ^ values)
        found[name] = state
    return found


def _bits(values: pa.ChunkedArray) -> tuple[tuple[NDArray[np.uint64], NDArray[np.uint64]], NDArray[np.bool_] | None]:
    """Two lanes of 64 bits for each value, and which are null."""
    kind = values.type
    missing = values.is_null().to_numpy() if values.null_count else None
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_floating(kind):
        numbers = values.cast(pa.float64()).fill_null(0.0).to_numpy() + 0.0  # makes 0.0 of -0.0
        return (numbers.view(np.uint64),) * 2, missing
    elif pa.types.is_temporal(kind) and kind.bit_width in (32, 64):
        values = values.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    elif not pa.types.is_integer(kind):
        return _of_texts(values), missing
    width = pa.uint64() if values.type == pa.uint64() else pa.int64()
    whole = values.cast(width).fill_null(0).to_numpy().view(np.uint64)
    return (whole, whole), missing


def _of_texts(values: pa.ChunkedArray) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """By the distinct values: most columns of text repeat theirs."""
    if pa.types.is_nested(values.type) or pa.types.is_decimal(values.type):
        texts = [None if one is None else repr(one) for one in values.to_pylist()]
        values = pa.chunked_array([pa.array(texts, pa.large_string())])
    elif pa.types.is_null(values.type):
        values = values.cast(pa.large_string())
    coded = values.combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    distinct = coded.dictionary.cast(pa.large_binary()).to_pylist()
    lanes = np.array([mmh3.hash64(one, 0, True, signed=False) for one in distinct] + [(0, 0)], np.uint64)
    codes = coded.indices.fill_null(len(distinct)).to_numpy()
    return lanes[codes, 0], lanes[codes, 1]
