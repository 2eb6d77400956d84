"""The cells of a training set against what its features were: known then, true then, and now.

A cell is clean where it has the value that was known at the time of its row; it used a correction where it has only the
value that was true then, as later known; it leaks where it has only the newest value of its key; and else nothing
explains it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import is_number, is_text
from assay.build.data.split_times import is_time
from assay.build.views.declared.history import TS, without_nan
from assay.build.views.declared.moments import as_microseconds
from assay.build.views.declared.view import FeatureView
from assay.build.views.joining.join_report import check_rules
from assay.build.views.joining.reading import Rows
from assay.build.views.matching.matching import NOTHING, Matched, matched
from assay.build.views.matching.wanted import Wanted, nulls
from assay.errors import InvalidInput

__all__ = [
    "CLEAN",
    "CORRECTION",
    "FINDINGS",
    "LEAK",
    "UNEXPLAINED",
    "Recomputed",
    "classified",
    "comparable",
    "equal",
    "recomputed",
]

FINDINGS = ("clean", "correction", "leak", "unexplained")
CLEAN, CORRECTION, LEAK, UNEXPLAINED = range(4)


@dataclass(frozen=True)
class Recomputed:
    """What a view gives to the rows of a training set. `known` is `true` where there is no knowledge time.

    `asked` is what was wanted of the `view`, and `rows` its history.
    """

    known: Matched
    true: Matched
    now: Matched
    asked: Wanted
    view: FeatureView
    rows: Rows

    def borrowed(self, findings: NDArray[np.int8]) -> NDArray[np.int64]:
        """[rows] when a borrowed value became known, in microseconds; `NOTHING` for cells that borrow none."""
        now = np.where(self.now.ts == NOTHING, NOTHING, self.now.ts + self.view.delay_us)
        seen = np.where(self.true.created == NOTHING, self.true.ts, self.true.created)
        return np.select([findings == CORRECTION, findings == LEAK], [seen, np.maximum(now, self.now.created)], NOTHING)


def recomputed(asked: Wanted, view: FeatureView, rows: Callable[[FeatureView], Rows], known: Rows | None) -> Recomputed:
    """The three values of each cell, by the fold that training and serving use.

    `rows` gives the history as it is now, `known` the rows with when they became known, if that is told. The newest
    value is the one of the key's newest row, however old; for aggregates the windows end at the newest row of the view.
    """
    true = matched(asked, rows(view).batches(asked), view, "event")
    check_rules(asked, true, view, "event")
    then = true if known is None else matched(asked, known.batches(asked), view, "known")
    if known is not None:
        check_rules(asked, then, view, "known")
    endless = replace(view, ttl_us=None, delay_us=0, strict=False)
    end = int(np.iinfo(np.int64).max)
    if view.aggregates:
        greatest = (pc.max(batch.column(TS)).as_py() for batch in rows(endless).batches(None))
        end = max((one for one in greatest if one is not None), default=0)
    there = np.ones(len(asked.t), bool)
    for key in asked.keys.columns:
        there &= ~nulls(key)
    newest = Wanted(asked.keys, np.full(len(asked.t), end), there)
    now = matched(newest, rows(endless).batches(newest), endless, "event")
    return Recomputed(then, true, now, asked, view, rows(view))


def classified(cells: pa.ChunkedArray, found: Recomputed, feature: str, called: str) -> NDArray[np.int8]:
    """[rows] what each cell of a column is, an index of `FINDINGS`. InvalidInput for a column of another kind."""
    known, true, now = (
        equal(cells, one.values.column(feature), called) for one in (found.known, found.true, found.now)
    )
    return np.select([known, true, now], [CLEAN, CORRECTION, LEAK], UNEXPLAINED).astype(np.int8)


def equal(cells: pa.ChunkedArray, values: pa.ChunkedArray, called: str) -> NDArray[np.bool_]:
    """[rows] whether cells are what was computed; null and NaN are the same, and equal to each other.

    Values are compared exactly, after they were converted to the type of the cells: of a column of 32-bit floats, a
    cell is equal where the 64-bit value rounds to it. A value that the cells' type cannot hold is not equal. Times are
    compared to the microsecond, in UTC. InvalidInput where the one is of another kind than the other.
    """
    cells, values = without_nan(cells), without_nan(values)
    neither = nulls(cells) & nulls(values)
    if cells.null_count == len(cells) or values.null_count == len(values):
        return neither
    first, second = comparable(cells, values, called)
    same: NDArray[np.bool_] = pc.fill_null(pc.equal(first, second), False).to_numpy()
    return neither | same


def comparable(cells: pa.ChunkedArray, values: pa.ChunkedArray, called: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Cells and values, of any lengths, in one type in which equal ones are equal. InvalidInput for other kinds."""
    have, given = cells.type, values.type
    if have == given:
        return cells, values
    if _is_binary(have) and _is_binary(given):
        return cells.cast(pa.large_binary()), values.cast(pa.large_binary())
    if is_text(have) and is_text(given):
        return cells.cast(pa.large_string()), values.cast(pa.large_string())
    if is_time(have) and is_time(given):
        return _moments(cells, called), _moments(values, called)
    if _is_numeric(have) and _is_numeric(given):
        if pa.types.is_floating(have) or pa.types.is_decimal(have):
            kind = have if pa.types.is_floating(have) else pa.float64()
            return cells.cast(kind), _plain(values).cast(kind, safe=False)
        return _whole(cells), _whole(values)
    raise InvalidInput(
        f"the column {called!r} is {have} in the training set and {given} in its feature view",
        expected="values of the same kind",
        hint=f"cast the column to {given}",
    )


def _moments(values: pa.ChunkedArray, called: str) -> pa.ChunkedArray:
    return as_microseconds(pa.table({called: values}), called, "the training set")


def _whole(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers in a type that holds those with and without a sign; null where a number is not whole."""
    values = _plain(values)
    if pa.types.is_floating(values.type):
        exact = pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), 2.0**63))
        values = pc.if_else(exact, values, pa.scalar(None, values.type)).cast(pa.int64())
    return values.cast(pa.decimal128(20, 0))


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(values.type):
        return values.cast(pa.float64())
    return values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values


def _is_numeric(kind: pa.DataType) -> bool:
    return is_number(kind) or pa.types.is_boolean(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
