"""Where tables come from: files, buckets, web addresses, databases, and frames that are in memory already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from assay.build.data import source_databases as databases
from assay.build.data.source_csv import NULLS, CsvOptions
from assay.build.data.source_files import FORMATS, Files, files_at, format_of
from assay.build.data.source_web import fetched, shown_address
from assay.errors import InvalidInput, nearest
from assay.record import tables
from assay.record.datasets import DatasetVersion, dataset, find_dataset, snapshot
from assay.record.part_snapshots import snapshot_parts
from assay.record.store import Store

__all__ = ["Source", "is_place", "rows_named", "source"]

_FORMATS = tuple(dict.fromkeys(FORMATS.values()))
_FILES = ("file", "s3", "gs", "gcs")


@dataclass(frozen=True, slots=True)
class Source:
    """A place that gives a table; nothing is read before it is asked for. `origin` says where, without passwords."""

    origin: str
    load: Callable[[], pa.Table]
    files: Files | None = None

    def read(self) -> pa.Table:
        """All of it as an Arrow table."""
        return self.load()

    def schema(self) -> pa.Schema:
        """Names and types of its columns."""
        return self.files.schema() if self.files is not None else self.load().schema

    def snapshot(self, store: Store, name: str, *, licence: str | None = None) -> DatasetVersion:
        """Keep what it gives now as a version of the dataset `name`; the same content is the same version.

        Of files that did not change since the newest version none is read.
        """
        if self.files is not None:
            return snapshot_parts(store, name, self.files, source_system=self.origin, licence=licence)
        return snapshot(store, name, self.load(), source_system=self.origin, licence=licence)


def source(
    where: object,
    *,
    format: str | None = None,
    query: str | None = None,
    types: Mapping[str, pa.DataType | str] | None = None,
    nulls: Sequence[str] = NULLS,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    storage: Mapping[str, object] | None = None,
    most_mb: float = 2_000,
) -> Source:
    """A table from almost anywhere.

    `where` is a path, a pattern such as `logs/*.csv` or a folder (`day=2013-01-01` in it becomes a column) of CSV, TSV,
    JSON lines, Parquet or Arrow files, perhaps with `.gz` behind; the same as `s3://bucket/...`; an `http(s)://`
    address of one file; the address of a database, a DuckDB file or an open connection, with a `query` or the name of a
    table; or a table in memory: pandas (the index is left out unless it has a name), Polars, Arrow, dictionaries.

    `format` says what the ending does not. For CSV, `types` states the type of columns (`text`, `int`, `number`,
    `date`, `time`, `bool`, an Arrow type, or the form of a date such as `%d.%m.%Y`), `nulls` which texts mean that a
    value is missing, `decimal=","` that numbers are written 1,5; the delimiter is found out. `storage` is what
    `pyarrow.fs.S3FileSystem` takes, with `endpoint` for another server. No more than `most_mb` megabytes are fetched
    from a web address.

    Raises InvalidInput, with file and line where there is one, for what is missing or cannot be read.
    """
    if format is not None and format not in _FORMATS:
        close = nearest(format, list(_FORMATS))
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"there is no format {format!r}", expected=", ".join(_FORMATS), hint=hint)
    options = CsvOptions(delimiter, encoding, tuple(nulls), decimal, types or {})
    if not isinstance(where, str | Path):
        return _in_memory(where, query)
    place = str(where)
    scheme, mark, _ = place.partition("://")
    if mark and scheme in ("http", "https"):
        return Source(shown_address(place), lambda: _from_web(place, format, options, most_mb))
    if mark and scheme not in _FILES:
        return Source(databases.shown_database(place), lambda: databases.read_database(place, query))
    if not mark and format is None and databases.is_duckdb_file(Path(place)):
        return Source(place, lambda: databases.read_duckdb(Path(place), query))
    if query is not None:
        raise InvalidInput("a query needs a database", where=place, expected="the address of one, or a DuckDB file")
    files = files_at(place, dict(storage or {}), format, options)
    return Source(place, files.read, files)


def is_place(given: str) -> bool:
    """Whether it can only be a place to read from, and no dataset."""
    return "://" in given or Path(given).exists() or format_of(given) is not None


def rows_named(given: object, store: Store | None) -> pa.Table:
    """The rows of a dataset of the store by its name, or of whatever `source` reads."""
    if isinstance(given, str) and not is_place(given) and store is not None:
        return dataset(store, find_dataset(store, given).hash)
    return source(given).read()


def _in_memory(data: object, query: str | None) -> Source:
    kind = type(data).__module__.partition(".")[0]
    if query is not None or (hasattr(data, "cursor") and not hasattr(data, "__arrow_c_stream__")):
        return Source(f"connection of {kind}", lambda: databases.read_connection(data, query))
    table = _as_table(data, kind)
    return Source(f"{kind} in memory" if kind != "builtins" else "rows in memory", lambda: table)


def _as_table(data: object, kind: str) -> pa.Table:
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        try:
            return pa.Table.from_pylist(data)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InvalidInput(f"the rows are no table: {error}", expected="one type in a column") from None
    if kind == "pandas" and hasattr(data, "index"):
        try:
            return pa.Table.from_pandas(data, preserve_index=any(name is not None for name in data.index.names))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InvalidInput(f"the frame is no table: {error}", expected="one type in a column") from None
    return tables.as_table(data)


def _from_web(address: str, kind: str | None, options: CsvOptions, most_mb: float) -> pa.Table:
    with fetched(address, most_mb) as path:
        try:
            return files_at(str(path), {}, kind, options).read()
        except InvalidInput as error:
            place = (error.where or "").replace(str(path), shown_address(address)) or shown_address(address)
            raise error.at(place) from None
