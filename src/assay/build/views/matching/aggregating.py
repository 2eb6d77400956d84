"""Aggregates over windows of time, as of the moment of each label row: the one place where they are decided.

At t an aggregate over w counts the rows with ts in (t - w, t] that are visible at t; with `strict` those of (t - w, t).
Label rows stand in order of (key, t), so a row of the view counts from one place of that order to another: from where
it is first seen to where it has left the window or a correction of it is seen. Differences are added at both ends and
summed up once. Rows may come in any order and any batches; those that count for some label row are kept.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column
from assay.build.views.declared.history import ARRIVAL, CREATED, TS, VISIBLE, value_columns
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.kept_rows import KeptRows, Rows
from assay.build.views.matching.matching import MISSING, NOTHING, NULL_KEY, PRESENT, Matched, Mode
from assay.build.views.matching.places import Places, later
from assay.build.views.matching.versions import is_timed
from assay.build.views.matching.wanted import KeyCodes, Wanted, nulls, whole
from assay.build.views.matching.window_values import check_columns, window_values
from assay.build.views.matching.windows import Windows

__all__ = ["windowed"]

_AT_ONCE = 1 << 16  # rows: so many at once stay in the processor's cache
_THREADS = min(os.cpu_count() or 1, 8)
_NEVER = int(np.iinfo(np.int64).max)


def windowed(wanted: Wanted, batches: Iterable[pa.Table], view: FeatureView, mode: Mode) -> Matched:
    """The aggregates of the view for each label row.

    A row is visible from `ts + delay` on, in mode "known" not before `created` and never without one; `strict`: only
    after that. Of the versions of one event (same key and same `event` columns, by default the same ts) the greatest
    by (created, arrival) that is visible counts, if it lies in the window itself, and no other. Nulls are not counted,
    but by a count without column; a null `last` is the newest row's. Where no row counts, `count` and `distinct` are 0
    and the others null; where key or t is null all are. Sums of floats are the double nearest to the true sum, a mean
    is that divided by the count; a sum of infinities of both signs is null, as NaN is everywhere.

    Status is `present` where a row counts in the longest window, whose newest `ts`, `created` and `arrival` stand
    beside it; `later` are label rows for which a row counts that was written after t, `ties` those for which a version
    is set aside. `batches` are rows in the one form of history.py, at least one (perhaps empty) batch. InvalidInput for
    a column that an aggregate cannot be of, and a sum of whole numbers beyond 64 bits.
    """
    fold = _Fold(wanted, view, mode)
    with fold.kept:
        for batch in batches:
            fold.add(batch)
        return fold.result()


@dataclass(frozen=True)
class _Found:
    """What one part of the order of label rows has, by place."""

    values: pa.Table
    newest: NDArray[np.int64]  # [3, places] ts, created and arrival
    later: int
    ties: int


class _Fold:
    def __init__(self, wanted: Wanted, view: FeatureView, mode: Mode) -> None:
        self.wanted, self.view, self.mode = wanted, view, mode
        self.keys = KeyCodes(wanted.keys)
        self.labels = np.flatnonzero(wanted.known)
        self.places = Places(self.keys.codes[self.labels], wanted.t[self.labels], max(self.keys.count, 1))
        self.longest = max(one.window_us for one in view.aggregates.values())
        self.kept = KeptRows(self.places)

    def add(self, batch: pa.Table) -> None:
        """Keep what of a batch counts for some label row."""
        if batch.num_rows > _AT_ONCE:
            for first in range(0, batch.num_rows, _AT_ONCE):
                self.add(batch.slice(first, _AT_ONCE))
            return
        values = pa.table({name: column(batch, name) for name in value_columns(self.view, batch.column_names)})
        check_columns(self.view, values.schema)
        codes = self.keys.of(batch, self.view.name)
        asked = np.flatnonzero(codes >= 0)
        codes, ts, created = codes[asked], whole(batch.column(TS))[asked], whole(batch.column(CREATED), NOTHING)[asked]
        seen = later(ts, self.view.delay_us)
        if VISIBLE in batch.column_names:
            seen = np.maximum(seen, whole(batch.column(VISIBLE))[asked])
        if self.mode == "known":
            seen = np.where(created == NOTHING, _NEVER, np.maximum(seen, created))
        start = self.places.first(codes, later(seen, int(self.view.strict)))
        # A version that is too old for every window may still replace one that is not, if its time was corrected.
        end = self.places.first(codes, later(ts, self.longest)) if is_timed(self.view) else self.places.stop[codes]
        there = np.flatnonzero(start < end)
        there = there[self.kept.in_order(codes[there])]
        rows = asked[there]
        arrival = whole(batch.column(ARRIVAL))[rows]
        numbers = np.stack((codes[there], start[there], ts[there], created[there], arrival))
        self.kept.add(Rows(numbers, values.take(pa.array(rows))))

    def result(self) -> Matched:
        """What all batches together give."""
        parts, rows = zip(*self.kept.parts(), strict=True)
        if len(parts) == 1:
            found = [self._of_part(parts[0], rows[0])]
        else:
            with ThreadPoolExecutor(_THREADS) as threads:  # most of NumPy lets the other threads run
                found = list(threads.map(self._of_part, parts, rows))
        count, label = len(self.wanted.t), self.labels[self.places.order]
        newest = np.full((3, count), NOTHING)
        newest[:, label] = np.concatenate([one.newest for one in found], axis=1)
        status = np.full(count, MISSING, np.int8)
        for key in self.wanted.keys.columns:
            status[nulls(key)] = NULL_KEY
        status[newest[0] != NOTHING] = PRESENT
        order = np.full(count, -1)
        order[label] = np.arange(len(label))
        values = pa.concat_tables([one.values for one in found], promote_options="default")
        return Matched(
            values.take(pa.array(order, mask=order < 0)),
            status,
            newest[0],
            newest[1],
            newest[2],
            sum(one.later for one in found),
            sum(one.ties for one in found),
        )

    def _of_part(self, part: range, rows: Callable[[], Rows]) -> _Found:
        windows = Windows(self.view, self.places, part, rows())
        newest = np.full((3, len(part)), NOTHING)
        there = np.flatnonzero(windows.newest >= 0)
        newest[:, there] = windows.rows.numbers[2:, windows.newest[there]]
        is_dated = self.mode == "event" and self.view.created is not None
        return _Found(window_values(windows), newest, windows.later() if is_dated else 0, windows.ties)
