"""A log kept small beside its server: segments that ended become parts, and days that are over their time go.

A process of its own does it (`main`), so that a server is not slower meanwhile and its memory stays what it was. What
it is told comes as a line of JSON on standard input, what it says goes as one to standard output.
"""

import contextlib
import os
import sys
import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from assay.errors import AssayError, Conflict
from assay.operate.predictions.folder import is_closed, segments
from assay.record.location import open_store
from assay.record.store import Store

__all__ = ["Kept", "Told", "is_due", "keep_small", "main"]

_DUE_BYTES = 32 << 20  # of segments that ended; with less, parts become many and small


class Told(msgspec.Struct, frozen=True):
    """The address of the store, its blobs, the endpoint, and for how many seconds rows are kept; None is for ever."""

    store: str
    blobs: str
    endpoint: str
    keep_s: float | None


class Kept(msgspec.Struct, frozen=True):
    """What was done: `rows` compacted and rows `gone`. `left` are segments that stay and why, `failed` what went
    wrong.
    """

    rows: int = 0
    gone: int = 0
    left: list[str] = []
    failed: str | None = None


def is_due(folder: Path, after_s: float, passed_over: Collection[str] = ()) -> bool:
    """Whether a log has enough to compact: 32 MB of segments that ended, or one that ended so many seconds ago."""
    size, oldest = 0, time.time()
    for path in segments(folder):
        with contextlib.suppress(FileNotFoundError):  # another process has compacted it
            if path.name not in passed_over and is_closed(path):
                state = path.stat()
                size, oldest = size + state.st_size, min(oldest, state.st_mtime)
    return size >= _DUE_BYTES or (size > 0 and time.time() - oldest >= after_s)


def keep_small(store: Store, endpoint: str, keep_s: float | None) -> Kept:
    """Compact what ended and take away what is older than `keep_s`; nothing where another process is at it."""
    from assay.operate.predictions.compacting import compact_if_free  # much to import for a server that only looks
    from assay.operate.predictions.removing import prune_predictions

    compacted = compact_if_free(store, endpoint)
    gone = 0
    if keep_s is not None:
        with contextlib.suppress(Conflict):
            gone = prune_predictions(store, endpoint, older_than=f"{round(keep_s)}s", delete=True).rows
    return Kept(compacted.rows if compacted else 0, gone, compacted.left if compacted else [])


def main() -> None:
    """Do it once, with the lowest priority: who has something to answer goes first."""
    import pyarrow as pa

    os.nice(19)
    pa.set_cpu_count(1)
    told = msgspec.json.decode(sys.stdin.buffer.readline(), type=Told)
    try:
        with contextlib.closing(open_store(told.store, create=False, blobs=told.blobs)) as store:
            kept = keep_small(store, told.endpoint, told.keep_s)
    except AssayError as error:
        kept = Kept(failed=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(kept) + b"\n")
