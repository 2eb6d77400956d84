"""Comments and questions: about what, to whom, and open until somebody answers."""

from datetime import timedelta

import pytest
from tests.record.talk.talk_world import DAY, MODEL, acting, begin, later

from assay.errors import InvalidInput, NotFound
from assay.record.alerts.alert import open_alert
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.models.registered_models import rename_registered_model
from assay.record.people import grant_role, people_with
from assay.record.sqlstore import SqlStore
from assay.record.talk.notices import list_notices
from assay.record.talk.subjects import KINDS, page_of, resolve, spelled
from assay.record.talk.talking import ask_about, comment_on, list_comments


@pytest.fixture(autouse=True)
def _begin(store: SqlStore) -> None:
    begin(store, ann="owner", bob="validator", eve="validator")


def test_records_are_named_by_kind_and_name_and_ids_may_be_short(store: SqlStore) -> None:
    alert = open_alert(store, "drift:a", "a moved", model=MODEL)
    decide(store, "test", "something", {})
    assert resolve(store, f"alert:{alert.alert_id[:6]}").id == alert.alert_id
    assert resolve(store, "model:churn").model == MODEL
    assert resolve(store, "decision:1").text == "decision:1"
    assert page_of(f"alert:{alert.alert_id[:8]}", alert.alert_id) == f"/alerts/{alert.alert_id}"
    assert page_of("version:team/churn/3", "x") == "/models/team%2Fchurn/3"
    assert spelled(store, "alert", alert.alert_id) == f"alert:{alert.alert_id[:8]}"
    assert spelled(store, "run", "f" * 32) == "run:ffffffff", "what is gone has a name too"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_record_says_what_there_is_where_a_name_is_wrong(store: SqlStore, kind: str) -> None:
    name = {"decision": "99", "version": "chorn/1"}.get(kind, "0123abcd")
    with pytest.raises(NotFound) as refused:
        comment_on(store, f"{kind}:{name}", "hello")
    assert refused.value.hint
    assert store.query("comment") == []


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("model:chrun", "model:churn"),
        ("modle:churn", "model:churn"),
        ("churn", "model:churn"),
        ("12", "decision:12"),
        ("churn/3", "version:churn/3"),
        ("decision:one", None),
        ("version:churn", "version:churn/champion"),
        ("", None),
    ],
)
def test_what_names_no_record_is_refused_with_the_nearest_right_spelling(
    store: SqlStore, written: str, right: str | None
) -> None:
    with pytest.raises((InvalidInput, NotFound)) as refused:
        comment_on(store, written, "hello")
    if right is not None:
        assert refused.value.hint == right
    assert store.query("comment") == []


def test_a_question_stays_open_until_somebody_answers(store: SqlStore) -> None:
    asked = ask_about(acting(store, "ann"), "model:churn", "May it be used for minors?", to="validator", within="5d")
    assert (asked.to, asked.due, asked.late) == (["role:validator"], iso(store.clock.latest() + 5 * DAY), False)
    assert [one.comment_id for one in list_comments(acting(store, "bob"), open_=True, mine=True)] == [asked.comment_id]
    assert list_comments(acting(store, "carl"), mine=True) == []
    later(store, timedelta(days=5, hours=1))
    (waits,) = list_comments(store, "model:churn", unanswered=True)
    assert (waits.late, waits.unanswered) == (True, True)
    comment_on(acting(store, "ann"), f"comment:{asked.comment_id[:8]}", "anybody?")
    assert len(list_comments(store, unanswered=True)) == 1, "who asked goes on talking"
    answer = comment_on(acting(store, "bob"), "model:churn", "No.", answers=asked.comment_id[:8])
    assert (answer.kind, answer.thread) == ("answer", asked.comment_id)
    assert list_comments(store, open_=True) == []
    closed = next(one for one in list_comments(store) if one.kind == "question")
    assert (closed.closed_by, closed.outcome, closed.late, closed.unanswered) == ("bob", "answered", False, False)
    told = [row["event"] for row in store.query("outbox", order_by=["event_id"])][1:]
    assert told == ["question.asked", "question.answered"]


def test_a_comment_for_somebody_waits_until_another_person_has_said_something(store: SqlStore) -> None:
    said = comment_on(acting(store, "ann"), "model:churn", "@bob look at this")
    later(store, 6 * DAY)
    comment_on(acting(store, "ann"), f"comment:{said.comment_id[:8]}", "anybody?", answers=said.comment_id)
    assert [one.text for one in list_comments(store, unanswered=True)] == ["@bob look at this"]
    comment_on(acting(store, "eve"), f"comment:{said.comment_id[:8]}", "I will")
    assert list_comments(store, unanswered=True) == []
    assert {one.thread for one in list_comments(store)} == {said.comment_id}


def test_what_was_said_of_a_model_goes_with_its_name(store: SqlStore) -> None:
    grant_role(store, "max", "management", model=MODEL)
    ask_about(store, "model:churn", "well?", to="management")
    rename_registered_model(store, MODEL, "leaving")
    assert [one.subject for one in list_comments(store, "model:leaving")] == ["model:leaving"]
    assert [one.page for one in list_notices(acting(store, "max"))] == ["/models/leaving"]
    assert people_with(store, ["management"], "leaving") == {"management": ["max"]}


def test_mentions_are_people_and_roles_that_are_known_and_others_are_named(store: SqlStore) -> None:
    said = comment_on(acting(store, "ann"), "model:churn", "@Bob, @validator and @carl: mail ann@example.org (@ann).")
    assert said.to == ["bob", "ann", "role:validator"]
    assert said.unknown == ["carl"]
    people = {row["person"]: row["role"] for row in store.query("notice")}
    assert people == {"bob": "validator", "eve": "validator"}, "bob once, and nobody tells herself"


def test_what_cannot_be_said_is_refused_and_changes_nothing(store: SqlStore) -> None:
    for text in ("  ", "\x1b[31mred", "a" * 10_001):
        with pytest.raises(InvalidInput):
            comment_on(store, "model:churn", text)
    with pytest.raises(InvalidInput, match="nobody here is called 'bobb'") as refused:
        ask_about(store, "model:churn", "well?", to="bobb")
    assert refused.value.hint == "did you mean 'bob'?"
    with pytest.raises(InvalidInput, match="--within is 'soon'"):
        ask_about(store, "model:churn", "well?", to="bob", within="soon")
    asked = ask_about(store, "model:churn", "well?", to="bob")
    decide(store, "test", "something", {})
    with pytest.raises(InvalidInput, match="was said of model:churn"):
        comment_on(store, "decision:1", "yes", answers=asked.comment_id)
    assert len(store.query("comment")) == 1
