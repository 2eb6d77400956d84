"""SQLite's write-ahead log goes into the database in a thread, instead of within the commit that fills it.

A checkpoint waits for the disk, tens to hundreds of milliseconds. Whoever answers many others cannot wait so long; a
process that only writes need not care.
"""

import contextlib
import sqlite3
import threading
from pathlib import Path

import sqlalchemy as sa

from assay.record.sqlstore import SqlStore

__all__ = ["Checkpoints"]

_EVERY_S = 0.5
_LARGE = 64 << 20  # bytes of the log after which it is copied although others write on
_KEPT = 1 << 20  # bytes of the file of the log that stay for the next ones
_BOUND_PAGES = 65_536  # 256 MB: where the thread does not keep up, a commit does it after all


class Checkpoints:
    """Copies the log of a store on SQLite when it is large, and when nobody writes, until `close`.

    For other databases it does nothing.
    """

    def __init__(self, store: SqlStore, *, large: int = _LARGE, every_s: float = _EVERY_S) -> None:
        self._large = large
        self._every_s = every_s
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        if store.backend != "sqlite":
            return
        self._database = str(store.engine.url.database)
        sa.event.listen(store.engine, "connect", _leave_it)
        store.engine.dispose()  # connections of before would still do it themselves
        self._thread = threading.Thread(target=self._run, name="assay-checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Copy nothing more; SQLite does when the last connection is closed."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        log = Path(f"{self._database}-wal")
        copied = before = _mark(log)
        while not self._end.wait(self._every_s):
            now = _mark(log)
            if now != copied and (now == before or now[0] > self._large):
                self._copy(is_large=now[0] > self._large)
                copied = _mark(log)
            before = now

    def _copy(self, *, is_large: bool) -> None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self._database)) as connection:
            # neither waits for others nor keeps them waiting, so what comes meanwhile is left
            _, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if is_large and copied < pages:  # the little that is left, with writers waiting, or the log only grows
                connection.execute("PRAGMA wal_checkpoint(RESTART)").close()


def _leave_it(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint={_BOUND_PAGES}").close()
    # what was copied does not count as large any more: the next write cuts the file
    connection.execute(f"PRAGMA journal_size_limit={_KEPT}").close()


def _mark(log: Path) -> tuple[int, int]:
    """What changes with every write: size and time of change."""
    try:
        stat = log.stat()
    except FileNotFoundError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns
