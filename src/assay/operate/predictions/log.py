"""The prediction log: each prediction is with the kernel before it is answered, and so survives `kill -9`.

A log is a folder of append-only *segments*. A process writes its own and nobody else's, so writers need no lock; the
name of a segment sorts by the time it was begun and ends in the process id. Records are copied to memory that is the
file: a call of the kernel for each would wait while the file system commits. A killed writer leaves at the end zeros
that were set aside, and at most one unfinished frame, which no reader passes on.

Where the disk does not take what is to be logged, a policy says whether nothing is answered (`refuse`) or answers go on
without being logged (`shed`). Those are counted, and once there is room again a record of the gap comes first.
"""

import contextlib
import errno
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec

from assay.operate.predictions.frames import HEADER_BYTES, framed
from assay.operate.predictions.prediction import Gap, Prediction
from assay.record.clock import iso
from assay.record.faults import storage_faults

__all__ = ["Counts", "Durability", "LogWriter", "Policy"]

Durability = Literal["process", "interval", "always"]
Policy = Literal["refuse", "shed"]

_SYNC_INTERVAL_S = 1.0
_ROOM_BYTES = 512 * 1024  # of a segment that are set aside on disk at a time


class Counts(NamedTuple):
    """How many predictions a writer was given, how many are whole in its files, how many it let go by `shed`.

    Those neither logged nor dropped were refused.
    """

    accepted: int
    logged: int
    dropped: int


