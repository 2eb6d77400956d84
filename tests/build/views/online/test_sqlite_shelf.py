"""Online rows in Sqlite keep the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.build.views.online.contract import ShelfContract
from assay.build.views.online.sqlite_shelf import SqliteShelf


class TestSqlite(ShelfContract):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> Iterator[SqliteShelf]:
        opened = SqliteShelf(tmp_path / "folder" / "online.db")
        yield opened
        opened.close()

    @pytest.fixture
    def second(self, shelf: SqliteShelf, tmp_path: Path) -> Iterator[SqliteShelf]:
        opened = SqliteShelf(tmp_path / "folder" / "online.db")
        yield opened
        opened.close()
