"""The store on a SQL database: SQLite in a folder, or PostgreSQL."""

import functools
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from assay.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from assay.record.blobs import Blobs
from assay.record.clock import Clock, iso
from assay.record.faults import is_storage_fault, storage_faults
from assay.record.identity import Actor, current_actor
from assay.record.statements import Prepared, Statements, checked_table
from assay.record.store import Observer, Row, Sql

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

__all__ = ["SqlStore", "make_engine", "use_wal"]

_WAIT_S = 120  # how long a writer waits for another before it gives up
_WRITERS = 4155736180  # key of the lock that a PostgreSQL transaction holds; see `_begun`
_REFUSALS = (IntegrityError, DataError, ProgrammingError, OverflowError, UnicodeEncodeError)
_TAKEN = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_ROWID", "23505")
_SWITCH_PAUSE_S = 0.01
_CACHE_KIB = 32_768  # of pages a connection keeps at most; SQLite's 2 MB are read again and again by a search


def make_engine(url: sa.URL) -> sa.Engine:
    """An engine whose transactions take the right to write when they begin, so that no writer fails half-way."""
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, pool_timeout=_WAIT_S)
    engine = sa.create_engine(url, connect_args={"timeout": _WAIT_S}, pool_timeout=_WAIT_S)

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        # WAL with NORMAL keeps every commit over a killed process; only a power cut may lose the last ones.
        connection.isolation_level = None  # transactions begin below, not when the driver thinks so
        use_wal(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", f"cache_size=-{_CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("assay_mode", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log, once in its life.

    Switching does not wait for others as writing does: where several processes open a new file at once, it is repeated.
    """
    deadline = time.monotonic() + _WAIT_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_SWITCH_PAUSE_S)


class SqlStore:
    """See `store.Store` for the contract."""

    def __init__(
        self, engine: sa.Engine, blobs: Blobs, *, clock: Clock | None = None, actor: Actor | None = None
    ) -> None:
        self.engine = engine
        self.blobs = blobs
        self.clock = clock or Clock()
        self.actor = actor or current_actor()
        self.source = "native"
        self.observer: Observer | None = None
        self._local = threading.local()
        self._statements = Statements(engine.dialect)
        self._is_server = engine.dialect.name == "postgresql"
        self._writers = engine.execution_options(assay_mode="IMMEDIATE")

    @functools.cached_property
    def location(self) -> str:
        """Folder of the SQLite file, or the address of the server without its password."""
        url = self.engine.url
        if url.get_backend_name() == "sqlite":
            return str(Path(str(url.database)).parent)
        return url.render_as_string(hide_password=True)

    @property
    def backend(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    # --- writing --------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction around the block; an inner one joins the outer."""
        with self._begun(exclusive=True):
            yield

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Part of an open transaction: where the block raises, only what it did is undone."""
        with self.transaction():
            connection, appended = self._required_open()
            kept = len(appended)
            savepoint = connection.begin_nested()
            try:
                yield
            except BaseException:
                if connection.invalidated:  # the database failed: nothing of the transaction can be saved
                    raise
                savepoint.rollback()
                del appended[kept:]
                raise
            savepoint.commit()

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """Part of an open transaction in which a call that is refused ends all of it: so none needs a savepoint."""
        before = getattr(self._local, "unguarded", False)
        with self.transaction():
            self._local.unguarded = True
            try:
                yield
            finally:
                self._local.unguarded = before

    def append(self, kind: str, row: Mapping[str, object]) -> None:
        """Add one row."""
        self.append_many(kind, [row])

    def append_many(self, kind: str, rows: Iterable[Mapping[str, object]], *, skip_existing: bool = False) -> int:
        """Add rows with the same columns; returns how many were new."""
        table, filled = self._filled(kind, rows)
        if not filled:
            return 0
        keys = [column.name for column in table.primary_key]
        if skip_existing:
            ignoring = self._statements.insert_new(kind, filled[0])
        else:
            prepared = self._statements.insert(kind, filled[0])
        with self._call(table, filled, is_one_row=len(filled) == 1) as (connection, appended):
            if skip_existing:
                new = [":".join(map(str, key)) for key in connection.execute(ignoring, filled)]
            else:
                prepared.run_many(connection, filled)
                new = [":".join(str(row[key]) for key in keys) for row in filled] if self.observer else []
            appended += [(kind, key) for key in new]
        return len(new) if skip_existing else len(filled)

    def amend(
        self,
        kind: str,
        key: Mapping[str, object],
        changes: Mapping[str, object],
        *,
        expect: Mapping[str, object] | None = None,
    ) -> None:
        """Change columns of the row with that key."""
        table = checked_table(kind)
        expected = expect or {}
        if not changes:
            raise InvalidInput(f"no changes of {kind} {_shown(key)} are named", expected="at least one column")
        statement, values = self._statements.update(kind, key, expected, changes)
        values |= {f"c_{name}": value for name, value in changes.items()}
        with self._call(table, [changes]) as (connection, _):
            if statement.run(connection, values).rowcount == 1:
                return
            current = self.get(kind, key)  # NotFound where there is no such row
            differing = {name: current[name] for name, value in expected.items() if current[name] != value}
            raise Conflict(
                f"{kind} {_shown(key)} was changed by somebody else",
                expected=_shown(expected),
                hint=f"it is now {_shown(differing)}; read it again and repeat",
            )

    def put_many(self, kind: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows, in place of those that have the same key."""
        _check_changeable(kind)
        table, filled = self._filled(kind, rows)
        if filled:
            prepared = self._statements.put(kind, filled[0])
            with self._call(table, filled, is_one_row=len(filled) == 1) as (connection, _):
                prepared.run_many(connection, filled)

    def amend_all(self, kind: str, where: Mapping[str, object], changes: Mapping[str, object]) -> int:
        """Change columns of many rows; returns how many."""
        _check_changeable(kind)
        table = checked_table(kind)
        if not where or not changes:
            raise InvalidInput(f"all rows of {kind} would be changed, or nothing", expected="a condition and a change")
        conditions = self._statements.conditions(table, where)
        for name in changes:
            self._statements.column(table, name)
        with self._call(table, [changes]) as (connection, _):
            return connection.execute(sa.update(table).where(*conditions).values(dict(changes))).rowcount

    def remove(self, kind: str, where: Mapping[str, object]) -> int:
        """Take rows away; returns how many."""
        _check_changeable(kind)
        table = checked_table(kind)
        if not where:
            raise InvalidInput(f"all rows of {kind} would be removed", expected="a condition")
        with self._call(table, [where]) as (connection, _):
            return connection.execute(sa.delete(table).where(*self._statements.conditions(table, where))).rowcount

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, kind: str, key: Mapping[str, object]) -> Row:
        """The row with that key."""
        rows = self.query(kind, key, limit=2)
        if not rows:
            raise NotFound(f"no {kind} with {_shown(key)}", where=self.location)
        if len(rows) > 1:
            raise InvalidInput(f"{_shown(key)} does not name one {kind}", expected="the whole key")
        return rows[0]

    def query(
        self,
        kind: str,
        where: Mapping[str, object] | None = None,
        *,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Row]:
        """Rows that satisfy every condition."""
        statement, values = self._statements.select(kind, where or {}, order_by, limit)
        with storage_faults(self.location), self._reader() as connection:
            if isinstance(statement, Prepared):
                return _fetched(statement.run(connection, values))
            result = connection.execute(statement)
            return _rows(result.keys(), result)

    def select(self, statement: sa.Select[Any] | Sql) -> list[Row]:
        """The rows of a statement."""
        with storage_faults(self.location), self._reader() as connection:
            if isinstance(statement, Sql):
                return _fetched(self._statements.question(statement).run(connection, statement.values))
            result = connection.execute(statement)
            return _rows(result.keys(), result)

    def tuples(self, question: Sql) -> Sequence[Sequence[Any]]:
        """The same rows without names."""
        with storage_faults(self.location), self._reader() as connection:
            return self._statements.question(question).run(connection, question.values).fetchall()

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def _open(self) -> tuple[sa.Connection, list[tuple[str, str]]] | None:
        return getattr(self._local, "open", None)

    def _required_open(self) -> tuple[sa.Connection, list[tuple[str, str]]]:
        assert self._open is not None, "only inside a transaction"
        return self._open

    @contextmanager
    def _begun(self, *, exclusive: bool) -> Iterator[None]:
        """A transaction around the block, or the one that is open already.

        Exclusive ones wait for each other. SQLite lets in one writer anyway; on PostgreSQL what one reads it may then
        write without losing another's change, and two that touch the same rows in another order cannot deadlock.
        """
        if self._open is not None:
            yield
            return
        appended: list[tuple[str, str]] = []
        with storage_faults(self.location):
            connection = self._writers.connect()
        with connection:
            with storage_faults(self.location):
                connection.begin()
                if exclusive and self._is_server:
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
            self._local.open = (connection, appended)
            try:
                yield
            finally:
                self._local.open = None
            with storage_faults(self.location):
                connection.commit()
        if self.observer is not None:
            for kind, key in appended:
                self.observer(kind, key)

    @contextmanager
    def _call(
        self, table: sa.Table, rows: Sequence[Mapping[str, object]], *, is_one_row: bool = False
    ) -> Iterator[tuple[sa.Connection, list[tuple[str, str]]]]:
        """One writing call: a transaction, or a savepoint in the open one, so that a refused call changes nothing."""
        joins = self._open is not None
        unguarded = joins and getattr(self._local, "unguarded", False)
        # A single row waits for at most one other writer: it needs no turn.
        with self._begun(exclusive=len(rows) > 1), storage_faults(self.location):
            connection, appended = self._required_open()
            # SQLite adds one row wholly or not at all as it is; PostgreSQL gives up the transaction at an error.
            guarded = joins and not unguarded and (self._is_server or not is_one_row)
            savepoint = connection.begin_nested() if guarded else None
            try:
                yield connection, appended
            except BaseException as error:
                if isinstance(error, Exception) and is_storage_fault(error):
                    # SQLite may have ended the transaction already: nothing after this may become one of its own
                    connection.invalidate()
                    raise
                if savepoint is not None:
                    savepoint.rollback()
                if unguarded:  # a part of the call may have been done
                    connection.invalidate()
                if isinstance(error, _REFUSALS):
                    raise _refusal(error, table, rows) from error
                raise
            if savepoint is not None:
                savepoint.commit()

    @contextmanager
    def _reader(self) -> Iterator[sa.Connection]:
        if self._open is not None:
            yield self._open[0]
            return
        with self.engine.connect() as connection:
            yield connection

    def _filled(self, kind: str, rows: Iterable[Mapping[str, object]]) -> tuple[sa.Table, list[dict[str, object]]]:
        """Rows with the same columns, with who wrote them and when."""
        table = checked_table(kind)
        more: dict[str, object] = {}
        if "actor" in table.c:
            more = {"actor": self.actor.name, "actor_kind": self.actor.kind, "source": self.source}
            more["event_ts"] = iso(self.clock.event) if self.clock.event else None
        if "ts" in table.c:
            more["ts"] = iso(self.clock.now())
        filled = [{**more, **row} for row in rows]
        if any(row.keys() != filled[0].keys() for row in filled):
            raise InvalidInput(f"the rows of {kind} have different columns", expected="the same columns in each")
        return table, filled


def _check_changeable(kind: str) -> None:
    if kind.startswith("ledger"):
        raise InvalidInput("the ledger is append-only")
    if kind == "approval":
        raise InvalidInput("approvals are append-only", hint="a rejection or withdrawal is another row")


def _fetched(cursor: "DBAPICursor") -> list[Row]:
    return _rows([column[0] for column in cursor.description], cursor.fetchall())


def _rows(names: Iterable[str], values: Iterable[Sequence[Any]]) -> list[Row]:
    columns = tuple(names)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _shown(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _refusal(error: Exception, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> AlreadyExists | InvalidInput:
    original = getattr(error, "orig", error)
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    if code in _TAKEN:
        keys = [column.name for column in table.primary_key if column.name in rows[0]]
        shown = _shown({key: rows[0][key] for key in keys}) if len(rows) == 1 else f"one of {len(rows)} rows"
        return AlreadyExists(f"{table.name} {shown} exists already")
    return InvalidInput(f"{table.name} was refused: {str(original).strip().splitlines()[0]}")