class LogWriter:
    """Appends to a segment of its own; one thread appends.

    `durability`: `process` leaves writing to disk to the kernel; `interval` does it in the background at most once a
    second, so that a power cut costs a second; `always` does it before `append` returns. `policy` is what happens where
    the disk is full or broken. A segment ends with `segment_bytes`, or by `turn_over` when it is `segment_s` seconds
    old: only then can it be compacted, and until then everybody who asks about the log reads it record by record.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durability: Durability = "interval",
        policy: Policy = "refuse",
        segment_bytes: int = 8 * 1024 * 1024,
        segment_s: float = 600.0,
    ) -> None:
        self.folder = folder
        self._accepted = self._logged = self._dropped = 0
        self._gap: Gap | None = None  # what was dropped and is not on record yet
        self._policy = policy
        self._durability = durability
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._began_s = 0.0
        self._encode = msgspec.msgpack.Encoder().encode
        self._file = -1
        self._size = 0
        self._space: mmap.mmap | None = None  # the segment in memory: what is written there is with the kernel
        self._room = 0  # bytes of it
        self._fault: OSError | None = None
        self._lock = threading.Lock()  # held while the open file changes
        self._retired: list[int] = []  # segments that ended and are still to be synchronised and closed
        self._is_named = False  # on disk: the name of the segment
        self._changed = threading.Event()
        self._stop = threading.Event()
        with storage_faults(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            self._begin_segment()
        self._thread = threading.Thread(target=self._synchronise_often, name="prediction-log", daemon=True)
        if durability == "interval":
            self._thread.start()

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Write the records in one go; when it returns they survive the death of this process, or were counted as lost.

        Where they could not be written, or earlier ones could not reach the disk, `refuse` raises StoreUnavailable:
        then whoever waits for the predictions must not get them.
        """
        self._accepted += len(predictions)
        try:
            self._append(predictions)
        except OSError as error:
            if self._policy == "shed":
                self._drop(len(predictions), error)
                return
            with storage_faults(str(self.folder)):
                raise error.with_traceback(None) from None
        if not self._changed.is_set():
            self._changed.set()

    def turn_over(self) -> None:
        """Go on in a new segment where this one is old and not empty; for the thread that appends, now and then."""
        if self._size and time.monotonic() - self._began_s > self._segment_s:
            with contextlib.suppress(OSError):  # there is no room for another: this one goes on
                self._begin_segment()

    @property
    def counts(self) -> Counts:
        """What became of the predictions so far."""
        return Counts(self._accepted, self._logged, self._dropped)

    def _append(self, predictions: Sequence[Prediction]) -> None:
        if self._fault is not None and self._policy == "refuse":
            raise self._fault
        content = b"".join([framed(self._encode(prediction)) for prediction in predictions])
        if self._gap is not None:
            content = framed(self._encode(self._gap)) + content
        if self._size and self._size + len(content) > self._segment_bytes:
            self._begin_segment()
        self._write(content)
        self._logged += len(predictions)
        self._gap = None
        if self._durability == "always":
            os.fdatasync(self._file)

    def _drop(self, count: int, error: OSError) -> None:
        self._dropped += count
        now = iso(datetime.now(UTC))
        before = self._gap or Gap(0, now, now, "")
        self._gap = Gap(before.dropped + count, before.since, now, error.strerror or str(error))

    def close(self) -> None:
        """Bring everything to disk and close the segment. Closing twice is harmless."""
        if self._file < 0:
            return
        self._stop.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._gap is not None:
            with contextlib.suppress(OSError):  # there is still no room: only the counts say it
                self._append([])
        self._give_back()
        if self._durability != "process":
            self._synchronise()
        os.close(self._file)
        self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, content: bytes) -> None:
        """Whole or not at all: the first header comes last, and no reader goes on before it."""
        begin, end = self._size, self._size + len(content)
        if end > self._room:
            self._make_room(end)
        space = self._space
        assert space is not None
        space[begin + HEADER_BYTES : end] = content[HEADER_BYTES:]
        space[begin : begin + HEADER_BYTES] = content[:HEADER_BYTES]
        self._size = end

    def _make_room(self, end: int) -> None:
        """Set space aside on disk, so that writing there needs no call of the kernel and cannot find the disk full."""
        room = -(-end // _ROOM_BYTES) * _ROOM_BYTES
        os.posix_fallocate(self._file, self._room, room - self._room)
        space, before = mmap.mmap(self._file, room), self._space
        self._space, self._room = space, room
        if before is not None:
            before.close()

    def _give_back(self) -> None:
        """The segment ends: what was set aside and not used goes."""
        if self._space is None:
            return
        self._space.close()
        self._space, self._room = None, 0
        with contextlib.suppress(OSError):  # zeros stay at its end, which nobody reads
            os.ftruncate(self._file, self._size)

    def _begin_segment(self) -> None:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}.log"
        file = self._locked_file(name)
        self._give_back()
        with self._lock:
            previous, self._file, self._size = self._file, file, 0
            self._is_named = self._durability == "process"
            if previous >= 0 and self._durability == "interval":
                self._retired.append(previous)
            elif previous >= 0:
                os.close(previous)
        self._began_s = time.monotonic()
        if self._durability == "always":
            self._keep_name()
        self._changed.set()

    def _keep_name(self) -> None:
        """The name of the segment, too, outlives a power cut."""
        self._is_named = True  # before, so that a segment that begins meanwhile is not forgotten
        try:
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError:
            self._is_named = False
            raise

    def _locked_file(self, name: str) -> int:
        """A new file that nobody sees under its name before it is locked: an unlocked segment is in nobody's use."""
        path, new = self.folder / name, self.folder / f"{name}.new"
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            with contextlib.suppress(OSError):  # some network file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held while this process lives: see `recover`
            if path.exists():  # whoever made it had to make the new file first, as this one did
                raise FileExistsError(errno.EEXIST, "another writer began this segment", str(path))  # noqa: TRY301
            new.rename(path)
        except BaseException:
            os.close(file)
            new.unlink(missing_ok=True)
            raise
        return file

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
            finally:
                os.close(file)
        try:
            if not self._is_named:
                self._keep_name()
        except OSError as error:
            fault = error
        if fault is not None:
            self._changed.set()  # try again after the interval
        self._fault = fault
