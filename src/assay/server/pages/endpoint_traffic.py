"""What was answered at an endpoint, by minute and version: rows, errors and how long they took.

A page view must not read the log again. Parts have their counts with them and never change; of segments only what is
new is read, the newest first and as long as somebody wants to wait: the rest is read in the background, and the page
says so. All is counts by minute, which add up.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.minutes import (
    MINUTE_S,
    Cell,
    Minutes,
    cell_of,
    latency_us,
    minutes_in,
    minutes_of_predictions,
)
from assay.operate.predictions.parts import Part, all_parts, compacted_in, part_path, reading
from assay.operate.predictions.reading import segment_pieces
from assay.record.clock import iso, moment
from assay.record.store import Store

__all__ = ["Shown", "Traffic", "TrafficOf", "traffic_of"]

_MOST_KEPT = 32  # endpoints
_PATIENCE_S = 0.3


class Traffic(NamedTuple):
    """Counts of one version in one role: `rows` and `errors` by slice of time, and a histogram of latency by slice."""

    mv_id: str
    role: str
    rows: NDArray[np.int64]
    errors: NDArray[np.int64]
    latency: NDArray[np.int64]  # [slices, bins]

    def quantile_ms(self, p: float) -> float | None:
        """A quantile of the latency over all slices, in milliseconds; None without rows."""
        return _quantile(self.latency.sum(axis=0), p)

    def quantiles_ms(self, p: float) -> list[float | None]:
        """The same of each slice."""
        return [_quantile(one, p) for one in self.latency]


class Shown(NamedTuple):
    """The counts of each version and role, most rows first, in slices up to `until`. `is_whole` says that nothing of
    the log is still to be counted.
    """

    traffic: list[Traffic]
    until: datetime
    is_whole: bool


class TrafficOf:
    """Keeps the counts of one endpoint's log; asked from any thread."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._folder = folder
        self._lock = threading.Lock()  # held for one piece of a file at most
        self._parts: dict[str, Minutes] = {}
        self._counts: dict[str, Counter[Cell]] = {}  # of segments, which grow
        self._minutes: dict[str, tuple[int, Minutes]] = {}  # the same as numbers, with the end they were made at
        self._ends: dict[str, int] = {}
        self._reader: threading.Thread | None = None

    def counts(self, store: Store, since: datetime, patience_s: float) -> tuple[list[Minutes], list[Part], bool]:
        """The counts of what was written from `since` on, the parts there are, and whether these are all counts."""
        deadline = time.monotonic() + patience_s
        with reading(self._folder):
            there = segments(self._folder)  # before the parts: what is compacted in between is in one of them
            parts = all_parts(store, self._endpoint)
            live = [part for part in parts if part.deleted is None]
            loose = self._only(there, compacted_in(parts), live)
            wanted = [part for part in live if part.last_ts >= iso(since)]
            wanted.sort(key=lambda part: part.last_ts, reverse=True)
            recent = [path for path in loose if path.stat().st_mtime >= since.timestamp()]
            is_whole = self._read(store, recent[::-1], wanted, deadline)
            if not is_whole:
                self._read_on(store, since)
            with self._lock:
                found = [self._parts[part.part_id] for part in wanted if part.part_id in self._parts]
                found += [self._numbers(path.name) for path in recent if path.name in self._counts]
        return found, live, is_whole

    def _only(self, there: list[Path], compacted: dict[str, int], live: list[Part]) -> list[Path]:
        """The segments that are in no part; what is known of others is forgotten."""
        with self._lock:
            loose = [path for path in there if path.name not in compacted]
            names, ids = {path.name for path in loose}, {part.part_id for part in live}
            for kept in (self._counts, self._minutes, self._ends):
                for name in kept.keys() - names:
                    kept.pop(name, None)
            for part_id in self._parts.keys() - ids:
                del self._parts[part_id]
        return loose

    def _read(self, store: Store, paths: Sequence[Path], parts: Sequence[Part], deadline: float) -> bool:
        """Count what is not counted yet, until the deadline; whether all is."""
        for part in parts:
            with self._lock:
                if part.part_id not in self._parts:
                    self._parts[part.part_id] = minutes_in(part_path(store, part))
            if time.monotonic() > deadline:
                return False
        for path in paths:
            while self._count(path):
                if time.monotonic() > deadline:
                    return False
        return True

    def _count(self, path: Path) -> bool:
        """Count the next piece of a segment; False where there is none."""
        with self._lock:
            for piece in segment_pieces(path, self._ends.get(path.name, 0)):
                counts = self._counts.setdefault(path.name, Counter())
                counts.update(map(cell_of, (one for one in piece.predictions if one.role != "replay")))
                self._ends[path.name] = piece.end
                return True
        return False

    def _numbers(self, name: str) -> Minutes:
        end, known = self._minutes.get(name, (-1, None))
        if known is None or end != self._ends[name]:
            known = minutes_of_predictions(self._counts[name])
            self._minutes[name] = (self._ends[name], known)
        return known

    def _read_on(self, store: Store, since: datetime) -> None:
        with self._lock:
            if self._reader is None or not self._reader.is_alive():
                given = (store, since, math.inf)
                self._reader = threading.Thread(target=self.counts, args=given, name="traffic", daemon=True)
                self._reader.start()


