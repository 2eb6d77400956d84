"""The rows of a feature view in batches, so that a history larger than memory can be joined.

Parquet files, datasets of the store, DuckDB relations and LazyFrames of Polars are read piece by piece where the view
is columns, expressions or aggregates. A function is called with its whole table, and other formats are read whole.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Literal, Protocol, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import fs

from assay.build.data import sql
from assay.build.data.columns import is_text
from assay.build.data.source_csv import CsvOptions
from assay.build.data.source_files import Files
from assay.build.data.sources import is_place, source
from assay.build.views.declared.history import ARRIVAL, CREATED, TS, as_rows, made_of, value_columns
from assay.build.views.declared.keys import normalised_key
from assay.build.views.declared.view import FeatureView
from assay.build.views.joining.engines import arrow, duckdb, polars
from assay.build.views.joining.engines.parquet import BATCH_ROWS, Bounds, parquet_part
from assay.build.views.log.log import log_parts, logged_rows
from assay.build.views.matching.versions import is_timed
from assay.build.views.matching.wanted import Wanted
from assay.build.views.registry.registered import ViewVersion
from assay.errors import InvalidInput, Tampered
from assay.record.canonical import digest_file
from assay.record.dataset_parts import PARTS, Manifest
from assay.record.datasets import find_dataset
from assay.record.store import Store

__all__ = ["ENGINES", "Engine", "History", "Rows", "columns_read", "history", "narrowed", "rows_of"]

Engine: TypeAlias = Literal["arrow", "duckdb", "polars"]
ENGINES: dict[str, ModuleType] = {"arrow": arrow, "duckdb": duckdb, "polars": polars}
_FEW_KEYS = 10_000  # of as many a filter pays whatever share of the rows they have
_AHEAD = 2
_PUSHED = 1 << 48  # added to the arrival of what was pushed: it stands behind all rows of the source
_Piece: TypeAlias = tuple[NDArray[np.int64], pa.Table]
_Item = TypeVar("_Item")


class Rows(Protocol):
    """What a join reads of a view."""

    @property
    def key_types(self) -> list[pa.DataType]:
        """The types of the normalised keys; null where a column has nothing in it."""

    def batches(self, wanted: Wanted | None) -> Iterator[pa.Table]:
        """The rows that `wanted` can use, or all, in the one form; first a batch without rows, for the types."""


@dataclass(frozen=True)
class History:
    """Where the rows of a view come from: the schema of its table, and `read` for pieces of it with their places.

    `by_file` gives the same in parts that can be read apart, where the source is files.
    """

    view: FeatureView
    schema: pa.Schema
    read: Callable[[list[str], list[str], Bounds], Iterator[_Piece]]
    by_file: Callable[[], list["History"]] | None = None

    @property
    def key_types(self) -> list[pa.DataType]:
        """The types of the normalised keys; null where a column has nothing in it."""
        empty = self.schema.empty_table()
        keys = [normalised_key(empty, name, f"the feature view {self.view.name!r}") for name in self.view.entity]
        kinds = [self.schema.field(name).type for name in self.view.entity]
        return [kind if pa.types.is_null(kind) else key.type for kind, key in zip(kinds, keys, strict=True)]

    def batches(self, wanted: Wanted | None) -> Iterator[pa.Table]:
        """The rows that `wanted` can use, or all, in the one form; first a batch without rows, for the types.

        InvalidInput as `as_rows`. Pieces are read by a thread of their own while the ones before are worked at.
        """
        yield as_rows(self.view, self.schema.empty_table(), 0)
        if wanted is not None and not wanted.known.any():
            return
        columns, heads = columns_read(self.view, self.schema)
        # Without values: of rows that are too old for all only the keys and the times are read.
        bare = replace(self.view, features=(), expressions={})
        pieces = self.read(columns, heads, _bounds(self.view, self.schema, wanted))

        def formed() -> Iterator[pa.Table]:
            for arrival, table in pieces:
                if self.view.aggregates and not set(columns) <= set(table.column_names):
                    continue  # windows say nothing of rows that have left them
                rows = as_rows(self.view if set(columns) <= set(table.column_names) else bare, table, 0)
                place = rows.column_names.index(ARRIVAL)
                yield rows.set_column(place, ARRIVAL, pa.chunked_array([arrival]))

        yield from ahead(formed())


def history(view: FeatureView, store: Store | None, engine: Engine = "arrow") -> History:
    """How the rows of a view are read by an engine. Tables of functions, and formats without batches, are held whole.

    InvalidInput and NotFound for a source that cannot be read.
    """
    given = view.source
    if view.function is not None or isinstance(given, Mapping):
        return _of_table(view, made_of(view, store))
    kind = type(given).__module__.partition(".")[0].lstrip("_")
    if kind == "duckdb" and hasattr(given, "project"):
        schema = given.limit(0).to_arrow_table().schema
        return History(view, schema, lambda columns, _heads, _bounds: _counted(duckdb.relation_rows(given, columns)))
    if kind == "polars" and hasattr(given, "collect_batches"):
        schema = given.head(0).collect().to_arrow().schema
        return History(view, schema, lambda columns, _heads, _bounds: _counted(polars.frame_rows(given, columns)))
    if isinstance(given, str) and not is_place(given):
        return _of_dataset(view, store, given, engine)
    found = source(given)
    if found.files is not None and found.files.format == "parquet":
        files, schema = found.files, found.files.schema()
        return replace(_of_files(view, files, schema, engine), by_file=lambda: _each_file(view, files, schema, engine))
    return _of_table(view, made_of(view, store))


@dataclass(frozen=True)
class Logged:
    """The rows of a version as they arrived, with the values that `view` names; where the history is what was known."""

    view: FeatureView
    version: ViewVersion
    store: Store

    @property
    def key_types(self) -> list[pa.DataType]:
        """The types of the normalised keys."""
        schema = self.version.declared.rows_schema
        return [schema.field(name).type for name in self.view.entity]

    def batches(self, wanted: Wanted | None) -> Iterator[pa.Table]:
        """All rows that have arrived; first a batch without rows, for the types."""
        schema = self.version.declared.rows_schema
        values = value_columns(self.view, schema.names)
        kinds = {name: schema.field(name).type for name in (*self.view.entity, *values)}
        whole = {**kinds, TS: pa.int64(), CREATED: pa.int64(), ARRIVAL: pa.int64()}
        yield pa.schema(whole).empty_table()
        if wanted is None or wanted.known.any():
            yield from logged_rows(self.store, self.version, columns=values)


@dataclass(frozen=True)
class WithPushed:
    """The rows of a source, and behind them those that were pushed to the version."""

    source: Rows
    pushed: Logged

    @property
    def key_types(self) -> list[pa.DataType]:
        """Those of the source."""
        return self.source.key_types

    def batches(self, wanted: Wanted | None) -> Iterator[pa.Table]:
        """Rows of the source, then pushed ones: what was written last counts where times are the same."""
        batches = self.source.batches(wanted)
        schema = next(batches).schema
        yield schema.empty_table()
        yield from batches
        values = value_columns(self.pushed.view, self.pushed.version.declared.rows_schema.names)
        for rows in logged_rows(self.pushed.store, self.pushed.version, columns=values, kinds=("push",)):
            place = rows.column_names.index(ARRIVAL)
            arrival = pc.add(rows.column(ARRIVAL), _PUSHED)
            yield rows.set_column(place, ARRIVAL, arrival).select(schema.names).cast(schema)


def rows_of(
    view: FeatureView,
    version: ViewVersion | None,
    store: Store | None,
    engine: Engine = "arrow",
    *,
    known: bool = False,
    read: History | None = None,
) -> Rows:
    """The history of a view as a join reads it: its source, unless that is `read` already, and of a version what was
    pushed.

    Where what was `known` is wanted of a view without a created column it is the log, as times of arrival are there.
    InvalidInput where there is none.
    """
    parts = log_parts(store, version) if store is not None and version is not None else []
    if known and view.created is None:
        if store is None or version is None or not parts:
            raise InvalidInput(
                f"nothing says when rows of {view.name!r} became known: it has no created column and no log",
                expected='created= in the view, or as_of="event"',
                hint=f"assay features materialize {view.name} logs rows with the time of their arrival from now on",
            )
        return Logged(view, version, store)
    rows = read or history(view, store, engine)
    if store is not None and version is not None and any(part.kind == "push" for part in parts):
        return WithPushed(rows, Logged(view, version, store))
    return rows


def narrowed(view: FeatureView, names: Iterable[str]) -> FeatureView:
    """The view with only some of its features, so that nothing is read or computed for others."""
    wanted = dict.fromkeys(names)
    if view.aggregates:
        return replace(view, features=tuple(wanted), aggregates={name: view.aggregates[name] for name in wanted})
    needed = {name.lower() for name in wanted}
    for name, text in reversed(list(view.expressions.items())):
        if name.lower() in needed:
            read = sql.names_read(text)
            needed |= read if read is not None else {other.lower() for other in view.expressions}
    kept = {name: text for name, text in view.expressions.items() if name.lower() in needed}
    return replace(view, features=tuple(wanted), expressions=kept)


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same items, the next ones made by another thread while one is worked at."""
    waiting: queue.Queue[tuple[_Item | None, BaseException | None, bool]] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(what: tuple[_Item | None, BaseException | None, bool]) -> None:
        while not stopped.is_set():
            try:
                waiting.put(what, timeout=0.1)
            except queue.Full:
                continue
            return

    def make() -> None:
        try:
            for item in items:
                put((item, None, False))
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asks
            put((None, error, True))
        else:
            put((None, None, True))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            item, error, is_last = waiting.get()
            if error is not None:
                raise error
            if is_last:
                return
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()


