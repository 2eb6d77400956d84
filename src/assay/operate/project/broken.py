"""Columns that broke upstream: what came in since a model was trained, beside what it was trained on.

A break is not drift. A column is gone, became another type, went missing, stands still, or is written in another unit:
whoever trains on it teaches the model the defect. What merely moved is left to monitors.
"""

from collections.abc import Collection

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import column, is_number, is_text
from assay.build.data.split_times import Moments, is_time
from assay.errors import InvalidInput
from assay.record.table_hash import content_hash
from assay.stats.drift import QUANTILES, changed_unit
from assay.stats.intervals import wilson

__all__ = ["BrokenColumn", "broken_columns", "rows_since"]

_FEW = 50  # new rows below which nothing but type and presence is judged
_CONFIDENCE = 0.999  # of the share that is missing
_MORE_MISSING = 0.2  # a fifth of the rows more than in training
_STILLER = 3  # times as long as it ever stood still before

Floats = NDArray[np.float64]


class BrokenColumn(msgspec.Struct, frozen=True):
    """A column and how it broke: `fault` is gone, type, missing, constant or unit; `words` say it with numbers."""

    column: str
    fault: str
    words: str


def rows_since(before: pa.Table, now: pa.Table, time: str | None) -> pa.Table:
    """The rows of a table that came in since another was read: by time, else those that were put behind it.

    All of them where neither can be told, or where a time is not readable any more.
    """
    if time is not None and all(time in table.column_names for table in (before, now)):
        try:
            then, today = Moments(before, time), Moments(now, time)
        except InvalidInput:
            return now
        if then.is_time == today.is_time:
            return now.filter(pa.array(~today.known | (today.values > then.values[then.known].max())))
    count = before.num_rows
    if now.num_rows > count and content_hash(now.slice(0, count)) == content_hash(before):
        return now.slice(count)
    return now


def broken_columns(before: pa.Table, fresh: pa.Table, leave_out: Collection[str] = ()) -> list[BrokenColumn]:
    """Columns of `before` that broke in the fresh rows. Where these are fewer than 50, only what is gone or retyped."""
    found = []
    for name in before.column_names:
        if name in leave_out:
            continue
        broken = _broken(name, before, fresh)
        if broken is not None:
            found.append(broken)
    return found


def _broken(name: str, before: pa.Table, fresh: pa.Table) -> BrokenColumn | None:
    if name not in fresh.column_names:
        return BrokenColumn(name, "gone", f"column {name!r} is gone")
    old, new = column(before, name), column(fresh, name)
    if old.null_count == len(old):
        return None  # it never said anything
    empty = new.null_count == len(new)
    if _family(old.type) != _family(new.type) and not empty:
        return BrokenColumn(name, "type", f"{name!r} was {old.type} and is {new.type}")
    if len(new) < _FEW:
        return None
    was, missing = old.null_count / len(old), new.null_count / len(new)
    if wilson(new.null_count, len(new), _CONFIDENCE).low > was + _MORE_MISSING:
        return BrokenColumn(name, "missing", f"{name!r} is missing in {missing:.0%} of the new rows, {was:.0%} before")
    return _still(name, old, new) or _unit(name, old, new)


def _still(name: str, old: pa.ChunkedArray, new: pa.ChunkedArray) -> BrokenColumn | None:
    """Whether it stands still for much longer than it ever did: a month is the same in all of its rows."""
    known = pc.drop_null(new)
    if len(known) < _FEW or pc.count_distinct(known).as_py() != 1 or len(known) <= _STILLER * _longest_run(old):
        return None
    return BrokenColumn(name, "constant", f"{name!r} is {known[0].as_py()!r} in every new row")


def _longest_run(values: pa.ChunkedArray) -> int:
    """The most rows after each other with one value."""
    known = pc.drop_null(values).combine_chunks()
    ends = pc.run_end_encode(known).run_ends.to_numpy()
    return int(np.diff(ends, prepend=0).max())


def _unit(name: str, old: pa.ChunkedArray, new: pa.ChunkedArray) -> BrokenColumn | None:
    """Whether the same quantity is written in another unit."""
    if not is_number(old.type):
        return None
    then, today = (_values(one) for one in (old, new))
    if not len(then) or not len(today):
        return None
    found = changed_unit(np.quantile(then, QUANTILES), np.quantile(today, QUANTILES), min(len(then), len(today)))
    if found is None:
        return None
    means = f"{float(then.mean()):,.4g} on average and is {float(today.mean()):,.4g}"
    return BrokenColumn(name, "unit", f"{name!r} was {means}, {found.words}: the unit may be another")


def _values(values: pa.ChunkedArray) -> Floats:
    known = pc.drop_null(values).cast(pa.float64()).to_numpy()
    finite: Floats = known[np.isfinite(known)]
    return finite


def _family(kind: pa.DataType) -> str:
    """The type as people think of it: whole numbers and floats are numbers, dates and timestamps are times."""
    if is_number(kind):
        return "number"
    if is_text(kind):
        return "text"
    return "time" if is_time(kind) else str(kind)
