"""What the values of each column look like: a few numbers a column, whatever the number of rows."""

from collections.abc import Iterable

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.column_values import Named, Value, counted, plain
from assay.progress import tell

__all__ = ["CATEGORIES", "ColumnSummary", "Values", "summaries"]

CATEGORIES = 1_000  # text of more different values tells rows apart, and may name people: none of it is shown
_MOST_FREQUENT = 5


class Values(msgspec.Struct, frozen=True):
    """A value, and how many rows have it."""

    value: Value
    rows: int


class ColumnSummary(msgspec.Struct, frozen=True):
    """A column. `missing` counts nulls and NaN; text has no min, median and max.

    Of text with more than 1,000 different values none is told, as it may name people; where no value occurs twice, none
    is frequent. Columns of lists and the like have nothing but `missing`.
    """

    name: str
    type: str
    missing: int
    distinct: int | None = None
    min: Value | None = None
    median: Value | None = None
    max: Value | None = None
    most_frequent: list[Values] = []


def summaries(table: pa.Table) -> list[ColumnSummary]:
    """A summary of every column, in their order."""
    found = []
    for field, column in zip(table.schema, table.columns, strict=True):
        found.append(_summary(field.name, column))
        tell("looking at columns", len(found) / table.num_columns, field.name)
    return found


def _summary(name: str, column: pa.ChunkedArray) -> ColumnSummary:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind, values = str(column.type), counted(column)
    if values is None or not values.rows:
        missing = len(column) if values is not None else column.null_count
        return ColumnSummary(name, kind, missing, None if values is None else 0)
    missing = len(column) - values.rows
    if isinstance(values, Named):
        listed = values.values[:_MOST_FREQUENT].to_pylist() if len(values.values) <= CATEGORIES else []
        frequent = _frequent(map(plain, listed), values.counts)
        return ColumnSummary(name, kind, missing, len(values.values), most_frequent=frequent)
    different, counts = values.by_value()
    top = np.argsort(-counts, kind="stable")[:_MOST_FREQUENT]
    frequent = _frequent((values.shown(different[place]) for place in top), counts[top])
    ends = (values.shown(values.ascending[0]), values.median(), values.shown(values.ascending[-1]))
    return ColumnSummary(name, kind, missing, len(different), *ends, frequent)


def _frequent(values: Iterable[Value | None], counts: NDArray[np.int64]) -> list[Values]:
    if counts[0] == 1:
        return []
    pairs = zip(values, counts, strict=False)
    return [Values(value, int(rows)) for value, rows in pairs if value is not None]
