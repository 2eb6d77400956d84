"""Incidents: opened by alerts, rollbacks and people; joined, restored, closed with what was learnt."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assay.cli.main import run
from assay.errors import InvalidInput, NotFound
from assay.record import open_store
from assay.record.alerts.alert import open_alert
from assay.record.alerts.incident import find_incident, open_incident
from assay.record.alerts.incident_commands import (
    end_incident,
    list_incidents,
    mark_restored,
    note_incident,
    report_incident,
    show_incident,
)
from assay.record.clock import iso
from assay.record.sqlstore import SqlStore

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _begin(store: SqlStore) -> None:
    store.clock.advance(START)


def test_an_incident_goes_from_the_harm_to_what_was_learnt(store: SqlStore) -> None:
    made = report_incident(store, "prices are wrong", model="prices", started="2026-03-01T06:00Z", found_by="a user")
    assert (made.opened_by, made.to_detect_s, made.to_restore_s) == ("human", 7200, None)
    with pytest.raises(InvalidInput, match="goes on"):
        end_incident(store, made.incident_id, cause="a feed", learnt="watch it")
    assert find_incident(store, made.incident_id).cause is None  # refused as a whole
    store.clock.advance(START + HOUR)
    assert mark_restored(store, made.incident_id, reason="rolled back").to_restore_s == 3 * 3600
    with pytest.raises(InvalidInput, match="says nothing of cause and learnt"):
        end_incident(store, made.incident_id)
    note_incident(store, made.incident_id, "the feed sent cents", cause="a feed in other units")
    closed = end_incident(store, made.incident_id, learnt="check units on arrival")
    assert (closed.closed, closed.cause) == (iso(START + HOUR), "a feed in other units")
    told = [row["event"] for row in store.query("outbox", order_by=["event_id"])]
    assert told == ["incident.opened", "incident.restored", "incident.closed"]
    what = [one.what for one in show_incident(store, made.incident_id).changes]
    assert what == ["restored", "cause", "note", "learnt", "closed"]
    assert (list_incidents(store), list_incidents(store, state="closed")) == ([], [closed])


def test_a_critical_alert_opens_one_and_what_follows_joins_it(store: SqlStore) -> None:
    first = open_alert(store, "a", "errors", severity="critical", model="delays", endpoint="delays", monitor_id="m")
    second = open_alert(store, "b", "latency", severity="critical", model="delays", endpoint="delays")
    assert first.incident_id == second.incident_id
    (found,) = list_incidents(store)
    assert (found.opened_by, found.alert_id, found.found_by) == ("alert", first.alert_id, "monitor")
    other = open_alert(store, "c", "errors", severity="critical", model="prices")
    assert other.incident_id != first.incident_id
    rolled = open_incident(store, "delays/2 was rolled back", opened_by="rollback", model="delays", endpoint="delays",
                           started=START - HOUR, decision=7, restored=True)  # fmt: skip
    assert (rolled.incident_id, rolled.decision, rolled.to_detect_s) == (first.incident_id, 7, 3600)
    assert rolled.restored == iso(START)
    shown = show_incident(store, rolled.incident_id)
    assert {one.key for one in shown.alerts} == {"a", "b"}
    assert open_alert(store, "d", "errors", severity="critical", model="delays").incident_id != first.incident_id


def test_a_warning_that_becomes_critical_opens_one(store: SqlStore) -> None:
    assert open_alert(store, "a", "slow", model="delays").incident_id is None
    worse = open_alert(store, "a", "very slow", model="delays", severity="critical")
    assert find_incident(store, worse.incident_id or "").title == "very slow"


def test_wrong_input_is_refused(store: SqlStore) -> None:
    made = report_incident(store, "prices are wrong")
    before = store.query("incident"), store.query("history"), store.query("outbox")
    with pytest.raises(InvalidInput, match="cannot start"):
        report_incident(store, "later", started="2026-03-02")
    with pytest.raises(InvalidInput, match="--started is 'soon'"):
        report_incident(store, "soon", started="soon")
    with pytest.raises(InvalidInput, match="says nothing"):
        report_incident(store, "  ")
    with pytest.raises(InvalidInput, match="cannot start"):
        note_incident(store, made.incident_id, started="2026-03-02")
    with pytest.raises(InvalidInput, match="the note says nothing"):
        note_incident(store, made.incident_id)
    with pytest.raises(InvalidInput, match="cannot have ended"):
        mark_restored(store, made.incident_id, at="2027-01-01")
    with pytest.raises(NotFound, match="no incident zz"):
        show_incident(store, "zz")
    assert (store.query("incident"), store.query("history"), store.query("outbox")) == before


def test_the_command_line_shows_how_long_it_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--store", str(tmp_path / "store")]
    store = open_store(tmp_path / "store")
    made = report_incident(store, "prices are wrong", started="2026-01-01").incident_id[:8]
    store.close()
    capsys.readouterr()
    assert run(["incident", "restore", made, *place]) == 0
    assert run(["incident", "close", made, "--cause", "a feed", "--learnt", "check units", *place]) == 0
    assert run(["incident", "show", made, *place]) == 0
    said = capsys.readouterr().out
    assert "days" in said
    assert "check units" in said
    assert run(["incident", "ls", "--state", "closed", *place]) == 0
    assert "prices are wrong" in capsys.readouterr().out
