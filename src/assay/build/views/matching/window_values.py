"""The values of aggregates, from the intervals of places in which rows count."""

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.views.declared.aggregates import Aggregate
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.greatest import greatest
from assay.build.views.matching.wanted import nulls, whole
from assay.build.views.matching.windows import Windows
from assay.errors import InvalidInput
from assay.stats.exact_sums import Digits, float_digits, nearest, whole_digits, whole_sums

__all__ = ["check_columns", "window_values"]


def check_columns(view: FeatureView, schema: pa.Schema) -> None:
    """InvalidInput for an aggregate of a column of a type that it cannot be of."""
    for name, one in view.aggregates.items():
        if one.column is None:
            continue
        kind = schema.field(one.column).type
        if one.kind in ("sum", "mean") and not _can_be_added(kind):
            raise InvalidInput(
                f"the feature {name!r} of {view.name!r} is {one.text}, and that column is of type {kind}",
                expected="whole numbers, floats or booleans",
                hint="cast it to double"
                if pa.types.is_decimal(kind)
                else "count, distinct, min, max and last take text",
            )
        if one.kind in ("distinct", "min", "max") and pa.types.is_nested(kind):
            raise InvalidInput(
                f"the feature {name!r} of {view.name!r} is {one.text}, and that column is of type {kind}",
                expected="a column of single values",
            )


def window_values(windows: Windows) -> pa.Table:
    """[places] one column for each aggregate of the view. InvalidInput for a sum of whole numbers beyond 64 bits."""
    aggregates = windows.view.aggregates
    found: dict[str, pa.Array] = {}
    for read in dict.fromkeys(one.column for one in aggregates.values()):
        own = {name: one for name, one in aggregates.items() if one.column == read}
        if read is None:
            rows = windows.rows
            found |= {name: windows.covering(rows.start, windows.ends[one.window_us]) for name, one in own.items()}
        else:
            column = _Column(windows, read)
            found |= {name: column.value(name, one) for name, one in own.items()}
    return pa.table({name: found[name] for name in aggregates})


