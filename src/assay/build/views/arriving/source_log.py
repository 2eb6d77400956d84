"""What is new in a view's source, logged: each row once, whenever it comes and however old it is.

New is what the source did not hold when it was logged last. A source that grew at its end is known by the hash of its
rows so far, and the rest is logged as it is read. Otherwise its rows are compared with the logged ones by content,
equal ones counted; only what is new is logged, and which ones have gone is noted. So a row that comes back after it
had gone is new again. Nothing depends on the times in the rows, so no late row is missed.

Killed at any moment and called again it goes on: each part of the log says how much of the source was known with it.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.arriving.row_bags import RowBags
from assay.build.views.declared.history import ARRIVAL, CREATED
from assay.build.views.log.log import (
    LogPart,
    SourcePosition,
    append_rows,
    as_logged,
    entered,
    last_about_source,
    log_parts,
    log_schema,
    packed,
    part_rows,
    unpacked,
)
from assay.build.views.log.row_hashes import HASH, row_hashes
from assay.build.views.registry.registered import ViewVersion
from assay.build.views.registry.source_rows import SourceRows
from assay.errors import Conflict
from assay.progress import tell
from assay.record.store import Store

__all__ = ["Taken", "gone_arrivals", "take_source"]


class Taken(msgspec.Struct, frozen=True):
    """`logged` rows were new, `gone` ones are logged and no longer in the source, `read` were looked at.

    Nothing is read where the source says that it is what it was.
    """

    logged: int
    gone: int
    read: int


def take_source(
    store: Store,
    version: ViewVersion,
    source: SourceRows,
    now_us: Callable[[], int],
    accept: Callable[[pa.Table], None],
) -> Taken:
    """Log what is new in the source. `accept` sees each batch of new rows before it is logged, and may refuse it.

    Conflict where another process logs the same source, or the source changes while it is read.
    """
    return _Taking(store, version, source, now_us, accept).run()


def gone_arrivals(store: Store, version: ViewVersion) -> NDArray[np.int64]:
    """Arrival numbers of logged rows that the source no longer holds, in order."""
    return _arrivals(store, [part for part in log_parts(store, version) if part.kind == "gone"])


class _Taking:
    def __init__(
        self,
        store: Store,
        version: ViewVersion,
        source: SourceRows,
        now_us: Callable[[], int],
        accept: Callable[[pa.Table], None],
    ) -> None:
        self.store, self.version, self.source, self.now_us, self.accept = store, version, source, now_us, accept
        declared = log_schema(version).names
        self.names = [name for name in declared if name != CREATED or version.declared.created is not None]
        self.after = last_about_source(store, version)
        self.logged = 0

    def run(self) -> Taken:
        parts = [part for part in log_parts(self.store, self.version) if part.kind in ("source", "gone", "seen")]
        last = parts[-1] if parts else None
        signature = self.source.signature
        if last is not None and last.detail is not None and last.detail == signature:
            return Taken(0, 0, 0)
        with TemporaryDirectory(prefix="assay-") as folder:
            seen = _Seen(Path(folder))
            known = last is None or last.source_hash is not None
            gone = 0 if known and self._grown(seen, last) else self._compared(seen, Path(folder), parts)
            ends = SourcePosition(self.after, seen.rows, seen.hash)
            if last is None or self.logged or gone or (last.source_hash, last.detail) != (seen.hash, signature):
                self._note_seen(signature, ends)
        if self.logged:
            tell("logging", 1.0)
        return Taken(self.logged, gone, seen.rows)

    def _grown(self, seen: "_Seen", last: LogPart | None) -> bool:
        """Log what stands behind the rows that are known; whether the source begins with these. All of it is seen."""
        known, expected = (last.source_rows or 0, last.source_hash) if last is not None else (0, None)
        begins = known == 0
        for rows, hashes in self._read():
            rest = max(0, known - seen.rows)
            if rest:
                seen.add(hashes[:rest])
                begins = seen.rows == known and seen.hash == expected
            news = rows.slice(rest)
            seen.add(hashes[rest:])
            if begins and news.num_rows:
                self._log(news, SourcePosition(self.after, seen.rows, seen.hash))
        return begins

    def _compared(self, seen: "_Seen", folder: Path, parts: list[LogPart]) -> int:
        """Log rows that the source has more often than the log, and note those that it has less often."""
        if not seen.rows:
            for _, hashes in self._read():
                seen.add(hashes)
        bags = RowBags(folder)
        gone_before = _arrivals(self.store, [part for part in parts if part.kind == "gone"])
        for part in parts:
            if part.kind == "source" and part.rows:
                rows = part_rows(self.store, self.version, part)
                arrivals = cast("NDArray[np.int64]", rows[ARRIVAL].to_numpy())
                left = ~np.isin(arrivals, gone_before, assume_unique=True)
                bags.known(row_hashes(rows, self.names)[left], arrivals[left])
        for first, hashes in seen.all():
            bags.seen(hashes, np.arange(first, first + len(hashes)))
        is_new, gone = bags.compared(seen.rows)
        if len(gone):
            self._note_gone(gone)
        if is_new.any():
            self._log_these(is_new, seen)
        return len(gone)

    def _log_these(self, is_new: NDArray[np.bool_], seen: "_Seen") -> None:
        place = 0
        for rows, hashes in self._read():
            chosen = np.flatnonzero(is_new[place : place + len(hashes)])
            if not np.array_equal(hashes[chosen], seen.at(place, len(hashes))[chosen]):
                raise Conflict(f"the source of {self.version.reference} changes while it is read", hint="run it again")
            place += len(hashes)
            if len(chosen):
                self._log(rows.take(pa.array(chosen)), SourcePosition(self.after, None, None))
        if place != len(is_new):
            raise Conflict(f"the source of {self.version.reference} changes while it is read", hint="run it again")

    def _read(self) -> Iterator[tuple[pa.Table, NDArray[np.void]]]:
        """Batches as they would be kept, with their hashes: an older version of a type makes no row another one."""
        for batch in self.source:
            rows = as_logged(self.version, batch)
            yield rows, row_hashes(rows, self.names)

    def _log(self, rows: pa.Table, position: SourcePosition) -> None:
        self.accept(rows)
        logged = append_rows(self.store, self.version, rows, "source", self.now_us(), position=position)
        self.after = last_about_source(self.store, self.version)
        self.logged += logged.num_rows
        tell("logging", 0.0, f"{self.logged:,} rows of {self.version.reference}")

    def _note_seen(self, signature: str | None, ends: SourcePosition) -> None:
        """In place of what was noted before: so the log does not grow with runs that find nothing."""
        nothing = log_schema(self.version).empty_table()
        of_view = {"view": self.version.name, "version": self.version.version}
        with self.store.transaction():
            part = entered(self.store, self.version, "seen", nothing, self.now_us(), {"detail": signature}, ends)
            self.store.remove("feature_log", {**of_view, "kind": "seen", "seq <": part.seq})

    def _note_gone(self, gone: NDArray[np.int64]) -> None:
        rows = pa.table({ARRIVAL: gone})
        blob, data = packed(self.store, rows)
        position = SourcePosition(self.after, None, None)
        part = entered(self.store, self.version, "gone", rows, self.now_us(), {"blob": blob, "data": data}, position)
        self.after = part.seq


class _Seen:
    """The hashes of the source's rows in order, in a file: so many rows are not kept in memory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "seen"
        self._path.touch()
        self._digest = hashlib.blake2b(digest_size=32)
        self.rows = 0

    @property
    def hash(self) -> str:
        return self._digest.hexdigest()

    def add(self, hashes: NDArray[np.void]) -> None:
        content = np.ascontiguousarray(hashes).tobytes()
        self._digest.update(content)
        self.rows += len(hashes)
        with self._path.open("ab") as file:
            file.write(content)

    def at(self, first: int, count: int) -> NDArray[np.void]:
        return np.fromfile(self._path, HASH, count, offset=first * HASH.itemsize)

    def all(self) -> Iterator[tuple[int, NDArray[np.void]]]:
        step = 1 << 18
        for first in range(0, self.rows, step):
            yield first, self.at(first, step)


def _arrivals(store: Store, parts: list[LogPart]) -> NDArray[np.int64]:
    found = [cast("NDArray[np.int64]", unpacked(store, part)[ARRIVAL].to_numpy()) for part in parts if part.rows]
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)
