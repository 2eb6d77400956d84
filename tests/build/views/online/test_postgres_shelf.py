"""Online rows in Postgres keep the contract."""

from collections.abc import Iterator

import pytest

from assay.build.views.online.contract import ShelfContract
from assay.build.views.online.postgres_shelf import PostgresShelf


class TestPostgres(ShelfContract):
    @pytest.fixture
    def shelf(self, postgres: str) -> Iterator[PostgresShelf]:
        opened = PostgresShelf(postgres)
        yield opened
        opened.close()

    @pytest.fixture
    def second(self, shelf: PostgresShelf, postgres: str) -> Iterator[PostgresShelf]:
        opened = PostgresShelf(postgres)
        yield opened
        opened.close()
