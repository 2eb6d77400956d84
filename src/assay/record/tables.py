"""Tables in and out: Arrow in memory, Parquet on disk, and a hash of the content.

The hash sees names, types, order of rows, nulls and values. It does not see how Arrow happens to hold them: chunks,
offsets, dictionary encoding, 32- or 64-bit offsets, metadata; nor what Parquet changes, such as whole seconds that it
keeps as milliseconds.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.errors import InvalidInput
from assay.record.canonical import digest

__all__ = ["as_table", "category_column", "column_texts", "content_hash", "from_parquet", "schema_hash", "to_parquet"]

_STANDS_FOR = {
    pa.string(): pa.large_string(),
    pa.string_view(): pa.large_string(),
    pa.binary(): pa.large_binary(),
    pa.binary_view(): pa.large_binary(),
    pa.date64(): pa.date32(),  # what Parquet makes of it; the same for whole seconds
    pa.time32("s"): pa.time32("ms"),
}
_WHOLE = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}  # numbers and times by their bits


def as_table(data: object) -> pa.Table:
    """An Arrow table from anything that offers the Arrow C stream (pandas, Polars, DuckDB) or a Parquet file's path."""
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, str | Path):
        path = Path(data)
        if not path.is_file():
            raise InvalidInput(f"there is no file {path}", expected="a Parquet file")
        try:
            return pq.read_table(path)
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"{path} cannot be read: {error}", expected="a Parquet file") from error
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    raise InvalidInput(f"a {type(data).__name__} is not a table", expected="Arrow, pandas, Polars, DuckDB or a path")


def content_hash(table: pa.Table) -> str:
    """SHA-256 over the canonical form of every column; equal exactly where two tables hold the same."""
    columns = [[name, *_column_digest(table.column(position))] for position, name in enumerate(table.column_names)]
    return digest([table.num_rows, columns])


def schema_hash(table: pa.Table) -> str:
    """SHA-256 of names and logical types."""
    return digest([[field.name, str(_logical(field.type))] for field in table.schema])


def category_column(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column as text with one dictionary, null as the word `missing`; made by Arrow, without a loop over rows."""
    if name not in table.column_names:
        raise InvalidInput(f"there is no column {name!r}", expected=", ".join(table.column_names))
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    filled = pc.fill_null(column.cast(pa.string()), "missing")
    return filled.dictionary_encode().unify_dictionaries()


def column_texts(table: pa.Table, name: str) -> np.ndarray:
    """A column as an array of text, null as the word `missing`: the form in which segments and units are compared."""
    if name not in table.column_names:
        raise InvalidInput(f"there is no column {name!r}", expected=", ".join(table.column_names))
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    filled: np.ndarray = pc.fill_null(column.cast(pa.string()), "missing").to_numpy(zero_copy_only=False)
    return filled


def to_parquet(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(content: bytes) -> pa.Table:
    """The table of a Parquet file."""
    return pq.read_table(pa.BufferReader(content))


def _logical(kind: pa.DataType) -> pa.DataType:
    """The type that stands for all ways in which Arrow may hold the same values, nested ones included."""
    if pa.types.is_dictionary(kind):
        return _logical(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.large_list(_logical(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _logical(field.type)) for field in kind])
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", kind.tz)
    return _STANDS_FOR.get(kind, kind)


def _column_digest(column: pa.ChunkedArray) -> tuple[str, str]:
    kind = _logical(column.type)
    state = hashlib.sha256()
    chunks = column.cast(kind).chunks
    _feed(state, pa.concat_arrays(chunks) if chunks else pa.array([], kind))
    return str(kind), state.hexdigest()


def _feed(state: "hashlib._Hash", values: pa.Array) -> None:
    """Add validity and values; what stands under a null does not count."""
    kind = values.type
    state.update(len(values).to_bytes(8, "little") + values.null_count.to_bytes(8, "little"))
    if values.null_count:
        state.update(np.packbits(values.is_valid().to_numpy(zero_copy_only=False)).data)
    if pa.types.is_null(kind):
        return
    if pa.types.is_struct(kind):
        for field in values.flatten():
            _feed(state, field)
    elif pa.types.is_large_list(kind):
        _feed_numbers(state, pc.fill_null(pc.list_value_length(values), 0).cast(pa.int64()))
        _feed(state, values.flatten())
    elif pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        _feed_bytes(state, pc.fill_null(values, "" if pa.types.is_large_string(kind) else b""))
    elif pa.types.is_decimal(kind):
        _feed_bytes(state, pc.fill_null(values.cast(pa.large_string()), ""))
    elif pa.types.is_boolean(kind):
        _feed_numbers(state, pc.fill_null(values, False))
    elif pa.types.is_primitive(kind) and kind.bit_width in _WHOLE:
        whole = values.view(_WHOLE[kind.bit_width])
        _feed_numbers(state, pc.fill_null(whole, 0) if values.null_count else whole)
    else:
        raise InvalidInput(f"columns of type {kind} cannot be hashed", expected="numbers, text, times, lists, structs")


def _feed_numbers(state: "hashlib._Hash", values: pa.Array) -> None:
    state.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=False)).view(np.uint8).data)


def _feed_bytes(state: "hashlib._Hash", values: pa.Array) -> None:
    """Lengths first, then all bytes in a row, whatever the offsets start from."""
    _feed_numbers(state, pc.binary_length(values))
    _, offsets, data = values.buffers()
    if offsets is None:
        return
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    if data is not None and len(ends):
        state.update(memoryview(data)[int(ends[0]) : int(ends[-1])])