class _Column:
    """Aggregates of a column. What several of them need is computed once. Nulls are left out but for `last`."""

    def __init__(self, windows: Windows, read: str) -> None:
        self._windows = windows
        self._all: pa.ChunkedArray = windows.rows.values.column(read)
        self._known = self._all.drop_null() if self._all.null_count else self._all
        self._there = np.flatnonzero(~nulls(self._all)) if self._all.null_count else None
        self._start = self._of_known(windows.rows.start)
        self._counts: dict[int, NDArray[np.int64]] = {}
        own = [one for one in windows.view.aggregates.values() if one.column == read]
        self._added = {one.window_us for one in own if one.kind in ("sum", "mean")}

    def value(self, name: str, one: Aggregate) -> pa.Array:
        """[places] the aggregate, which is called `name`."""
        length = one.window_us
        if one.kind == "count":
            return pa.array(self._count(length))
        if one.kind == "distinct":
            return pa.array(self._distinct(length))
        if one.kind == "last":
            row = self._windows.inside(self._windows.newest, length)
            return self._all.take(pa.array(row, mask=row < 0)).combine_chunks()
        if one.kind in ("min", "max"):
            return self._extreme(length, is_greatest=one.kind == "max")
        sums = self._sums[length]
        if one.kind == "mean":
            return self._shown(sums.as_floats() / np.maximum(self._count(length), 1), length)
        if not self._is_whole:
            return self._shown(sums.as_floats(), length)
        total, is_beyond = whole_sums(sums.lines)
        if is_beyond.any():
            raise InvalidInput(
                f"the feature {name!r} of {self._windows.view.name!r} is {one.text}, which leaves 64 bits",
                expected="sums from -2**63 to 2**63 - 1",
                hint="cast the column to double, or take the mean",
            )
        return pa.array(total, mask=self._count(length) == 0)

    def _of_known(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        return values if self._there is None else values[self._there]

    def _end(self, length: int) -> NDArray[np.int64]:
        return self._of_known(self._windows.ends[length])

    def _count(self, length: int) -> NDArray[np.int64]:
        if length not in self._counts:
            self._counts[length] = self._windows.covering(self._start, self._end(length))
        return self._counts[length]

    @property
    def _is_whole(self) -> bool:
        return bool(pa.types.is_integer(self._all.type) or pa.types.is_boolean(self._all.type))

    def _shown(self, values: NDArray[np.float64], length: int) -> pa.Array:
        return pa.array(values, mask=(self._count(length) == 0) | np.isnan(values))

    @cached_property
    def _sums(self) -> dict[int, "_Sum"]:
        sums = {length: _Sum(self._windows.size) for length in self._added}
        if self._is_whole:
            kind = pa.uint64() if pa.types.is_uint64(self._known.type) else pa.int64()
            self._add(sums, whole_digits(self._known.cast(kind).to_numpy()))
            return sums
        numbers = self._known.cast(pa.float64()).to_numpy()
        is_finite = np.isfinite(numbers)
        if not is_finite.all():
            for sign in (1, -1):
                rows = np.flatnonzero(numbers == sign * np.inf)
                for length, one in sums.items():
                    one.infinite[sign] = self._windows.covering(self._start[rows], self._end(length)[rows]) > 0
            numbers = np.where(is_finite, numbers, 0.0)
        self._add(sums, float_digits(numbers))
        return sums

    def _add(self, sums: dict[int, "_Sum"], digits: Digits) -> None:
        ends = {length: self._end(length) for length in sums}
        for exponent, rows, numbers in digits:
            begun = np.zeros(self._windows.size + 1, np.int64)
            np.add.at(begun, self._start if rows is None else self._start[rows], numbers)
            for length, one in sums.items():
                line = begun.copy()
                np.subtract.at(line, ends[length] if rows is None else ends[length][rows], numbers)
                one.add(exponent, np.cumsum(line)[:-1])

    @cached_property
    def _unsigned_zeros(self) -> pa.ChunkedArray:
        """Values that are not null, with 0.0 for -0.0, so that equal values are the same."""
        is_floating = pa.types.is_floating(self._known.type)
        return pc.add(self._known, pa.scalar(0.0, self._known.type)) if is_floating else self._known

    @cached_property
    def _rising(self) -> NDArray[np.int64]:
        """The order of the values."""
        return whole(pa.chunked_array([pc.sort_indices(self._unsigned_zeros).cast(pa.int64())]))

    def _extreme(self, length: int, *, is_greatest: bool) -> pa.Array:
        rising = self._rising if is_greatest else self._rising[::-1]
        rank = np.empty(len(rising), np.int64)
        rank[rising] = np.arange(1, len(rising) + 1)
        end = self._end(length)
        counts = np.flatnonzero(self._start < end)
        best = greatest(self._start[counts], end[counts], rank[counts], self._windows.size)
        row = np.append(-1, rising)[best]
        return self._unsigned_zeros.take(pa.array(row, mask=row < 0)).combine_chunks()

    @cached_property
    def _by_value(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rows in order of value and start, and for these a number by which values are apart, and the starts."""
        known = self._unsigned_zeros
        code = whole(pc.index_in(known, pc.unique(known)).cast(pa.int64()))
        apart = code * (self._windows.size + 1)
        order = np.argsort(apart + self._start)
        return order, apart[order], self._start[order]

    def _distinct(self, length: int) -> NDArray[np.int64]:
        """[places] how many values there are: of each value, the union of its intervals covers a place once."""
        order, apart, start = self._by_value
        end = self._end(length)[order] + apart
        so_far = np.append(0, np.maximum.accumulate(end)[:-1]) if len(end) else end
        start = np.maximum(start + apart, so_far)
        new = np.flatnonzero(start < end)
        return self._windows.covering((start - apart)[new], (end - apart)[new])


class _Sum:
    """[places] exact sums, as digits, and which of them have infinite numbers of a sign."""

    def __init__(self, size: int) -> None:
        self.infinite: dict[int, NDArray[np.bool_]] = {}
        self._size = size
        self._lines: list[NDArray[np.int64]] = []
        self._lowest = 0

    @property
    def lines(self) -> list[NDArray[np.int64]]:
        """The digits, greatest first, at least one."""
        return self._lines or [np.zeros(self._size, np.int64)]

    def add(self, exponent: int, line: NDArray[np.int64]) -> None:
        """A further digit of the sums: exponents fall by 32."""
        self._lines.append(line)
        self._lowest = exponent

    def as_floats(self) -> NDArray[np.float64]:
        """The nearest doubles; NaN where there are infinite numbers of both signs."""
        found = nearest(self.lines, self._lowest)
        for sign, where in self.infinite.items():
            found[where] = sign * np.inf
        if self.infinite:
            found[self.infinite[1] & self.infinite[-1]] = np.nan
        return found


def _can_be_added(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    )
