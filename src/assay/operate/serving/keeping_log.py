"""A server keeps the log of its endpoint small, by a process of low priority that lives while there is something to do.

Several servers of an endpoint may do so: the log lets one of them in at a time. The process may be killed at any
moment. What goes wrong is said on standard error and counted for `/metrics`; serving goes on.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.keeping import Kept, Told, is_due
from assay.operate.serving.counting import Counted, SharedCounts
from assay.operate.serving.supervising import full_address
from assay.record.store import Store

__all__ = ["COMMAND", "KeptSmall", "kept_small"]

_LOOK_S = 10.0
_PAUSE_S = 30.0  # after a process ended: nobody is to be started again and again
_LONGEST_PAUSE_S = 600.0  # where it fails
_PRUNE_S = 3600.0
_POLL_S = 0.1
COMMAND = [sys.executable, "-c", "from assay.operate.predictions.keeping import main; main()"]


class KeptSmall(msgspec.Struct, frozen=True):
    """How a log is kept small: what ended `compact_s` ago becomes parts, None for never, and rows are kept for
    `keep_s`, None for ever.
    """

    compact_s: float | None = 600.0
    keep_s: float | None = None


@contextmanager
def kept_small(store: Store, endpoint: str, how: KeptSmall, counts: Path) -> Iterator[None]:
    """Inside the block a thread looks now and then; what it did is counted in the folder `counts` of the server."""
    keeper = _Keeper(store, endpoint, how, SharedCounts(counts, name="log"))
    if how.compact_s is None and how.keep_s is None:
        yield
        return
    thread = threading.Thread(target=keeper.run, name="log-keeper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        keeper.stop.set()
        thread.join()


class _Keeper:
    def __init__(self, store: Store, endpoint: str, how: KeptSmall, counts: SharedCounts) -> None:
        self.stop = threading.Event()
        self._folder = log_folder(store, endpoint)
        self._told = Told(full_address(store), str(store.blobs.root), endpoint, how.keep_s)
        self._how = how
        self._counts = counts
        self._counted = Counted()
        self._passed_over: set[str] = set()
        self._said = ""
        self._failures = 0  # one after the other
        self._prune_at = 0.0

    def run(self) -> None:
        wait = _LOOK_S
        while not self.stop.wait(wait):
            wait = _LOOK_S
            try:
                is_over = self._how.keep_s is not None and time.monotonic() >= self._prune_at
                if not (is_over or self._is_due()):
                    continue
                kept = self._done(prune=is_over)
            except Exception as error:  # noqa: BLE001 - serving goes on whatever ails the log's files
                kept = Kept(failed=f"{type(error).__name__}: {error}")
            if not self.stop.is_set():
                wait = self._told_of(kept)

    def _is_due(self) -> bool:
        return self._how.compact_s is not None and is_due(self._folder, self._how.compact_s, self._passed_over)

    def _done(self, *, prune: bool) -> Kept:
        """What the process says that does it; it is killed where the server ends."""
        told = self._told if prune else msgspec.structs.replace(self._told, keep_s=None)
        with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
            try:
                assert process.stdin is not None
                process.stdin.write(msgspec.json.encode(told) + b"\n")
                process.stdin.close()
                while process.poll() is None and not self.stop.wait(_POLL_S):
                    pass
            finally:
                process.kill()
            assert process.stdout is not None
            said = process.stdout.read()
        if not said.endswith(b"\n"):
            return Kept(failed=f"the process that does it ended with exit code {process.returncode}")
        if prune:
            self._prune_at = time.monotonic() + _PRUNE_S
        return msgspec.json.decode(said, type=Kept)

    def _told_of(self, kept: Kept) -> float:
        """Count it and say what is wrong with it; seconds until the next look."""
        counted = self._counted
        counted.log_compacted_rows += kept.rows
        counted.log_pruned_rows += kept.gone
        counted.log_keeping_failures += kept.failed is not None
        self._counts.keep(counted)
        for text in kept.left:
            name = text.partition(":")[0]
            if name not in self._passed_over:
                self._passed_over.add(name)
                self._say(f"a segment stays as it is: {text}")
        if kept.failed is None:
            self._failures, self._said = 0, ""
            return _PAUSE_S
        self._failures += 1
        if kept.failed != self._said:
            self._say(f"it is not compacted: {kept.failed}")
        self._said = kept.failed
        return float(min(_PAUSE_S * 2 ** (self._failures - 1), _LONGEST_PAUSE_S))

    def _say(self, text: str) -> None:
        sys.stderr.write(f"prediction log of endpoint {self._told.endpoint}: {text}\n")
