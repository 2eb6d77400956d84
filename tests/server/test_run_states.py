"""Every way in which a run can stand has its word on the wire and its sign on the pages."""

from assay.record.search.finding import search_runs
from assay.record.sqlstore import SqlStore
from assay.record.tracking.run_changes import ENDS
from assay.record.tracking.runs import start_run
from assay.server.pages.wording import state_of
from assay.server.wire.run_answers import STATUSES


def test_every_state_has_a_word_and_a_sign(store: SqlStore) -> None:
    assert set(STATUSES) == {"running", "scheduled", "waiting", *ENDS}
    for end in ENDS:
        with start_run(store, "states", end) as run:
            run.finish(end)
        state = state_of(store.get("run", {"run_id": run.run_id}), store.clock.now())
        assert state.word == end
        assert state.sign


def test_clients_find_a_pruned_trial_among_the_killed(store: SqlStore) -> None:
    with start_run(store, "states", "trial") as run:
        run.finish("pruned")
    with start_run(store, "states", "other"):
        pass
    for said, found in (("KILLED", [run.run_id]), ("PRUNED", []), ("FAILED", [])):
        assert search_runs(store, f"attributes.status = '{said}'", dialect="mlflow").ids == found