def columns_read(view: FeatureView, schema: pa.Schema) -> tuple[list[str], list[str]]:
    """The columns of the source that are read, and those of them that are keys and times."""
    heads = [*view.entity, view.time, *([view.created] if view.created else [])]
    if not view.expressions:
        return list(dict.fromkeys([*heads, *value_columns(view, schema.names)])), heads
    read: set[str] = set()
    for text in view.expressions.values():
        names = sql.names_read(text)
        read |= names if names is not None else {name.lower() for name in schema.names}
    return list(dict.fromkeys([*heads, *(name for name in schema.names if name.lower() in read)])), heads


def _bounds(view: FeatureView, schema: pa.Schema, wanted: Wanted | None) -> Bounds:
    if wanted is None:
        return Bounds(view.time, int(np.iinfo(np.int64).max), None, {})
    t = wanted.t[wanted.known]
    oldest = None if view.ttl_us is None else int(t.min()) - view.ttl_us
    if view.aggregates and is_timed(view):  # of other events a version that has left may still replace another
        oldest = int(t.min()) - max(one.window_us for one in view.aggregates.values()) + 1
    keys = {}
    for name in wanted.keys.column_names:
        kind = schema.field(name).type
        if pa.types.is_signed_integer(kind) or is_text(kind):  # of others a value may be no key at all, which is said
            distinct = pc.unique(wanted.keys.column(name).filter(wanted.known))
            if len(distinct) <= _FEW_KEYS:
                keys[name] = distinct
    return Bounds(view.time, int(t.max()) - view.delay_us, oldest, keys)


