"""What the values of each column look like: a few numbers a column, computed by DuckDB whatever the number of rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from assay.build.data.columns import is_number
from assay.progress import tell

__all__ = ["ColumnSummary", "Value", "Values", "opened", "plain", "summaries"]

Value = str | int | float | bool
_MOST_FREQUENT = 5
_FEW = 100_000  # values that are counted one by one, however many of them differ
_MOSTLY_THE_SAME = "select count(distinct value) < 10_000 from (from present limit 20_000)"
_COUNTED = "create or replace temp table counted as select value, count(*) as n from present group by value"
_OF_COUNTED = """
    select count(*), min(value), min(value) filter (through > (total - 1) // 2),
        min(value) filter (through > total // 2), max(value)
    from (select value, sum(n) over (order by value) as through, sum(n) over () as total from counted)
"""
_OF_MANY = """
    select least(approx_count_distinct(value), count(*)), min(value),
        quantile_disc(value, 0.5), quantile_disc(value, 0.5), max(value)
    from present
"""


class Values(msgspec.Struct, frozen=True):
    """A value, and how many rows have it."""

    value: Value
    rows: int


class ColumnSummary(msgspec.Struct, frozen=True):
    """A column. `missing` counts nulls and NaN.

    Where most of very many values differ, `distinct_is_exact` is false, the number is about right, and none is listed
    as frequent. Columns of lists and the like, which have no order, have nothing but `missing`.
    """

    name: str
    type: str
    missing: int
    distinct: int | None
    distinct_is_exact: bool
    min: Value | None
    median: Value | None
    max: Value | None
    most_frequent: list[Values]


@contextmanager
def opened(**tables: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with Arrow tables under those names, read where they are."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, pa.table([_readable(column) for column in table.columns], table.column_names))
        yield connection


def summaries(table: pa.Table) -> list[ColumnSummary]:
    """A summary of every column, in their order."""
    if not table.num_columns:
        return []
    places = [f"c{place}" for place in range(table.num_columns)]  # names of users may be anything
    with opened(source=table.rename_columns(places)) as engine:
        found = []
        for place, field in zip(places, table.schema, strict=True):
            found.append(_summary(engine, place, field, table.num_rows))
            tell("looking at columns", len(found) / table.num_columns, field.name)
    return found


def plain(value: object) -> Value | None:
    """A value as JSON has it: numbers, booleans and text; times in the form of ISO 8601."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _summary(engine: duckdb.DuckDBPyConnection, place: str, field: pa.Field, rows: int) -> ColumnSummary:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    is_present = f"{place} is not null" + (f" and not isnan({place})" if pa.types.is_floating(kind) else "")
    view = f"select {place} as value from source where {is_present}"  # noqa: S608 - a name that we gave
    engine.execute(f"create or replace temp view present as {view}")
    (count,) = _row(engine, "select count(*) from present")
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return ColumnSummary(field.name, str(kind), rows - count, None, False, None, None, None, [])
    is_exact = count <= _FEW or _row(engine, _MOSTLY_THE_SAME)[0]
    frequent = []
    if is_exact:
        engine.execute(_COUNTED)
        facts = _row(engine, _OF_COUNTED)
        listed = engine.execute(f"from counted order by n desc, value limit {_MOST_FREQUENT}").fetchall()
        frequent = [Values(shown, n) for value, n in listed if (shown := plain(value)) is not None]
    else:
        facts = _row(engine, _OF_MANY)
    distinct, low, lower, upper, high = facts
    median = lower if lower == upper or not is_number(kind) else (lower + upper) / 2
    return ColumnSummary(
        field.name, str(kind), rows - count, distinct, is_exact, plain(low), plain(median), plain(high), frequent
    )


def _readable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Moments as times of UTC, because DuckDB knows zones only with an extension; and no halves of floats."""
    if pa.types.is_timestamp(column.type) and column.type.tz:
        return column.cast(pa.timestamp(column.type.unit))
    return column.cast(pa.float32()) if pa.types.is_float16(column.type) else column


def _row(engine: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    found = engine.execute(query).fetchone()
    assert found is not None, "an aggregate is one row"
    return tuple(found)
