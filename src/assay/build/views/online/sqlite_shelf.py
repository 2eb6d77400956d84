"""Online rows in a SQLite file, for any number of processes of one machine. Reads are prepared and hold no lock."""

import functools
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from assay.build.views.online.shelf import Change, Found, Generation, Want
from assay.errors import StoreUnavailable
from assay.record.sqlstore import use_wal

__all__ = ["SqliteShelf"]

_WAIT_S = 120
_MANY = 512  # keys of a statement
_FEW = 64  # revisions that a statement names one by one
_MAPPED_BYTES = 1 << 28  # of the file; read without copying, a thousand keys take two thirds of the time
_SWEPT = 20_000  # rows that are taken away in one transaction
# The current generation of a view is 1, one being built 0, a dropped one null until its rows are gone. The keys come
# first in `kept`: the rows of an entity in all its views lie side by side.
_TABLES = """
CREATE TABLE IF NOT EXISTS generation (
    number INTEGER PRIMARY KEY AUTOINCREMENT, view TEXT NOT NULL, current INTEGER, mark BLOB, UNIQUE (view, current));
CREATE TABLE IF NOT EXISTS kept (
    key BLOB NOT NULL, generation INTEGER NOT NULL, revision INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (key, generation)) WITHOUT ROWID;
"""


class SqliteShelf:
    """See `shelf.Shelf` for the contract."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._views: dict[int, str] = {}
        with self._faults():
            file.parent.mkdir(parents=True, exist_ok=True)
            there = "SELECT count(*) FROM sqlite_master WHERE name IN ('generation', 'kept')"
            if self._connection().execute(there).fetchone() != (2,):  # else a writer would have to be waited for
                self._connection().executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT")

    @property
    def location(self) -> str:
        """The file."""
        return str(self._file)

    def generations(self, view: str) -> list[Generation]:
        """The current one first."""
        with self._faults():
            rows = self._connection().execute(
                "SELECT number, current, mark FROM generation WHERE view = ? AND current >= 0 ORDER BY current DESC",
                (view,),
            )
            return [Generation(number, bool(current), mark) for number, current, mark in rows]

    def begin(self, view: str) -> int:
        """The one that is being built."""
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO generation (view, current) VALUES (?, 0)", (view,))
            found = connection.execute("SELECT number FROM generation WHERE view = ? AND current = 0", (view,))
            return int(found.fetchone()[0])

    def install(self, view: str, number: int) -> None:
        """Swap, then take away the rows of the one before."""
        with self._writing() as connection:
            if connection.execute("SELECT current FROM generation WHERE number = ?", (number,)).fetchone() != (0,):
                return
            connection.execute("UPDATE generation SET current = NULL WHERE view = ? AND current = 1", (view,))
            connection.execute("UPDATE generation SET current = 1 WHERE number = ?", (number,))
        self._sweep()

    def discard(self, view: str) -> None:
        """The one that is being built, and its rows."""
        with self._writing() as connection:
            connection.execute("UPDATE generation SET current = NULL WHERE view = ? AND current = 0", (view,))
        self._sweep()

    def set_mark(self, number: int, mark: bytes) -> None:
        """Beside the rows."""
        with self._writing() as connection:
            connection.execute("UPDATE generation SET mark = ? WHERE number = ?", (mark, number))

    def get(self, wants: Sequence[Want], known: Sequence[int] = ()) -> dict[str, dict[bytes, Found]]:
        """Of the current generations."""
        found: dict[str, dict[bytes, Found]] = {view: {} for views, _ in wants for view in views}
        try:
            execute = self._connection().execute
            for views, keys in wants:
                if len(keys) == 1 and len(known) <= _FEW:
                    for view, revision, data in execute(_asked(len(views), len(known)), (*known, *keys, *views)):
                        found[view][keys[0]] = revision, data
                    continue
                for first in range(0, len(keys), _MANY):
                    part = _padded(keys[first : first + _MANY])
                    asked = _asked_of_many(len(views), len(part), bool(known))
                    listed = (str(list(known)),) if known else ()
                    rows = execute(asked, (*listed, *part, *views)).fetchall()
                    places = self._of_views({row[0] for row in rows}, found)
                    if places is None:  # dropped since: what has taken its place is read
                        return self.get(wants, known)
                    for number, key, revision, data in rows:
                        places[number][key] = revision, data
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return found

    def rows(self, number: int, keys: Sequence[bytes]) -> dict[bytes, Found]:
        """Of one generation."""
        found: dict[bytes, Found] = {}
        with self._faults():
            for first in range(0, len(keys), _MANY):
                part = _padded(keys[first : first + _MANY])
                asked = f"SELECT key, revision, data FROM kept WHERE key IN ({_marks(len(part))}) AND generation = ?"  # noqa: S608
                for key, revision, data in self._connection().execute(asked, (*part, number)):
                    found[key] = revision, data
        return found

    def put(self, number: int, changes: Sequence[Change]) -> list[bool]:
        """All in one transaction."""
        with self._writing() as connection:
            known = connection.execute("SELECT current FROM generation WHERE number = ?", (number,)).fetchone()
            if known is None or known[0] is None:
                return [True] * len(changes)
            return [self._put(connection, number, change) for change in changes]

    def drop(self, view: str) -> None:
        """All generations."""
        with self._writing() as connection:
            connection.execute("UPDATE generation SET current = NULL WHERE view = ?", (view,))
        self._sweep()

    def close(self) -> None:
        """Of all threads."""
        while self._all:
            self._all.pop().close()
        self._local = threading.local()

    def _put(self, connection: sqlite3.Connection, number: int, change: Change) -> bool:
        key, expected, revision, data = change
        if data is None:
            asked = "DELETE FROM kept WHERE key = ? AND generation = ? AND revision = ?"
            return connection.execute(asked, (key, number, expected)).rowcount > 0
        if not expected:
            asked = "INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?)"
            return connection.execute(asked, (key, number, revision, data)).rowcount > 0
        asked = "UPDATE kept SET revision = ?, data = ? WHERE key = ? AND generation = ? AND revision = ?"
        return connection.execute(asked, (revision, data, key, number, expected)).rowcount > 0

    def _sweep(self) -> None:
        """Take away the rows of dropped generations, a part at a time, so that others may write in between."""
        for (number,) in self._connection().execute("SELECT number FROM generation WHERE current IS NULL").fetchall():
            last = b""
            while True:
                with self._writing() as connection:
                    asked = "SELECT key FROM kept WHERE key > ? AND generation = ? ORDER BY key LIMIT ?"
                    keys = connection.execute(asked, (last, number, _SWEPT)).fetchall()
                    if not keys:
                        connection.execute("DELETE FROM generation WHERE number = ?", (number,))
                        break
                    gone = "DELETE FROM kept WHERE key = ? AND generation = ?"
                    connection.executemany(gone, [(key, number) for (key,) in keys])
                    (last,) = keys[-1]

    def _of_views(self, numbers: set[int], found: dict[str, dict[bytes, Found]]) -> dict[int, dict[bytes, Found]]:
        """Where the rows of a generation belong. A number is of one view for ever, so it is asked for once."""
        for number in numbers - self._views.keys():
            asked = "SELECT view FROM generation WHERE number = ?"
            self._views[number] = self._connection().execute(asked, (number,)).fetchone()[0]
        return {number: found[self._views[number]] for number in numbers}

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self._file, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            use_wal(found)
            for pragma in ("synchronous=NORMAL", f"mmap_size={_MAPPED_BYTES}"):
                found.execute(f"PRAGMA {pragma}").close()
            self._local.connection = found
            self._all.append(found)
        return found

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the right to write from its beginning."""
        with self._faults():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a failed statement may have ended it
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"the online store failed: {error}", where=str(self._file))


