"""`assay labels load`: labels from a file or wherever tables come from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data import columns
from assay.build.data.sources import source
from assay.errors import InvalidInput, nearest
from assay.operate.labels.recording import keep_labels
from assay.operation import operation
from assay.progress import tell
from assay.record.clock import iso
from assay.record.store import Store

__all__ = ["LoadedLabels", "load_labels"]

_FIELDS = ("prediction_id", "unit", "event", "value", "event_ts", "revision", "name")
_BATCH = 50_000
_NUMBER = r"^\s*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?\s*$"
_TIME = pa.timestamp("us", "UTC")


class LoadedLabels(msgspec.Struct, frozen=True):
    """What was in the file, and how many of its labels were new."""

    source: str
    rows: int
    new: int


@operation("labels load", local=True)
def load_labels(
    store: Store,
    file: str,
    *,
    endpoint: Annotated[str | None, "The endpoint whose units the labels are about"] = None,
    columns: Annotated[str | None, "Where the names differ, as value=late,event_ts=landed"] = None,
    name: Annotated[str, "What the labels are called where no column says it"] = "label",
    zone: Annotated[str | None, "The time zone of times that have none, such as UTC or Europe/Berlin"] = None,
) -> LoadedLabels:
    """Keep the labels of a CSV, Parquet or JSON-lines file; those that are known are passed over.

    It has the columns value and event_ts, and either prediction_id or unit (then also event, the id of what happened;
    without it the time of the event); perhaps revision and name. Nothing is kept if one row is bad.

    Raises InvalidInput for a bad row, with its number, and Conflict where a revision is known with another value.
    """
    given = _mapping(columns)
    tell("labels", 0.0, "reading")
    table = _named(_read(file), given, file)
    kind = "unit_label" if "unit" in table.column_names else "label"
    if kind == "unit_label" and endpoint is None:
        raise InvalidInput("labels of units are about an endpoint", where=file, hint="say which with --endpoint")
    known: dict[str, object] = {"ingest_ts": iso(store.clock.latest()), "source": "native"}
    if kind == "unit_label":
        known["endpoint"] = endpoint
    made = _columns(table, kind, name, zone, file)
    names, new = list(made), 0
    with store.transaction():
        for start in range(0, table.num_rows, _BATCH):
            lists = [made[one].slice(start, _BATCH).to_pylist() for one in names]
            rows = [{**known, **dict(zip(names, row, strict=True))} for row in zip(*lists, strict=True)]
            new += keep_labels(store, kind, rows)
            tell("labels", min((start + len(rows)) / table.num_rows, 0.999), f"{start + len(rows):,} rows")
    tell("labels", 1.0, f"{new:,} new")
    return LoadedLabels(file, table.num_rows, new)


def _read(file: str) -> pa.Table:
    path = Path(file)
    if path.suffix not in (".jsonl", ".ndjson") or not path.is_file():
        return source(file).read()
    found: list[dict[str, object]] = []  # Arrow forgets that a time in JSON had a zone
    decode = msgspec.json.Decoder(dict[str, object]).decode
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found += [decode(line)] if line.strip() else []
        except ValueError as error:
            raise InvalidInput(f"line {number} cannot be read: {error}", where=file) from error
    try:
        return pa.Table.from_pylist(found)
    except pa.ArrowException as error:
        raise InvalidInput(f"the labels are no table: {error}", where=file) from error


def _mapping(text: str | None) -> dict[str, str]:
    found = {}
    for part in (text or "").split(",") if text else ():
        field, _, column = (piece.strip() for piece in part.partition("="))
        if field not in _FIELDS or not column:
            close = nearest(field, list(_FIELDS))
            raise InvalidInput(
                f"{part!r} names no column",
                where="--columns",
                expected=f"FIELD=COLUMN with one of {', '.join(_FIELDS)}",
                hint=f"did you mean {close!r}?" if close and field not in _FIELDS else None,
            )
        found[field] = column
    return found


def _named(table: pa.Table, given: Mapping[str, str], file: str) -> pa.Table:
    """The columns that are wanted, under the names of the fields."""
    found = {}
    for field in _FIELDS:
        column = given.get(field, field)
        if field in given or column in table.column_names:
            found[field] = columns.column(table, column)
    missing = [field for field in ("value", "event_ts") if field not in found]
    if not missing and ("prediction_id" in found) == ("unit" in found):
        missing = ["prediction_id or unit, and not both"]
    if missing:
        raise InvalidInput(
            f"the labels have no column {missing[0]}",
            where=f"{file}: {', '.join(table.column_names)}",
            hint=f"name it: --columns {missing[0].split()[0]}=...",
        )
    return pa.table(found)


def _columns(table: pa.Table, kind: str, name: str, zone: str | None, file: str) -> dict[str, pa.Array]:
    moments = _moments(table["event_ts"], zone, file)
    texts = pc.replace_substring(pc.strftime(moments, format="%Y-%m-%dT%H:%M:%S", locale="C"), " ", "T")
    made = {"value": _values(table["value"], file), "event_ts": pc.binary_join_element_wise(texts, "Z", "")}
    subject = "unit" if kind == "unit_label" else "prediction_id"
    for field in (subject, "event", "name"):
        if field in table.column_names and (field != "event" or kind == "unit_label"):
            made[field] = _whole(table[field].cast(pa.string()), f"its {field} is missing", file)
    if kind == "unit_label":
        made.setdefault("event", made["event_ts"])
    length = table.num_rows
    made.setdefault("name", pa.chunked_array([pa.array([name], pa.string()).take(pa.array(np.zeros(length, np.int8)))]))
    if "revision" in table.column_names:
        revisions = table["revision"].cast(pa.float64())
        is_bad = pc.or_(pc.less(revisions, 0), pc.not_equal(revisions, pc.floor(revisions)))
        _refuse(pc.fill_null(is_bad, True), revisions, "its revision is {}, not a whole number from 0", file)
        made["revision"] = revisions.cast(pa.int64())
    else:
        made["revision"] = pa.chunked_array([pa.array(np.zeros(length, np.int64))])
    return made


def _values(given: pa.ChunkedArray, file: str) -> pa.ChunkedArray:
    if not (columns.is_number(given.type) or pa.types.is_boolean(given.type)):
        texts = pc.fill_null(given.cast(pa.string()), "")
        is_bad = pc.invert(pc.match_substring_regex(texts, _NUMBER))
        _refuse(is_bad, given, "its value is {}, not a number", file)
    values = (pc.utf8_trim_whitespace(given) if columns.is_text(given.type) else given).cast(pa.float64())
    _refuse(pc.fill_null(pc.invert(pc.is_finite(values)), True), values, "its value is {}, not a finite number", file)
    return values


def _moments(given: pa.ChunkedArray, zone: str | None, file: str) -> pa.ChunkedArray:
    if columns.is_text(given.type):
        try:
            given = given.cast(_TIME)  # what has no zone fails
        except pa.ArrowInvalid:
            try:
                given = given.cast(pa.timestamp("us"))
            except pa.ArrowInvalid as error:
                raise InvalidInput(f"a time of an event cannot be read: {error}", where=file) from error
    if not pa.types.is_timestamp(given.type):
        raise InvalidInput(f"event_ts is {given.type}", where=file, expected="times")
    _whole(given, "its event_ts is missing", file)
    if given.type.tz is None:
        if zone is None:
            raise InvalidInput("the times of the events have no time zone", where=file, hint="say it with --zone UTC")
        try:
            given = pc.assume_timezone(given, zone)
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"the times cannot be in the zone {zone}: {error}", where=file) from error
    return given.cast(_TIME)


def _whole(values: pa.ChunkedArray, said: str, file: str) -> pa.ChunkedArray:
    _refuse(values.is_null(), values, said, file)
    return values


def _refuse(is_bad: pa.ChunkedArray, values: pa.ChunkedArray, said: str, file: str) -> None:
    """InvalidInput that names the first bad row, counted from 1, without a heading."""
    place = pc.index(is_bad, True).as_py()
    if place >= 0:
        raise InvalidInput(f"row {place + 1} is bad: {said.format(values[place].as_py())}", where=file)
