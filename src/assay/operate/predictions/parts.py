"""Parts of the log: Parquet files of one day each, into which closed segments were compacted.

A row of `prediction_part` names a file and the segments that its rows are from, with the length of each that was
whole. A segment is named by the parts of all days that it has rows of, all of them entered in one transaction; from
then on its rows are read from the parts and no more from the segment, whether or not the file is still there. A part
that was deleted stays on record: its segments are not read either.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.errors import StoreUnavailable
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.minutes import METADATA, minutes_of, packed
from assay.operate.predictions.prediction import Gap
from assay.record.canonical import canonical_json, digest_file
from assay.record.clock import iso
from assay.record.faults import storage_faults
from assay.record.identity import ordered_id
from assay.record.store import Row, Store

__all__ = [
    "POSITION",
    "SEGMENT",
    "Part",
    "all_parts",
    "compacted_in",
    "deleting",
    "enter_part",
    "part_path",
    "parts_folder",
    "read_part",
    "reading",
    "segments_in",
    "write_part",
]

SEGMENT, POSITION = "log_segment", "log_position"  # where a row stood: its segment, and the end of its frame there
_READING = "reading.lock"
_SEGMENTS = b"assay.segments"
_GROUP_ROWS = 131_072


class Part(msgspec.Struct, frozen=True):
    """A file of rows. `segments` are names and lengths; `first_ts` and `last_ts` are the first and last moments."""

    part_id: str
    endpoint: str
    day: str
    path: str
    hash: str
    segments: dict[str, int]
    first_ts: str
    last_ts: str
    rows: int
    bytes: int
    gaps: list[Gap]
    deleted: str | None


def all_parts(store: Store, endpoint: str) -> list[Part]:
    """Every part of an endpoint, also those that were deleted, by day and age."""
    found = store.query("prediction_part", {"endpoint": endpoint}, order_by=["day", "part_id"])
    return [_part(row) for row in found]


def compacted_in(parts: Iterable[Part]) -> dict[str, int]:
    """The segments that are in these parts, with the length of each that was whole."""
    return {name: length for part in parts for name, length in part.segments.items()}


def parts_folder(store: Store, endpoint: str) -> Path:
    """Where the parts of an endpoint lie, a folder for each day."""
    return log_folder(store, endpoint) / "parts"


def part_path(store: Store, part: Part) -> Path:
    """The file of a part."""
    return parts_folder(store, part.endpoint) / part.path


def read_part(store: Store, part: Part) -> Iterator[pa.Table]:
    """The rows of a part, in tables of one row group each."""
    path = part_path(store, part)
    with storage_faults(str(path)):
        try:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    yield file.read_row_group(group, use_threads=False)
        except pa.ArrowException as error:
            raise StoreUnavailable(f"a part of the log cannot be read: {error}", where=str(path)) from error


def write_part(
    store: Store, endpoint: str, day: str, rows: pa.Table, segments: dict[str, int], gaps: Sequence[Gap]
) -> Part:
    """Write rows of a day, with where they stood and counts of them, to a new file that is on disk when this returns.

    No record names it yet.
    """
    part_id = ordered_id()
    folder = parts_folder(store, endpoint)
    path = folder / day / f"{part_id}.parquet"
    new = folder / f".new-{part_id}"
    with storage_faults(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        counts = packed(minutes_of(rows))
        said = rows.replace_schema_metadata({_SEGMENTS: canonical_json(segments), METADATA: counts})
        with new.open("wb") as file:
            pq.write_table(said, file, compression="zstd", row_group_size=_GROUP_ROWS)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        for place in (path.parent, folder, folder.parent):
            _synchronise_folder(place)
        moments = [iso(one) for one in pc.min_max(rows["moment"]).as_py().values() if one is not None]
        moments += [moment for gap in gaps for moment in (gap.since, gap.until)]
        return Part(
            part_id=part_id,
            endpoint=endpoint,
            day=day,
            path=str(path.relative_to(folder)),
            hash=digest_file(path),
            segments=segments,
            first_ts=min(moments),
            last_ts=max(moments),
            rows=rows.num_rows,
            bytes=path.stat().st_size,
            gaps=list(gaps),
            deleted=None,
        )


def segments_in(path: Path) -> set[str]:
    """The segments that a file of a part names itself."""
    return set(json.loads((pq.read_schema(path).metadata or {}).get(_SEGMENTS, b"{}")))


def enter_part(store: Store, part: Part) -> None:
    """Put a part on record: from now on its rows are read from it."""
    row = msgspec.structs.asdict(part)
    store.append("prediction_part", {**row, "segments": canonical_json(part.segments), "gaps": _listed(part.gaps)})


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Nothing of the log is deleted inside the block. Where there are no locks, a reader may have to repeat."""
    handle = _opened(folder / _READING)
    try:
        if handle is not None:
            with contextlib.suppress(OSError):  # some network file systems have no locks
                fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def deleting(folder: Path) -> Iterator[bool]:
    """Whether nobody reads; then nobody begins to inside the block."""
    handle = _opened(folder / _READING)
    try:
        yield handle is not None and _locked(handle)
    finally:
        if handle is not None:
            os.close(handle)


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError:  # there is no such log, or this user may only read it
        return None


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _synchronise_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _listed(gaps: Sequence[Gap]) -> str:
    return canonical_json([msgspec.structs.asdict(gap) for gap in gaps])


def _part(row: Row) -> Part:
    values = {name: row[name] for name in Part.__struct_fields__}
    segments, gaps = json.loads(row["segments"]), msgspec.json.decode(row["gaps"], type=list[Gap])
    return Part(**{**values, "segments": segments, "gaps": gaps})
