"""From which place in the order of label rows to which a row counts in a window, and what that makes of all rows."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.greatest import greatest
from assay.build.views.matching.kept_rows import Rows
from assay.build.views.matching.matching import NOTHING
from assay.build.views.matching.places import Places, later
from assay.build.views.matching.versions import counts_until, events

__all__ = ["Windows"]


class Windows:
    """The windows of a view over the label rows in `part` of the order, which has all label rows of its keys.

    Places are counted from the part's first; `rows` are all rows of its keys that count there. What a correction sets
    aside for all label rows is no more among `self.rows`, and `ties` is for how many a version is set aside.
    """

    def __init__(self, view: FeatureView, places: Places, part: range, rows: Rows) -> None:
        self.view, self.size = view, len(part)
        self._places, self._part = places, part
        self._stop = places.stop - part.start
        self.lengths = sorted({one.window_us for one in view.aggregates.values()}, reverse=True)
        own = rows.numbers.copy()
        own[1] -= part.start
        rows = Rows(own, rows.values)
        event = events(view, rows.values, rows.ts)
        until = counts_until(rows.code, event, rows.created, rows.arrival, rows.start, self.size)
        self.rows, self._until, self.ties = rows, self._stop[rows.code], 0
        if until is not None:
            aside = np.maximum(until, rows.start)
            left = np.maximum(self.place(rows.code, later(rows.ts, self.lengths[0])), aside)
            self.ties = int(np.count_nonzero(self.covering(aside, left)))
            counts = np.flatnonzero(rows.start < until)
            self.rows, self._until = rows.take(counts), np.minimum(self._until, until)[counts]
        self.ends = {length: self._before(later(self.rows.ts, length)) for length in self.lengths}

    @cached_property
    def newest(self) -> NDArray[np.int64]:
        """[places] the newest row in the longest window by (ts, created, arrival), -1 where none is."""
        rows, until = self.rows, self._until
        # Of rows that stay and are first seen in one place only the newest can be it. One that goes gives way.
        stays = until == self._stop[rows.code]
        best = np.full(self.size, NOTHING)
        np.maximum.at(best, rows.start[stays], rows.ts[stays])
        can = np.flatnonzero(~stays | (rows.ts == best[rows.start]))
        can = can[np.lexsort((rows.arrival[can], rows.created[can], rows.ts[can]))]
        rank = greatest(rows.start[can], until[can], np.arange(1, len(can) + 1), self.size)
        return self.inside(np.append(-1, can)[rank], self.lengths[0])

    def inside(self, row: NDArray[np.int64], length: int) -> NDArray[np.int64]:
        """[places] the row given for each place where it still is in the window there, else -1."""
        return np.where(np.append(self.ends[length], 0)[row] > np.arange(self.size), row, -1)

    def later(self) -> int:
        """How many label rows count a row that was written after their t."""
        written = self._before(later(self.rows.created, int(self.view.strict)))
        end = np.minimum(written, self.ends[self.lengths[0]])
        return int(np.count_nonzero(self.covering(self.rows.start, end)))

    def covering(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """[places] how many of the intervals [start, end) have it."""
        begun = np.bincount(start, minlength=self.size + 1)
        return np.cumsum(begun - np.bincount(end, minlength=self.size + 1))[: self.size]

    def place(self, code: NDArray[np.int64], moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first place of the key at or after the moment, else the one behind its last."""
        return self._places.first(code, moments) - self._part.start

    def _before(self, moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each row the end of its interval where it counts before the moment only; its start where nowhere."""
        return np.maximum(np.minimum(self.place(self.rows.code, moments), self._until), self.rows.start)
