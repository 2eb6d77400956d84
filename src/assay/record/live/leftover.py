"""Journals that a writer left behind: killed, offline, or cut off from its store. Whoever comes next sends them."""

import fcntl
import os
from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.progress import tell
from assay.record.blobs import Blobs
from assay.record.live.journal import Journal, whole_frames
from assay.record.live.logged import File, Used, decode
from assay.record.live.targets import OpenTarget, ServerTarget, Target, spool_blobs, spool_folder, target_of
from assay.record.store import Store

__all__ = ["Synced", "adopt", "left_behind", "sync"]

_MOST_SENT = 8 << 20


class Synced(msgspec.Struct, frozen=True):
    """What was sent: journals of writers that are gone, their batches, and bytes at an end that were half-written."""

    folder: str
    journals: int
    batches: int
    torn_bytes: int
    still_open: int


def left_behind(folder: Path) -> tuple[list[Path], int]:
    """Journals whose writer is gone, in order of name, and how many are still written to."""
    gone, alive = [], 0
    for path in sorted(folder.glob("*.journal")):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            alive += 1
        else:
            gone.append(path)
        finally:
            os.close(handle)
    return gone, alive


def adopt(target: Target, folder: Path, blobs: Blobs) -> Synced:
    """Send every journal in a folder whose writer is gone, and take it away when all of it has arrived.

    Sending a part again is harmless: what broke off is repeated. Raises what the target raises.
    """
    gone, alive = left_behind(folder)
    batches = torn = sent = 0
    for position, path in enumerate(gone):
        tell("sync", position / len(gone), path.stem[:8])
        try:
            journal = Journal(path)
        except (BlockingIOError, FileNotFoundError):  # somebody else was first
            continue
        done = False
        try:
            torn += journal.lost
            start = 0
            while start < journal.size:
                frames = journal.read(start, _MOST_SENT)
                target.send_blobs(blobs, _blobs_of(frames))
                target.send(frames)
                start += len(frames)
                batches += sum(1 for _ in whole_frames(frames))
            done = True
            sent += 1
        finally:
            journal.close(remove=done)
    tell("sync", 1)
    return Synced(str(folder), sent, batches, torn, alive)


def _to_server(url: str, folder: str | None = None, *, check: bool = False) -> Synced:
    """The same where the store is a server."""
    target = ServerTarget(url)
    try:
        return _sent(target, folder, check)
    finally:
        target.close()


@operation("sync", creates_store=True, on_server=_to_server)
def sync(
    store: Store,
    folder: str | None = None,
    *,
    check: Annotated[bool, "Only say what waits"] = False,
) -> Synced:
    """Send what runs have logged and what has not reached the store: offline, or when it was away.

    Without a folder it looks where runs for this store leave their journals. Sending twice changes nothing.
    """
    return _sent(OpenTarget(store), folder, check)


def _sent(target: Target, folder: str | None, check: bool) -> Synced:
    place = Path(folder) if folder else spool_folder(target_of(target.name))
    if folder and not place.is_dir():
        raise InvalidInput(f"there is no folder {folder}", expected="a folder with journals, such as .assay/spool")
    if check:
        gone, alive = left_behind(place)
        return Synced(str(place), len(gone), 0, 0, alive)
    return adopt(target, place, spool_blobs(place))


def _blobs_of(frames: bytes) -> list[str]:
    """What the frames point to."""
    found: list[str] = []
    for content, _ in whole_frames(frames):
        for entry in decode(content).entries:
            if isinstance(entry, File):
                found.append(entry.blob)
            elif isinstance(entry, Used) and entry.artifact is not None:
                found.append(str(entry.artifact["blob"]))
    return found
