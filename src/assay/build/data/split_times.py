"""Times of rows as numbers, and the moments at which a table is cut."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data import columns
from assay.errors import InvalidInput

__all__ = ["Moment", "Moments", "Span", "is_time"]

Span: TypeAlias = timedelta | float
Moment: TypeAlias = datetime | date | float
_MICROSECOND = timedelta(microseconds=1)
_START = datetime(1970, 1, 1, tzinfo=UTC)


class Moments:
    """The times of rows: `values` [rows] in microseconds since 1970 (UTC), or numbers as they are, such as a year.

    `known` [rows] says which rows have one. InvalidInput for a column of other values, and one without any.
    """

    def __init__(self, table: pa.Table, name: str) -> None:
        column = columns.column(table, name)
        self.name = name
        self.is_time = is_time(column.type)
        if not (self.is_time or columns.is_number(column.type)):
            raise InvalidInput(f"column {name!r} is of type {column.type}", expected="times, or numbers such as years")
        if self.is_time:
            column = column.cast(pa.timestamp("us", getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
        else:
            column = column.cast(pa.float64())
        self.known: NDArray[np.bool_] = column.is_valid().to_numpy()
        filled = column.fill_null(0).to_numpy()
        self.known &= np.isfinite(filled)
        self.values: NDArray[np.int64] | NDArray[np.float64] = filled
        if not self.known.any():
            raise InvalidInput(f"no row has a time in {name!r}", expected="a time in most rows")

    def span(self, length: Span, what: str) -> float:
        """A length of time in the unit of `values`. InvalidInput for one that is negative or of the wrong kind."""
        if isinstance(length, timedelta) != self.is_time:
            kind = "a timedelta, as timedelta(days=7)" if self.is_time else f"a number, as those in {self.name!r}"
            raise InvalidInput(f"{what} is {length!r}", expected=kind)
        found = length / _MICROSECOND if isinstance(length, timedelta) else float(length)
        if not found >= 0 or not np.isfinite(found):
            raise InvalidInput(f"{what} is {length!r}", expected="0 or more")
        return found

    def at(self, moment: Moment) -> float:
        """A moment in the unit of `values`; dates and datetimes without a zone are read as UTC."""
        if isinstance(moment, date) != self.is_time:
            raise InvalidInput(
                f"a cut of {self.name!r} is {moment!r}", expected="a time" if self.is_time else "a number"
            )
        if not isinstance(moment, date):
            return float(moment)
        whole = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        return ((whole if whole.tzinfo else whole.replace(tzinfo=UTC)) - _START) / _MICROSECOND

    def text(self, value: float) -> str:
        """A value of `values` for people."""
        if not self.is_time:
            return f"{value:g}"
        return str(np.datetime64(int(value), "us")).removesuffix(".000000").replace("T", " ")

    def cuts(self, shares: Sequence[float]) -> list[float]:
        """The moments at which those shares of the rows lie before, as nearly as whole moments allow."""
        ordered = np.sort(self.values[self.known])
        places = [min(round(share * len(ordered)), len(ordered) - 1) for share in shares]
        return [float(ordered[place]) for place in places]


def is_time(kind: pa.DataType) -> bool:
    """Whether values of the type are moments: timestamps and dates."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))
