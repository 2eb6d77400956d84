"""The threads behind runs that log: one from a queue into the journal, one from the journal into the store.

A caller only appends to a queue. Every 50 ms the first thread writes what came to the journal, which survives a killed
process. The second sends what the journal holds; where that fails, the journal keeps it, a warning says so once, and it
is sent again, less and less often. A store that hangs holds up neither the caller nor the journal.
"""

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import AssayError
from assay.record.clock import Clock, iso
from assay.record.identity import new_id
from assay.record.live.journal import Journal, frame
from assay.record.live.leftover import adopt
from assay.record.live.logged import Batch, Entry, File, Seen, Values, encode
from assay.record.live.targets import Target, spool_blobs, spool_folder
from assay.record.store import Store
from assay.record.tracking.points import Points

__all__ = ["MOST_WAITING", "Logger"]

_log = logging.getLogger("assay")
_EVERY_S = 0.05
_EACH = 4  # what one call puts into the queue: run, values by name or an entry, step, nanoseconds
MOST_WAITING = 100_000 * _EACH  # then the caller writes what waits to the journal itself
_MOST_SENT = 8 << 20  # bytes of the journal in one transaction or request
_LONGEST_PAUSE_S = 60.0
_HEARTBEAT_S = 30.0
_LONGEST_ASKED_S = 10.0  # how long a step waits for the store of its run
_loggers: "weakref.WeakSet[Logger]" = weakref.WeakSet()


class Logger:
    """One writer: its queue, its journal and its thread. `runs` are those that go on."""

    def __init__(self, target: Target, *, flush_to_disk: bool = False, offline: bool = False) -> None:
        self.target = target
        self.queue: deque[Any] = deque()  # flat, so that a call makes no object that lives on but its values
        self.runs: set[str] = set()
        self._told: set[str] = set()
        self.offline = offline
        self.folder = spool_folder(target)
        self.blobs = spool_blobs(self.folder)
        self.writer, self._journal = _open_journal(self.folder, flush_to_disk)
        self._seq = 0
        self._sent = 0
        self._files: list[str] = []  # blobs that what is not sent yet points to
        self._pause_s = 0.0
        self._next_try = 0.0
        self._next_heartbeat = time.monotonic() + _HEARTBEAT_S
        self._warned = False
        self._lock = threading.RLock()  # the journal
        self._sending = threading.RLock()  # the target; taken before the journal where both are
        self._wake = threading.Event()
        self._closed = False
        self._process = os.getpid()
        self._threads = [threading.Thread(target=self._write_on, name="assay-journal", daemon=True)]
        if not offline:
            self._threads.append(threading.Thread(target=self._send_on, name="assay-sender", daemon=True))
        for thread in self._threads:
            thread.start()
        _loggers.add(self)

    @property
    def alive(self) -> bool:
        """Whether it may be used here: not closed, and not another process's from before a fork."""
        return not self._closed and self._process == os.getpid()

    def once(self, key: str, content: str) -> str | None:
        """The content for the first who asks, None afterwards: what many runs share is sent with one of them."""
        if key in self._told:
            return None
        self._told.add(key)
        return content

    def need(self, blob: str) -> None:
        """What is logged next points to that blob."""
        self._files.append(blob)

    def relieve(self) -> None:
        """Write the queue to the journal in the caller's time: it grew faster than the thread could follow."""
        with self._lock:
            self._write()

    def wait(self, timeout_s: float) -> bool:
        """Whether all that was logged until now is in the store within the time."""
        until = time.monotonic() + timeout_s
        while True:
            with self._lock:
                self._write()
            if not self.offline:
                with self._sending:
                    self._next_try = 0.0
                    self._send()
            with self._lock:
                if self._sent == self._journal.size and not self.queue:
                    return True
            if self.offline or time.monotonic() >= until:
                return False
            time.sleep(min(_EVERY_S, max(until - time.monotonic(), 0.0)))

    def asked(self) -> Store | None:
        """The store, when all that was logged is in it; None where it is a server's, or does not take it in time."""
        store = None
        if not self.offline:
            with self._sending, contextlib.suppress(AssayError):  # a store that is away is no reason to stop
                store = self.target.opened()
        if store is not None and self.wait(_LONGEST_ASKED_S):
            return store
        if self.once("unasked", self.target.name):
            _log.warning("assay: steps are not remembered: %s cannot be asked from here", self.target.name)
        return None

    def close(self, timeout_s: float = 10.0) -> bool:
        """Send what is left and end the thread; the journal stays where not all could be sent."""
        if not self.alive:
            return True
        done = self.wait(timeout_s)
        self._closed = True
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout_s)
        with self._lock:
            self._journal.close(remove=done)
            self.target.close()
        return done

    def _write_on(self) -> None:
        while not self._wake.wait(_EVERY_S):
            with self._lock, contextlib.suppress(AssayError):
                self._heartbeat()
                self._write()

    def _send_on(self) -> None:
        with self._sending, contextlib.suppress(Exception):  # whoever comes next tries again, or `assay sync`
            adopt(self.target, self.folder, self.blobs)
        while not self._wake.wait(_EVERY_S):
            with self._sending:
                self._send()

    def _heartbeat(self) -> None:
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + _HEARTBEAT_S
            moment = iso(Clock().now())
            for run_id in list(self.runs):
                self.queue.extend((run_id, Seen(run_id, moment), 0, 0))

    def _write(self) -> None:
        """The queue into the journal. A disk that is full keeps what it cannot take in the queue."""
        count = len(self.queue)
        if not count:
            return
        taken = [self.queue.popleft() for _ in range(count)]
        entries = _entries(taken)
        content = encode(Batch(self.writer, self._seq + 1, entries))
        try:
            self._journal.append(frame(content))
        except OSError as error:
            self.queue.extendleft(reversed(taken))
            self._say(f"the disk does not take what is logged ({error.strerror}); it waits in memory")
            return
        self._seq += 1
        self._files += [entry.blob for entry in entries if isinstance(entry, File)]

    def _send(self) -> None:
        if time.monotonic() < self._next_try:
            return
        while self._sent < self._journal.size:
            frames = self._journal.read(self._sent, _MOST_SENT)
            try:
                self.target.send_blobs(self.blobs, list(self._files))
                self.target.send(frames)
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the journal keeps it
                self._pause_s = min(max(self._pause_s * 2, _EVERY_S * 4), _LONGEST_PAUSE_S)
                self._next_try = time.monotonic() + self._pause_s
                said = str(error).splitlines()[0] if str(error) else type(error).__name__
                self._say(f"{self.target.name} takes nothing now ({said}); what is logged waits in {self.folder}")
                return
            self._sent += len(frames)
            self._pause_s = 0.0
        with self._lock:
            if self._journal.size and self._sent == self._journal.size:
                self._files = []
                self._journal.clear()
                self._sent = 0
        self._warned = False

    def _say(self, text: str) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("assay: %s", text)


