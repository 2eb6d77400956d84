"""The prediction log: each prediction is with the kernel before it is answered, and so survives `kill -9`.

A log is a folder of append-only *segments*. A process writes its own and nobody else's, so writers need no lock; the
name of a segment sorts by the time it was begun and ends in the process id. A segment is a row of frames: length of
the payload (4 bytes, little-endian), CRC-32 of it (4 bytes), payload (MessagePack of a `Prediction`). A killed writer
leaves at most one unfinished frame at the end, which no reader passes on.
"""

import contextlib
import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

import msgspec

from assay.errors import InvalidInput, StoreMismatch
from assay.operate.predictions.prediction import Prediction
from assay.record.faults import storage_faults
from assay.record.store import Store

__all__ = [
    "LogReader",
    "LogState",
    "LogWriter",
    "inspect",
    "log_folder",
    "read_all",
    "recover",
]

Durability = Literal["process", "interval", "always"]

_HEADER = struct.Struct("<II")
_RECORD_START = b"\xdc\x00"  # MessagePack of an array with 16 to 255 fields; cannot occur inside UTF-8 text
_SYNC_INTERVAL_S = 1.0


class LogState(msgspec.Struct, frozen=True):
    """What a log holds. `torn`: segments with an unfinished end (harmless); `damaged`: with a bad frame before good."""

    segments: int
    records: int
    torn: list[str]
    damaged: list[str]


def log_folder(store: Store, endpoint: str) -> Path:
    """The folder of an endpoint's log, beside the store's blobs; it need not exist."""
    if not endpoint or endpoint.startswith(".") or "/" in endpoint or "\0" in endpoint:
        raise InvalidInput(f"{endpoint!r} cannot name an endpoint", expected="a name without a slash or leading dot")
    return store.blobs.root.parent / "predictions" / endpoint


