"""Decision records: what they say stays, evidence has a hash, a newer one takes the place of an older one."""

from collections.abc import Callable

import pytest
from tests.record.talk.talk_world import DAY, acting, begin, later

from assay.errors import Conflict, InvalidInput, NotFound
from assay.record.alerts.alert import close_alert, open_alert
from assay.record.ledger import decide, entries, verify
from assay.record.sqlstore import SqlStore
from assay.record.talk.deciding import list_records, record_decision, show_record, supersede_record
from assay.record.talk.madr import as_markdown
from assay.record.talk.talking import ask_about, list_comments


@pytest.fixture(autouse=True)
def _begin(store: SqlStore) -> None:
    begin(store, ann="owner", bob="validator")


def test_a_decision_is_an_entry_of_the_ledger_that_holds_the_hash_of_all_it_says(
    store: SqlStore, meddle: Callable[[SqlStore, str], None]
) -> None:
    made = record_decision(
        acting(store, "ann"),
        "Recall counts",
        context="a missed churner costs 40 times a call",
        option=["accuracy", "recall at 20 %"],
        driver=["money"],
        outcome="recall at 20 %",
        kind="metric_choice",
        about="model:churn",
        informed="bob",
        review="90d",
    )
    (entry,) = entries(store)
    assert (entry.kind, entry.subject, entry.seq) == ("decision_record", "model:churn", made.decision)
    assert entry.detail["hash"] == made.hash
    assert (made.said.deciders, made.said.options) == (["ann"], ["accuracy", "recall at 20 %"])
    assert [(row["person"], row["event"]) for row in store.query("notice")] == [("bob", "decision.recorded")]
    assert verify(store).sound
    meddle(store, "update decision_record set detail = replace(detail, 'money', 'fame')")
    assert verify(store).problems == [f"decision record {made.record_id[:8]} is not what entry 1 says"]


def test_evidence_that_changed_since_is_named(store: SqlStore) -> None:
    alert = open_alert(store, "drift:a", "a moved", model="churn")
    decide(store, "test", "something", {})
    made = record_decision(
        store, "Accept", context="c", outcome="o", evidence=["decision:1", f"alert:{alert.alert_id}", "decision:1"]
    )
    assert [one.state for one in made.said.evidence] == ["unchanged", "unchanged"]
    close_alert(store, alert.alert_id, action="accepted", reason="seasonal")
    states = {one.kind: one.state for one in show_record(store, str(made.decision)).said.evidence}
    assert states == {"decision": "unchanged", "alert": "changed since"}


def test_a_newer_decision_takes_the_place_of_an_older_one_which_stays(store: SqlStore) -> None:
    first = record_decision(store, "Keep", context="old", outcome="keep", about="model:churn", review="30d")
    later(store, 31 * DAY)
    assert [one.title for one in list_records(store, overdue=True)] == ["Keep"]
    second = supersede_record(store, first.record_id[:8], "Retire", outcome="retire")
    assert (second.supersedes, second.subject, second.said.context) == (first.record_id, "model:churn", "old")
    before = show_record(store, f"decision:{first.decision}")
    assert (before.status, before.superseded_by, before.overdue) == ("superseded", second.record_id, False)
    assert (before.said, before.hash) == (first.said, first.hash)
    assert [one.title for one in list_records(store, about="model:churn")] == ["Retire"]
    assert [one.title for one in list_records(store, everything=True)] == ["Retire", "Keep"]
    with pytest.raises(Conflict, match="'Keep' was superseded already"):
        supersede_record(store, first.record_id, "Again", outcome="again")


def test_a_question_becomes_a_decision_and_is_closed_by_it(store: SqlStore) -> None:
    asked = ask_about(acting(store, "ann"), "model:churn", "For minors?", to="bob")
    made = record_decision(
        acting(store, "bob"), "Not for minors", outcome="no", kind="risk", from_=asked.comment_id[:8]
    )
    assert (made.said.context, made.subject) == ("For minors?", "model:churn")
    (closed,) = list_comments(store)
    assert (closed.outcome, closed.closed_by) == (f"decision {made.decision}", "bob")
    assert [one.state for one in show_record(store, "1").said.evidence] == ["unchanged"], "closing is no change of it"


def test_what_is_no_decision_is_refused_and_changes_nothing(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="does not say what the question was"):
        record_decision(store, "t", outcome="o")
    with pytest.raises(InvalidInput, match="does not say what was chosen"):
        record_decision(store, "t", context="c")
    with pytest.raises(InvalidInput, match="did you mean 'risk'"):
        record_decision(store, "t", context="c", outcome="o", kind="rsk")
    with pytest.raises(NotFound):
        record_decision(store, "t", context="c", outcome="o", evidence=["model:none"])
    with pytest.raises(InvalidInput, match="nobody here is called 'carl'"):
        record_decision(store, "t", context="c", outcome="o", informed="carl")
    decide(store, "test", "something", {})
    with pytest.raises(NotFound, match="decision 1 of the ledger is a test"):
        show_record(store, "1")
    assert store.query("decision_record") == []
    assert len(entries(store)) == 1


def test_markdown_holds_nothing_that_people_wrote_as_markup(store: SqlStore) -> None:
    text = "# not a heading\n- [a](javascript:x) <script>\n---\n1. `x`"
    made = record_decision(store, "<b>*t*</b>", context=text, outcome="o", option=["# a\nb"])
    written = as_markdown(made)
    body = written.split("---\n", 2)[2]
    assert "# \\<b\\>\\*t\\*\\</b\\>" in body
    assert "\\# not a heading\n\\- \\[a\\](javascript:x) \\<script\\>\n\\---\n1\\. \\`x\\`" in body
    assert "* \\# a b" in body
    assert written.startswith('---\nstatus: "accepted"\n')
