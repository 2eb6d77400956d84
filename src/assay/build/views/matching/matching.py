"""Which row of a feature view each label row takes: the one place where that is decided, for all engines and online.

The label rows are put in order of (key, t). Each row of the view, wherever it stands in its source, goes to the first
label row that may see it, and there the greatest in (ts, created, arrival) is kept. At the end the greatest so far
within each key is what a label row takes. So the view's rows are looked at once, in any order, and what is kept grows
with the label rows alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.declared.history import ARRIVAL, ARRIVED, CREATED, TS, VISIBLE
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.wanted import Wanted, nulls, whole

__all__ = ["EXPIRED", "MISSING", "NOTHING", "NULL_KEY", "PRESENT", "STATUSES", "Matched", "Mode", "latest", "matched"]

Mode: TypeAlias = Literal["event", "known"]
STATUSES = ("present", "missing", "expired", "null_key")
PRESENT, MISSING, EXPIRED, NULL_KEY = range(4)
NOTHING = int(np.iinfo(np.int64).min)
_MOST = int(np.iinfo(np.int64).max)
_NEVER = _MOST


@dataclass(frozen=True)
class Matched:
    """What a view gives to each label row.

    `values` has the view's features, null where there is none; `status` an index of `STATUSES` (without t it is
    `missing`). `ts`, `created` and `arrival` are those of the row used, `NOTHING` where none is used or it has none.
    `later` counts label rows whose row was written after t, `ties` those for which created or arrival had to decide.
    """

    values: pa.Table
    status: NDArray[np.int8]
    ts: NDArray[np.int64]
    created: NDArray[np.int64]
    arrival: NDArray[np.int64]
    later: int
    ties: int

    def words(self) -> pa.Array:
        """The status of each label row as a word."""
        return pa.array(STATUSES).take(pa.array(self.status))

    def times(self) -> pa.Array:
        """The time of each row used, null where none is."""
        return pa.array(self.ts, mask=self.ts == NOTHING).cast(pa.timestamp("us", "UTC"))


def matched(wanted: Wanted, batches: Iterable[pa.Table], view: FeatureView, mode: Mode) -> Matched:
    """What the view gives to each label row, whether it has single values or aggregates."""
    if view.aggregates:
        from assay.build.views.matching.aggregating import windowed  # which gives what is defined here

        return windowed(wanted, batches, view, mode)
    return latest(wanted, batches, view, mode)


def latest(wanted: Wanted, batches: Iterable[pa.Table], view: FeatureView, mode: Mode) -> Matched:
    """The newest row that each label row may see, unless it is older than the ttl.

    `batches` are rows in the one form of history.py, at least one (perhaps empty) batch, in any order. InvalidInput for
    keys of another type than those of the label rows.
    """
    fold = _Fold(wanted, view, mode)
    for batch in batches:
        fold.add(batch)
    return fold.result()


class _Fold:
    def __init__(self, wanted: Wanted, view: FeatureView, mode: Mode) -> None:
        self.wanted, self.view, self.mode = wanted, view, mode
        self.keys, self.order = wanted.codes, wanted.order  # place in the order -> label row
        self.code, self.t = self.keys.codes[self.order], wanted.t[self.order]
        slots, keys = len(self.order), self.keys.count
        self.begin = np.searchsorted(self.code, np.arange(keys + 1))  # of each key, its first place
        self.ts = np.full(slots, NOTHING)
        self.created = np.full(slots, NOTHING)
        self.arrival = np.full(slots, NOTHING)
        self.same = np.zeros(slots, np.int64)  # rows that have the greatest ts
        self.kept = np.full(slots, -1)  # row of `self.rows`
        self.rows: list[pa.Table] = []
        self.held = 0
        # Of each key, and behind them of a row with none (-1), for which no label row is:
        self.last = np.full(keys + 1, NOTHING)  # the greatest t
        self.oldest = np.full(keys + 1, NOTHING)  # the least ts that has not expired for all label rows
        self.seen = np.full(keys + 1, _NEVER)  # when the first row showed that had expired for all
        there = np.flatnonzero(np.diff(self.begin))
        self.last[there] = self.t[self.begin[there + 1] - 1]
        if view.ttl_us is not None:
            self.oldest[there] = np.maximum(self.t[self.begin[there]], NOTHING + view.ttl_us) - view.ttl_us

    def add(self, batch: pa.Table) -> None:
        if not self.rows:
            self.rows.append(_values(batch, self.view).slice(0, 0))
        codes = self.keys.of(batch, self.view.name)
        ts = whole(batch.column(TS))
        visible = np.minimum(ts, _MOST - self.view.delay_us) + self.view.delay_us if self.view.delay_us else ts
        if VISIBLE in batch.column_names:
            visible = np.maximum(visible, whole(batch.column(VISIBLE)))
        if self.mode == "known":
            visible = np.maximum(visible, whole(batch.column(CREATED), _NEVER))
        last = self.last[codes]
        rows = np.flatnonzero(visible < last if self.view.strict else visible <= last)
        codes, ts, visible = codes[rows], ts[rows], visible[rows]
        if self.view.ttl_us is not None:
            rows, codes, ts, visible = self._fresh(self.oldest[codes], rows, codes, ts, visible)
        if not len(rows):
            return
        slots = self._first_to_see(codes, visible)
        better = np.flatnonzero(ts >= self.ts[slots])  # than what is kept: few, after some batches
        if len(better):
            self._keep(batch, rows[better], slots[better], ts[better])

    def _fresh(
        self, oldest: NDArray[np.int64], *given: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Of rows, codes, ts and visible those that are not older; of others only is noted that they were seen."""
        rows, codes, ts, visible = given
        old = ts < oldest
        if not old.any():
            return rows, codes, ts, visible
        np.minimum.at(self.seen, codes[old], visible[old])
        fresh = np.flatnonzero(~old)
        return rows[fresh], codes[fresh], ts[fresh], visible[fresh]

    def _first_to_see(self, codes: NDArray[np.int64], visible: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the first label row of the key that may see what is visible from then on; there is one.

        All rows halve the places of their key at once.
        """
        found = self.begin[codes]
        left = self.begin[codes + 1] - found - 1  # the last place is one that may see it
        rows = np.flatnonzero(left)
        low, left, visible = found[rows], left[rows], visible[rows]
        while len(rows):
            half = left >> 1
            t = self.t[low + half]
            later = t <= visible if self.view.strict else t < visible
            low = np.where(later, low + half + 1, low)
            left = np.where(later, left - half - 1, half)
            found[rows] = low
            still = np.flatnonzero(left)
            rows, low, left, visible = rows[still], low[still], left[still], visible[still]
        return found

    def _keep(self, batch: pa.Table, rows: NDArray[np.int64], slots: NDArray[np.int64], ts: NDArray[np.int64]) -> None:
        before = self.ts[slots]
        np.maximum.at(self.ts, slots, ts)
        now = self.ts[slots]
        better = slots[now > before]
        self.created[better] = self.arrival[better] = NOTHING
        self.same[better] = 0
        best = np.flatnonzero(ts == now)
        rows, slots = rows[best], slots[best]
        np.add.at(self.same, slots, 1)
        created = whole(batch.column(CREATED), NOTHING)[rows]
        before = self.created[slots]
        np.maximum.at(self.created, slots, created)
        now = self.created[slots]
        self.arrival[slots[now > before]] = NOTHING
        best = np.flatnonzero(created == now)
        rows, slots = rows[best], slots[best]
        arrival = whole(batch.column(ARRIVAL))[rows]
        before = self.arrival[slots]
        np.maximum.at(self.arrival, slots, arrival)
        best = np.flatnonzero((arrival == self.arrival[slots]) & (arrival > before))
        rows, slots = rows[best], slots[best]
        self.kept[slots] = self.held + np.arange(len(rows))
        self.rows.append(_values(batch, self.view).take(pa.array(rows)))
        self.held += len(rows)
        if self.held > 4 * len(self.order) + 65_536:
            self._forget()

    def _forget(self) -> None:
        """Let go of rows that better ones have taken the place of."""
        slots = np.flatnonzero(self.kept >= 0)
        self.rows = [pa.concat_tables(self.rows).take(pa.array(self.kept[slots]))]
        self.held = len(slots)
        self.kept[slots] = np.arange(len(slots))

    def result(self) -> Matched:
        found = self._greatest_so_far()
        t, ttl = self.t, self.view.ttl_us
        there = found >= 0
        best = np.maximum(found, 0)
        ts = np.where(there, self.ts[best], NOTHING) if len(found) else self.ts
        stale = there & (ts < np.maximum(t, NOTHING + ttl) - ttl) if ttl is not None else np.zeros(len(t), bool)
        first = self.seen[self.code]
        stale |= ~there & (first != _NEVER) & ((first < t) if self.view.strict else (first <= t))
        there &= ~stale
        tied = self._tied(found) & there
        count = len(self.wanted.t)
        status = np.full(count, MISSING, np.int8)
        for values in self.wanted.keys.columns:
            status[nulls(values)] = NULL_KEY
        status[self.order[stale]] = EXPIRED
        status[self.order[there]] = PRESENT
        used, slots = self.order[there], found[there]
        columns = []
        for state in (self.ts, self.created, self.arrival):
            column = np.full(count, NOTHING)
            column[used] = state[slots]
            columns.append(column)
        created = columns[1][used]
        late = created >= self.wanted.t[used] if self.view.strict else created > self.wanted.t[used]
        later = int(np.count_nonzero(late & (created != NOTHING)))
        taken = np.full(count, -1)
        taken[used] = self.kept[slots]
        rows = pa.concat_tables(self.rows) if self.rows else pa.table({name: pa.nulls(0) for name in _named(self.view)})
        values = rows.take(pa.array(taken, mask=taken < 0))
        return Matched(values, status, columns[0], columns[1], columns[2], later, int(np.count_nonzero(tied)))

    def _greatest_so_far(self) -> NDArray[np.int64]:
        """For each place in the order that of the greatest row of its key up to there, -1 where none is."""
        best = np.where(self.kept >= 0, np.arange(len(self.kept)), -1)
        back, longest = 1, int(np.diff(self.begin).max(initial=0))
        while back < longest:  # what the place so far back has found, and it all before it
            there, other = best[back:], best[:-back]
            same = self.code[back:] == self.code[:-back]
            best = np.append(best[:back], np.where(same & self._is_greater(other, there), other, there))
            back *= 2
        return best

    def _is_greater(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the rows at some places are greater than those at others; none, which is -1, is less than any."""
        greater = (one >= 0) & (other < 0)
        both = np.flatnonzero((one >= 0) & (other >= 0))
        one, other = one[both], other[both]
        ts, created, arrival = (state[one] > state[other] for state in (self.ts, self.created, self.arrival))
        same_ts, same_created = (state[one] == state[other] for state in (self.ts, self.created))
        greater[both] = ts | same_ts & (created | same_created & arrival)
        return greater

    def _tied(self, found: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether among what a label row sees several rows have the ts of the one it takes."""
        if not len(found):
            return np.zeros(0, bool)
        ts = np.where(found >= 0, self.ts[np.maximum(found, 0)], NOTHING)
        begins = np.append(True, (self.code[1:] != self.code[:-1]) | (ts[1:] != ts[:-1]))
        running = np.cumsum(np.where(self.ts == ts, self.same, 0))
        before = running - np.where(self.ts == ts, self.same, 0)
        several: NDArray[np.bool_] = running - before[begins][np.cumsum(begins) - 1] > 1
        return several


def _values(batch: pa.Table, view: FeatureView) -> pa.Table:
    own = {*view.entity, TS, CREATED, ARRIVAL, ARRIVED, VISIBLE}
    return batch.select([name for name in batch.column_names if name not in own])


def _named(view: FeatureView) -> list[str]:
    return list(view.features or ())
