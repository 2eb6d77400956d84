from datetime import UTC, datetime, timedelta

import pytest

from assay.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from assay.record.clock import iso
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment
from assay.record.tracking.projects import close_project, list_projects, new_project, put_into_project
from assay.record.tracking.run_changes import create_run
from assay.record.tracking.timekeeping import add_time, start_time, stop_time, time_report

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def _ran(store: SqlStore, experiment_id: str, began: float, ended: float) -> None:
    """A run from `began` to `ended`, in hours after nine."""
    started = iso(NINE + timedelta(hours=began))
    run_id = create_run(store, experiment_id, name="r", started=started)
    store.amend(
        "run",
        {"run_id": run_id},
        {"status": "finished", "ended": iso(NINE + timedelta(hours=ended)), "cpu_s": 1800.0},
    )


def test_a_project_has_an_owner_and_is_late_after_its_day(either_store: SqlStore) -> None:
    new_project(either_store, "old", owner="ada", due="2020-01-31")
    new_project(either_store, "new", due="2999-01-01")
    new_project(either_store, "some day")
    assert [(one.project, one.late) for one in list_projects(either_store)] == [
        ("old", True),
        ("new", False),
        ("some day", False),
    ]
    assert [one.project for one in time_report(either_store).late] == ["old"]
    assert not close_project(either_store, "old").late
    assert [one.project for one in list_projects(either_store)] == ["new", "some day"]
    assert len(list_projects(either_store, everything=True)) == 3


def test_what_a_project_cannot_be_is_refused(store: SqlStore) -> None:
    new_project(store, "churn")
    with pytest.raises(AlreadyExists):
        new_project(store, "churn")
    with pytest.raises(InvalidInput):
        new_project(store, "x", due="tomorrow")
    with pytest.raises(NotFound, match="churn"):
        close_project(store, "chrun")
    with pytest.raises(NotFound):
        put_into_project(store, "churn", "nothing")
    close_project(store, "churn")
    with pytest.raises(Conflict):
        close_project(store, "churn")
    with pytest.raises(Conflict):
        add_time(store, "churn", 1.0)
    assert [one.project for one in list_projects(store, everything=True)] == ["churn"]


def test_a_person_has_one_clock(store: SqlStore) -> None:
    new_project(store, "churn")
    with pytest.raises(Conflict):
        stop_time(store)
    begun = start_time(store, "churn", activity="labelling")
    with pytest.raises(Conflict):
        start_time(store, "churn")
    start_time(store, "churn", person="somebody else")
    stopped = stop_time(store)
    assert stopped.entry_id == begun.entry_id
    assert stopped.ended is not None
    assert stopped.ended >= stopped.started


def test_time_that_overlaps_counts_once(either_store: SqlStore) -> None:
    new_project(either_store, "churn")
    experiment = create_experiment(either_store, "churn/first")
    put_into_project(either_store, "churn", "churn/first")
    add_time(either_store, "churn", 2.0, start="2026-03-02T09:00", activity="labelling")
    add_time(either_store, "churn", 2.0, start="2026-03-02T10:00", activity="reading")
    _ran(either_store, experiment.experiment_id, 2.5, 4.0)  # an hour of it after the entries
    _ran(either_store, experiment.experiment_id, 3.5, 4.5)  # half an hour more
    report = time_report(either_store, by="activity")
    assert {line.activity: line.total_hours for line in report.lines} == {"labelling": 2.0, "reading": 1.0, "runs": 1.5}
    [line] = time_report(either_store, by="project,person").lines
    assert (line.project, line.hours, line.run_hours, line.total_hours) == ("churn", 3.0, 1.5, 4.5)
    assert line.cpu_hours == pytest.approx(1.0)
    [line] = time_report(either_store, by="project", since="2026-03-02T12:00").lines
    assert (line.hours, line.run_hours) == (0.0, 1.5)


def test_a_report_by_something_else_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="colour"):
        time_report(store, by="project,colour")
    with pytest.raises(InvalidInput):
        time_report(store, since="lately")


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan"), float("inf")])
def test_hours_that_nobody_can_work_are_refused(store: SqlStore, hours: float) -> None:
    new_project(store, "churn")
    with pytest.raises(InvalidInput):
        add_time(store, "churn", hours)
    assert store.query("time_entry") == []
