import errno
import os
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from assay.errors import NotFound, StoreUnavailable
from assay.record import ledger, open_store
from assay.record.contract import ids, run_row
from assay.record.faults import storage_faults
from assay.record.sqlstore import SqlStore


def _limit(store: SqlStore, pages: int | None) -> None:
    """Let the database file grow to so many pages and no further (None: as far as it has got now)."""
    store.close()

    @event.listens_for(store.engine, "connect")
    def _configure(connection: sqlite3.Connection, _: object) -> None:
        limit = pages or connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {limit}")


def test_a_full_disk_is_said_and_nothing_is_changed(store: SqlStore) -> None:
    store.append("run", run_row("a"))
    ledger.decide(store, "promote", "m", {})
    before = store.query("run")
    _limit(store, None)
    with pytest.raises(StoreUnavailable, match="the disk is full, and this was not recorded") as caught:
        store.append("run", run_row("b", name="x" * 1_000_000))
    assert "free some space" in str(caught.value)
    assert caught.value.where == store.location
    assert store.query("run") == before
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        store.amend("run", {"run_id": "a"}, {"name": "x" * 1_000_000})
    with pytest.raises(StoreUnavailable, match="the disk is full"), store.transaction():  # noqa: PT012
        ledger.decide(store, "promote", "m", {})
        store.append("run", run_row("c", name="x" * 1_000_000))
    assert store.query("run") == before
    assert ledger.verify(store).entries == 1
    with pytest.raises(StoreUnavailable, match="broken off"), store.transaction():  # noqa: PT012 - a block that does not care
        store.append("run", run_row("d"))
        with pytest.raises(StoreUnavailable):
            store.append("run", run_row("e", name="x" * 1_000_000))
        store.append("run", run_row("f"))
    assert store.query("run") == before
    _limit(store, 100_000)
    store.append("run", run_row("b", name="x" * 1_000_000))
    assert ids(store) == ["a", "b"]


def test_a_full_disk_leaves_no_part_of_a_blob(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailable, match="the disk is full, and this was not recorded"):
        store.blobs.put(b"content")
    assert [path for path in store.blobs.root.rglob("*") if path.is_file()] == []


def test_a_database_that_may_not_be_written_is_said(store: SqlStore) -> None:
    store.append("run", run_row("a"))
    store.close()

    @event.listens_for(store.engine, "connect")
    def _configure(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    with pytest.raises(StoreUnavailable, match="the store's folder cannot be written"):
        store.append("run", run_row("b"))
    assert ids(store) == ["a"]


def test_a_postgres_that_may_not_be_written_is_said(
    postgres_with_store: str, postgres_store: SqlStore, tmp_path: Path
) -> None:
    with postgres_store.engine.connect() as connection:
        connection.exec_driver_sql(
            f"ALTER DATABASE {sa.make_url(postgres_with_store).database} SET default_transaction_read_only = on"
        )
        connection.commit()
    reader = open_store(postgres_with_store, blobs=tmp_path)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        reader.append("run", run_row("a"))
    assert ids(reader) == []
    reader.close()


def test_a_postgres_user_without_rights_is_told(
    postgres_store: SqlStore, postgres_with_store: str, tmp_path: Path
) -> None:
    with postgres_store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE guest_of_faults LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest_of_faults")
    address = sa.make_url(postgres_with_store).set(username="guest_of_faults").render_as_string()
    guest = open_store(address, blobs=tmp_path)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        guest.append("run", run_row("a"))
    assert ids(guest) == []
    guest.close()


def test_a_connection_that_was_cut_is_made_again(postgres_store: SqlStore) -> None:
    postgres_store.append("run", run_row("a"))
    with postgres_store.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    postgres_store.append("run", run_row("b"))
    assert ids(postgres_store) == ["a", "b"]


def test_no_connection_in_time_is_said(tmp_path: Path) -> None:
    opened = open_store(tmp_path / "store")
    small = SqlStore(sa.create_engine(opened.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.05), opened.blobs)
    with small.engine.connect(), pytest.raises(StoreUnavailable, match="no connection became free"):
        small.query("run")
    small.close()
    opened.close()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
        (errno.EIO, "the store's files cannot be used: Input/output error"),
    ],
)
def test_errors_of_files_say_what_to_do(code: int, message: str) -> None:
    with pytest.raises(StoreUnavailable, match=message) as caught, storage_faults("here"):
        raise OSError(code, os.strerror(code))
    assert caught.value.where == "here"
    assert isinstance(caught.value.__cause__, OSError)


def test_the_file_is_named_where_it_is_known() -> None:
    with pytest.raises(StoreUnavailable) as caught, storage_faults("here"):
        raise PermissionError(errno.EACCES, "Permission denied", "there")
    assert caught.value.where == "there"


@pytest.mark.parametrize("error", [NotFound("nothing"), ValueError("mine"), sa.exc.NoSuchTableError("mine")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, storage_faults("here"):
        raise error
    assert caught.value is error


def test_an_error_of_a_statement_passes(store: SqlStore) -> None:
    with (
        pytest.raises(sa.exc.IntegrityError),
        storage_faults("here"),
        store.engine.begin() as connection,
    ):
        connection.exec_driver_sql("INSERT INTO ledger_head VALUES (1, 0, '')")
