"""Finding and opening a store: a folder `.assay`, or the address of a PostgreSQL database."""

import os
import tomllib
from pathlib import Path

import sqlalchemy as sa

from assay.errors import InvalidInput, MissingExtra, NotFound
from assay.progress import tell
from assay.record.blobs import Blobs
from assay.record.clock import Clock
from assay.record.faults import storage_faults
from assay.record.identity import Actor
from assay.record.migrations import HEAD, bring_up_to_date, version_of
from assay.record.sqlstore import SqlStore, make_engine

__all__ = ["FOLDER", "PROJECT_FILE", "find_folder", "find_project", "open_store", "stated", "stated_location"]

FOLDER = ".assay"
PROJECT_FILE = "assay.toml"
_DATABASE = "assay.db"


def open_store(
    location: str | Path | None = None,
    *,
    create: bool = True,
    blobs: str | Path | None = None,
    clock: Clock | None = None,
    actor: Actor | None = None,
) -> SqlStore:
    """Open a store, creating or migrating it where needed.

    `location` is a folder or `postgresql://...`; without it ASSAY_STORE, else what the nearest `assay.toml` says, else
    the nearest `.assay` here or above, else `.assay` here. With `create=False` a missing store is NotFound. `blobs` is
    the folder of blobs, by default inside the store's folder (for PostgreSQL: `.assay/blobs` here).

    Raises StoreUnavailable where it cannot be read or written, StoreMismatch where a newer Assay wrote it.
    """
    address = str(location or stated_location() or find_folder())
    if address.startswith(("postgresql:", "postgresql+", "postgres:")):
        engine = make_engine(_postgres_url(address))
        blob_folder = Path(blobs or Path(FOLDER) / "blobs")
    elif "://" in address:
        raise InvalidInput(
            f"cannot open a store at {address.split('://', maxsplit=1)[0]}://", expected="a folder or postgresql://..."
        )
    else:
        folder = Path(address).absolute()
        if not create and not (folder / _DATABASE).is_file():
            raise _no_store(str(folder))
        with storage_faults(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
        engine = make_engine(sa.URL.create("sqlite", database=str(folder / _DATABASE)))
        blob_folder = Path(blobs or folder / "blobs")
    store = SqlStore(engine, Blobs(blob_folder), clock=clock, actor=actor)
    try:
        _prepare(store, create=create)
    except BaseException:
        store.close()
        raise
    return store


def find_folder(start: Path | None = None) -> Path:
    """The nearest `.assay` that holds a store, in `start` or above it, else the place for a new one."""
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / FOLDER / _DATABASE).is_file():
            return folder / FOLDER
    return here / FOLDER


def find_project(start: Path | None = None) -> Path | None:
    """The nearest `assay.toml`, in `start` or above it."""
    here = (start or Path.cwd()).absolute()
    return next((file for folder in (here, *here.parents) if (file := folder / PROJECT_FILE).is_file()), None)


def stated_location() -> str | None:
    """Where somebody said the store is: ASSAY_STORE, else `store` of the nearest `assay.toml`."""
    return stated("store")


def stated(what: str) -> str | None:
    """A place that somebody named: ASSAY_<WHAT>, else `<what>` of the nearest `assay.toml`, whose paths begin there."""
    found = os.environ.get(f"ASSAY_{what.upper()}")
    file = None if found else find_project()
    if file is None:
        return found
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get(what)
    except (OSError, ValueError) as error:  # a wrong file may hide the right store: nothing is guessed
        raise InvalidInput(f"the project file cannot be read: {error}", where=str(file)) from error
    if not isinstance(found, str):
        return None
    return found if "://" in found else str(file.parent / found)


def _prepare(store: SqlStore, *, create: bool) -> None:
    with storage_faults(store.location):
        with store.engine.connect() as connection:
            found = version_of(connection)
        if found == HEAD:
            return
        if found is None and not create:
            raise _no_store(store.location)
        tell("store", 0.0, f"from schema {found} to {HEAD}" if found else "a new one")
        with store.engine.execution_options(assay_mode="IMMEDIATE").begin() as connection:
            if store.engine.dialect.name == "postgresql":  # two processes may create the store at once
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4155736179)")
            bring_up_to_date(connection, store.location)
        tell("store", 1.0)


def _no_store(where: str) -> NotFound:
    return NotFound("there is no store here", where=where, hint="`assay demo` makes one, or name it with --store")


def _postgres_url(address: str) -> sa.URL:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingExtra("postgres", "psycopg") from None
    try:
        return sa.make_url(address).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise InvalidInput("the store's address cannot be read", expected="postgresql://user@host/database") from error