def _open_journal(folder: Path, flush_to_disk: bool) -> tuple[str, Journal]:
    """A new writer and its journal. Somebody who looks for what was left behind may be faster with the lock: again."""
    while True:
        writer = new_id()
        path = folder / f"{writer}.journal"
        try:
            journal = Journal(path, flush_to_disk=flush_to_disk)
        except BlockingIOError:
            continue
        if path.exists():
            return writer, journal
        journal.close()


def _entries(taken: Sequence[Any]) -> list[Entry]:
    """Points of the queue as columns, one entry a run between others of it."""
    entries: list[Entry] = []
    waiting: dict[str, list[int]] = {}  # where in what was taken the points of a run begin
    for at in range(0, len(taken), _EACH):
        run_id, what = taken[at], taken[at + 1]
        if isinstance(what, dict):
            waiting.setdefault(run_id, []).append(at)
        else:
            if run_id in waiting:
                entries.append(_values(run_id, taken, waiting.pop(run_id)))
            entries.append(what)
    entries += [_values(run_id, taken, places) for run_id, places in waiting.items()]
    return entries


def _values(run_id: str, taken: Sequence[Any], places: list[int]) -> Values:
    """Columns of what was logged. Calls with the same names, which most are, cost a look-up each."""
    shapes: dict[tuple[str, ...], int] = {}
    shape = np.array([shapes.setdefault(tuple(taken[at + 1]), len(shapes)) for at in places], np.int64)
    value: list[float] = []
    for at in places:
        value.extend(taken[at + 1].values())
    numbers: dict[str, int] = {}
    codes = [[numbers.setdefault(name, len(numbers)) for name in names] for names in shapes]
    lengths = np.array([len(names) for names in shapes], np.int64)
    starts = np.cumsum(lengths) - lengths  # where the codes of each shape begin in `flat`
    flat = np.array([code for listed in codes for code in listed], np.int32)
    counts = lengths[shape]
    first = np.cumsum(counts) - counts
    within = np.arange(len(value)) - np.repeat(first, counts)
    key = flat[np.repeat(starts[shape], counts) + within]
    step = np.repeat(np.array([taken[at + 2] for at in places], np.int64), counts)
    ts_ms = np.repeat(np.array([taken[at + 3] for at in places], np.int64) // 1_000_000, counts)
    return Values.of(run_id, list(numbers), key, Points(step, ts_ms, np.array(value, np.float64)))


def _close_all() -> None:
    for logger in list(_loggers):
        if not logger.close() and not logger.offline:
            _log.warning(
                "assay: not all that was logged has reached %s; `assay sync` sends what is left in %s",
                logger.target.name,
                logger.folder,
            )


atexit.register(_close_all)
