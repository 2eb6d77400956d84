"""Logs after an interruption: what they hold, and unfinished ends cut off."""

import fcntl
import os
from collections.abc import Collection
from pathlib import Path

import msgspec

from assay.operate.predictions.folder import segments
from assay.operate.predictions.frames import continues, counted, frames, is_gap
from assay.operate.predictions.prediction import Gap
from assay.record.faults import storage_faults

__all__ = ["LogState", "inspect", "recover"]


class LogState(msgspec.Struct, frozen=True):
    """What the segments of a log hold, and how many predictions they say were `dropped`.

    `torn`: segments with an unfinished end (harmless); `damaged`: with a bad frame before good ones.
    """

    segments: int
    records: int
    torn: list[str]
    damaged: list[str]
    dropped: int = 0


def inspect(folder: Path, *, without: Collection[str] = ()) -> LogState:
    """Count records of all segments but some, and find frames that are not whole.

    A segment in use may look torn while it is written.
    """
    torn, damaged, records, dropped = [], [], 0, 0
    paths = [path for path in segments(folder) if path.name not in without]
    for path in paths:
        content = path.read_bytes()
        count, end = counted(content)
        records += count
        dropped += sum(
            msgspec.msgpack.decode(one, type=Gap).dropped for one, _ in frames(memoryview(content)) if is_gap(one)
        )
        if continues(content, end):
            damaged.append(path.name)
        elif content[end:].strip(b"\0"):
            torn.append(path.name)
    return LogState(len(paths), records, torn, damaged, dropped)


def recover(folder: Path) -> list[str]:
    """Cut unfinished frames off the ends of segments that no process writes any more; one sentence for each.

    Nothing depends on it, since readers pass no such frame; it makes the files clean. Whether a segment is in use
    is told by the lock its writer holds, which also holds where process ids are used again, as in containers.
    Damage in the middle is left alone: the records behind it may still be wanted.
    """
    done = []
    for path in segments(folder):
        with storage_faults(str(path)), path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # somebody writes it, or the file system has no locks
                continue
            content = file.read()
            count, end = counted(content)
            if end == len(content) or continues(content, end):
                continue
            file.truncate(end)
            os.fsync(file.fileno())
        content = content.rstrip(b"\0")
        if len(content) > end:
            done.append(
                f"{path.name}: {len(content) - end} bytes of an unfinished record cut off after {count} records"
            )
    return done