def _counted(tables: Iterator[pa.Table]) -> Iterator[_Piece]:
    """Tables in their order with the places of their rows."""
    start = 0
    for table in tables:
        yield np.arange(start, start + table.num_rows), table
        start += table.num_rows


def _of_table(view: FeatureView, table: pa.Table) -> History:
    def read(columns: list[str], _heads: list[str], _bounds: Bounds) -> Iterator[_Piece]:
        chosen = table.select(columns)
        return _counted(chosen.slice(start, BATCH_ROWS) for start in range(0, chosen.num_rows, BATCH_ROWS))

    return History(view, table.schema, read)


def _of_dataset(view: FeatureView, store: Store | None, given: str, engine: Engine) -> History:
    if store is None:
        return _of_table(view, made_of(view, store))  # which says that there is no store
    version = find_dataset(store, given)
    row = store.query("artifact", {"type": "dataset", "hash": version.hash}, limit=1)[0]
    if row["format"] == PARTS:
        manifest = Manifest.read(store.blobs, row["blob"])
        blobs, schema = [part.blob for part in manifest.parts if part.rows], manifest.schema
    else:
        blobs, schema = [row["blob"]], None
    for blob in blobs:
        path = store.blobs.path(blob)
        if not path.is_file():
            store.blobs.get(blob)  # which says that it is missing
        if digest_file(path) != blob:
            raise Tampered(f"the content of blob {blob[:12]} does not match its hash", where=str(path))
    files = Files(
        fs.LocalFileSystem(),
        tuple(str(store.blobs.path(blob)) for blob in blobs),
        "parquet",
        CsvOptions(),
        pa.table({}),
    )
    return _of_files(view, files, schema if schema is not None else files.schema(), engine)


def _each_file(view: FeatureView, files: Files, schema: pa.Schema, engine: Engine) -> list[History]:
    """A history for each file, its rows at their places among those of all."""
    found, offset = [], 0
    for place, path in enumerate(files.paths):
        one = replace(files, paths=(path,), keys=files.keys.slice(place, 1))
        found.append(_of_files(view, one, schema, engine, offset))
        offset += parquet_part(files.filesystem, path, offset).metadata.num_rows
    return found


def _of_files(view: FeatureView, files: Files, schema: pa.Schema, engine: Engine, first: int = 0) -> History:
    def read(columns: list[str], heads: list[str], bounds: Bounds) -> Iterator[_Piece]:
        offset = first
        for path in files.paths:
            part = parquet_part(files.filesystem, path, offset)
            reader = ENGINES[engine] if part.local is not None and part.is_plain(columns) else arrow
            for positions, table in reader.rows(part, columns, heads, bounds):
                here = columns if len(part.columns(columns)) == table.num_columns else heads
                common = pa.schema([schema.field(name) for name in here])
                yield positions + offset, files.completed(table, path, common)
            offset += part.metadata.num_rows

    return History(view, schema, read)
