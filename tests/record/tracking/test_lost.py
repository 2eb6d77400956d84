from datetime import timedelta

import pytest

from assay.record.clock import iso
from assay.record.sqlstore import SqlStore
from assay.record.tracking.lost import LOST_AFTER, LOST_WITH_HEARTBEAT, state_of
from assay.record.tracking.run_changes import create_run, run_row
from assay.record.tracking.runs import show_run


@pytest.mark.parametrize(("detail", "patience"), [(None, LOST_AFTER), ("{}", LOST_WITH_HEARTBEAT)])
def test_a_run_from_which_nothing_comes_is_lost(store: SqlStore, detail: str | None, patience: timedelta) -> None:
    run_id = create_run(store, "0", name="r", detail=detail)
    now = store.clock.now()
    for silent, state in ((patience - timedelta(seconds=30), "running"), (patience + timedelta(seconds=30), "lost")):
        store.amend("run", {"run_id": run_id}, {"seen": iso(now - silent)})
        assert state_of(run_row(store, run_id), now) == state
        assert show_run(store, run_id).run.status == state
    store.amend("run", {"run_id": run_id}, {"status": "failed"})
    assert state_of(run_row(store, run_id), now) == "failed"