@functools.cache
def _asked(views: int, known: int) -> str:
    """The statement that reads one key, by far the most frequent one."""
    data = f"CASE WHEN k.revision IN ({_marks(known)}) THEN NULL ELSE k.data END" if known else "k.data"
    return (
        f"SELECT g.view, k.revision, {data} FROM generation g"  # noqa: S608
        " JOIN kept k ON k.generation = g.number AND k.key = ?"
        f" WHERE g.view IN ({_marks(views)}) AND g.current = 1"
    )


@functools.cache
def _asked_of_many(views: int, keys: int, is_known: bool) -> str:
    """The statement that reads several keys. The plus lets it walk over the rows of a key, not look up each of them."""
    known = "(SELECT value FROM json_each(?))"
    data = f"CASE WHEN k.revision IN {known} THEN NULL ELSE k.data END" if is_known else "k.data"
    return (
        f"SELECT k.generation, k.key, k.revision, {data} FROM kept k"  # noqa: S608
        f" WHERE k.key IN ({_marks(keys)}) AND +k.generation IN"
        f" (SELECT number FROM generation WHERE view IN ({_marks(views)}) AND current = 1)"
    )


def _marks(count: int) -> str:
    return ",".join("?" * count)


def _padded(keys: Sequence[bytes]) -> Sequence[bytes | None]:
    """With nulls, which are no key, up to the next power of two, so that few texts of statements occur."""
    return [*keys, *[None] * ((1 << (len(keys) - 1).bit_length()) - len(keys))]
