"""What is kept of a view of aggregates: for each key the rows that can still count in a window.

What they give between two moments at which a row comes into a window or leaves it stays the same, so a read works it
out for some of these moments at once, by the fold of the offline join, and later reads look it up.
"""

import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.aggregating import windowed
from assay.build.views.matching.matching import MISSING, NOTHING, Matched
from assay.build.views.matching.wanted import Wanted, whole
from assay.build.views.online.newest_rows import Folded
from assay.build.views.online.packing import python_rows
from assay.build.views.online.rows import NO_KEY, Answered, counting, rule_of
from assay.build.views.online.shelf import Found

__all__ = ["Line", "WindowRows"]

_KEY = "__key"
_AHEAD = 4_096  # moments that are worked out at once, for all keys of a read together
_OF_A_KEY = 128  # and of each
_HELD = 200_000  # moments that are remembered in all
_FOREVER = int(np.iinfo(np.int64).max)


class Line(NamedTuple):
    """What a key gives from `moments[0]` on: `answers` from each moment to the next, the last one up to `until`."""

    revision: int
    moments: list[int]
    answers: list[Answered]
    until: int

    def at(self, now: int) -> Answered:
        """What it gives then."""
        return self.answers[bisect_right(self.moments, now) - 1]


class WindowRows:
    """Rows of a view as bytes by key, and what they answer. Remembers answers by the revision of a key."""

    def __init__(self, view: FeatureView, values: pa.Schema) -> None:
        self._view, self._rule = view, rule_of(view)
        self._lengths = sorted({one.window_us for one in view.aggregates.values()})
        times = [pa.field(name, pa.int64()) for name in (TS, CREATED, ARRIVAL)]
        self._schema = pa.schema([*times, *[pa.field(field.name, _plain(field.type)) for field in values]])
        self._keyed = replace(view, entity=(_KEY,))
        none = np.zeros(0, np.int64)
        self.features = list(view.aggregates)
        self.types = self._at(self._schema.empty_table(), none, none, none).values.select(self.features).schema.types
        empty = [0 if one.kind in ("count", "distinct") else None for one in view.aggregates.values()]
        self._missing = Answered(MISSING, (NOTHING, NOTHING, NOTHING, *empty))
        self._lines: dict[bytes, Line] = {}
        self._size = 0
        self._lock = threading.Lock()

    def few(self, rows: pa.Table, codes: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
        """Places of the rows that can matter, whatever is there already."""
        return counting(rows, codes, self._view, self._lengths[-1], horizon)

    def folded(
        self, before: Sequence[bytes | None], rows: pa.Table, codes: NDArray[np.int64], now: int, horizon: int
    ) -> list[Folded]:
        """The keys that change when rows come to what is there; `codes` says of each row whose it is."""
        there = [self._unpacked(data) for data in before]
        old = np.repeat(np.arange(len(before)), [batch.num_rows for batch in there])
        new = rows.select(self._schema.names).cast(self._schema)
        table = pa.concat_tables([pa.Table.from_batches(there, self._schema), new])
        table, codes = table.combine_chunks(), np.concatenate((old, codes))
        chosen = self.few(table, codes, horizon)
        kept, codes, came = table.take(pa.array(chosen)).combine_chunks(), codes[chosen], chosen >= len(old)
        seen = self._rule.visible(whole(kept.column(TS)), whole(kept.column(CREATED))) <= now
        applied, waiting = (np.bincount(codes[came & part], minlength=len(before)) for part in (seen, ~seen))
        edges = np.searchsorted(codes, np.arange(len(before) + 1))
        dropped = np.bincount(old, minlength=len(before)) != np.bincount(codes[~came], minlength=len(before))
        changed = np.flatnonzero(dropped | (applied > 0) | (waiting > 0))
        found = []
        for place in changed.tolist():
            first, count = int(edges[place]), int(edges[place + 1] - edges[place])
            data = _packed(kept.slice(first, count)) if count else None
            found.append(Folded(place, data, int(applied[place]), int(waiting[place])))
        return found

    def held(self, keys: Sequence[bytes], now: int) -> dict[bytes, Line]:
        """What is remembered of these keys that holds at this moment, if they have not changed."""
        lines = self._lines
        return {
            key: line for key in keys if (line := lines.get(key)) is not None and line.moments[0] <= now < line.until
        }

    def answers(
        self, keys: Sequence[bytes | None], found: Mapping[bytes, Found], now: int, held: Mapping[bytes, Line]
    ) -> list[Answered]:
        """What each key gives at a moment, of what is kept, and where it has not changed of what is held."""
        new = {key: row for key, row in found.items() if row[1] is not None}
        lines = {key: held[key] for key in found if key not in new}
        if new:
            lines.update(self._worked_out(new, now))
        return [NO_KEY if key is None else line.at(now) if (line := lines.get(key)) else self._missing for key in keys]

    def _worked_out(self, found: Mapping[bytes, Found], now: int) -> dict[bytes, Line]:
        """From `now` on what some keys give, for as many moments as may be worked out at once."""
        batches = [self._unpacked(data) for _, data in found.values()]
        codes = np.repeat(np.arange(len(batches)), [batch.num_rows for batch in batches])
        rows = pa.Table.from_batches(batches, self._schema).combine_chunks()
        ts, created = whole(rows.column(TS)), whole(rows.column(CREATED))
        moments = [self._rule.visible(ts, created), *(np.minimum(ts, _FOREVER - one) + one for one in self._lengths)]
        later, whose = np.concatenate(moments), np.tile(codes, len(moments))
        later, whose = later[later > now], whose[later > now]
        order = np.lexsort((later, whose))
        later, whose = later[order], whose[order]
        is_new = np.append(True, (later[1:] != later[:-1]) | (whose[1:] != whose[:-1]))[: len(later)]
        later, whose = later[is_new], whose[is_new]
        edges = np.searchsorted(whose, np.arange(len(batches) + 1))
        most = min(max(_AHEAD // len(batches), 1), _OF_A_KEY) - 1
        ends = np.minimum(edges[:-1] + most, edges[1:])
        of_key = [np.append(now, later[first:end]) for first, end in zip(edges[:-1], ends, strict=True)]
        labels = np.repeat(np.arange(len(batches)), [len(one) for one in of_key])
        answers = iter(self._answers(rows, codes, labels, np.concatenate(of_key)))
        lines = {}
        for place, (key, (revision, _)) in enumerate(found.items()):
            until = int(later[ends[place]]) if ends[place] < edges[place + 1] else _FOREVER
            own = of_key[place].tolist()
            lines[key] = Line(revision, own, [next(answers) for _ in own], until)
        self._remember(lines)
        return lines

    def _answers(
        self, rows: pa.Table, codes: NDArray[np.int64], labels: NDArray[np.int64], moments: NDArray[np.int64]
    ) -> list[Answered]:
        found = self._at(rows, codes, labels, moments)
        times = {TS: found.ts, CREATED: found.created, ARRIVAL: found.arrival}
        table = pa.table({**times, **{name: found.values.column(name) for name in self.features}})
        return [
            Answered(status, row)
            for status, row in zip(found.status.tolist(), python_rows(table, self.features), strict=True)
        ]

    def _at(
        self, rows: pa.Table, codes: NDArray[np.int64], labels: NDArray[np.int64], moments: NDArray[np.int64]
    ) -> Matched:
        """The offline join: what rows, each of the key with its code, give to the keys of `labels` at moments."""
        wanted = Wanted(pa.table({_KEY: labels}), moments, np.ones(len(labels), bool))
        return windowed(wanted, [rows.append_column(_KEY, pa.array(codes))], self._keyed, "known")

    def _unpacked(self, data: bytes | None) -> pa.RecordBatch:
        if data is None:
            return pa.RecordBatch.from_pylist([], self._schema)
        return pa.ipc.read_record_batch(pa.py_buffer(data), self._schema)

    def _remember(self, lines: Mapping[bytes, Line]) -> None:
        with self._lock:
            for key, line in lines.items():
                before = self._lines.pop(key, None)
                self._size += len(line.moments) - (len(before.moments) if before else 0)
                self._lines[key] = line
            while self._size > _HELD:
                self._size -= len(self._lines.pop(next(iter(self._lines))).moments)


def _packed(rows: pa.Table) -> bytes:
    (batch,) = rows.to_batches()
    return cast(bytes, batch.serialize().to_pybytes())


def _plain(kind: pa.DataType) -> pa.DataType:
    """Dictionaries would have to be kept beside the rows."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
