"""A Parquet file as a feature view reads it: what of it can matter, told by the statistics at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

__all__ = ["BATCH_ROWS", "POSITION", "Bounds", "ParquetPart", "RowGroup", "parquet_part"]

BATCH_ROWS = 1 << 18
POSITION = "__position"  # of a row in its file
_WHOLE = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32())
_TEXT = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
_PLAIN = (*_WHOLE, *_TEXT, pa.float32(), pa.float64(), pa.bool_(), pa.date32())


@dataclass(frozen=True)
class Bounds:
    """Which rows can matter: `time` is their column of times, and times are microseconds.

    A row later than `latest` is seen by no label row. One earlier than `oldest` has expired for all: only its key and
    its times matter. `keys` are the values that are asked for in the key columns by which may be filtered.
    """

    time: str
    latest: int
    oldest: int | None
    keys: Mapping[str, pa.Array]


class RowGroup(NamedTuple):
    """A row group of a file: the position of its first row, and whether its values may be used, or only its keys."""

    number: int
    start: int
    rows: int
    used: bool


@dataclass(frozen=True)
class ParquetPart:
    """One file: its rows come after `offset` rows of others. `local` is its path where other engines can read it."""

    filesystem: fs.FileSystem
    path: str
    metadata: pq.FileMetaData
    schema: pa.Schema
    offset: int
    local: str | None

    def columns(self, names: Sequence[str]) -> list[str]:
        """Those of the names that the file has."""
        return [name for name in names if name in self.schema.names]

    def is_plain(self, names: Sequence[str]) -> bool:
        """Whether every engine reads these columns as Arrow does."""
        lowered = [name.lower() for name in self.schema.names]
        if len(set(lowered)) < len(lowered) or "file_row_number" in lowered:  # the case of names is nothing to DuckDB
            return False
        return all(
            kind in _PLAIN or (pa.types.is_timestamp(kind) and kind.unit == "us")
            for kind in (self.schema.field(name).type for name in self.columns(names))
        )

    def groups(self, wanted: Bounds) -> list[RowGroup]:
        """The row groups that may matter."""
        found = []
        start = 0
        for group in range(self.metadata.num_row_groups):
            times = self._times(group, wanted.time)
            late = times is not None and times[0] > wanted.latest
            if not late and not any(self._is_apart(group, name, wanted.keys[name]) for name in wanted.keys):
                old = times is not None and wanted.oldest is not None and times[1] < wanted.oldest
                found.append(RowGroup(group, start, self.metadata.row_group(group).num_rows, not old))
            start += self.metadata.row_group(group).num_rows
        return found

    def has_all(self, name: str) -> bool:
        """Whether the file's end says that no value of the column is null."""
        counts = [self._statistics(group, name) for group in range(self.metadata.num_row_groups)]
        return all(found is not None and found.has_null_count and not found.null_count for found in counts)

    def _times(self, group: int, name: str) -> tuple[int, int] | None:
        found = self._statistics(group, name)
        if found is None or not found.has_min_max or found.null_count != 0 or not self.is_exact_time(name):
            return None
        return found.min_raw, found.max_raw

    def is_exact_time(self, name: str) -> bool:
        """Whether the column is of times in microseconds."""
        kind = self.schema.field(name).type if name in self.schema.names else None
        return pa.types.is_timestamp(kind) and kind.unit == "us" if kind is not None else False

    def _is_apart(self, group: int, name: str, keys: pa.Array) -> bool:
        """Whether the row group has none of the keys, as its least and greatest key say."""
        found = self._statistics(group, name)
        if found is None or not found.has_min_max or not len(keys):
            return False
        asked = pc.min_max(keys).as_py()
        return bool(found.min > asked["max"] or found.max < asked["min"])

    def _statistics(self, group: int, name: str) -> pq.Statistics | None:
        row_group = self.metadata.row_group(group)
        columns = (row_group.column(place) for place in range(row_group.num_columns))
        return next((column.statistics for column in columns if column.path_in_schema == name), None)


def parquet_part(filesystem: fs.FileSystem, path: str, offset: int) -> ParquetPart:
    """The file at a path; only its end is read."""
    with filesystem.open_input_file(path) as file, pq.ParquetFile(file) as parquet:
        is_local = isinstance(filesystem, fs.LocalFileSystem) and not any(mark in path for mark in "*?[")
        return ParquetPart(filesystem, path, parquet.metadata, parquet.schema_arrow, offset, path if is_local else None)
