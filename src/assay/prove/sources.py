"""The rows of an evaluation, whole or in parts: tables in memory, Parquet files that do not fit, Spark frames."""

import glob
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import InvalidInput
from assay.record import tables
from assay.record.canonical import digest
from assay.stats import Columns, Profile, Task

__all__ = ["BATCH_ROWS", "Files", "Parts", "Source", "first_rows", "hash_of", "source_of"]

BATCH_ROWS = 500_000  # read at once from files
_CHUNK = 1 << 20

Prepare: TypeAlias = Callable[[pa.Table], Columns]


class Parts(Protocol):
    """Rows that are not in memory at once. The profile of them is that of the whole, bit for bit."""

    schema: pa.Schema

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        ...

    def first(self) -> pa.Table:
        """Some rows, to see what models say about them."""
        ...

    def values(self, column: str) -> Iterator[pa.ChunkedArray]:
        """Every value of a column, at least once, in parts."""
        ...

    def content_hash(self) -> str:
        """A hash of the rows."""
        ...

    def profile(
        self, prepare: Prepare, thresholds: dict[str, float], task: Task, *, buckets: int, seed: int, cross: int
    ) -> Profile:
        """The profile of all rows; `prepare` makes columns of a part of them."""
        ...


class Files:
    """Parquet files read one batch after the other, always in the order of their names."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = sorted(paths)
        self.schema = _schema(self.paths)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows, or some of their columns, at most `BATCH_ROWS` at a time."""
        for path in self.paths:
            # Arrow would keep every column chunk it has read until the file is closed: 18 MB for a million rows.
            with pq.ParquetFile(path, pre_buffer=False) as file:
                for batch in file.iter_batches(BATCH_ROWS, columns=list(columns or self.schema.names)):
                    if batch.num_rows:
                        yield pa.Table.from_batches([batch])

    def first(self) -> pa.Table:
        """The first batch."""
        return next(self.batches())

    def values(self, column: str) -> Iterator[pa.ChunkedArray]:
        """The values of a column, batch by batch."""
        return (table.column(column) for table in self.batches([column]))

    def content_hash(self) -> str:
        """SHA-256 over the SHA-256 of each file's bytes; not that of a table with the same rows."""
        return digest(["parquet files", [_file_hash(path) for path in self.paths]])

    def profile(
        self, prepare: Prepare, thresholds: dict[str, float], task: Task, *, buckets: int, seed: int, cross: int
    ) -> Profile:
        """The profile of all rows, in two readings."""
        return Profile.stream(lambda: map(prepare, self.batches()), thresholds, buckets, seed, cross=cross, task=task)

    @property
    def num_rows(self) -> int:
        """Rows of all files, from their footers."""
        return sum(pq.read_metadata(path).num_rows for path in self.paths)


Source: TypeAlias = "pa.Table | Parts"


def source_of(data: object) -> Source:
    """A table, or parts: paths, a pattern such as `rows/*.parquet`, and Spark frames are not loaded as a whole.

    InvalidInput where nothing matches, a file is not Parquet, or files differ in their columns.
    """
    if isinstance(data, str) and glob.has_magic(data):
        found = [Path(name) for name in glob.glob(data, recursive=True)]  # noqa: PTH207 - a pattern may be absolute
        if not found:
            raise InvalidInput(f"no file matches {data!r}", expected="Parquet files")
        return Files(found)
    if isinstance(data, list | tuple) and data and all(isinstance(item, str | Path) for item in data):
        return Files([Path(item) for item in data])
    if type(data).__module__.startswith("pyspark."):
        from assay.prove.spark import SparkRows

        return SparkRows(data)
    table: pa.Table = tables.as_table(data)
    return table


def first_rows(source: Source) -> pa.Table:
    """All rows of a table, some of others."""
    return source if isinstance(source, pa.Table) else source.first()


def hash_of(source: Source) -> str:
    """The hash of the rows."""
    return tables.content_hash(source) if isinstance(source, pa.Table) else source.content_hash()


def _schema(paths: Sequence[Path]) -> pa.Schema:
    schemas = []
    for path in paths:
        if not path.is_file():
            raise InvalidInput(f"there is no file {path}", expected="a Parquet file")
        try:
            schemas.append(pq.read_schema(path))
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"{path} cannot be read: {error}", expected="a Parquet file") from error
        if set(schemas[-1].names) != set(schemas[0].names):
            odd = sorted(set(schemas[-1].names) ^ set(schemas[0].names))
            raise InvalidInput(
                f"{path} and {paths[0]} differ in the columns {', '.join(odd)}", expected="files of one table"
            )
    return schemas[0]


def _file_hash(path: Path) -> str:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()
