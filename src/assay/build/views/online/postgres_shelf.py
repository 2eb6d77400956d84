"""Online rows in tables of a PostgreSQL database. A read is one statement; writers of a generation take turns."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from assay.build.views.online.shelf import Change, Found, Generation, Want
from assay.errors import MissingExtra, StoreUnavailable

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresShelf"]

_LOCK = 1_835_363_700  # with the number of a generation the key of what its writers wait for; 0 is for making tables
_TABLES = (
    """CREATE TABLE IF NOT EXISTS assay_online_generation (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, view text NOT NULL, is_current boolean NOT NULL,
    mark bytea, UNIQUE (view, is_current))""",
    """CREATE TABLE IF NOT EXISTS assay_online_kept (
    key bytea NOT NULL, generation integer NOT NULL, revision bigint NOT NULL, data bytea NOT NULL,
    PRIMARY KEY (key, generation))""",
)
_GET = """
SELECT g.view, k.key, k.revision, CASE WHEN k.revision = ANY(%s::bigint[]) THEN NULL ELSE k.data END
FROM unnest(%s::text[], %s::bytea[]) AS w(view, key)
JOIN assay_online_generation g ON g.view = w.view AND g.is_current
JOIN assay_online_kept k ON k.key = w.key AND k.generation = g.number
"""
_ROWS = "SELECT key, revision, data FROM assay_online_kept WHERE key = ANY(%s::bytea[]) AND generation = %s"
_INSERT = """
INSERT INTO assay_online_kept
SELECT key, %s, revision, data FROM unnest(%s::bytea[], %s::bigint[], %s::bytea[]) AS w(key, revision, data)
ON CONFLICT DO NOTHING RETURNING key
"""
_UPDATE = """
UPDATE assay_online_kept k SET revision = w.revision, data = w.data
FROM unnest(%s::bytea[], %s::bigint[], %s::bigint[], %s::bytea[]) AS w(key, expected, revision, data)
WHERE k.key = w.key AND k.generation = %s AND k.revision = w.expected RETURNING k.key
"""
_DELETE = """
DELETE FROM assay_online_kept k USING unnest(%s::bytea[], %s::bigint[]) AS w(key, expected)
WHERE k.key = w.key AND k.generation = %s AND k.revision = w.expected RETURNING k.key
"""


class PostgresShelf:
    """See `shelf.Shelf` for the contract."""

    def __init__(self, address: str) -> None:
        try:
            import psycopg
        except ImportError:
            raise MissingExtra("postgres", "psycopg") from None
        self._psycopg = psycopg
        scheme, _, rest = address.partition("://")
        self._address = f"postgresql://{rest}"
        self._location = f"{scheme}://{rest.rpartition('@')[2]}"
        self._local = threading.local()
        self._all: list[psycopg.Connection[Any]] = []
        there = (
            "SELECT to_regclass('assay_online_generation') IS NOT NULL AND to_regclass('assay_online_kept') IS NOT NULL"
        )
        with self._reading() as cursor:
            is_there = cursor.execute(there).fetchone()
        if is_there != (True,):  # else somebody who swaps would have to be waited for
            with self._writing(0) as cursor:
                for text in _TABLES:
                    cursor.execute(text)

    @property
    def location(self) -> str:
        """The address without user and password."""
        return self._location

    def generations(self, view: str) -> list[Generation]:
        """The current one first."""
        asked = "SELECT number, is_current, mark FROM assay_online_generation WHERE view = %s ORDER BY is_current DESC"
        with self._reading() as cursor:
            return [Generation(*row) for row in cursor.execute(asked, (view,)).fetchall()]

    def begin(self, view: str) -> int:
        """The one that is being built."""
        made = "INSERT INTO assay_online_generation (view, is_current) VALUES (%s, false) ON CONFLICT DO NOTHING"
        asked = "SELECT number FROM assay_online_generation WHERE view = %s AND NOT is_current"
        with self._writing(0) as cursor:
            cursor.execute(made, (view,))
            found = cursor.execute(asked, (view,)).fetchone()
            assert found is not None
            return int(found[0])

    def install(self, view: str, number: int) -> None:
        """Swap and drop the one before, in one transaction."""
        asked = "SELECT number FROM assay_online_generation WHERE view = %s AND is_current"
        with self._writing(0) as cursor:
            if not self._is_alive(cursor, number):
                return
            before = cursor.execute(asked, (view,)).fetchone()
            if before is not None and before[0] != number:
                self._drop(cursor, before[0])
            cursor.execute("UPDATE assay_online_generation SET is_current = true WHERE number = %s", (number,))

    def discard(self, view: str) -> None:
        """The one that is being built, and its rows."""
        asked = "SELECT number FROM assay_online_generation WHERE view = %s AND NOT is_current"
        with self._writing(0) as cursor:
            for (number,) in cursor.execute(asked, (view,)).fetchall():
                self._drop(cursor, number)

    def set_mark(self, number: int, mark: bytes) -> None:
        """Beside the rows."""
        with self._writing(number) as cursor:
            cursor.execute("UPDATE assay_online_generation SET mark = %s WHERE number = %s", (mark, number))

    def get(self, wants: Sequence[Want], known: Sequence[int] = ()) -> dict[str, dict[bytes, Found]]:
        """Of the current generations."""
        views: list[str] = []
        keys: list[bytes] = []
        found: dict[str, dict[bytes, Found]] = {}
        for want in wants:
            for view in want.views:
                found[view] = {}
                views += [view] * len(want.keys)
                keys += want.keys
        with self._reading() as cursor:
            for view, key, revision, data in cursor.execute(_GET, (list(known), views, keys)).fetchall():
                found[view][key] = revision, data
        return found

    def rows(self, number: int, keys: Sequence[bytes]) -> dict[bytes, Found]:
        """Of one generation."""
        with self._reading() as cursor:
            rows = cursor.execute(_ROWS, (list(keys), number)).fetchall()
        return {key: (revision, data) for key, revision, data in rows}

    def put(self, number: int, changes: Sequence[Change]) -> list[bool]:
        """All in one transaction."""
        new = [change for change in changes if change.data is not None and not change.expected]
        other = [change for change in changes if change.data is not None and change.expected]
        gone = [change for change in changes if change.data is None]
        done: set[bytes] = set()
        with self._writing(number) as cursor:
            if not self._is_alive(cursor, number):
                return [True] * len(changes)
            for asked, given in (
                (_INSERT, (number, *_columns(new, "key", "revision", "data"))),
                (_UPDATE, (*_columns(other, "key", "expected", "revision", "data"), number)),
                (_DELETE, (*_columns(gone, "key", "expected"), number)),
            ):
                done.update(key for (key,) in cursor.execute(asked, given).fetchall())
        return [change.key in done for change in changes]

    def drop(self, view: str) -> None:
        """All generations."""
        asked = "SELECT number FROM assay_online_generation WHERE view = %s"
        with self._writing(0) as cursor:
            for (number,) in cursor.execute(asked, (view,)).fetchall():
                self._drop(cursor, number)

    def close(self) -> None:
        """Of all threads."""
        while self._all:
            self._all.pop().close()
        self._local = threading.local()

    def _is_alive(self, cursor: "psycopg.Cursor[Any]", number: int) -> bool:
        asked = "SELECT 1 FROM assay_online_generation WHERE number = %s"
        return cursor.execute(asked, (number,)).fetchone() is not None

    def _drop(self, cursor: "psycopg.Cursor[Any]", number: int) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, number))  # who writes into it comes to an end
        cursor.execute("DELETE FROM assay_online_kept WHERE generation = %s", (number,))
        cursor.execute("DELETE FROM assay_online_generation WHERE number = %s", (number,))

    def _connection(self) -> "psycopg.Connection[Any]":
        found: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if found is None or found.closed:
            found = self._psycopg.connect(self._address, autocommit=True, prepare_threshold=1)
            self._local.connection = found
            self._all.append(found)
        return found

    @contextmanager
    def _reading(self) -> Iterator["psycopg.Cursor[Any]"]:
        with self._faults(), self._connection().cursor(binary=True) as cursor:
            yield cursor

    @contextmanager
    def _writing(self, number: int) -> Iterator["psycopg.Cursor[Any]"]:
        """A transaction that nobody else has who writes into that generation."""
        with self._faults():
            connection = self._connection()
            with connection.transaction(), connection.cursor(binary=True) as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, number))
                yield cursor

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self._psycopg.Error as error:
            raise StoreUnavailable(f"the online store failed: {error}", where=self._location) from error


def _columns(changes: Sequence[Change], *names: str) -> list[list[Any]]:
    return [[getattr(change, name) for change in changes] for name in names]
