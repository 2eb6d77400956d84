"""The rows that features are wanted for, as one view sees them, and their keys as dense numbers.

Keys are compared column by column, never as texts put together: ("a", "bc") is not ("ab", "c").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.views.declared.keys import check_same_keys, normalised_key
from assay.build.views.declared.moments import as_microseconds

__all__ = ["KeyCodes", "Wanted", "wanted"]

_WIDE, _WIDER = 1 << 16, 8


@dataclass(frozen=True)
class Wanted:
    """Label rows as one view sees them. `t` is microseconds, any number where none; `known`: t and key are there."""

    keys: pa.Table
    t: NDArray[np.int64]
    known: NDArray[np.bool_]

    @cached_property
    def codes(self) -> "KeyCodes":
        """The keys as numbers."""
        return KeyCodes(self.keys)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The label rows that are known, in order of (key, t)."""
        rows = np.flatnonzero(self.known)
        codes, t = self.codes.codes[rows], self.t[rows]
        least, most = (int(t.min()), int(t.max())) if len(rows) else (0, 0)
        if (most - least + 1) * max(self.codes.count, 1) < 2**63:  # both are one number, and that is faster
            return rows[np.argsort(codes * (most - least + 1) + (t - least))]
        return rows[np.lexsort((t, codes))]


def wanted(labels: pa.Table, view_keys: Sequence[str], key_types: Sequence[pa.DataType] | None, time: str) -> Wanted:
    """Keys and times of the label rows, the keys in the view's order.

    InvalidInput for a column that is missing or of another kind, and where a key is not of the type in `key_types`; a
    type of null is of a column with nothing in it, which goes with all.
    """
    of = "the label rows"
    keys = {name: normalised_key(labels, name, of) for name in view_keys}
    if key_types is not None:
        for name, kind in zip(view_keys, key_types, strict=True):
            if keys[name].null_count == labels.num_rows and not pa.types.is_null(kind):  # as an empty one of pandas
                keys[name] = pa.chunked_array([pa.nulls(labels.num_rows, kind)])
        asked = [keys[name].type for name in view_keys]
        has = [own if pa.types.is_null(kind) else kind for own, kind in zip(asked, key_types, strict=True)]
        check_same_keys(view_keys, asked, has, "the feature view")
    moments = as_microseconds(labels, time, of)
    known = ~nulls(moments)
    for values in keys.values():
        known &= ~nulls(values)
    return Wanted(pa.table(keys), whole(moments), known)


class KeyCodes:
    """The different keys of some rows, numbered from 0 to `count` - 1; `codes` has one for each row, -1 for a null."""

    def __init__(self, keys: pa.Table) -> None:
        self._names = keys.column_names
        self._types = keys.schema.types
        self._finders: list[_Finder] = []
        self._pairs: list[NDArray[np.int64]] = []  # of the columns so far, which pairs of codes there are
        codes = np.zeros(keys.num_rows, np.int64)
        for place, name in enumerate(self._names):
            self._finders.append(finder := _Finder(pc.unique(keys.column(name).drop_null())))
            own = finder.places(keys.column(name))
            if place == 0:
                codes, self.count = own, finder.count
                continue
            pairs = np.where((codes >= 0) & (own >= 0), codes * finder.count + own, -1)
            there = np.unique(pairs[pairs >= 0])
            self._pairs.append(there)
            codes, self.count = _place(pairs, there), len(there)
        self.codes = codes

    def of(self, rows: pa.Table, called: str) -> NDArray[np.int64]:
        """The number of each row's key, -1 where these keys do not have it. InvalidInput for keys of another type."""
        codes = np.empty(0, np.int64)
        for place, (name, kind) in enumerate(zip(self._names, self._types, strict=True)):
            column = rows.column(name)
            finder = self._finders[place]
            if column.null_count == len(column) or not finder.count:
                return np.full(rows.num_rows, -1, np.int64)
            check_same_keys([name], [kind], [column.type], called)
            own = finder.places(column)
            if place == 0:
                codes = own
                continue
            pairs = np.where((codes >= 0) & (own >= 0), codes * finder.count + own, -1)
            codes = _place(pairs, self._pairs[place - 1])
        return codes


class _Finder:
    """Says of values which of the different ones `known` they are."""

    def __init__(self, known: pa.Array) -> None:
        self.known, self.count = known, len(known)
        self.table: NDArray[np.int64] | None = None
        if self.count and known.type == pa.int64():
            least, most = (pc.min_max(known)[end].as_py() for end in ("min", "max"))
            if most - least < _WIDE + _WIDER * self.count:  # a place for each number between is faster than a hash
                self.least = least
                self.table = np.full(most - least + 2, -1)  # the last is that of all other numbers
                self.table[known.to_numpy() - least] = np.arange(self.count)

    def places(self, column: pa.ChunkedArray) -> NDArray[np.int64]:
        """The place of each value among the known ones, -1 of others and of null."""
        if self.table is None or column.type != pa.int64():
            return whole(pc.index_in(column, self.known).cast(pa.int64()), -1)
        beyond = len(self.table) - 1
        # What is less than the least one wraps around to more than any.
        shifted = (whole(column) - self.least).view(np.uint64)
        found: NDArray[np.int64] = self.table[np.minimum(shifted, np.uint64(beyond)).view(np.int64)]
        if column.null_count:
            found[nulls(column)] = -1
        return found


def nulls(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which values are null."""
    return cast("NDArray[np.bool_]", values.is_null().to_numpy())


def whole(values: pa.ChunkedArray, missing: int = 0) -> NDArray[np.int64]:
    """Whole numbers as an array, `missing` where one is null."""
    return cast("NDArray[np.int64]", values.fill_null(missing).to_numpy() if values.null_count else values.to_numpy())


def _place(pairs: NDArray[np.int64], there: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(there):
        return np.full(len(pairs), -1, np.int64)
    found = np.minimum(np.searchsorted(there, pairs), len(there) - 1)
    return np.where(there[found] == pairs, found, -1)
