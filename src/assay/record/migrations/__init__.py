"""Versions of the schema. A store is brought up to `HEAD` when it is opened; a newer one is refused."""

import threading
from pathlib import Path

import sqlalchemy as sa

from assay.errors import StoreMismatch

__all__ = ["HEAD", "bring_up_to_date", "version_of"]

HEAD = "0009"
_ALEMBIC = threading.Lock()  # it keeps what it works on in a global
# oldest first; a test compares this with the scripts in versions/
_KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")


def version_of(connection: sa.Connection) -> str | None:
    """The schema version of a database, None where it holds no store yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return str(found) if found is not None else None


def bring_up_to_date(connection: sa.Connection, location: str) -> None:
    """Create or migrate the tables inside the caller's transaction. Raises StoreMismatch for a newer store."""
    found = version_of(connection)
    if found == HEAD:
        return
    if found is not None and found not in _KNOWN:
        raise StoreMismatch(
            f"the store has schema version {found}, this Assay knows up to {HEAD}",
            where=location,
            expected="a store of this version or an older one",
            hint="pip install --upgrade assay-mlops",
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")
