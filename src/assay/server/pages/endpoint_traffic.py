"""What was answered at an endpoint, by minute and version: rows, errors and how long they took.

A page view must not read the log again. Parts never change, so what DuckDB made of one is kept; of segments that are
still written only what is new is read. All is counts by minute, which add up.
"""

import math
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.parts import Part, all_parts, compacted_in, part_path, reading
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import segment_pieces
from assay.record.clock import iso, moment
from assay.record.store import Store

__all__ = ["Traffic", "TrafficOf", "last_moment", "traffic_of"]

_MINUTE_S = 60
_OCTAVE = 8  # bins of latency that double it: each is 9 % wide
_MOST_KEPT = 32  # endpoints
_ASKED = f"""
select epoch_us(moment) // {_MINUTE_S * 1_000_000} as minute, mv_id, role, status = 'error' as failed,
    cast(floor({_OCTAVE} * log2(greatest(latency_us, 1))) as integer) as bin, count(*) as rows
from read_parquet(?) where role != 'replay' group by all
"""  # noqa: S608 - numbers of this module

_Who = tuple[str, str]  # a version's id and its role
_Cell = tuple[str, str, str, bool, int]  # the minute as text, who, whether it failed, and the bin of its latency


class Cells(NamedTuple):
    """Counts of a file: row by row the minute after 1970, a place in `who`, whether it failed, a bin, how many."""

    who: list[_Who]
    minutes: NDArray[np.int64]
    places: NDArray[np.int64]
    failed: NDArray[np.bool_]
    bins: NDArray[np.int64]
    rows: NDArray[np.int64]


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


class TrafficOf:
    """Keeps the counts of one endpoint's log; asked from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, Cells] = {}
        self._segments: dict[str, Cells] = {}
        self._counts: dict[str, Counter[_Cell]] = {}  # of segments, which grow
        self._ends: dict[str, int] = {}

    def cells(self, store: Store, endpoint: str, since: datetime) -> list[Cells]:
        """The counts of all files that may have rows from `since` on, brought up to date."""
        folder = log_folder(store, endpoint)
        with self._lock, reading(folder):
            there = segments(folder)  # before the parts: what is compacted in between is in one of them
            parts = all_parts(store, endpoint)
            wanted = [part for part in parts if part.deleted is None and part.last_ts >= iso(since)]
            compacted = compacted_in(parts)
            for name in compacted.keys() & self._counts.keys():
                for kept in (self._segments, self._counts, self._ends):
                    kept.pop(name, None)
            for part in wanted:
                if part.part_id not in self._parts:
                    self._parts[part.part_id] = _of_part(store, part)
            for path in there:
                if path.name not in compacted:
                    self._read(path)
            return [self._parts[part.part_id] for part in wanted] + list(self._segments.values())

    def _read(self, path: Path) -> None:
        counts = self._counts.setdefault(path.name, Counter())
        before = self._ends.get(path.name, 0)
        for piece in segment_pieces(path, before):
            counts.update(map(_cell, (one for one in piece.predictions if one.role != "replay")))
            self._ends[path.name] = piece.end
        if counts and self._ends[path.name] != before:
            self._segments[path.name] = _of_counts(counts)


_KEPT: dict[str, TrafficOf] = {}  # by folder of the log: a page is a function, and what it has read outlives it
_KEPT_LOCK = threading.Lock()


def traffic_of(store: Store, endpoint: str, since: datetime, until: datetime, slices: int) -> list[Traffic]:
    """The counts of each version and role between two moments, in so many slices of equal length; most rows first."""
    return _summed(_known(store, endpoint).cells(store, endpoint, since), since, until, slices)


def last_moment(store: Store, endpoint: str) -> datetime | None:
    """The minute of the newest row, which in a replay lies in the past; None for an empty log."""
    cells = _known(store, endpoint).cells(store, endpoint, datetime.max.replace(tzinfo=UTC))
    found = [datetime.fromtimestamp(int(one.minutes.max()) * _MINUTE_S, UTC) for one in cells if len(one.minutes)]
    found += [moment(part.last_ts) for part in all_parts(store, endpoint) if part.deleted is None]
    return max(found, default=None)


def _known(store: Store, endpoint: str) -> TrafficOf:
    key = str(log_folder(store, endpoint))
    with _KEPT_LOCK:
        known = _KEPT.setdefault(key, TrafficOf())
        while len(_KEPT) > _MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]
    return known


def _summed(cells: Sequence[Cells], since: datetime, until: datetime, slices: int) -> list[Traffic]:
    who = list(dict.fromkeys(one for found in cells for one in found.who))
    width = max((int(found.bins.max()) + 1 for found in cells if len(found.bins)), default=0)
    latency = np.zeros((len(who), slices, width), dtype=np.int64)
    errors = np.zeros((len(who), slices), dtype=np.int64)
    start, length = since.timestamp(), (until - since).total_seconds()
    for found in cells:
        arms = np.array([who.index(one) for one in found.who], dtype=np.int64)[found.places]
        middles = found.minutes * _MINUTE_S + _MINUTE_S / 2
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


def _of_part(store: Store, part: Part) -> Cells:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        found = connection.execute(_ASKED, [str(part_path(store, part))]).fetchnumpy()
    pairs = list(zip(found["mv_id"].tolist(), found["role"].tolist(), strict=True))
    return _cells(pairs, found["minute"], found["failed"], found["bin"], found["rows"])


def _of_counts(counts: Counter[_Cell]) -> Cells:
    minutes, versions, roles, failed, bins = zip(*counts, strict=True)
    known = {text: int(moment(f"{text}:00Z").timestamp()) // _MINUTE_S for text in set(minutes)}
    pairs = list(zip(versions, roles, strict=True))
    return _cells(pairs, [known[text] for text in minutes], failed, bins, list(counts.values()))


def _cells(pairs: Sequence[_Who], minutes: ArrayLike, failed: ArrayLike, bins: ArrayLike, rows: ArrayLike) -> Cells:
    who = list(dict.fromkeys(pairs))
    order = {one: number for number, one in enumerate(who)}
    places = np.array([order[one] for one in pairs], dtype=np.int64)
    whole = [np.asarray(values).astype(np.int64) for values in (minutes, bins, rows)]
    return Cells(who, whole[0], places, np.asarray(failed).astype(bool), whole[1], whole[2])


def _cell(row: Prediction) -> _Cell:
    size = int(_OCTAVE * math.log2(row.latency_us)) if row.latency_us > 1 else 0
    return (row.event_ts or row.ts)[:16], row.mv_id, row.role, row.status == "error", size


def _quantile(histogram: Sequence[int] | NDArray[np.int64], p: float) -> float | None:
    """In milliseconds, in the middle of the bin in which it lies."""
    total = np.cumsum(histogram)
    if not len(total) or not total[-1]:
        return None
    place = int(np.searchsorted(total, p * total[-1]))
    return float(2 ** ((place + 0.5) / _OCTAVE) / 1000)
