"""Tables in and out: Arrow in memory, Parquet on disk, and the hash of their content."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.errors import InvalidInput
from assay.record.table_hash import content_hash, schema_hash

__all__ = [
    "THREADS_FROM_BYTES",
    "as_table",
    "category_column",
    "column_texts",
    "content_hash",
    "from_parquet",
    "gathered",
    "read_parquet",
    "schema_hash",
    "to_parquet",
]

# Arrow's threads may abort a process that ends right after it has begun them (arrow#34314), as a short command does.
THREADS_FROM_BYTES = 1 << 22
_GATHERED_BYTES = 1 << 26


def as_table(data: object) -> pa.Table:
    """An Arrow table from anything that offers the Arrow C stream (pandas, Polars, DuckDB) or a Parquet file's path."""
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, str | Path):
        path = Path(data)
        if not path.is_file():
            raise InvalidInput(f"there is no file {path}", expected="a Parquet file")
        try:
            with pa.OSFile(str(path)) as file:
                return read_parquet(file)
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"{path} cannot be read: {error}", expected="a Parquet file") from error
    if not hasattr(data, "__arrow_c_stream__") and hasattr(data, "collect") and hasattr(data, "collect_schema"):
        data = data.collect()  # a LazyFrame of Polars
    if hasattr(data, "__arrow_c_stream__"):
        try:
            return pa.table(data)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:  # a column of several kinds
            said = ": ".join(str(part) for part in reversed(error.args))
            raise InvalidInput(f"the table cannot be read: {said}", expected="one type in each column") from error
    raise InvalidInput(f"a {type(data).__name__} is not a table", expected="Arrow, pandas, Polars, DuckDB or a path")


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
    return read_parquet(pa.BufferReader(content))


def read_parquet(file: pa.NativeFile) -> pa.Table:
    """The table of an open Parquet file, read by several threads where that pays."""
    with pq.ParquetFile(file) as parquet:
        return parquet.read(use_threads=file.size() >= THREADS_FROM_BYTES)


def gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Small batches put together to tables of at least so many rows, or 64 MB; none where there is no row."""
    waiting: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        if batch.num_rows:
            waiting.append(batch)
            count, size = count + batch.num_rows, size + batch.nbytes
        if count >= rows or size >= _GATHERED_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, count, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)
