"""The values of a column, counted: what has an order as a sorted array, everything else by value.

A vectorised sort of 3,000,000 numbers takes 50 ms, less than any engine needs to group them, and answers everything.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import is_number

__all__ = ["Named", "Ordered", "Value", "counted", "has_order", "plain"]

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Ordered:
    """The values that are present, ascending; `kind` is what they are: numbers, dates or times."""

    ascending: NDArray[np.generic]
    kind: pa.DataType

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.ascending)

    def at(self, level: float) -> Value | None:
        """The value that a share `level` of the rows does not exceed; it occurs among them."""
        return self.shown(self.ascending[min(int(level * self.rows), self.rows - 1)])

    def median(self) -> Value | None:
        """The middle value; between the two middle ones for numbers, the lower of them for times."""
        low, high = (self.ascending[place] for place in ((self.rows - 1) // 2, self.rows // 2))
        if is_number(self.kind) and low != high:
            return (float(low) + float(high)) / 2
        return self.shown(low)

    def by_value(self) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
        """Different values, and how many rows have each."""
        starts = np.flatnonzero(np.concatenate(([True], self.ascending[1:] != self.ascending[:-1])))
        return self.ascending[starts], np.diff(np.append(starts, self.rows))

    def shown(self, value: np.generic) -> Value | None:
        """A value of the array as people and JSON know it."""
        if is_number(self.kind):
            return value.item()  # type: ignore[no-any-return] # a Python number
        return plain(pa.array([value.item()], _whole(self.kind)).view(self.kind)[0].as_py())


@dataclass(frozen=True, slots=True)
class Named:
    """Different values in no order of their own, the most frequent first, with the rows that have each."""

    values: pa.Array
    counts: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many rows have a value."""
        return int(self.counts.sum())


def has_order(kind: pa.DataType) -> bool:
    """Whether values of the type are read as numbers or times; text is told apart by value."""
    return bool(is_number(kind) or pa.types.is_temporal(kind))


def counted(column: pa.ChunkedArray) -> Ordered | Named | None:
    """The values that are present, NaN not among them; None for lists and what else has neither order nor names."""
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return None
    column = column.drop_null()
    if has_order(kind):
        if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
            values = column.cast(pa.float64()).to_numpy()
        else:
            values = (column if is_number(kind) else _viewed(column)).to_numpy()
        if values.dtype.kind == "f":
            values = values[~np.isnan(values)]
        return Ordered(np.sort(values), kind)
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        column = column.cast(pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary())
    found = pc.value_counts(column)
    values, counts = found.field("values"), found.field("counts").to_numpy()
    order = pc.sort_indices(
        pa.table({"counts": counts, "values": values}), sort_keys=[("counts", "descending"), ("values", "ascending")]
    )
    return Named(values.take(order), counts[order.to_numpy()])


def plain(value: object) -> Value | None:
    """A value as JSON has it: numbers, booleans and text; times in the form of ISO 8601."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _whole(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if kind.bit_width == 32 else pa.int64()


def _viewed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates and times as the whole numbers that they are in memory."""
    whole = _whole(column.type)
    return pa.chunked_array([chunk.view(whole) for chunk in column.chunks], whole)
