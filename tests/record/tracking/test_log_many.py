from assay.errors import Conflict, InvalidInput, NotFound
from assay.record.sqlstore import SqlStore
from assay.record.tracking import run_changes
from assay.record.tracking.log_many import Logged, log_many
from assay.record.tracking.metrics import history, latest, points_of

POINT = {"m": points_of([(1, 1, 0.5)])}


def test_points_of_many_runs_are_kept_and_each_refusal_is_its_own(either_store: SqlStore) -> None:
    going, ended, deleted = (run_changes.create_run(either_store, "0", name=name) for name in "abc")
    run_changes.update_run(either_store, ended, status="failed")
    run_changes.delete_run(either_store, deleted)
    refused = log_many(
        either_store,
        [
            Logged(going, POINT),
            Logged(ended, POINT),
            Logged(ended, POINT, "mark"),
            Logged(deleted, POINT),
            Logged("nope", POINT),
            Logged(going, {"n": points_of([(1, -1, 0.5)])}),
            Logged(going, {"m": points_of([(2, 2, 0.25)]), "n": points_of([(0, 0, 1.0)])}),
        ],
    )
    assert [type(error) for error in refused] == [
        type(None),
        Conflict,
        type(None),
        InvalidInput,
        NotFound,
        InvalidInput,
        type(None),
    ]
    assert history(either_store, going, "m").value.tolist() == [0.5, 0.25]
    assert latest(either_store, [going])[going]["n"].value == 1.0
    assert history(either_store, ended, "m", late=True).value.tolist() == [0.5]
    assert len(history(either_store, ended, "m")) == 0


def test_the_same_point_from_two_entries_is_kept_once(store: SqlStore) -> None:
    run_id = run_changes.create_run(store, "0", name="r")
    assert log_many(store, [Logged(run_id, POINT), Logged(run_id, POINT)]) == [None, None]
    assert log_many(store, [Logged(run_id, POINT)]) == [None]
    assert latest(store, [run_id])[run_id]["m"].count == 1


def test_nothing_to_log_is_harmless(store: SqlStore) -> None:
    assert log_many(store, []) == []
    run_id = run_changes.create_run(store, "0", name="r")
    assert log_many(store, [Logged(run_id, {}), Logged(run_id, {"m": points_of([])})]) == [None, None]


def test_a_run_that_logs_is_seen(store: SqlStore) -> None:
    run_id = run_changes.create_run(store, "0", name="r")
    store.amend("run", {"run_id": run_id}, {"seen": "2020-01-01T00:00:00.000000Z"})
    log_many(store, [Logged(run_id, POINT)])
    assert store.get("run", {"run_id": run_id})["seen"] > "2021"
