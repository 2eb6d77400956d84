"""Past the approval: glass is broken loudly and reviewed (G7), a team of one waits and says so (G8)."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.prove.approvals.approval_worlds import ASKER, MODEL, TRAINER, acting, candidate

from assay.errors import Conflict, InvalidInput, Refused
from assay.prove.approvals.answering import give_approval
from assay.prove.approvals.exceptions import flag_overdue, overridden, review_due_after, review_exception
from assay.prove.approvals.policy import declare_policy
from assay.prove.approvals.requesting import ask_for_approval
from assay.prove.approvals.standing import state_of
from assay.prove.promotion import promote
from assay.record import ledger
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore

FOUR_EYES = """
SELECT avg(CASE WHEN EXISTS (
    SELECT 1 FROM approval a JOIN model_version m ON m.mv_id = a.mv_id JOIN run r ON r.run_id = m.run_id
    WHERE a.mv_id = d.mv_id AND a.subject_hash = d.subject_hash AND a.outcome = 'approve' AND a.approver_kind = 'human'
      AND a.approver <> a.requester AND a.approver <> r.actor
      AND coalesce(a.event_ts, a.ts) <= coalesce(d.event_ts, d.started)
      AND a.expires >= coalesce(d.event_ts, d.started)
) THEN 1.0 ELSE 0 END) FROM deployment d WHERE d.env = 'prod' AND d.mv_id = '{}'
"""  # FOUR-1, on the hash of all that is approved


def four_eyes(store: SqlStore, mv_id: str) -> float:
    with store.engine.connect() as connection:
        return float(connection.execute(sa.text(FOUR_EYES.format(mv_id))).scalar_one())


@pytest.fixture
def broken(store: SqlStore) -> str:
    """Olga has put version 2 live without an approval; the exception's id."""
    candidate(store)
    with acting(store, "olga"):
        promote(store, MODEL, 2, override="the old one is on fire")
    (row,) = store.query("approval_exception")
    return str(row["exception_id"])


def test_g7_broken_glass_is_loud(store: SqlStore, caplog: pytest.LogCaptureFixture) -> None:
    version = candidate(store)
    with caplog.at_level(logging.CRITICAL), acting(store, "olga"):
        done = promote(store, MODEL, 2, override="the old one is on fire")
    assert "glass was broken" in done.approval
    assert "BREAK GLASS: olga puts late/2 in front of people" in caplog.text
    (alert,) = store.query("alert", {"closed": None})
    assert "the old one is on fire" in alert["message"]
    (told,) = store.query("outbox", {"event": "approval.overridden"})
    assert json.loads(told["payload"])["severity"] == "critical"
    assert [entry.kind for entry in ledger.entries(store)[:3]] == ["promotion", "break_glass", "override"]
    assert ledger.entries(store)[0].detail["approval"]["state"] == "glass broken"  # type: ignore[index]
    assert ledger.verify(store).sound
    assert four_eyes(store, version.mv_id) == 0.0


def test_g7_without_a_review_in_five_working_days_it_is_flagged_and_counted(store: SqlStore, broken: str) -> None:
    now = store.clock.now()
    at_once = overridden(store, now)
    assert (at_once.deployments, at_once.overridden, at_once.share) == (2, 2, 1.0), "the first one was overridden, too"
    assert (at_once.waiting, at_once.overdue) == (1, [])
    assert "the old one is on fire" in at_once.reasons
    due = review_due_after(now)
    assert flag_overdue(store, due - timedelta(hours=1)) == []
    late = due + timedelta(hours=1)
    assert overridden(store, late).overdue == [broken]
    assert flag_overdue(store, late) == flag_overdue(store, late + timedelta(hours=1)) == [broken]
    (alert,) = store.query("alert", {"closed": None})
    assert "was due at" in alert["message"]
    assert len(store.query("outbox", {"event": "approval.review_due"})) == 1
    assert overridden(store, now - timedelta(days=1)).exceptions == [], "nothing later is looked at"


def test_g7_somebody_else_reviews_it(store: SqlStore, broken: str) -> None:
    said = {"outcome": "justified", "comment": "requests were failing; the rows are clean now"}
    with acting(store, "olga"), pytest.raises(Refused, match="olga did it, and somebody else looks at it again"):
        review_exception(store, broken[:8], **said)
    with acting(store, "robot", "service"), pytest.raises(Refused, match="a reviewer is a person"):
        review_exception(store, broken, **said)
    with acting(store, "vera"):
        with pytest.raises(InvalidInput, match="did you mean 'justified'"):
            review_exception(store, broken, outcome="justify", comment="x")
        with pytest.raises(InvalidInput, match="says nothing"):
            review_exception(store, broken, outcome="justified", comment=" ")
        done = review_exception(store, broken, **said)
        with pytest.raises(Conflict, match="vera reviewed it"):
            review_exception(store, broken, **said)
    assert (done.reviewer, done.outcome) == ("vera", "justified")
    assert store.query("alert", {"closed": None}) == []
    late = store.clock.now() + timedelta(days=30)
    assert overridden(store, late).overdue == []
    assert overridden(store, late).share == 1.0, "a review does not undo it"
    assert ledger.entries(store, kind="exception_review")[0].detail["late"] is False


