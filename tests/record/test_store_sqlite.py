"""SQLite keeps the contract of a store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.record import open_store
from assay.record.contract import StoreContract
from assay.record.sqlstore import SqlStore


class TestSqlite(StoreContract):
    checks_types = False

    @pytest.fixture
    def second(self, store: SqlStore, tmp_path: Path) -> Iterator[SqlStore]:
        opened = open_store(tmp_path / "store")
        yield opened
        opened.close()


def test_location_is_the_folder(store: SqlStore, tmp_path: Path) -> None:
    assert store.location == str(tmp_path / "store")


def test_a_commit_survives_a_killed_process_and_others_need_not_wait(store: SqlStore) -> None:
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
