"""The log of a version of a feature view: all rows that came, in the order in which they came, never changed.

It is kept in parts. A part is one row of `feature_log`: its rows are a Parquet blob, or where they are few, Arrow bytes
in the row itself. Arrival numbers are given out in the transaction that enters a part, so they are unique and increase
in the order in which parts become visible: who has read up to a number has missed nothing below it. What was returned
as logged is on disk.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import is_number, is_text
from assay.build.data.split_times import is_time
from assay.build.views.declared.history import ARRIVAL, ARRIVED, CREATED, TS
from assay.build.views.log.suppressing import suppressed
from assay.build.views.registry.registered import ViewVersion
from assay.errors import Conflict, InvalidInput
from assay.record import tables
from assay.record.store import Row, Store
from assay.record.table_files import put_table

__all__ = [
    "LogPart",
    "RowKind",
    "SourcePosition",
    "append_rows",
    "as_logged",
    "entered",
    "last_about_source",
    "log_changes",
    "log_end",
    "log_epoch",
    "log_parts",
    "log_schema",
    "logged_rows",
    "no_rows",
    "packed",
    "part_rows",
    "unpacked",
]

RowKind: TypeAlias = Literal["source", "push"]
_INLINE_BYTES = 32_768  # of rows in memory: more of them is worth a file
_ROWS = ("source", "push")
_ABOUT_SOURCE = ("source", "gone", "seen")


class LogPart(msgspec.Struct, frozen=True):
    """Rows that came together, or rows of many pushes. `last_arrival` is one less than the first where there are none.

    `source_rows` and `source_hash` say which rows of the source were known after it, counted from its beginning.
    """

    view: str
    version: int
    seq: int
    kind: str
    rows: int
    first_arrival: int
    last_arrival: int
    arrived_us: int
    least_ts: int | None
    greatest_ts: int | None
    source_rows: int | None
    source_hash: str | None
    blob: str | None
    detail: str | None
    data: bytes | None


class SourcePosition(msgspec.Struct, frozen=True):
    """How much of the source is known, as a part about it says that follows the part `after`.

    `rows` from its beginning, with `hash` over their hashes. Both are None while rows are logged out of order.
    """

    after: int
    rows: int | None
    hash: str | None


def append_rows(
    store: Store,
    version: ViewVersion,
    rows: pa.Table,
    kind: RowKind,
    now_us: int,
    *,
    position: SourcePosition | None = None,
) -> pa.Table:
    """Log rows in the one form of `history` and return them as logged: with arrival numbers, in the version's types.

    When it returns they survive `kill -9`; where it raises none is logged. The time of arrival is `now_us`, and where
    the view declares no created column it is also when the rows became known. `position` says of rows of the source
    after which part they follow, and what is known of the source then. Rows of entities that were erased are left out,
    if they are from before. InvalidInput for columns that are not the version's; Conflict where another part about the
    source came in between.
    """
    every = as_logged(version, rows)
    if not every.num_rows:
        return no_rows(version)
    while True:
        changes = log_changes(store, version)
        gone = suppressed(changes, every, version.declared.entity)
        kept = every.filter(pa.array(~gone)) if gone.any() else every
        blob, data = packed(store, kept)  # on disk before a row names it
        content = {"blob": blob, "data": data}
        with store.transaction(), store.unguarded():
            if len(log_changes(store, version)) == len(changes):  # else an entity was erased meanwhile
                part = entered(store, version, kind, kept, now_us, content, position)
                break
    return _with_arrivals(version, kept, np.arange(part.first_arrival, part.last_arrival + 1), now_us)


def logged_rows(
    store: Store,
    version: ViewVersion,
    *,
    after: int = -1,
    columns: Sequence[str] | None = None,
    kinds: Sequence[str] = _ROWS,
) -> Iterator[pa.Table]:
    """The rows that have arrived, in batches in order of arrival: keys, TS, CREATED, ARRIVAL, ARRIVED, values.

    Only those that arrived `after` a number, and of the values only `columns`, where they are given. What is logged
    after the first batch was asked for is not among them. CREATED is the time of arrival where none is declared.
    """
    for part in log_parts(store, version):
        if part.kind in kinds and part.rows and part.last_arrival > after:
            rows = part_rows(store, version, part)
            if part.first_arrival <= after:
                rows = rows.filter(pc.greater(rows[ARRIVAL], after))
            if columns is not None:
                head = [*version.declared.entity, TS, CREATED, ARRIVAL, ARRIVED]
                rows = rows.select([*head, *(name for name in columns if name not in head)])
            if rows.num_rows:
                yield rows


def no_rows(version: ViewVersion) -> pa.Table:
    """An empty table of logged rows."""
    return _with_arrivals(version, log_schema(version).empty_table(), np.empty(0, np.int64), 0)


def log_parts(store: Store, version: ViewVersion) -> list[LogPart]:
    """All parts in order of arrival, as they are at one moment."""
    found = store.query("feature_log", _of(version), order_by=["seq"])
    return [_part(row) for row in found]


def log_end(store: Store, version: ViewVersion) -> int:
    """The greatest arrival number that was given out; -1 where there is none."""
    last = store.query("feature_log", _of(version), order_by=["-seq"], limit=1)
    return int(last[0]["last_arrival"]) if last else -1


def log_epoch(store: Store, version: ViewVersion) -> int:
    """Another number after rows were taken out of the log, 0 before: what was made of it must then be made anew."""
    found = log_changes(store, version)
    return int(found[-1]["seq"]) if found else 0


def log_changes(store: Store, version: ViewVersion) -> list[Row]:
    """When rows were taken out of the log, in order, and what is not to be taken in again since then."""
    return store.query("feature_log", {**_of(version), "kind in": ["erased", "rebuilt"]}, order_by=["seq"])


def part_rows(store: Store, version: ViewVersion, part: LogPart) -> pa.Table:
    """The rows of one part in the form in which `append_rows` returned them. Tampered where its blob was changed."""
    rows = unpacked(store, part)
    if ARRIVAL in rows.column_names:  # put together of several parts, or rows were taken out
        arrivals, arrived = rows[ARRIVAL], rows[ARRIVED]
        return _with_arrivals(version, rows.drop_columns([ARRIVAL, ARRIVED]), arrivals, arrived)
    arrivals = np.arange(part.first_arrival, part.last_arrival + 1)
    return _with_arrivals(version, rows, arrivals, part.arrived_us)


def packed(store: Store, rows: pa.Table) -> tuple[str | None, bytes | None]:
    """The rows as (hash of a blob that is on disk, None), or where they are few as (None, bytes)."""
    if rows.nbytes > _INLINE_BYTES:
        return put_table(store.blobs, rows), None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return None, sink.getvalue().to_pybytes()


def entered(
    store: Store,
    version: ViewVersion,
    kind: str,
    rows: pa.Table,
    now_us: int,
    more: Mapping[str, object],
    position: SourcePosition | None = None,
) -> LogPart:
    """Enter a part behind all others. Rows of the source and pushed ones get numbers, other kinds take none.

    Conflict where `position` follows another part than the last one about the source.
    """
    of_view = _of(version)
    with store.transaction():  # who enters after this one reads what it entered
        if position is not None and (about := last_about_source(store, version)) != position.after:
            raise Conflict(f"another process logs the source of {version.reference}, part {about}", hint="wait for it")
        last = store.query("feature_log", of_view, order_by=["-seq"], limit=1)
        seq, first = (last[0]["seq"] + 1, last[0]["last_arrival"] + 1) if last else (1, 0)
        spans = pc.min_max(rows[TS]).as_py() if TS in rows.column_names else {"min": None, "max": None}
        row: Row = {
            **of_view,
            "seq": seq,
            "kind": kind,
            "rows": rows.num_rows,
            "first_arrival": first,
            "last_arrival": first - 1 + (rows.num_rows if kind in _ROWS else 0),
            "arrived_us": now_us,
            "least_ts": spans["min"],
            "greatest_ts": spans["max"],
            "source_rows": position.rows if position else None,
            "source_hash": position.hash if position else None,
            "blob": None,
            "data": None,
            "detail": None,
            **more,
        }
        store.append("feature_log", row)
    return _part(row)


def last_about_source(store: Store, version: ViewVersion) -> int:
    """The number of the last part that says something about the source, 0 where there is none."""
    about = {**_of(version), "kind in": list(_ABOUT_SOURCE)}
    last = store.query("feature_log", about, order_by=["-seq"], limit=1)
    return int(last[0]["seq"]) if last else 0


def log_schema(version: ViewVersion) -> pa.Schema:
    """What is kept of a row: keys, TS and CREATED, values. Its numbers are those of its part."""
    declared = version.declared.rows_schema
    keys = [declared.field(name) for name in version.declared.entity]
    values = [field for field in declared if field.name not in version.declared.entity]
    return pa.schema([*keys, pa.field(TS, pa.int64()), pa.field(CREATED, pa.int64()), *values])


def as_logged(version: ViewVersion, rows: pa.Table) -> pa.Table:
    """Rows in the one form as they are kept, in the version's types. InvalidInput where their columns are others."""
    schema = log_schema(version)
    missing = next((name for name in schema.names if name not in rows.column_names), None)
    extra = next((n for n in rows.column_names if n not in schema.names and n not in (ARRIVAL, ARRIVED)), None)
    if missing is not None or extra is not None:
        raise InvalidInput(
            f"the rows of {version.reference} have {'no' if missing else 'the further'} column {missing or extra!r}",
            expected=", ".join(name for name in schema.names if name not in (TS, CREATED)),
        )
    columns = []
    for field in schema:
        values = rows[field.name]
        try:
            columns.append(_cast(values, field.type))
        except pa.ArrowException as error:
            raise InvalidInput(
                f"the column {field.name!r} of {version.reference} is {values.type}: {error}",
                expected=str(field.type),
                hint="cast it in the view's function, or register the view again for a version with the new type",
            ) from error
    return pa.table(columns, schema=schema).combine_chunks()


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Numbers as other numbers that hold them, text as text, times as times: no value becomes one of another sort."""
    if values.type == kind:
        return values
    if _sort(values.type) not in ("null", _sort(kind)) or (pa.types.is_date(kind) and not _is_day(values.type)):
        raise pa.ArrowTypeError("it is of another sort")
    return values.cast(kind)


def _is_day(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_null(kind))


def _sort(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _sort(kind.value_type)
    if is_number(kind):
        return "number"
    if is_text(kind):
        return "text"
    if pa.types.is_null(kind):
        return "null"
    return "time" if is_time(kind) else str(kind.id)


def _with_arrivals(
    version: ViewVersion, rows: pa.Table, arrivals: np.ndarray | pa.ChunkedArray, arrived: int | pa.ChunkedArray
) -> pa.Table:
    if isinstance(arrived, int):
        arrived = pa.chunked_array([np.full(rows.num_rows, arrived, np.int64)])
    if version.declared.created is None:
        rows = rows.set_column(rows.column_names.index(CREATED), CREATED, arrived)
    place = rows.column_names.index(CREATED) + 1
    if isinstance(arrivals, np.ndarray):
        arrivals = pa.chunked_array([arrivals.astype(np.int64, copy=False)])
    return rows.add_column(place, ARRIVAL, arrivals).add_column(place + 1, ARRIVED, arrived)


def unpacked(store: Store, part: LogPart) -> pa.Table:
    """What `packed` was given."""
    if part.blob is not None:
        return tables.from_parquet(store.blobs.get(part.blob))
    assert part.data is not None
    with pa.ipc.open_stream(part.data) as stream:
        return stream.read_all()


def _of(version: ViewVersion) -> dict[str, object]:
    return {"view": version.name, "version": version.version}


def _part(row: Row) -> LogPart:
    return LogPart(*[row[name] for name in LogPart.__struct_fields__])
