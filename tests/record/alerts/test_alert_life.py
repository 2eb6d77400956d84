"""The life of an alert, with a clock that the test moves."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assay.cli.main import run
from assay.errors import InvalidInput, NotFound
from assay.record import open_store
from assay.record.alerts.alert import close_alert, open_alert
from assay.record.alerts.escalation import look_after
from assay.record.alerts.handling import ack_alert, alert_history, list_alerts, resolve_alert, snooze_alert
from assay.record.alerts.rules import alert_rules
from assay.record.clock import iso
from assay.record.contract import in_threads
from assay.record.notify.severity import Severity
from assay.record.sqlstore import SqlStore

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _begin(store: SqlStore) -> None:
    store.clock.advance(START)


def told(store: SqlStore) -> list[str]:
    return [row["event"] for row in store.query("outbox", order_by=["event_id"])]


def test_an_alert_seen_again_is_counted_and_told_once(store: SqlStore) -> None:
    first = open_alert(store, "drift:a", "a moved", model="delays", owner="ann")
    store.clock.advance(START + HOUR)
    again = open_alert(store, "drift:a", "a moved further")
    assert (again.alert_id, again.times, again.message) == (first.alert_id, 2, "a moved further")
    assert (again.opened, again.seen, again.owner) == (iso(START), iso(START + HOUR), "ann")
    assert told(store) == ["alert.opened"]
    assert open_alert(store, "drift:b", "b moved").alert_id != first.alert_id


def test_at_most_one_alert_of_a_key_is_open_whoever_opens_it_at_once(store: SqlStore) -> None:
    def one(number: int) -> str:
        other = open_store(store.location)
        try:
            return open_alert(other, "drift:a", f"seen by {number}").alert_id
        finally:
            other.close()

    assert len(set(in_threads(one, 6))) == 1
    (row,) = store.query("alert")
    assert row["times"] == 6
    assert told(store) == ["alert.opened"]


def test_a_worse_one_waits_for_a_person_anew(store: SqlStore) -> None:
    first = open_alert(store, "drift:a", "a moved", severity="info")
    ack_alert(store, first.alert_id)
    snooze_alert(store, first.alert_id, for_="2h")
    worse = open_alert(store, "drift:a", "a moved much", severity="warning")
    assert (worse.severity, worse.acked, worse.snoozed) == ("warning", None, None)
    assert told(store) == ["alert.opened", "alert.escalated"]
    assert open_alert(store, "drift:a", "a moved less", severity="info").severity == "warning"
    assert told(store) == ["alert.opened", "alert.escalated"]


def test_what_comes_back_soon_is_the_same_and_later_another(store: SqlStore) -> None:
    first = open_alert(store, "drift:a", "a moved")
    close_alert(store, first.alert_id, action="fixed", reason="the feed is back")
    store.clock.advance(START + 23 * HOUR)
    back = open_alert(store, "drift:a", "a moved again")
    assert (back.alert_id, back.closed, back.reason, back.times) == (first.alert_id, None, None, 2)
    assert told(store) == ["alert.opened", "alert.closed", "alert.reopened"]
    close_alert(store, first.alert_id, action="recovered", reason="within bounds")
    store.clock.advance(START + 48 * HOUR)
    assert open_alert(store, "drift:a", "a moved once more").alert_id != first.alert_id
    done = [one.what for one in alert_history(store, first.alert_id).changes]
    assert done == ["closed", "reopened", "closed"]


def test_one_that_nobody_acknowledges_is_raised_and_then_told_again_later_and_later(store: SqlStore) -> None:
    found = open_alert(store, "drift:a", "a moved")
    assert look_after(store, START + timedelta(hours=3, minutes=59)).escalated == []
    at = [hour for hour in range(1, 100) if look_after(store, START + hour * HOUR).escalated == [found.alert_id]]
    assert at == [4, 8, 16, 32, 56, 80]
    assert list_alerts(store)[0].severity == "critical"
    ack_alert(store, found.alert_id)
    assert look_after(store, START + 1000 * HOUR).escalated == []
    assert told(store) == ["alert.opened", *["alert.escalated"] * 6]


def test_how_long_one_may_wait_is_set_for_a_model_or_for_all(store: SqlStore) -> None:
    alert_rules(store, escalate_after="2h", owner="team", runbook="https://example.org/do")
    alert_rules(store, "delays", escalate_after="30m")
    slow, fast = open_alert(store, "a", "a", model="other"), open_alert(store, "b", "b", model="delays")
    assert (fast.owner, fast.runbook, slow.owner) == ("team", "https://example.org/do", "team")
    assert look_after(store, START + HOUR / 2).escalated == [fast.alert_id]
    assert slow.alert_id in look_after(store, START + 2 * HOUR).escalated
    with pytest.raises(InvalidInput, match="same_within is 'soon'"):
        alert_rules(store, same_within="soon")
    assert alert_rules(store).same_within == "1d"


def test_what_is_only_information_is_not_raised(store: SqlStore) -> None:
    open_alert(store, "a", "a", severity="info")
    assert look_after(store, START + 1000 * HOUR).escalated == []


def test_a_snoozed_alert_is_left_alone_and_people_are_reminded_once_when_it_is_over(store: SqlStore) -> None:
    found = open_alert(store, "a", "a")
    ack_alert(store, found.alert_id, note="it can wait")
    snooze_alert(store, found.alert_id, for_="1d", reason="the feed is fixed tomorrow")
    assert list_alerts(store, state="snoozed")[0].alert_id == found.alert_id
    assert look_after(store, START + 23 * HOUR) == look_after(store, START)
    assert look_after(store, START + 24 * HOUR).reminded == [found.alert_id]
    assert look_after(store, START + 25 * HOUR).reminded == []
    assert told(store) == ["alert.opened", "alert.reminded"]
    said = [(one.what, one.reason) for one in alert_history(store, found.alert_id).changes]
    assert said[:2] == [("acknowledged", "it can wait"), ("snoozed", "the feed is fixed tomorrow")]


def test_several_processes_that_look_after_alerts_raise_each_once(store: SqlStore) -> None:
    for number in range(5):
        open_alert(store, f"a{number}", "a")

    def one(_: int) -> list[str]:
        other = open_store(store.location)
        try:
            return look_after(other, START + 4 * HOUR).escalated
        finally:
            other.close()

    raised = [alert for found in in_threads(one, 4) for alert in found]
    assert sorted(raised) == sorted(row["alert_id"] for row in store.query("alert"))
    assert told(store).count("alert.escalated") == 5


@pytest.mark.parametrize(("state", "expected"), [
    ("open", ["c", "w", "i"]), ("waiting", ["c", "i"]), ("acknowledged", ["w"]), ("closed", ["x"]),
    ("all", ["c", "w", "i", "x"]), ("snoozed", []),
])  # fmt: skip
def test_alerts_are_listed_by_state_the_worst_first(store: SqlStore, state: str, expected: list[str]) -> None:
    severities: dict[str, Severity] = {"x": "critical", "i": "info", "w": "warning", "c": "critical"}
    for key, severity in severities.items():
        open_alert(store, key, key, severity=severity, model="delays")
    close_alert(store, store.query("alert", {"key": "x"})[0]["alert_id"], action="accepted", reason="we live with it")
    ack_alert(store, store.query("alert", {"key": "w"})[0]["alert_id"])
    assert [one.key for one in list_alerts(store, state=state)] == expected
    worse = [key for key in expected if key != "i"]
    assert [one.key for one in list_alerts(store, state=state, least="warning")] == worse
    assert list_alerts(store, state=state, model="other") == []


def test_wrong_input_is_refused_and_changes_nothing(store: SqlStore) -> None:
    found = open_alert(store, "a", "a")
    before = store.query("alert"), store.query("history"), store.query("outbox")
    with pytest.raises(InvalidInput, match="without a reason"):
        resolve_alert(store, found.alert_id)
    with pytest.raises(InvalidInput, match="not closed as 'fixt'"):
        resolve_alert(store, found.alert_id, reason="done", action="fixt")
    with pytest.raises(InvalidInput, match="--for is '0h'"):
        snooze_alert(store, found.alert_id, for_="0h")
    with pytest.raises(InvalidInput, match="owner of an alert is empty"):
        ack_alert(store, found.alert_id, owner=" ")
    with pytest.raises(InvalidInput, match="no alert is 'opn'"):
        list_alerts(store, state="opn")
    with pytest.raises(InvalidInput, match="says nothing"):
        open_alert(store, "b", " ")
    with pytest.raises(NotFound, match="no alert zz"):
        ack_alert(store, "zz")
    assert (store.query("alert"), store.query("history"), store.query("outbox")) == before
    resolve_alert(store, found.alert_id, reason="no harm", action="false-alarm")
    with pytest.raises(InvalidInput, match="is closed: false alarm"):
        ack_alert(store, found.alert_id)


def test_the_command_line_does_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "store")
    other = open_store(place)
    alert = open_alert(other, "data:feed", "the feed is silent", model="delays", severity="critical").alert_id[:8]
    other.close()
    assert run(["monitor", "ack", alert, "--note", "I look", "--owner", "bob", "--store", place]) == 0
    assert run(["monitor", "snooze", alert, "--for", "2h", "--store", place]) == 0
    capsys.readouterr()
    assert run(["monitor", "alerts", "--owner", "bob", "--store", place]) == 0
    assert "snoozed until" in capsys.readouterr().out
    assert run(["monitor", "close", alert, "--reason", "it is back", "--store", place]) == 0
    capsys.readouterr()
    assert run(["monitor", "history", alert, "--json", "--store", place]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in said["changes"]] == ["owner", "acknowledged", "snoozed", "closed"]
