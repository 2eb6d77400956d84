"""Compaction: closed segments become Parquet files of one day each, which are smaller and quick to read.

It goes on in rounds. A round writes its parts, brings them to disk, and enters them with the names of their segments
in one transaction; only then it deletes the segments. Killed at any moment, it leaves a file that no row names, or a
segment whose rows are in parts and which nobody reads; the next compaction removes both. Small parts of a day are put
together, so that there are few however often it runs. A segment that somebody writes, that is damaged or that holds
records of an unknown form stays as it is.
"""

import contextlib
import fcntl
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import Conflict, NotFound, StoreMismatch
from assay.operate.predictions.columns import Signatures, empty_table, prediction_table, put_together
from assay.operate.predictions.folder import existing_log, is_closed, log_folder, segments
from assay.operate.predictions.frames import continues
from assay.operate.predictions.parts import (
    POSITION,
    SEGMENT,
    Part,
    all_parts,
    compacted_in,
    deleting,
    enter_part,
    part_path,
    parts_folder,
    read_part,
    segments_in,
    write_part,
)
from assay.operate.predictions.prediction import Gap
from assay.operate.predictions.reading import segment_pieces
from assay.operation import operation
from assay.progress import tell
from assay.record.faults import storage_faults
from assay.record.store import Store

__all__ = ["Compacted", "clear_away", "compact_closed", "compact_if_free", "compact_predictions", "only_one"]

_ROUND_BYTES = 1 << 27  # of segments, which in memory take about as much again
_ROUND_SEGMENTS = 200
_PART_ROWS = 500_000  # parts with more rows are not put together with others
_LEFT_OVER_S = 3600  # a new file that is older belongs to nobody


class Compacted(msgspec.Struct, frozen=True):
    """What was compacted. `left` names closed segments that stay, and why; `waiting` are files to delete when nobody
    reads the log.
    """

    endpoint: str
    segments: int
    rows: int
    parts: int
    bytes_before: int
    bytes_after: int
    seconds: float
    left: list[str]
    waiting: int


class _Taken(msgspec.Struct):
    """What a segment holds, by day."""

    length: int
    tables: dict[str, list[pa.Table]]
    gaps: list[Gap]


@operation("predictions compact")
def compact_predictions(store: Store, endpoint: str) -> Compacted:
    """Turn closed segments of an endpoint's prediction log into Parquet files, a folder for each day.

    Nothing is lost or counted twice, also where it is killed; the log may be written and read meanwhile.

    Raises NotFound where there is no log, Conflict while another process compacts it.
    """
    with only_one(existing_log(store, endpoint)):
        return compact_closed(store, endpoint)


