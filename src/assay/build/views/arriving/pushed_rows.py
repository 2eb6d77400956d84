"""Rows that somebody hands over for a view, in the one form: checked against what the version declares."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from assay.build.data.sources import source
from assay.build.views.declared.history import as_rows
from assay.build.views.log.log import as_logged
from assay.build.views.registry.registered import ViewVersion, view_of
from assay.errors import InvalidInput, nearest

__all__ = ["pushed_rows"]


def pushed_rows(version: ViewVersion, rows: object) -> pa.Table:
    """Rows as a table, a frame, a mapping or a list of these, in the one form and the version's types.

    They have the view's keys, its time, its created column where it declares one, and its features (a view of
    aggregates: the columns that these read). Times in mappings may be text, as in JSON. InvalidInput for a column that
    is missing, unknown or of another type, and a row without a time.
    """
    view = view_of(version)
    declared = version.declared.rows_schema
    times = [view.time, *([view.created] if view.created else [])]
    names = [*view.entity, *times, *(name for name in declared.names if name not in view.entity)]
    if isinstance(rows, Mapping) and not hasattr(rows, "__arrow_c_stream__"):
        rows = [rows]
    if isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows):
        _check_columns(version, list(dict.fromkeys(name for row in rows for name in row)), names)
        table = _of_mappings(version, rows, names, times)
    else:
        table = source(rows).read()
        _check_columns(version, table.column_names, names)
    if not view.aggregates:  # they come as the features that they are
        view = replace(view, expressions={}, features=tuple(names[len(view.entity) + len(times) :]))
    return as_logged(version, as_rows(view, table, 0))


def _check_columns(version: ViewVersion, given: Sequence[str], names: Sequence[str]) -> None:
    missing = next((name for name in names if name not in given), None)
    strange = next((name for name in given if name not in names), None)
    if missing is not None or strange is not None:
        odd = strange if strange is not None else missing
        close = nearest(str(odd), list(names)) if strange is not None else None
        raise InvalidInput(
            f"the rows for {version.reference} have no column {missing!r}"
            if strange is None
            else f"{version.reference} has no column {strange!r}",
            expected=", ".join(names),
            hint=f"did you mean {close!r}?" if close else None,
        )


def _of_mappings(
    version: ViewVersion, rows: Sequence[Mapping[str, Any]], names: Sequence[str], times: Sequence[str]
) -> pa.Table:
    declared = version.declared.rows_schema
    columns = {}
    for name in names:
        kind = pa.timestamp("us", "UTC") if name in times else declared.field(name).type
        values = [row.get(name) for row in rows]
        if pa.types.is_temporal(kind):
            values = [_moment(value, name, place) for place, value in enumerate(values)]
        try:
            columns[name] = pa.array(values, kind)
        except (pa.ArrowException, OverflowError) as error:
            raise InvalidInput(
                f"the column {name!r} for {version.reference}: {error}", expected=f"{kind} in every row"
            ) from error
    return pa.table(columns)


def _moment(value: Any, name: str, place: int) -> Any:
    """A time or a date as it may stand in JSON; without a zone it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInput(
                f"{name!r} is {value!r}", where=f"row {place}", expected="a time such as 2026-01-31T09:30:00Z"
            ) from None
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