class LogWriter:
    """Appends to a segment of its own; one thread appends.

    `durability`: `process` leaves writing to disk to the kernel; `interval` does it in the background at most once a
    second, so that a power cut costs a second; `always` does it before `append` returns. `accepted` counts the records
    given to `append`, `logged` those that are whole in the file.
    """

    def __init__(
        self, folder: Path, *, durability: Durability = "interval", segment_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self.folder = folder
        self.accepted = 0
        self.logged = 0
        self._durability = durability
        self._segment_bytes = segment_bytes
        self._encode = msgspec.msgpack.Encoder().encode
        self._file = -1
        self._size = 0
        self._fault: OSError | None = None
        self._lock = threading.Lock()  # held while the open file changes
        self._retired: list[int] = []  # full segments that are still to be synchronised and closed
        self._changed = threading.Event()
        self._stop = threading.Event()
        with storage_faults(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            self._begin_segment()
        self._thread = threading.Thread(target=self._synchronise_often, name="prediction-log", daemon=True)
        if durability == "interval":
            self._thread.start()

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Write the records in one go; when it returns they survive the death of this process.

        Raises StoreUnavailable where they could not be written, or where earlier ones could not reach the disk: then
        whoever waits for the predictions must not get them. Records in front of the one that did not fit may stay.
        """
        self.accepted += len(predictions)
        if self._fault is not None:
            with storage_faults(str(self.folder)):
                raise self._fault.with_traceback(None)
        parts = []
        for prediction in predictions:
            payload = self._encode(prediction)
            parts += [_HEADER.pack(len(payload), zlib.crc32(payload)), payload]
        content = b"".join(parts)
        try:
            if self._size and self._size + len(content) > self._segment_bytes:
                self._begin_segment()
            self._write(content)
            if self._durability == "always":
                os.fdatasync(self._file)
        except OSError as error:
            with storage_faults(str(self.folder)):
                raise error from None
        self._size += len(content)
        self.logged += len(predictions)
        if not self._changed.is_set():
            self._changed.set()

    def close(self) -> None:
        """Bring everything to disk and close the segment. Closing twice is harmless."""
        if self._file < 0:
            return
        self._stop.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._durability != "process":
            self._synchronise()
        os.close(self._file)
        self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, content: bytes) -> None:
        written = 0
        try:
            while written < len(content):  # a nearly full disk, or a signal, makes a write short
                written += os.write(self._file, memoryview(content)[written:])
        except OSError:
            self._cut_back(memoryview(content)[:written])
            raise

    def _cut_back(self, written: memoryview) -> None:
        """Leave whole frames only. They stay because a reader may have seen them already."""
        whole = 0
        for _, end in _frames(written):
            whole = end
            self.logged += 1
        self._size += whole
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._size = self._segment_bytes  # never write behind an unfinished frame: the next goes to a new segment

    def _begin_segment(self) -> None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}.log"
        file = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held while this process lives: see `recover`
        with self._lock:
            previous, self._file, self._size = self._file, file, 0
            if previous >= 0 and self._durability == "interval":
                self._retired.append(previous)
            elif previous >= 0:
                os.close(previous)
        if self._durability != "process":
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)  # the name of the segment, too, outlives a power cut
            finally:
                os.close(folder)

    def _synchronise_often(self) -> None:
        while not self._stop.is_set():
            self._changed.wait()
            self._changed.clear()
            self._synchronise()
            self._stop.wait(_SYNC_INTERVAL_S)

    def _synchronise(self) -> None:
        with self._lock:
            files = [*self._retired, os.dup(self._file)]
            self._retired.clear()
        fault = None
        for file in files:
            try:
                os.fdatasync(file)
            except OSError as error:
                fault = error
                self._changed.set()  # try again after the interval
            finally:
                os.close(file)
        self._fault = fault


class LogReader:
    """Reads what was appended since the last call, in all segments of a folder; one thread reads.

    It goes through the segments in order of their names and stops in each at the first frame that is not whole: one
    being written comes with the next call. It remembers only where it stands, not what it read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._decode = msgspec.msgpack.Decoder(Prediction).decode
        self._position: dict[str, int] = {}
        self._seen_size: dict[str, int] = {}

    def read_new(self) -> list[Prediction]:
        """Records in the order of segments and then of writing; empty where the folder does not exist."""
        found: list[Prediction] = []
        with storage_faults(str(self.folder)):
            for path in _segments(self.folder):
                found += self._read(path)
        return found

    def _read(self, path: Path) -> list[Prediction]:
        if path.stat().st_size == self._seen_size.get(path.name, 0):
            return []
        position = self._position.get(path.name, 0)
        with path.open("rb", buffering=0) as file:
            file.seek(position)
            content = memoryview(file.readall())
        records, end = [], 0
        try:
            for payload, end in _frames(content):  # noqa: B007 - the last end is needed below
                records.append(self._decode(payload))
        except msgspec.DecodeError as error:
            raise StoreMismatch(
                f"a prediction was logged in a form this version does not know: {error}",
                where=str(path),
                hint="read it with the version of Assay that served the endpoint",
            ) from error
        self._position[path.name] = position + end
        self._seen_size[path.name] = position + len(content)
        return records


def read_all(folder: Path) -> list[Prediction]:
    """Every whole record of a log; empty where the folder does not exist."""
    return LogReader(folder).read_new()


def inspect(folder: Path) -> LogState:
    """Count records and find frames that are not whole. A segment in use may look torn while it is written."""
    torn, damaged, records = [], [], 0
    paths = _segments(folder)
    for path in paths:
        content = path.read_bytes()
        count, end = _count(content)
        records += count
        if _continues(content, end):
            damaged.append(path.name)
        elif end < len(content):
            torn.append(path.name)
    return LogState(len(paths), records, torn, damaged)


def recover(folder: Path) -> list[str]:
    """Cut unfinished frames off the ends of segments that no process writes any more; one sentence for each.

    Nothing depends on it, since readers pass no such frame; it makes the files clean. Whether a segment is in use
    is told by the lock its writer holds, which also holds where process ids are used again, as in containers.
    Damage in the middle is left alone: the records behind it may still be wanted.
    """
    done = []
    for path in _segments(folder):
        with storage_faults(str(path)), path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # somebody writes it, or the file system has no locks
                continue
            content = file.read()
            count, end = _count(content)
            if end == len(content) or _continues(content, end):
                continue
            file.truncate(end)
            os.fsync(file.fileno())
        done.append(f"{path.name}: {len(content) - end} bytes of an unfinished record cut off after {count} records")
    return done


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))


def _frames(content: memoryview) -> Iterator[tuple[memoryview, int]]:
    """Payload and end of every frame up to the first that is not whole. An empty one is never written."""
    start, size = 0, len(content)
    while start + _HEADER.size < size:
        length, checksum = _HEADER.unpack_from(content, start)
        end = start + _HEADER.size + length
        if not length or end > size:
            return
        payload = content[start + _HEADER.size : end]
        if zlib.crc32(payload) != checksum:
            return
        yield payload, end
        start = end


def _count(content: bytes) -> tuple[int, int]:
    count, end = 0, 0
    for _, end in _frames(memoryview(content)):  # noqa: B007 - the last end is the answer
        count += 1
    return count, end


def _continues(content: bytes, bad: int) -> bool:
    """Whether a whole frame follows somewhere behind the bad one that starts there."""
    view = memoryview(content)
    start = content.find(_RECORD_START, bad + _HEADER.size + 1)
    while start >= 0:
        if next(_frames(view[start - _HEADER.size :]), None) is not None:
            return True
        start = content.find(_RECORD_START, start + 1)
    return False
