"""The hash of a table's content, made of hashes of blocks of rows: rows can be added without reading the others.

It sees names, types, order of rows, nulls and values. It does not see how Arrow happens to hold them: chunks, offsets,
dictionary encoding, 32- or 64-bit offsets, metadata; nor what Parquet changes, such as whole seconds that it keeps as
milliseconds. A NaN is a NaN, whatever its bits; 0.0 and -0.0 differ.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.record.canonical import digest

__all__ = ["BLOCK_ROWS", "DIGEST_BYTES", "ContentHash", "content_hash", "schema_hash"]

BLOCK_ROWS = 65_536  # some 500 KB of a column of numbers: little of it is not hashing, and it stays in the cache
DIGEST_BYTES = hashlib.sha256().digest_size
_THREADS = min(os.cpu_count() or 1, 8)
_SHORTER = {
    pa.string(): pa.large_string(),
    pa.string_view(): pa.large_string(),
    pa.binary(): pa.large_binary(),
    pa.binary_view(): pa.large_binary(),
}
_CAST = {
    pa.string_view(): pa.large_string(),
    pa.binary_view(): pa.large_binary(),
    pa.date64(): pa.date32(),  # what Parquet makes of it; the same for whole days
    pa.time32("s"): pa.time32("ms"),
}
_WHOLE = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}  # numbers and times by their bits
_FLOATS = {16: np.float16, 32: np.float32, 64: np.float64}
_WIDTHS = (np.uint8, np.uint16, np.uint32, np.uint64)


def content_hash(table: pa.Table) -> str:
    """SHA-256 over the canonical form of all blocks of rows; equal exactly where two tables hold the same."""
    state = ContentHash(table.schema)
    state.add(table)
    return state.hexdigest()


def schema_hash(table: pa.Table) -> str:
    """SHA-256 of names and logical types."""
    return digest([[field.name, str(_logical(field.type))] for field in table.schema])


class ContentHash:
    """The hash of tables one after the other, as if they were one; they have one schema.

    `blocks` holds the hashes of all whole blocks so far, 32 bytes each. Given to a new one with the number of rows in
    them, it goes on from there: `ContentHash(schema, blocks)` stands after `len(blocks) // 32 * BLOCK_ROWS` rows.
    """

    def __init__(self, schema: pa.Schema, blocks: bytes = b"") -> None:
        self.schema = schema
        self.blocks = blocks
        self._rest = schema.empty_table()

    @property
    def rows(self) -> int:
        """Rows so far."""
        return len(self.blocks) // DIGEST_BYTES * BLOCK_ROWS + int(self._rest.num_rows)

    def add(self, table: pa.Table) -> None:
        """Take the next rows. InvalidInput where a column is of a type that has no hash."""
        if self._rest.num_rows:
            table = pa.concat_tables([self._rest, table])
        whole = table.num_rows // BLOCK_ROWS
        parts = (table.slice(place * BLOCK_ROWS, BLOCK_ROWS) for place in range(whole))
        self.blocks += b"".join(_digests(parts, whole))
        self._rest = table.slice(whole * BLOCK_ROWS)

    def hexdigest(self) -> str:
        """The hash of the rows so far."""
        columns = [[field.name, str(_logical(field.type))] for field in self.schema]
        last = _block(self._rest) if self._rest.num_rows or not self.blocks else b""
        return digest([self.rows, columns, hashlib.sha256(self.blocks + last).hexdigest()])


def _digests(parts: Iterator[pa.Table], count: int) -> Iterator[bytes]:
    if count < 2:
        yield from map(_block, parts)
        return
    with ThreadPoolExecutor(_THREADS) as threads:  # SHA-256 and NumPy let the other threads run
        yield from threads.map(_block, parts)


def _block(part: pa.Table) -> bytes:
    """The hash of a block: of the hashes of its columns."""
    return hashlib.sha256(b"".join(map(_column, part.columns))).digest()


def _column(column: pa.ChunkedArray) -> bytes:
    state = hashlib.sha256()
    chunks = column.chunks
    _feed(state, chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks) if chunks else pa.array([], column.type))
    return state.digest()


def _logical(kind: pa.DataType) -> pa.DataType:
    """The type that stands for all ways in which Arrow may hold the same values, nested ones included."""
    if pa.types.is_dictionary(kind):
        return _logical(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.large_list(_logical(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _logical(field.type)) for field in kind])
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", kind.tz)
    return _SHORTER.get(kind) or _CAST.get(kind, kind)


def _feed(state: "hashlib._Hash", values: pa.Array) -> None:
    """Add validity and values; what stands under a null does not count."""
    while pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_fixed_size_list(values.type):
        values = values.cast(pa.large_list(values.type.value_type))
    if values.type in _CAST or (pa.types.is_timestamp(values.type) and values.type.unit == "s"):
        values = values.cast(_logical(values.type))
    state.update(len(values).to_bytes(8, "little") + values.null_count.to_bytes(8, "little"))
    missing = None
    if values.null_count:
        missing = values.is_null().to_numpy(zero_copy_only=False)
        state.update(np.packbits(missing).data)
    kind = values.type
    if pa.types.is_struct(kind):
        for field in values.flatten():
            _feed(state, field)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        _feed_lengths(state, pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False))
        _feed(state, values.flatten())
    elif kind in _SHORTER or kind in _SHORTER.values():
        _feed_bytes(state, values, missing)
    elif pa.types.is_decimal(kind):
        _feed_bytes(state, values.cast(pa.string()), missing)
    elif not pa.types.is_null(kind):
        _feed_numbers(state, _bits(values), missing)


def _bits(values: pa.Array) -> NDArray[np.generic]:
    """Numbers, times and booleans as what they are in memory, each NaN as the same one."""
    kind = values.type
    if pa.types.is_boolean(kind):
        bools: NDArray[np.generic] = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
        return bools
    if not pa.types.is_primitive(kind) or kind.bit_width not in _WHOLE:
        raise InvalidInput(f"columns of type {kind} cannot be hashed", expected="numbers, text, times, lists, structs")
    width = kind.bit_width
    bits = np.frombuffer(values.buffers()[1] or b"", _WHOLE[width], len(values), values.offset * (width // 8))
    if pa.types.is_floating(kind):
        floats = bits.view(_FLOATS[width])
        is_nan = np.isnan(floats)
        if is_nan.any():
            return np.where(is_nan, np.array(np.nan, floats.dtype), floats).view(_WHOLE[width])
    return bits


def _feed_numbers(state: "hashlib._Hash", values: NDArray[np.generic], missing: NDArray[np.bool_] | None) -> None:
    if missing is not None:
        values = np.where(missing, np.zeros(1, values.dtype), values)
    state.update(np.ascontiguousarray(values).view(np.uint8).data)


def _feed_lengths(state: "hashlib._Hash", lengths: NDArray[np.integer]) -> None:
    """Lengths in as few bytes as the longest needs, and as one number where all are the same, as those of codes."""
    shortest, longest = (int(lengths.min()), int(lengths.max())) if len(lengths) else (0, 0)
    if shortest == longest:
        state.update(b"\0" + longest.to_bytes(8, "little"))
        return
    width = next(width for width in _WIDTHS if longest <= np.iinfo(width).max)
    state.update(bytes([np.dtype(width).itemsize]))
    state.update(lengths.astype(width).view(np.uint8).data)


def _feed_bytes(state: "hashlib._Hash", values: pa.Array, missing: NDArray[np.bool_] | None) -> None:
    """Lengths first, then all bytes in a row, whatever the offsets start from."""
    _, offsets, data = values.buffers()
    if offsets is None:
        _feed_lengths(state, np.empty(0, np.int64))
        return
    width = np.dtype(np.int64 if values.type in (pa.large_string(), pa.large_binary()) else np.int32)
    ends = np.frombuffer(offsets, width, len(values) + 1, values.offset * width.itemsize)
    lengths = np.diff(ends)
    if missing is not None and lengths[missing].any():  # something stands under a null
        nothing = pa.scalar("" if values.type in (pa.string(), pa.large_string()) else b"", values.type)
        _feed_bytes(state, pc.fill_null(values, nothing), None)
        return
    _feed_lengths(state, lengths)
    if data is not None:
        state.update(memoryview(data)[int(ends[0]) : int(ends[-1])])
