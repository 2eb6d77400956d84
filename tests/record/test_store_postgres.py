"""PostgreSQL keeps the contract of a store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from assay.record import open_store
from assay.record.contract import StoreContract
from assay.record.sqlstore import SqlStore


class TestPostgres(StoreContract):
    @pytest.fixture
    def store(self, postgres_store: SqlStore) -> SqlStore:
        return postgres_store

    @pytest.fixture
    def second(self, postgres_with_store: str, postgres_store: SqlStore, tmp_path: Path) -> Iterator[SqlStore]:
        opened = open_store(postgres_with_store, blobs=tmp_path / "blobs")
        yield opened
        opened.close()


def test_location_hides_the_password(tmp_path: Path) -> None:
    url = sa.make_url("postgresql+psycopg://ann:secret@host/name")
    store = SqlStore(sa.create_engine(url), blobs=None)  # type: ignore[arg-type] # no content is touched
    assert "secret" not in store.location
    assert "ann" in store.location


def test_text_is_ordered_by_code_point_whatever_the_language_of_the_database(postgres_store: SqlStore) -> None:
    with postgres_store.engine.connect() as connection:
        other = connection.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
        ).all()
    assert other == []
