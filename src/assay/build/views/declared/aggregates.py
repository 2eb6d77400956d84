"""Aggregates over windows of time, declared: what is summed up of the rows of an entity before a moment."""

from typing import Literal, TypeAlias

import msgspec

from assay.build.views.declared.spans import Length, microseconds, span_text
from assay.errors import InvalidInput

__all__ = ["Aggregate", "AggregateKind", "count", "distinct", "last", "max_of", "mean", "min_of", "sum_of"]

AggregateKind: TypeAlias = Literal["sum", "count", "mean", "distinct", "last", "min", "max"]
_LEAST_US = 1_000_000
_MOST_US = 366 * 86_400_000_000


class Aggregate(msgspec.Struct, frozen=True):
    """`kind` of the values of `column` in the rows with ts in (t - window, t]; a count without column counts rows."""

    kind: AggregateKind
    column: str | None
    window_us: int

    @property
    def text(self) -> str:
        """As people write it: `mean(arr_delay) over 7d`."""
        return f"{self.kind}({self.column or '*'}) over {span_text(self.window_us)}"


def sum_of(column: str, over: Length) -> Aggregate:
    """The sum of the values that are not null; null where there is none."""
    return _aggregate("sum", column, over)


def count(column: str | None = None, *, over: Length) -> Aggregate:
    """How many values are not null, or without a column how many rows there are; 0 where there is none."""
    return _aggregate("count", column, over)


def mean(column: str, over: Length) -> Aggregate:
    """The mean of the values that are not null; null where there is none."""
    return _aggregate("mean", column, over)


def distinct(column: str, over: Length) -> Aggregate:
    """How many different values there are, null not counted; 0 where there is none."""
    return _aggregate("distinct", column, over)


def last(column: str, over: Length) -> Aggregate:
    """The value of the newest row, also where that is null; null where there is no row."""
    return _aggregate("last", column, over)


def min_of(column: str, over: Length) -> Aggregate:
    """The least value, of texts the first by code point, null not counted; null where there is none."""
    return _aggregate("min", column, over)


def max_of(column: str, over: Length) -> Aggregate:
    """The greatest value, of texts the last by code point, null not counted; null where there is none."""
    return _aggregate("max", column, over)


def _aggregate(kind: AggregateKind, column: str | None, over: Length) -> Aggregate:
    window = microseconds(over, f"the window of {kind}({column or '*'})")
    if not _LEAST_US <= window <= _MOST_US:
        raise InvalidInput(f"the window of {kind}({column or '*'}) is {over!r}", expected='from "1s" to "366d"')
    return Aggregate(kind, column, window)
