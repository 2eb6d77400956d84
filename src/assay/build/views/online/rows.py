"""The one rule of online rows: which rows of a key are kept, what a write does, and what a read at a moment gives.

It is the knowledge-time join (`views/matching`) seen from one key. A row is visible from
`max(ts + delay, created)` on, strictly after it with `strict`.

* Single values: of the visible rows the greatest in (ts, created, arrival) is the current one. What can still become
  current is kept: the current row, and rows that become visible later and are greater than all visible before them. So
  a row from the future waits and hides nothing.
* Aggregates: of the visible versions of one event the greatest in (created, arrival) counts, while it is in a window.
  What can still count is kept, and what keeps another version from counting.

Kept is what a read at `horizon` or later needs; older moments may find less. Functions are pure, times microseconds.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.matching import EXPIRED, MISSING, NOTHING, NULL_KEY, PRESENT
from assay.build.views.matching.versions import events, is_timed
from assay.build.views.matching.wanted import whole

__all__ = [
    "NO_KEY", "Answered", "KeptRow", "Rule", "answer", "candidates", "counting", "kept_rows", "rule_of", "usable",
]  # fmt: skip

KeptRow: TypeAlias = tuple[Any, ...]  # (ts, created, arrival, *values)
_MOST = int(np.iinfo(np.int64).max)


class Rule(NamedTuple):
    """What a view says about when its rows count. Lengths are microseconds."""

    delay_us: int
    late_us: int  # 1 where a row does not count at the very moment
    ttl_us: int | None

    def visible_from(self, row: KeptRow) -> int:
        """The first moment at which a read sees the row."""
        return int(max(row[0] + self.delay_us, row[1]) + self.late_us)

    def visible(self, ts: NDArray[np.int64], created: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same of many rows."""
        seen = np.minimum(ts, _MOST - self.delay_us - 1) + self.delay_us
        found: NDArray[np.int64] = np.maximum(seen, np.minimum(created, _MOST - 1)) + self.late_us
        return found


class Answered(NamedTuple):
    """What a read gives: an index of `matching.STATUSES`, and the values behind the times of the row they are of.

    `row` is None where there is no value. Aggregates have values also where no row counts: then its times are NOTHING.
    """

    status: int
    row: KeptRow | None


# Half the time of calling it, which counts where thousands are read.
_answered: Callable[[tuple[int, KeptRow]], Answered] = partial(tuple.__new__, Answered)
NO_KEY = Answered(NULL_KEY, None)
_MISSING = Answered(MISSING, None)
_EXPIRED = Answered(EXPIRED, None)


def rule_of(view: FeatureView) -> Rule:
    """When the rows of a view count."""
    return Rule(view.delay_us, int(view.strict), view.ttl_us)


def answer(rows: Sequence[KeptRow], rule: Rule, now: int) -> Answered:
    """What a read at `now` gives, of rows as `kept_rows` returns them. The ttl counts now, its very end included."""
    delay_us, late_us, ttl_us = rule
    for row in reversed(rows):
        if row[0] + delay_us + late_us <= now and row[1] + late_us <= now:
            return _answered((PRESENT, row)) if ttl_us is None or row[0] >= now - ttl_us else _EXPIRED
    return _MISSING


def kept_rows(rows: Iterable[KeptRow], rule: Rule, horizon: int) -> list[KeptRow]:
    """Those of a key that a read at `horizon` or later may give, in the order in which they become visible.

    Each is greater in (ts, created, arrival) than those before it; all but the first are visible after `horizon`.
    """
    found: list[KeptRow] = []
    given = list(rows)
    visible = [(max(rule.visible_from(row), horizon), row[:3], place) for place, row in enumerate(given)]
    before = None
    for moment, rank, place in sorted(visible):
        if found and rank <= found[-1][:3]:
            continue
        if moment == before:
            found.pop()
        found.append(given[place])
        before = moment
    return found


def usable(rows: pa.Table, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows can ever be seen: with a key (its number is not -1) and with a `created`."""
    found: NDArray[np.bool_] = (codes >= 0) & (whole(rows.column(CREATED), NOTHING) != NOTHING)
    return found


def candidates(rows: pa.Table, codes: NDArray[np.int64], rule: Rule, horizon: int) -> NDArray[np.int64]:
    """Places of the rows that `kept_rows` would keep of each key alone, in order of key and visibility."""
    ts, created, arrival = _times(rows)
    places = np.flatnonzero(usable(rows, codes))
    rank = np.empty(rows.num_rows, np.int64)
    rank[np.lexsort((arrival, created, ts))] = np.arange(rows.num_rows)
    visible = np.maximum(rule.visible(ts, created), horizon)
    return places[_records(codes[places], visible[places], rank[places])]


def counting(
    rows: pa.Table, codes: NDArray[np.int64], view: FeatureView, longest_us: int, horizon: int
) -> NDArray[np.int64]:
    """Places of the rows of each key that aggregates need from `horizon` on, in order of key, ts and arrival.

    Where `event` columns let a correction change the ts, a version that has left all windows is kept for as long again
    as it may keep an older version, which comes late, from counting.
    """
    ts, created, arrival = _times(rows)
    places = np.flatnonzero(usable(rows, codes))
    places = places[np.lexsort((arrival[places], codes[places]))]
    again = (codes[places][1:] == codes[places][:-1]) & (arrival[places][1:] == arrival[places][:-1])
    places = places[np.append(True, ~again)[: len(places)]]
    gone = horizon - longest_us
    if is_timed(view):
        places = places[ts[places] > gone]
    values = rows.take(pa.array(places))
    codes, ts, created, arrival = codes[places], ts[places], created[places], arrival[places]
    rank = np.empty(len(places), np.int64)
    rank[np.lexsort((arrival, created))] = np.arange(len(places))
    event = _dense(codes, events(view, values, ts))
    visible = np.maximum(rule_of(view).visible(ts, created), horizon)
    kept = _records(event, visible, rank)
    if not is_timed(view):
        fresh = np.unique(event[kept][np.maximum(ts, created)[kept] > gone])
        kept = kept[np.isin(event[kept], fresh)]
    found: NDArray[np.int64] = places[kept[np.lexsort((arrival[kept], ts[kept], codes[kept]))]]
    return found


def _dense(codes: NDArray[np.int64], event: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each pair, from 0 on without gaps. One column at a time: NumPy sorts pairs ten times slower."""
    distinct, place = np.unique(event, return_inverse=True)
    _, number = np.unique(codes * len(distinct) + place, return_inverse=True)
    found: NDArray[np.int64] = number.astype(np.int64, copy=False)
    return found


def _records(group: NDArray[np.int64], visible: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the rows that are greater than all of their group that are visible before them or with them."""
    order = np.lexsort((rank, visible, group))
    group, visible, rank = group[order], visible[order], rank[order]
    height = group * (int(rank.max(initial=0)) + 1) + rank
    before = np.maximum.accumulate(np.append(-1, height))[:-1]
    last = np.append((group[1:] != group[:-1]) | (visible[1:] != visible[:-1]), True)[: len(order)]
    found: NDArray[np.int64] = order[last & (height > before)]
    return found


def _times(rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return whole(rows.column(TS)), whole(rows.column(CREATED), NOTHING), whole(rows.column(ARRIVAL))
