"""How old the newest of a view's rows is, and when the last ones came: from the log, without reading its rows."""

import msgspec
import sqlalchemy as sa

from assay.build.views.declared.moments import latest_us
from assay.build.views.registry.registered import ViewVersion
from assay.record.schema import TABLES
from assay.record.store import Store

__all__ = ["Freshness", "freshness"]


class Freshness(msgspec.Struct, frozen=True):
    """Of a version of a view: logged rows, and in microseconds the newest time in them and the last time of arrival.

    `age_us` and `arrived_ago_us` count from then to now; all are None where nothing has come.
    """

    view: str
    rows: int
    newest_us: int | None
    arrived_us: int | None
    age_us: int | None
    arrived_ago_us: int | None


def freshness(store: Store, version: ViewVersion, now_us: int | None = None) -> Freshness:
    """How fresh the version is, now by the store's clock or at another moment; the age of a future time is negative."""
    log = TABLES["feature_log"]
    of_version = (log.c.view == version.name, log.c.version == version.version, log.c.kind.in_(["source", "push"]))
    asked = sa.select(
        sa.func.sum(log.c.rows).label("rows"),
        sa.func.max(log.c.greatest_ts).label("newest"),
        sa.func.max(log.c.arrived_us).label("arrived"),
    ).where(*of_version)
    (found,) = store.select(asked)
    now = latest_us(store.clock) if now_us is None else now_us
    newest, arrived = found["newest"], found["arrived"]
    return Freshness(
        version.reference,
        int(found["rows"] or 0),
        newest,
        arrived,
        None if newest is None else now - newest,
        None if arrived is None else now - arrived,
    )