_KEPT: dict[str, TrafficOf] = {}  # by folder of the log: a page is a function, and what it has read outlives it
_KEPT_LOCK = threading.Lock()


def traffic_of(
    store: Store, endpoint: str, length: timedelta, slices: int, *, patience_s: float = _PATIENCE_S
) -> Shown:
    """The counts of so much time in slices of equal length: until now, or where nothing was answered in it, until the
    newest row, which in a replay lies in the past.
    """
    known, now = _known(store, endpoint), store.clock.now()
    counts, parts, is_whole = known.counts(store, now - length, patience_s)
    traffic = _summed(counts, now - length, now, slices)
    if traffic:
        return Shown(traffic, now, is_whole)
    last = max((moment(part.last_ts) for part in parts), default=None)
    since = datetime.min.replace(tzinfo=UTC) if last is None else last - length
    counts, _, is_whole = known.counts(store, since, patience_s)
    found = [datetime.fromtimestamp(int(one.minutes.max()) * MINUTE_S, UTC) for one in counts if len(one.minutes)]
    newest = max([*found, *([] if last is None else [last])], default=None)
    until = now if newest is None or newest > now else newest + timedelta(minutes=1)
    return Shown(_summed(counts, until - length, until, slices), until, is_whole)


def _known(store: Store, endpoint: str) -> TrafficOf:
    key = str(log_folder(store, endpoint))
    with _KEPT_LOCK:
        known = _KEPT.setdefault(key, TrafficOf(endpoint, Path(key)))
        while len(_KEPT) > _MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]
    return known


def _summed(counts: Sequence[Minutes], since: datetime, until: datetime, slices: int) -> list[Traffic]:
    who = list(dict.fromkeys(one for found in counts for one in found.who))
    width = max((int(found.bins.max()) + 1 for found in counts if len(found.bins)), default=0)
    shape = (len(who), slices, width)
    latency, errors = np.zeros(shape, dtype=np.int64), np.zeros(shape[:2], dtype=np.int64)
    start, length = since.timestamp(), (until - since).total_seconds()
    for found in counts:
        arms = np.array([who.index(one) for one in found.who], dtype=np.int64)[found.places]
        middles = found.minutes * MINUTE_S + MINUTE_S / 2
        place = np.floor((middles - start) / length * slices).astype(np.int64)
        inside = (place >= 0) & (place < slices)
        np.add.at(latency, (arms[inside], place[inside], found.bins[inside]), found.rows[inside])
        bad = inside & found.failed
        np.add.at(errors, (arms[bad], place[bad]), found.rows[bad])
    traffic = [
        Traffic(mv_id, role, latency[number].sum(axis=1), errors[number], latency[number])
        for number, (mv_id, role) in enumerate(who)
    ]
    return sorted((one for one in traffic if one.rows.any()), key=lambda one: -int(one.rows.sum()))


def _quantile(histogram: Sequence[int] | NDArray[np.int64], p: float) -> float | None:
    """In milliseconds, in the middle of the bin in which it lies."""
    total = np.cumsum(histogram)
    if not len(total) or not total[-1]:
        return None
    return latency_us(int(np.searchsorted(total, p * total[-1])) + 0.5) / 1000
