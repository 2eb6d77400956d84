"""Who has to know, is told, reads and acts; what nobody reads in time goes to others, and the share falls (G18)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.record.talk.talk_world import DAY, HOUR, MODEL, START, acting, begin, later

from assay.errors import InvalidInput, NotFound, Refused
from assay.record.alerts.alert import open_alert
from assay.record.alerts.handling import ack_alert
from assay.record.alerts.incident_commands import note_incident, report_incident
from assay.record.clock import iso
from assay.record.contract import in_threads
from assay.record.ledger import entries
from assay.record.notify.delivery import deliver_due
from assay.record.notify.telling import tell
from assay.record.notify.webhooks import add_webhook
from assay.record.notify.words import in_words
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore
from assay.record.talk.digest import digest_for
from assay.record.talk.measuring import measure_communication
from assay.record.talk.notices import list_notices, read_notices
from assay.record.talk.quiet_hours import read_quiet_hours
from assay.record.talk.rules import notice_rule, notice_rules
from assay.record.talk.spreading import announce
from assay.record.talk.standing import look_after_notices, note_sent
from assay.record.talk.talking import ask_about, comment_on


@pytest.fixture(autouse=True)
def _begin(request: pytest.FixtureRequest) -> None:
    if "either_store" in request.fixturenames or "store" in request.fixturenames:
        name = "either_store" if "either_store" in request.fixturenames else "store"
        begin(request.getfixturevalue(name), ann="owner", bob="operations")


def failed(store: SqlStore) -> str:
    return tell(store, "gate.failed", {"message": "the gate says no to churn/2", "model": MODEL, "severity": "warning"})


def test_an_event_becomes_one_notice_for_each_person_whoever_looks_and_however_often(either_store: SqlStore) -> None:
    store = either_store
    grant_role(store, "dora", "data-scientist")
    grant_role(store, "carl", "data-scientist")
    event = failed(store)
    in_threads(lambda _: look_after_notices(store), 4)
    look_after_notices(store)
    rows = store.query("notice", order_by=["role", "person"])
    assert [(row["role"], row["person"]) for row in rows] == [
        ("data-scientist", "carl"), ("data-scientist", "dora"), ("owner", "ann"),
    ]  # fmt: skip
    assert {row["event_id"] for row in rows} == {event}
    assert {row["due"] for row in rows} == {iso(START + DAY)}


def test_unread_after_its_time_a_notice_goes_to_others_once_and_the_share_falls(either_store: SqlStore) -> None:
    """G18."""
    store = either_store
    grant_role(store, "max", "management")
    grant_role(store, "dora", "data-scientist")
    failed(store)
    assert look_after_notices(store).escalated == []
    for person in ("ann", "dora"):
        read_notices(acting(store, person), "all")
    good = measure_communication(store)
    assert (good.share, good.n, good.pending) == (1.0, 1, 0)

    later(store, HOUR)
    event = failed(store)
    look_after_notices(store)
    read_notices(acting(store, "ann"), "all")
    waits = measure_communication(store)
    assert (waits.share, waits.n, waits.pending) == (1.0, 1, 1), "what is not due yet says nothing"
    later(store, DAY + HOUR)
    assert look_after_notices(store).escalated == [event]
    assert look_after_notices(store).escalated == []
    (raised,) = list_notices(acting(store, "max"))
    assert raised.words == "not read by anybody with the role data-scientist: the gate says no to churn/2"
    assert [row["event"] for row in store.query("outbox")].count("notice.escalated") == 1
    fallen = measure_communication(store)
    assert (fallen.share, fallen.n) == (0.5, 2)
    late = next(one for one in fallen.reached if one.role == "data-scientist")
    assert (late.had_to_know, late.told, late.in_time) == (2, 2, 1)
    read_notices(acting(store, "dora"), "all")
    assert measure_communication(store).share == 0.5, "read too late is late"
    assert measure_communication(store, as_of=iso(START + 2 * HOUR)).share == 1.0, "as it was known then"
    later(store, 10 * DAY)
    assert look_after_notices(store).escalated == [], "what was raised is not raised again"


def test_a_role_that_nobody_has_is_said_and_counts_as_not_reached(store: SqlStore) -> None:
    failed(store)
    found = measure_communication(store)
    assert (found.share, found.n) == (0.0, 1)
    assert found.nobody == ["data-scientist for churn: is it decaying, and why"]
    (said,) = [one for one in list_notices(store, everybody=True) if not one.person]
    assert (said.person, said.roles) == ("", ["data-scientist"])
    later(store, DAY + HOUR)
    look_after_notices(store)
    words = {row["words"] for row in store.query("notice", {"event": "notice.escalated"})}
    assert "nobody has the role data-scientist: the gate says no to churn/2" in words


def test_what_somebody_else_has_done_is_nobodys_fault(store: SqlStore) -> None:
    asked = ask_about(acting(store, "eve"), "model:churn", "why?", to="ann,bob", within="1d")
    comment_on(acting(store, "bob"), "model:churn", "because", answers=asked.comment_id)
    (mine,) = list_notices(acting(store, "ann"))
    assert (mine.event, mine.settled) == ("question.asked", True)
    assert digest_for(store, "ann").needs == []
    later(store, 2 * DAY)
    assert look_after_notices(store).escalated == []
    ask_about(acting(store, "eve"), "model:churn", "and why that?", to="ann,bob", within="1d")
    later(store, 2 * DAY)
    assert len(look_after_notices(store).escalated) == 1, "this one nobody has answered"
    words = [one.words for one in list_notices(acting(store, "eve"))]
    assert any(one.startswith("not read in time by ann, bob: eve asks you") for one in words), "who asked is told"


def test_acting_is_knowing_and_what_was_done_is_kept(store: SqlStore) -> None:
    later(store, HOUR)
    incident = report_incident(store, "all wrong", model=MODEL)
    alert = open_alert(store, "drift:a", "a moved", model=MODEL)
    look_after_notices(store)
    note_incident(acting(store, "bob"), incident.incident_id, "I look")
    ack_alert(acting(store, "ann"), alert.alert_id)
    comment_on(acting(store, "ann"), f"incident:{incident.incident_id}", "so do I")
    done = measure_communication(store, everything=True)
    assert (done.share, done.n) == (1.0, 1)
    assert {(row["event"], row["person"], row["how"]) for row in store.query("notice")} == {
        ("incident.opened", "ann", "commented"), ("incident.opened", "bob", "note"),
        ("alert.opened", "ann", "acknowledged"),
    }  # fmt: skip
    assert all(row["read"] is not None for row in store.query("notice"))
    assert (done.acknowledged.alerts, done.acknowledged.acknowledged, done.acknowledged.median_hours) == (1, 1, 0.0)


def test_who_acts_before_anybody_looked_has_acted(store: SqlStore) -> None:
    incident = report_incident(acting(store, "eve"), "all wrong", model=MODEL)
    comment_on(acting(store, "bob"), f"incident:{incident.incident_id}", "I look")
    read_notices(acting(store, "ann"), "all")
    assert list_notices(acting(store, "bob")) == []
    look_after_notices(store)
    assert [row["how"] for row in store.query("notice", {"person": "bob"})] == ["commented"]


def test_only_a_person_reads_and_only_what_is_for_them(store: SqlStore) -> None:
    failed(store)
    (mine,) = list_notices(acting(store, "ann"))
    assert list_notices(acting(store, "ann"))[0].read is None, "a list that was printed proves nothing"
    with pytest.raises(Refused, match="the notice is for ann"):
        read_notices(acting(store, "bob"), mine.notice_id)
    with pytest.raises(Refused, match="is a service"):
        read_notices(acting(store, "ann", service=True), mine.notice_id)
    with pytest.raises(NotFound):
        read_notices(acting(store, "ann"), "ffff")
    (read,) = read_notices(acting(store, "ann"), mine.notice_id[:8])
    assert read.read == iso(store.clock.latest())
    assert list_notices(acting(store, "ann")) == []


def test_a_channel_of_a_person_or_a_role_gets_what_they_have_to_know_and_nothing_else(
    store: SqlStore, tmp_path: Path
) -> None:
    for name, to in (("ann", "ann"), ("ops", "operations"), ("all", None)):
        add_webhook(store, name, str(tmp_path / name), form="file", to=to)
    with pytest.raises(InvalidInput, match="has no form in MLflow's webhooks"):
        add_webhook(store, "bob", "https://example.org", to="bob")
    report_incident(acting(store, "eve"), "all wrong", model=MODEL)
    failed(store)
    ask_about(acting(store, "eve"), "model:churn", "why?", to="ann")
    look_after_notices(store)
    deliver_due(store)
    note_sent(store)

    def told(name: str) -> list[str]:
        return [json.loads(line)["event"] for line in (tmp_path / name).read_text().splitlines()]

    assert sorted(told("ann")) == ["gate.failed", "incident.opened", "question.asked"]
    assert told("ops") == ["incident.opened"]
    assert sorted(told("all")) == ["gate.failed", "incident.opened", "question.asked"]
    assert {row["person"] for row in store.query("notice", {"sent !=": None})} == {"ann", "bob"}
    look_after_notices(store)
    assert deliver_due(store).delivered == 0


def test_in_quiet_hours_nothing_is_sent_that_is_not_critical_and_the_time_begins_later(
    store: SqlStore, tmp_path: Path
) -> None:
    add_webhook(store, "ann", str(tmp_path / "ann"), form="file", to="ann")
    notice_rule(store, "gate.failed", "owner", quiet="07:00-09:30", within="2h")
    failed(store)
    look_after_notices(store)
    (row,) = store.query("notice", {"role": "owner"})
    assert row["due"] == iso(START + timedelta(hours=3, minutes=30))
    assert notice_rule(store, "gate.failed", "owner", quiet="none").quiet is None
    notice_rule(store, "incident.opened", "owner", quiet="07:00-09:30")
    report_incident(acting(store, "eve"), "all wrong", model=MODEL)
    look_after_notices(store)
    (row,) = store.query("notice", {"event": "incident.opened", "role": "owner"})
    assert row["due"] == iso(START + 4 * HOUR), "critical: at once"


def test_quiet_hours_reach_over_midnight_and_keep_to_their_time_zone() -> None:
    night = read_quiet_hours("22:00-07:00 Europe/Berlin")
    inside = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)  # 23:30 there
    assert night.over(inside) == datetime(2026, 7, 2, 5, tzinfo=UTC)
    assert night.over(datetime(2026, 7, 2, 4, tzinfo=UTC)) == datetime(2026, 7, 2, 5, tzinfo=UTC)
    outside = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert night.over(outside) == outside
    for wrong in ("22:00", "22:00-22:00", "25:00-07:00", "22:00-07:00 Europe/Nowhere", "", "22:00-07:00 ../etc"):
        with pytest.raises(InvalidInput, match="the quiet hours are"):
            read_quiet_hours(wrong)


def test_rules_are_changed_for_all_or_one_model_and_taking_one_away_needs_a_reason(store: SqlStore) -> None:
    notice_rule(store, "gate.failed", "ux", within="3d", least="warning")
    notice_rule(store, "gate.failed", "owner", model=MODEL, within="1h")
    counting = {(rule.role, rule.model): rule.within for rule in notice_rules(store, event="gate.failed", model=MODEL)}
    assert counting == {("data-scientist", ""): "1d", ("owner", MODEL): "1h", ("ux", ""): "3d"}
    assert ("owner", "") in {(rule.role, rule.model) for rule in notice_rules(store, event="gate.failed")}
    with pytest.raises(InvalidInput, match=r"has to know of gate\.failed in every team"):
        notice_rule(store, "gate.failed", "data-scientist", off=True)
    notice_rule(store, "gate.failed", "data-scientist", off=True, reason="ann is all of us")
    failed(store)
    look_after_notices(store)
    assert {row["role"] for row in store.query("notice")} == {"owner", "ux"}
    assert [one.kind for one in entries(store)] == ["notice_rule"] * 3
    assert entries(store)[0].detail["reason"] == "ann is all of us"
    with pytest.raises(InvalidInput, match=r"there is no event .gate\.fialed"):
        notice_rule(store, "gate.fialed", "owner")
    with pytest.raises(InvalidInput, match="there is no role 'onwer'"):
        notice_rule(store, "gate.failed", "onwer")
    with pytest.raises(NotFound, match="no rule says"):
        notice_rule(store, "gate.failed", "auditor", off=True)
    assert len(entries(store)) == 3


def test_a_digest_says_what_needs_a_role_and_what_changed_and_goes_to_its_channels(
    store: SqlStore, tmp_path: Path
) -> None:
    failed(store)
    ask_about(acting(store, "eve"), "model:churn", "for minors?", to="owner")
    report_incident(acting(store, "bob"), "all wrong", model=MODEL)
    found = digest_for(store, "owner", link="https://assay.example/")
    assert any("read, until" in line and "the gate says no to churn/2" in line for line in found.needs)
    assert any(line.startswith("answer eve about model:churn: for minors?") for line in found.needs)
    assert any("(https://assay.example/models/churn)" in line for line in found.needs)
    assert any(line.startswith("incident (critical, open): all wrong") for line in found.changed)
    with pytest.raises(NotFound, match="no channel leads to ann"):
        digest_for(store, "owner", send=True)
    add_webhook(store, "ann", str(tmp_path / "ann"), form="file", to="ann")
    assert digest_for(store, "ann", send=True).sent == ["ann"]
    deliver_due(store)
    (line,) = (tmp_path / "ann").read_text().splitlines()
    told = in_words("digest.made", json.loads(line)["data"])
    assert told.title == "digest made: For ann"
    assert told.lines[0] == "What needs you"
    assert any(said.startswith("- answer eve about model:churn: for minors?") for said in told.lines)
    assert told.text().count("\n") >= len(told.lines)
    later(store, 8 * DAY)
    assert digest_for(store, "bob").changed == []


@pytest.mark.parametrize(("tier", "answers", "raised"), [
    ("medium", [], True), ("medium", ["approve"], False), ("high", ["approve"], True), ("high", ["approve"] * 2, False),
    ("high", ["reject"], False),
])  # fmt: skip
def test_a_request_is_raised_while_an_answer_is_missing(
    store: SqlStore, tier: str, answers: list[str], raised: bool
) -> None:
    common = {"request_id": "r1", "mv_id": "v1", "subject_hash": "h", "requester": "eve", "decision": 1}
    store.append("approval_request", {**common, "model": MODEL, "subject": "{}", "tier": tier, "detail": "{}"})
    data = {"message": "eve asks", "model": MODEL, "waits_for": ["ann", "bob"], "page": "/approvals/r1"}
    # The event itself is told by the room of approvals, which stands above.
    announce(acting(store, "eve"), "question.asked", {**data, "subject_kind": "approval", "subject_id": "r1"})
    store.amend_all("notice", {"event": "question.asked"}, {"event": "approval.requested"})
    for number, outcome in enumerate(answers):
        said = {"approval_id": f"a{number}", "approver": f"p{number}", "approver_kind": "human", "role": "owner"}
        store.append("approval", {**common, **said, "outcome": outcome})
    later(store, 3 * DAY)
    assert bool(look_after_notices(store).escalated) == raised
