"""The rows of a window out of the prediction log, read without reading the rest.

A log has its parts on record with their first and last moments. Segments that are not in a part yet are gone through
once: how far they were, and which moments stand where, is kept in a file beside them that anybody may delete.
"""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.operate.monitors.spans import Span
from assay.operate.predictions.columns import Signatures, empty_table, prediction_table, put_together
from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.parts import (
    POSITION,
    SEGMENT,
    Part,
    all_parts,
    compacted_in,
    read_part,
    reading,
)
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import segment_pieces
from assay.record.clock import iso, to_us
from assay.record.files import write_whole
from assay.record.store import Store

__all__ = ["LogWindows"]

_INDEX = "moments.json"
_TABLES = 2  # that are kept in memory
_AT_ONCE = 200_000  # rows that are read ahead
_SMALL = 1 << 20  # a stretch of a segment grows up to so many bytes before a new one begins


class _Stretch(msgspec.Struct, array_like=True):
    """Records of a segment from `begin` to `end`, in bytes, and the first and last of their moments."""

    begin: int
    end: int
    first: str
    last: str
    rows: int


class LogWindows:
    """Windows of one endpoint's log. Live answers only: a shadow answers nobody."""

    def __init__(self, store: Store, endpoint: str) -> None:
        self.store, self.endpoint = store, endpoint
        self._folder = log_folder(store, endpoint)
        self._signatures = Signatures(store)
        self._index: dict[str, list[_Stretch]] | None = None
        self._parts: list[Part] = []
        self._recent: dict[Span, pa.Table] = {}

    def refresh(self) -> None:
        """Take note of what was logged since the last time."""
        self._recent.clear()
        index = self._read_index() if self._index is None else self._index
        with reading(self._folder):
            there = segments(self._folder)
            self._parts = all_parts(self.store, self.endpoint)
            compacted = compacted_in(self._parts)
            loose = [path for path in there if path.name not in compacted]
            found = {path.name: list(index.get(path.name, ())) for path in loose}
            grown = [_grow(path, found[path.name]) for path in loose]
        if any(grown) or found.keys() != index.keys():
            with contextlib.suppress(OSError):  # whoever may only read goes through it again next time
                write_whole(self._folder / _INDEX, msgspec.json.encode(found))
        self._index = found

    def first_moment(self) -> str | None:
        """The moment of the first row; None for an empty log."""
        moments = [part.first_ts for part in self._parts if part.rows and part.deleted is None]
        moments += [one.first for several in (self._index or {}).values() for one in several]
        return min(moments, default=None)

    def last_moment(self) -> str | None:
        """The moment of the last row; None for an empty log."""
        moments = [part.last_ts for part in self._parts if part.rows and part.deleted is None]
        moments += [one.last for several in (self._index or {}).values() for one in several if one.rows]
        return max(moments, default=None)

    def rows_since(self, since: str) -> int:
        """How many rows there may be from a moment on, at most: whole stretches are counted."""
        parts = sum(part.rows for part in self._parts if part.deleted is None and part.last_ts >= since)
        loose = sum(one.rows for several in (self._index or {}).values() for one in several if one.last >= since)
        return parts + loose

    def next_moment(self, since: str) -> str | None:
        """No row from `since` on comes before this moment; None where there is none."""
        spans = [(part.first_ts, part.last_ts) for part in self._parts if part.deleted is None and part.rows]
        spans += [(one.first, one.last) for several in (self._index or {}).values() for one in several]
        return min((max(first, since) for first, last in spans if last >= since), default=None)

    def read(self, span: Span) -> pa.Table:
        """The live rows with a moment in the span, in order of it, as `refresh` found them."""
        for wide, table in self._recent.items():
            if wide.started <= span.started and span.ended <= wide.ended:
                moments = table["moment"].cast(pa.int64()).to_numpy()
                begin, end = np.searchsorted(moments, [to_us(span.started), to_us(span.ended)]).tolist()
                return table.slice(begin, end - begin)
        if len(self._recent) >= _TABLES:
            self._recent.pop(next(iter(self._recent)))
        wide = self._ahead(span)
        self._recent[wide] = self._read(wide)
        return self.read(span)

    def _ahead(self, span: Span) -> Span:
        """The span and as many like it behind it as have few rows together: a stretch is not read for each again."""
        length = span.ended - span.started
        for times in (64, 16, 4):
            wide = Span(span.started, span.ended + times * length)
            if self._rows_between(iso(wide.started), iso(wide.ended)) <= _AT_ONCE:
                return wide
        return span

    def _rows_between(self, begin: str, end: str) -> int:
        found = [(one.first_ts, one.last_ts, one.rows) for one in self._parts if one.deleted is None]
        found += [(one.first, one.last, one.rows) for several in (self._index or {}).values() for one in several]
        return sum(rows for first, last, rows in found if last >= begin and first < end)

    def _read(self, span: Span) -> pa.Table:
        begin, end = iso(span.started), iso(span.ended)
        tables = [_inside(table, span) for table in self._tables(begin, end)]
        table = put_together([table for table in tables if table.num_rows] or [empty_table()])
        return table.sort_by([("moment", "ascending"), ("id", "ascending")])

    def _tables(self, begin: str, end: str) -> Iterator[pa.Table]:
        with reading(self._folder):
            for part in self._parts:
                if part.deleted is None and part.rows and part.last_ts >= begin and part.first_ts < end:
                    for table in read_part(self.store, part):
                        yield table.drop_columns([SEGMENT, POSITION])
            for name, stretches in (self._index or {}).items():
                for one in stretches:
                    if one.last >= begin and one.first < end and (self._folder / name).exists():
                        yield prediction_table(_records(self._folder / name, one), self._signatures)

    def _read_index(self) -> dict[str, list[_Stretch]]:
        try:
            return msgspec.json.decode((self._folder / _INDEX).read_bytes(), type=dict[str, list[_Stretch]])
        except (FileNotFoundError, msgspec.DecodeError):  # it is made again
            return {}


def _grow(path: Path, known: list[_Stretch]) -> bool:
    """Note the stretches of a segment that are new; whether there were any."""
    is_grown = False
    for piece in segment_pieces(path, known[-1].end if known else 0):
        is_grown = True
        moments = [one.event_ts or one.ts for one in piece.predictions]
        begin = known[-1].end if known else 0
        if not moments:  # only a gap
            if known:
                known[-1].end = piece.end
            else:
                known.append(_Stretch(0, piece.end, "9", "0", 0))
            continue
        first, last = min(moments), max(moments)
        if known and known[-1].end - known[-1].begin < _SMALL:
            one = known[-1]
            one.end, one.rows = piece.end, one.rows + len(moments)
            one.first, one.last = min(one.first, first), max(one.last, last)
        else:
            known.append(_Stretch(begin, piece.end, first, last, len(moments)))
    return is_grown


def _records(path: Path, one: _Stretch) -> list[Prediction]:
    found: list[Prediction] = []
    for piece in segment_pieces(path, one.begin):
        found += [record for record, end in zip(piece.predictions, piece.ends, strict=True) if end <= one.end]
        if piece.end >= one.end:
            break
    return found


def _inside(table: pa.Table, span: Span) -> pa.Table:
    def time(moment: datetime) -> pa.Scalar:
        return pa.scalar(moment, table["moment"].type)

    inside = pc.and_(pc.greater_equal(table["moment"], time(span.started)), pc.less(table["moment"], time(span.ended)))
    return table.filter(pc.and_(inside, pc.equal(table["role"], "live")))
