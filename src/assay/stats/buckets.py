"""Units hashed into buckets, the groups of the jackknife."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import mmh3
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats.categories import Strings, not_text
from assay.stats.murmur import murmur3_x86_32

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["bucket_of", "mixed_bits", "row_identities", "text_hashes"]


def bucket_of(units: Strings | NDArray[np.uint64], buckets: int = 50, seed: int = 0) -> NDArray[np.int64]:
    """The bucket, 0 to `buckets` − 1, of each unit: murmur3_x86_32("{seed}:{unit}") · buckets >> 32.

    Whole-number arithmetic (as flagd's fractional evaluation, version 2), so it is the same on every machine,
    in every shard and order. Rows of one unit share a bucket, which is what makes the jackknife respect
    clusters. Units may also be `row_identities`, which are mixed with the seed by splitmix64. InvalidInput for units
    that are not strings or fewer than 1 bucket.
    """
    if not 1 <= buckets < 2**31:
        raise InvalidInput(f"{buckets!r} buckets", expected="1 to 2147483647, by default 50")
    if isinstance(units, np.ndarray) and units.dtype == np.uint64:
        identities: NDArray[np.uint64] = units.view(np.uint64)
        mixed = mixed_bits(identities ^ np.uint64((seed + 1) * 0x9E3779B97F4A7C15 & 2**64 - 1))
        return ((mixed >> np.uint64(32)) * np.uint64(buckets) >> np.uint64(32)).astype(np.int64)
    prefix = f"{seed}:"
    if hasattr(units, "dictionary_encode"):
        hashes = _hashes_of_column(units, prefix.encode())
        return (hashes * np.uint64(buckets) >> np.uint64(32)).astype(np.int64)
    rows: Sequence[str] = units.tolist() if isinstance(units, np.ndarray) else cast(Sequence[str], units)
    # Hashing every row takes a third of the time of finding the distinct units first, and two thirds of making an Arrow
    # array of them and hashing that.
    # Encoded here, because mmh3 5.3 crashes the interpreter on a string with a lone surrogate.
    hashed = (mmh3.hash((prefix + unit).encode(), 0, False) for unit in rows)
    try:
        hashes = np.fromiter(hashed, np.uint64, len(rows))
    except (TypeError, UnicodeEncodeError):
        raise not_text(rows, "units") from None
    return (hashes * np.uint64(buckets) >> np.uint64(32)).astype(np.int64)


def _hashes_of_column(column: "pa.Array | pa.ChunkedArray", prefix: bytes) -> NDArray[np.uint64]:
    """[n] the hashes of Arrow text, plain or in a dictionary, chunked or not."""
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [np.zeros(0, dtype=np.uint64)]
    for chunk in chunks:
        values = chunk.dictionary if isinstance(chunk, pa.DictionaryArray) else chunk
        text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
        if chunk.null_count or values.null_count or not (text or pa.types.is_null(values.type)):
            raise not_text(column.to_pylist(), "units")
        if not text:
            continue  # of type null and without nulls: no rows
        hashes = murmur3_x86_32(values, prefix)
        rows = chunk.indices.to_numpy() if isinstance(chunk, pa.DictionaryArray) else slice(None)
        parts.append(hashes[rows].astype(np.uint64))
    return np.concatenate(parts)


def row_identities(columns: Sequence[NDArray[np.float64] | NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """[n] a hash of each row's numbers, the same in every order and shard; rows that are equal have the same one.

    The numbers' bits go one after the other through the finaliser of splitmix64 (Steele, Lea and Flood 2014). It stands
    for a unit where rows have none: `bucket_of` takes it. Text comes in as its `text_hashes`.
    """
    state = np.zeros(len(columns[0]) if columns else 0, dtype=np.uint64)
    for column in columns:
        # Adding 0.0 turns -0.0, whose bits are not those of 0.0, into 0.0.
        bits: NDArray[np.uint64] = (column if column.dtype == np.uint64 else column + 0.0).view(np.uint64)
        state = mixed_bits(state ^ bits)
    return state


def text_hashes(column: "pa.Array | pa.ChunkedArray") -> NDArray[np.uint64]:
    """[n] murmur3_x86_32 of Arrow text without nulls."""
    return _hashes_of_column(column, b"")


def mixed_bits(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """[n] the next number of splitmix64 (Steele, Lea and Flood 2014) at each state."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
