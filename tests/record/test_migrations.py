from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from assay.record import migrations, open_store
from assay.record.contract import in_threads
from assay.record.schema import METADATA
from assay.record.sqlstore import SqlStore

pytestmark = pytest.mark.usefixtures("migrating")


def test_the_scripts_are_one_line_of_the_known_versions() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrations.HEAD]
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == migrations._KNOWN


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # SQLite does not tell what stands in one
def test_migrations_end_at_the_schema(either_store: SqlStore) -> None:
    with either_store.engine.connect() as connection:
        assert migrations.version_of(connection) == migrations.HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_an_up_to_date_store_is_left_alone(either_store: SqlStore) -> None:
    with either_store.engine.begin() as connection:
        migrations.bring_up_to_date(connection, either_store.location)


def test_a_database_without_a_version_holds_no_store(
    either_store: SqlStore, meddle: Callable[[SqlStore, str], None]
) -> None:
    meddle(either_store, "DELETE FROM alembic_version")
    with either_store.engine.connect() as connection:
        assert migrations.version_of(connection) is None
    meddle(either_store, "DROP TABLE alembic_version")
    with either_store.engine.connect() as connection:
        assert migrations.version_of(connection) is None


def test_threads_make_stores_at_the_same_time(tmp_path: Path) -> None:
    def make(number: int) -> list[object]:
        store = open_store(tmp_path / str(number))
        try:
            return list(store.query("ledger_head"))
        finally:
            store.close()

    assert in_threads(make, 6) == [[{"id": 1, "seq": 0, "hash": "0" * 64}]] * 6