def compact_if_free(store: Store, endpoint: str) -> Compacted | None:
    """The same for whoever calls it now and then; None where there is nothing to do or another process does it."""
    folder = log_folder(store, endpoint)
    try:
        with only_one(folder):
            done = compacted_in(all_parts(store, endpoint))
            if not any(path.name in done or is_closed(path) for path in segments(folder)):
                return None
            return compact_closed(store, endpoint)
    except (Conflict, NotFound):
        return None


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Whoever changes parts of a log does so inside the block; Conflict where somebody else does."""
    if not folder.is_dir():
        raise NotFound("there is no such prediction log", where=str(folder))
    with storage_faults(str(folder)), (folder / "compact.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("another process compacts this log", where=str(folder), hint="wait for it") from None
        yield


def compact_closed(store: Store, endpoint: str) -> Compacted:
    """The same inside `only_one`."""
    folder = log_folder(store, endpoint)
    started = time.perf_counter()
    signatures, left = Signatures(store), list[str]()
    count = rows = parts = before = after = 0
    tell("compact", 0.0)
    clear_away(store, endpoint)
    known = compacted_in(all_parts(store, endpoint))
    closed = [path for path in segments(folder) if path.name not in known and is_closed(path)]
    sizes = {path: path.stat().st_size for path in closed}
    total = sum(sizes.values())
    for paths in _rounds(closed, sizes):
        taken = {}
        for path in paths:
            found = _taken(path, signatures, left)
            if found is not None and (found.tables or found.gaps):
                taken[path.name] = found
        new = _enter(store, endpoint, taken)
        count, parts = count + len(taken), parts + len(new)
        rows += sum(table.num_rows for one in taken.values() for own in one.tables.values() for table in own)
        before += sum(sizes[folder / name] for name in taken)
        after += sum(part.bytes for part in new)
        clear_away(store, endpoint)
        tell("compact", min(before / total, 0.999) if total else 0.999, f"{rows:,} rows")
    tell("compact", 1.0, f"{rows:,} rows")
    seconds = time.perf_counter() - started
    return Compacted(endpoint, count, rows, parts, before, after, seconds, left, clear_away(store, endpoint))


def _rounds(paths: Sequence[Path], sizes: dict[Path, int]) -> Iterator[list[Path]]:
    found: list[Path] = []
    for path in paths:
        if found and (sum(sizes[one] for one in found) + sizes[path] > _ROUND_BYTES or len(found) == _ROUND_SEGMENTS):
            yield found
            found = []
        found.append(path)
    if found:
        yield found


def _taken(path: Path, signatures: Signatures, left: list[str]) -> _Taken | None:
    taken = _Taken(0, defaultdict(list), [])
    try:
        for piece in segment_pieces(path):
            table = prediction_table(piece.predictions, signatures)
            names = pa.array([path.name], pa.string()).take(pa.array([0] * table.num_rows, pa.int8()))
            table = table.append_column(SEGMENT, names).append_column(POSITION, pa.array(piece.ends, pa.int64()))
            for day in table["day"].unique():
                taken.tables[str(day)].append(table.filter(pc.equal(table["day"], day)))
            taken.gaps += piece.gaps
            taken.length = piece.end
    except StoreMismatch as error:
        left.append(f"{path.name}: {error.what}")
        return None
    content = path.read_bytes() if path.stat().st_size > taken.length else b""
    if content and continues(content, taken.length):
        left.append(f"{path.name}: a bad record stands before good ones")
        return None
    return taken


def _enter(store: Store, endpoint: str, taken: dict[str, _Taken]) -> list[Part]:
    """Write the parts of a round and enter them; what holds nothing is named by no part."""
    by_day: dict[str, list[pa.Table]] = defaultdict(list)
    names: dict[str, dict[str, int]] = defaultdict(dict)
    gaps: dict[str, list[Gap]] = defaultdict(list)
    for name, one in taken.items():
        for gap in one.gaps:
            gaps[gap.since[:10]].append(gap)
        for day in {*one.tables, *(gap.since[:10] for gap in one.gaps)}:
            by_day[day] += one.tables.get(day, [])
            names[day][name] = one.length
    existing: dict[str, list[Part]] = defaultdict(list)
    for part in all_parts(store, endpoint):
        if part.deleted is None:
            existing[part.day].append(part)
    new, replaced = [], []
    for day in sorted(by_day):
        tables = by_day[day]
        merged = _joined_by(existing[day], sum(table.num_rows for table in tables))
        for part in merged:
            tables += read_part(store, part)
            names[day] |= part.segments
            gaps[day] += part.gaps
        table = put_together(tables) if tables else _no_rows()
        new.append(write_part(store, endpoint, day, table, names[day], gaps[day]))
        replaced += merged
    with store.transaction():
        for part in replaced:
            store.remove("prediction_part", {"part_id": part.part_id})
        for part in new:
            enter_part(store, part)
    return new


def _joined_by(parts: Sequence[Part], rows: int) -> list[Part]:
    """Parts of the same day that are not much larger than what comes: so a row is rewritten only a few times."""
    found = []
    for part in sorted(parts, key=lambda one: one.rows):
        if part.rows > 2 * rows or part.rows + rows > _PART_ROWS:
            break
        found.append(part)
        rows += part.rows
    return found


def _no_rows() -> pa.Table:
    return (
        empty_table()
        .append_column(SEGMENT, pa.array([], pa.string()))
        .append_column(POSITION, pa.array([], pa.int64()))
    )


def clear_away(store: Store, endpoint: str) -> int:
    """Delete what is in parts or in nobody's use, unless somebody reads; returns how many files still wait for that.

    Only inside `only_one`.
    """
    folder = log_folder(store, endpoint)
    with deleting(folder) as is_free:
        going = _deletable(store, endpoint, folder)
        if not is_free:
            return len(going)
        with storage_faults(str(folder)):
            for path in going:
                path.unlink(missing_ok=True)
    return 0


def _deletable(store: Store, endpoint: str, folder: Path) -> list[Path]:
    parts = all_parts(store, endpoint)
    named = {part_path(store, part) for part in parts if part.deleted is None}
    done = compacted_in(parts)
    there = segments(folder)
    found = [path for path in there if path.name in done or (is_closed(path) and not path.stat().st_size)]
    safe = done.keys() | {path.name for path in there}
    place = parts_folder(store, endpoint)
    for path in place.glob("*/*.parquet"):
        if path not in named and segments_in(path) <= safe:  # else it is the only one that has its rows
            found.append(path)
    found += place.glob(".new-*")
    oldest = time.time() - _LEFT_OVER_S
    return found + [path for path in folder.glob("*.log.new") if path.stat().st_mtime < oldest]
