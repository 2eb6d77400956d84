"""A store with alerts and webhooks of before keeps them, with what an alert says by itself now."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from assay.record import migrations
from assay.record.alerts.alert import close_alert, find_alert, open_alert
from assay.record.alerts.handling import list_alerts
from assay.record.notify.webhooks import webhooks
from assay.record.sqlstore import SqlStore

_WHO = {"actor": "ann", "actor_kind": "human", "source": "native", "ts": "2025-01-01T00:00:00.000000Z"}
_TIME = "2025-01-02T00:00:00.000000Z"
_ROWS: dict[str, list[dict[str, Any]]] = {
    "monitor": [
        {"monitor_id": "m1", "model": "delays", "endpoint": "delays", "kind": "feature_skew", "detail": "{}",
         "owner": "ann", "enabled": 1, "every_s": 60, **_WHO},
    ],
    "alert": [
        {"alert_id": "a1", "monitor_id": "m1", "opened": _TIME, "message": "served otherwise", "acked": None,
         "closed": None, "action": None, "linked_run": None, **_WHO},
        {"alert_id": "a2", "monitor_id": "m1", "opened": _TIME, "message": "before", "acked": _TIME,
         "closed": _TIME, "action": "retrain", "linked_run": "r1", **_WHO},
    ],
    "webhook": [
        {"webhook_id": "w1", "name": "hook", "url": "https://example.org/hook", "events": '["prompt.created"]',
         "status": "ACTIVE", "form": "mlflow", "secret": "quiet", "created": _TIME, "updated": _TIME, **_WHO},
    ],
    "outbox": [{"event_id": "e1", "event": "prompt.created", "payload": "{}", **_WHO}],
    "delivery": [{"event_id": "e1", "webhook_id": "w1", "state": "waiting", "attempts": 3, "due": _TIME}],
}  # fmt: skip


def _as_before(store: SqlStore) -> None:
    with store._writers.begin() as connection:
        postgresql = connection.dialect.name == "postgresql"
        if not postgresql:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for table in reversed(sa.inspect(connection).get_table_names()):
            connection.exec_driver_sql(f'DROP TABLE "{table}"{" CASCADE" if postgresql else ""}')
        if postgresql:
            connection.exec_driver_sql("DROP FUNCTION ledger_refuse()")
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        for table, rows in _ROWS.items():
            columns = ", ".join(rows[0])
            values = ", ".join(f":{name}" for name in rows[0])
            connection.execute(sa.text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), rows)


@pytest.mark.usefixtures("migrating")
def test_alerts_webhooks_and_what_waits_are_kept(either_store: SqlStore) -> None:
    store = either_store
    _as_before(store)
    with store._writers.begin() as connection:
        migrations.bring_up_to_date(connection, store.location)
    for table, rows in _ROWS.items():
        kept = store.query(table, order_by=[next(iter(rows[0]))])
        assert [{name: row[name] for name in rows[0]} for row in kept] == rows
    first, second = find_alert(store, "a1"), find_alert(store, "a2")
    assert (first.key, first.model, first.endpoint, first.owner, first.severity, first.times, first.seen) == (
        "monitor:feature_skew:delays", "delays", "delays", "ann", "warning", 1, _TIME
    )  # fmt: skip
    assert (second.action, second.linked_run) == ("retrain", "r1")
    assert list_alerts(store) == [first]
    assert [(hook.name, hook.signed, hook.least, hook.digest) for hook in webhooks(store)] == [
        ("hook", True, None, None)
    ]
    assert [row["noticed"] for row in store.query("outbox")] == [_WHO["ts"]], "what happened before is nobody's news"
    again = open_alert(store, "monitor:feature_skew:delays", "still served otherwise", model="delays")
    assert (again.alert_id, again.times) == ("a1", 2)
    assert close_alert(store, "a1", action="fixed", reason="it is right now").closed is not None
