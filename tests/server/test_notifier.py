"""A server finds out by itself who has to know of what happened."""

import time

from assay.record.notify.telling import tell
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore
from assay.server.notifier import Notifier


def test_notices_are_made_while_a_server_runs(store: SqlStore) -> None:
    grant_role(store, "ann", "owner")
    notifier = Notifier(store, every_s=0.02)
    try:
        tell(store, "incident.opened", {"model": "churn", "message": "all wrong", "severity": "critical"})
        deadline = time.monotonic() + 20
        while not store.query("notice", {"person": "ann"}):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        notifier.close()
