"""Yes, if: what can be checked is, what cannot is refused with what can be said."""

from datetime import timedelta

import pytest
from tests.prove.approvals.approval_worlds import ASKER, MODEL, acting, candidate

from assay.errors import InvalidInput, Refused
from assay.prove.approvals.answering import give_approval
from assay.prove.approvals.conditions import Condition, check_condition, read_condition
from assay.prove.approvals.plan import DIRECT, Going, Plan
from assay.prove.approvals.requesting import ask_for_approval
from assay.prove.approvals.standing import state_of
from assay.prove.promotion import promote
from assay.record.alerts.alert import close_alert, open_alert
from assay.record.alerts.incident import open_incident
from assay.record.clock import iso
from assay.record.sqlstore import SqlStore


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("canary >= 48h", Condition("ran", "canary >= 48h", stage="canary", seconds=172_800)),
        ("shadow>=1d", Condition("ran", "shadow >= 1d", stage="shadow", seconds=86_400)),
        ("after 2026-12-01", Condition("after", "after 2026-12-01T00:00Z", moment="2026-12-01T00:00:00.000000Z")),
        ("No open  alert", Condition("no alert", "no open alert")),
        ("no open incident", Condition("no incident", "no open incident")),
        ("rollback drill <= 30d", Condition("drill", "rollback drill <= 30d", seconds=2_592_000)),
    ],
)
def test_what_can_be_checked_is_read(text: str, said: Condition) -> None:
    assert read_condition(text, Plan("shadow,canary:5,50", "r")) == said


@pytest.mark.parametrize("text", ["", "if the customer agrees", "canary > 48h", "canary >= soon", "after Christmas"])
def test_what_nobody_could_check_is_refused_with_what_can_be_said(text: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be checked") as refused:
        read_condition(text)
    assert '"canary >= 48h"' in str(refused.value.expected)


def test_a_stage_that_the_plan_does_not_have_is_no_condition() -> None:
    with pytest.raises(InvalidInput, match="can never hold: the plan 'direct' has no canary"):
        read_condition("canary >= 48h", DIRECT)


def test_a_condition_is_checked_when_the_version_goes_fully_live(store: SqlStore) -> None:
    version = candidate(store)
    with acting(store, ASKER):
        ask_for_approval(store, version)
    day = iso(store.clock.now() + timedelta(days=2))
    with acting(store, "peter"):
        found = give_approval(store, MODEL, 2, if_=[f"after {day}", "no open incident"])
    assert found.state == "approved", "for a test, nothing stands in the way"
    with pytest.raises(Refused, match=r"approved by peter .* if after") as refused:
        promote(store, MODEL, 2)
    assert refused.value.expected is not None
    open_incident(store, "answers are late", model=MODEL)
    store.clock.advance(store.clock.now() + timedelta(days=3))
    with pytest.raises(Refused, match="no open incident: 1 open: answers are late"):
        promote(store, MODEL, 2)
    incident = store.query("incident")[0]
    store.amend("incident", {"incident_id": incident["incident_id"]}, {"restored": iso(store.clock.now())})
    promote(store, MODEL, 2)
    said = state_of(store, version.mv_id)
    assert [(one.condition[:7], one.verdict) for one in said.conditions] == [("after 2", "pass"), ("no open", "pass")]


def test_stages_alerts_and_drills_are_counted(store: SqlStore) -> None:
    now = store.clock.now()
    ran = read_condition("canary >= 48h")
    for hours, verdict in ((47, "fail"), (48, "pass")):
        found = check_condition(store, ran, MODEL, Going(ran={"canary": hours * 3600.0, "shadow": 1e6}), now)
        assert found.verdict == verdict
    alert = read_condition("no open alert")
    assert check_condition(store, alert, MODEL, Going(), now).verdict == "pass"
    opened = open_alert(store, "k", "the feed is silent", model=MODEL)
    assert check_condition(store, alert, MODEL, Going(), now).words == "1 open: the feed is silent"
    close_alert(store, opened.alert_id, action="fixed", reason="it speaks")
    assert check_condition(store, alert, MODEL, Going(), now).verdict == "pass"
    drill = read_condition("rollback drill <= 30d")
    assert check_condition(store, drill, MODEL, Going(), now).words == "no rollback was ever rehearsed"
    row = {"drill_id": "d", "model": MODEL, "kind": "rollback", "result": "pass", "initiated": "ad hoc", "seconds": 1.0}
    store.append("drill", row)
    assert check_condition(store, drill, MODEL, Going(), now).verdict == "pass"
    assert check_condition(store, drill, MODEL, Going(), now + timedelta(days=31)).words == "the last one was 31 d ago"