def test_g7_the_same_reason_is_one_exception_until_it_was_reviewed(store: SqlStore, broken: str) -> None:
    with acting(store, "olga"):
        promote(store, MODEL, 1, override="the old one is on fire")
        promote(store, MODEL, 2, override="the old one is on fire")
        assert len(store.query("approval_exception", {"mv_id": store.query("approval_exception")[0]["mv_id"]})) == 1
    with acting(store, "vera"):
        review_exception(store, broken, outcome="not justified", comment="it was not")
    with acting(store, "olga"):
        promote(store, MODEL, 1, override="no")
        promote(store, MODEL, 2, override="the old one is on fire")
    assert len(store.query("approval_exception", {"reason": "the old one is on fire", "reviewed": None})) >= 1


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-11-30", "2026-12-07"),  # a Monday
        ("2026-12-04", "2026-12-11"),  # a Friday
        ("2026-12-05", "2026-12-11"),  # a Saturday
    ],
)
def test_working_days_leave_weekends_out(start: str, due: str) -> None:
    assert review_due_after(datetime.fromisoformat(start).replace(tzinfo=UTC)).date().isoformat() == due


def test_g8_a_team_of_one_waits_and_says_so(store: SqlStore) -> None:
    version = candidate(store, team=False)
    grant_role(store, TRAINER, "owner")
    with acting(store, TRAINER):
        assert ask_for_approval(store, version).state == "waiting"
        with pytest.raises(Refused, match=r"waits for one peer .*; nobody has a role for it"):
            promote(store, MODEL, 2)
        with pytest.raises(Refused, match="tina asked for it"):
            give_approval(store, MODEL, 2)
        declare_policy(store, MODEL, one_person=True, delay="24h")
        with pytest.raises(Refused):
            promote(store, MODEL, 2)  # nothing was recorded when it was asked for
        _ask_again(store)
        with pytest.raises(Refused, match=r"four eyes are not possible: recorded by tina.* waits until"):
            promote(store, MODEL, 2)
        store.clock.advance(store.clock.now() + timedelta(hours=25))
        done = promote(store, MODEL, 2)
    assert done.approval.startswith("four eyes are not possible: recorded by tina, reviewed until ")
    (exception,) = store.query("approval_exception")
    assert (exception["kind"], exception["reviewed"]) == ("one_person", None)
    assert store.query("approval") == store.query("approval", {"outcome": "withdraw"})
    assert four_eyes(store, version.mv_id) == 0.0, "FOUR-1 is not raised"
    assert ledger.verify(store).sound


def _ask_again(store: SqlStore) -> None:
    from assay.prove.approvals.answering import withdraw_approval
    from assay.record.models.registry import find_version

    withdraw_approval(store, MODEL, 2)
    ask_for_approval(store, find_version(store, MODEL, 2))


def test_g8_what_was_recorded_expires_like_an_approval(store: SqlStore) -> None:
    version = candidate(store, team=False)
    with acting(store, TRAINER):
        declare_policy(store, MODEL, one_person=True, delay="1h")
        ask_for_approval(store, version)
        store.clock.advance(store.clock.now() + timedelta(days=31))
        with pytest.raises(Refused, match="the request expired"):
            promote(store, MODEL, 2)


def test_g8_the_gate_still_decides_in_a_team_of_one(store: SqlStore) -> None:
    version = candidate(store, team=False)
    with acting(store, TRAINER):
        declare_policy(store, MODEL, one_person=True, delay="1h")
        ask_for_approval(store, version)
        (row,) = store.query("gate", {"mv_id": version.mv_id, "mode": "auto"})
        store.amend("gate", {"id": row["id"]}, {"outcome": "fail"})
        store.clock.advance(store.clock.now() + timedelta(hours=2))
        with pytest.raises(Refused, match="the gate's verdict on late/2 is fail"):
            promote(store, MODEL, 2)


def test_g8_where_somebody_else_can_agree_four_eyes_are_possible(store: SqlStore) -> None:
    version = candidate(store)
    with acting(store, "olga"):
        declare_policy(store, MODEL, one_person=True, delay="1h")
    with acting(store, ASKER):
        assert ask_for_approval(store, version).waits_for == ["olga", "peter", "vera"]
    assert store.query("approval_exception") == []
    store.clock.advance(store.clock.now() + timedelta(hours=2))
    with pytest.raises(Refused, match="waits for one peer"):
        promote(store, MODEL, 2)
    with acting(store, "peter"):
        give_approval(store, MODEL, 2)
    promote(store, MODEL, 2)
    assert four_eyes(store, version.mv_id) == 1.0


def test_g8_who_comes_later_is_asked(store: SqlStore) -> None:
    version = candidate(store, team=False)
    with acting(store, TRAINER):
        declare_policy(store, MODEL, one_person=True, delay="1h")
        ask_for_approval(store, version)
        grant_role(store, "peter", "data-scientist")
        store.clock.advance(store.clock.now() + timedelta(hours=2))
        with pytest.raises(Refused, match=r"waits for one peer .*: peter"):
            promote(store, MODEL, 2)


def test_g8_the_one_person_reviews_it_later_and_the_record_says_who(store: SqlStore) -> None:
    version = candidate(store, team=False)
    with acting(store, TRAINER):
        declare_policy(store, MODEL, one_person=True, delay="24h")
        state = ask_for_approval(store, version)
        assert state.state == "waiting"
        (row,) = store.query("approval_exception")
        said = {"outcome": "justified", "comment": "complaints are fewer"}
        with pytest.raises(Conflict, match="nothing to look back on yet"):
            review_exception(store, row["exception_id"], **said)
        store.clock.advance(store.clock.now() + timedelta(hours=25))
        assert overridden(store, store.clock.latest()).exceptions == [], "it may go live, and has not"
        promote(store, MODEL, 2)
        (waiting,) = overridden(store, store.clock.latest()).exceptions
        assert flag_overdue(store, store.clock.latest() + timedelta(days=9)) == [waiting.exception_id]
        done = review_exception(store, row["exception_id"], **said)
    assert done.words == "complaints are fewer (reviewed, by the same person)"
    assert state_of(store, version.mv_id).state == "one person"
