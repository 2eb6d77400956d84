"""The loop looks after notices, too: what nobody read in its time goes to others, and is sent in the same tick."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assay.operate.watching.ticking import tick
from assay.record.models.registered_models import create_registered_model
from assay.record.notify.telling import tell
from assay.record.notify.webhooks import add_webhook
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_a_tick_tells_and_raises_what_nobody_read(store: SqlStore, tmp_path: Path) -> None:
    store.clock.advance(START)
    create_registered_model(store, "churn")
    grant_role(store, "ann", "owner")
    grant_role(store, "dora", "data-scientist")
    grant_role(store, "max", "management")
    add_webhook(store, "max", str(tmp_path / "max"), form="file", to="max")
    event = tell(store, "gate.failed", {"model": "churn", "message": "no to churn/2", "severity": "warning"})
    assert tick(store, []).unread == []
    assert {row["person"] for row in store.query("notice")} == {"ann", "dora"}
    assert not (tmp_path / "max").exists()
    store.clock.advance(START + timedelta(days=1, hours=1))
    assert tick(store, []).unread == [event]
    told = [json.loads(line) for line in (tmp_path / "max").read_text().splitlines()]
    assert {one["event"] for one in told} == {"notice.escalated"}
    assert any("not read by anybody with the role owner: no to churn/2" in one["data"]["message"] for one in told)
    assert tick(store, []).unread == []
