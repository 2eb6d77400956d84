"""Who may say yes, on what, for how long: the checks G1 to G6 of governance."""

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.prove.approvals.approval_worlds import ASKER, MODEL, TRAINER, acting, candidate, let_pass
from tests.prove.worlds import add_version, judged

from assay.errors import Conflict, InvalidInput, NotFound, Refused
from assay.prove.approvals.answering import give_approval, reject_request, withdraw_approval
from assay.prove.approvals.authors import authors_of
from assay.prove.approvals.plan import BY_TEST, Going, Plan
from assay.prove.approvals.policy import approval_policy, declare_policy
from assay.prove.approvals.requesting import ask_for_approval
from assay.prove.approvals.showing import list_approvals, show_approval, verify_approval
from assay.prove.approvals.standing import ApprovalState, state_of
from assay.prove.promotion import passed_or_overridden, promote, rollback
from assay.record import ledger
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.environment import _code_version, code_version
from assay.record.models.registry import CHAMPION, ModelVersion, alias
from assay.record.people import end_role, grant_role
from assay.record.sqlstore import SqlStore
from assay.record.store import Store

Meddle = Callable[[SqlStore, str], None]


def asked(store: Store, version: ModelVersion, by: str = ASKER) -> ApprovalState:
    with acting(store, by):
        return ask_for_approval(store, version, comment="better for short flights")


def given(store: Store, by: str, **more: object) -> ApprovalState:
    with acting(store, by):
        return give_approval(store, MODEL, 2, **more)  # type: ignore[arg-type]


def everything(store: SqlStore) -> dict[str, int]:
    return {kind: len(store.query(kind)) for kind in ("ledger", "approval", "approval_request", "outbox", "deployment")}


def test_where_nothing_is_declared_nothing_is_asked_for(store: SqlStore) -> None:
    first, second = add_version(store, "old"), add_version(store, "new")
    judged(store, second, first)
    assert verify_approval(store, MODEL, 2).verdict == "pass"
    assert "nothing is declared for late: no approval is asked for" in promote(store, MODEL, 2).approval
    assert store.query("deployment")[0]["subject_hash"] is None
    with pytest.raises(Conflict, match="nothing is declared for late"):
        ask_for_approval(store, second)


def test_low_risk_is_decided_by_the_gate_alone(store: SqlStore) -> None:
    candidate(store, "low")
    assert "risk tier low: no approval is asked for" in promote(store, MODEL, 2).approval


def test_a_version_goes_live_only_when_a_peer_has_agreed_to_it_as_it_is(either_store: SqlStore) -> None:
    store, version = either_store, candidate(either_store)
    with pytest.raises(Refused, match="late/2 is not approved: late/2 needs an approval") as refused:
        promote(store, MODEL, 2)
    assert refused.value.hint == "assay approve request late 2"
    waiting = asked(store, version)
    assert (waiting.state, waiting.outcome) == ("waiting", "inconclusive")
    assert waiting.waits_for == ["olga", "peter", "vera"], "not who asked, who trained, or who has no such role"
    with pytest.raises(Refused, match="waits for one peer") as refused:
        promote(store, MODEL, 2)
    assert refused.value.hint == "assay approve give late 2"
    approved = given(store, "peter", comment="looked at the segments")
    assert (approved.state, approved.by) == ("approved", ["peter (data-scientist)"])
    assert verify_approval(store, MODEL, 2).verdict == "pass"
    done = promote(store, MODEL, 2)
    assert done.approval.startswith("approved by peter (data-scientist) until ")
    (row,) = store.query("approval")
    assert row["subject_hash"] == approved.subject_hash == store.query("deployment", {"mv_id": version.mv_id})[0][
        "subject_hash"
    ]  # fmt: skip
    said = ledger.entries(store, kind="promotion")[0].detail["approval"]
    assert said == {"subject_hash": row["subject_hash"], "state": "approved", "by": ["peter (data-scientist)"]}
    assert ledger.verify(store).sound
    shown = show_approval(store, MODEL, 2)
    assert shown.live is not None
    assert "the same as now" in shown.live, "going live changes nothing of what was agreed on"


def test_high_risk_needs_a_peer_and_another_person_who_challenges(store: SqlStore) -> None:
    version = candidate(store, "high")
    asked(store, version)
    one = given(store, "vera")
    assert (one.state, one.missing) == ("waiting", ["another person"]), "one person is not two, with whatever roles"
    assert "peter" in one.waits_for
    both = given(store, "peter")
    assert (both.state, both.by) == ("approved", ["vera (validator)", "peter (data-scientist)"])
    with pytest.raises(Conflict, match="peter has approved it already"):
        given(store, "peter")


def test_two_peers_are_not_enough_for_high_risk(store: SqlStore) -> None:
    version = candidate(store, "high")
    asked(store, version)
    given(store, "peter")
    state = given(store, "olga")
    assert (state.missing, state.waits_for) == (["validator or compliance"], ["carl", "vera"])
    assert given(store, "carl").state == "approved"


def test_g1_who_asked_does_not_approve(store: SqlStore) -> None:
    version = candidate(store)
    asked(store, version)
    before = everything(store)
    for name in (ASKER, ASKER.upper()):
        grant_role(store, name, "owner")
        with pytest.raises(Refused, match=f"{name} asked for it, and somebody else approves") as refused:
            given(store, name)
        assert refused.value.hint == "ask olga, peter, vera"
    assert everything(store) == before


def test_g1_a_row_that_says_so_all_the_same_does_not_count(store: SqlStore) -> None:
    """Written past the rules, as an import or somebody with the database could."""
    version = candidate(store)
    request = asked(store, version).request
    assert request is not None
    given(store, "peter")
    (row,) = store.query("approval")
    forged = {**row, "approval_id": "forged", "approver": ASKER, "role": "ml-engineer", "ts": iso(store.clock.now())}
    store.append("approval", forged)
    with acting(store, "peter"):
        withdraw_approval(store, MODEL, 2)
    state = state_of(store, version.mv_id)
    assert state.state == "waiting"
    assert [one.fault for one in state.answers] == ["taken back by peter", "ben asked for it"]


def test_g2_who_trained_it_does_not_approve(store: SqlStore) -> None:
    asked(store, candidate(store))
    before = everything(store)
    with pytest.raises(Refused, match=r"tina trained it in run .*, and somebody else approves"):
        given(store, TRAINER)
    assert everything(store) == before


@pytest.mark.parametrize("name", ["Peter Miller", "peter@example.org", "peter"])
def test_g2_who_wrote_the_code_of_the_run_does_not_approve(store: SqlStore, name: str) -> None:
    version = candidate(store)
    authors = canonical_json(["Peter Miller", "peter@example.org"])
    store.amend("run", {"run_id": version.run_id}, {"code_authors": authors})
    grant_role(store, name, "owner")
    asked(store, version)
    with pytest.raises(Refused, match="wrote the code of run"):
        given(store, name)
    assert given(store, "vera").state == "approved"


def test_g2_whoever_began_the_search_or_tracked_the_run_is_an_author(store: SqlStore) -> None:
    version = candidate(store)
    run = store.get("run", {"run_id": version.run_id})
    parent = {**run, "run_id": "above", "actor": "vera", "user_id": None, "parent_run_id": None}
    store.append("run", parent)
    store.amend("run", {"run_id": version.run_id}, {"parent_run_id": "above", "user_id": "olga"})
    assert {"vera", "olga", TRAINER} <= set(authors_of(store, version.mv_id))
    assert asked(store, version).waits_for == ["peter"]


def test_a_run_notes_who_wrote_its_commit_of_a_merge_who_wrote_what_it_merged(tmp_path: Path) -> None:
    def git(*words: str, name: str = "ann") -> None:
        who = ["-c", f"user.name={name}", "-c", f"user.email={name}@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    git("init", "-b", "main")
    git("commit", "--allow-empty", "-m", "first")
    assert code_version(tmp_path).authors == ("ann", "ann@example.org")
    git("switch", "-c", "idea")
    git("commit", "--allow-empty", "-m", "more\n\nCo-authored-by: Cleo <cleo@example.org>", name="bob")
    git("switch", "main")
    git("merge", "--no-ff", "idea", "-m", "merged", name="rita")
    _code_version.cache_clear()
    found = code_version(tmp_path).authors
    assert set(found) == {"bob", "bob@example.org", "Cleo", "cleo@example.org"}, "rita looked at it, and may approve"
    _code_version.cache_clear()


def _retrained(store: SqlStore, version: ModelVersion) -> None:
    store.amend("model_version", {"mv_id": version.mv_id}, {"hash": "f" * 64})


def _judged_again(store: SqlStore, version: ModelVersion) -> None:
    champion = alias(store, MODEL, CHAMPION)
    assert champion is not None
    let_pass(store, version, champion)


def _other_policy(store: SqlStore, version: ModelVersion) -> None:
    (row,) = store.query("gate", {"mv_id": version.mv_id, "mode": "auto"})
    store.amend("gate", {"id": row["id"]}, {"policy_version": "e" * 64})


def _other_card(store: SqlStore, version: ModelVersion) -> None:
    row = {"card_id": "c1", "kind": "model", "subject": version.mv_id, "hash": "c" * 64, "content_hash": version.hash}
    store.append("card", {**row, "blob": "", "sections": "[]", "model": MODEL})


def _other_objective(store: SqlStore, _version: ModelVersion) -> None:
    row = {"objective_id": "o1", "version": 1, "model": MODEL, "statement": "fewer missed connections", "kpi": "missed"}
    more = {"direction": "lower", "owner": "olga", "review_due": "2030-01-01", "hash": "b" * 64, "detail": "{}"}
    store.append("objective", {**row, **more, "value_matrix_version": "m1", "decision": 1})


CHANGES: dict[str, Callable[[SqlStore, ModelVersion], None]] = {
    "model": _retrained,
    "evaluation": _judged_again,
    "policy": _other_policy,
    "card": _other_card,
    "objective": _other_objective,
}


@pytest.mark.parametrize("part", CHANGES)
def test_g3_a_change_of_any_part_voids_the_approval_and_is_told(store: SqlStore, part: str) -> None:
    version = candidate(store)
    asked(store, version)
    given(store, "peter")
    CHANGES[part](store, version)
    check = verify_approval(store, MODEL, 2)
    assert (check.verdict, check.now.state) == ("fail", "void")
    assert part in [one.part for one in check.now.changed]
    assert f"{part} changed from " in check.now.words
    with pytest.raises(Refused):
        promote(store, MODEL, 2)
    with pytest.raises(Conflict, match="cannot be answered any more"):
        given(store, "vera")


def test_g3_an_objective_with_another_value_matrix_is_another_one(store: SqlStore) -> None:
    version = candidate(store)
    _other_objective(store, version)
    asked(store, version)
    given(store, "peter")
    (row,) = store.query("objective")
    store.append("objective", {**row, "version": 2, "value_matrix_version": "m2", "decision": 2})
    (changed,) = verify_approval(store, MODEL, 2).now.changed
    assert (changed.part, changed.before, changed.after) == (
        "objective",
        "objective of missed, version 1, value matrix m1",
        "objective of missed, version 2, value matrix m2",
    )


def test_g3_what_the_evaluation_holds_counts_not_only_its_verdict(store: SqlStore) -> None:
    version = candidate(store)
    asked(store, version)
    given(store, "peter")
    (row,) = store.query("evaluation", {"mv_id": version.mv_id})
    store.amend("evaluation", {"evaluation_id": row["evaluation_id"]}, {"profile_blob": "0" * 64})
    (changed,) = verify_approval(store, MODEL, 2).now.changed
    assert changed.part == "evaluation"
    assert changed.hash_before[:8] in changed.words, "the words of both are the same, so the hashes are told"


def test_g3_another_plan_is_not_what_was_approved(store: SqlStore) -> None:
    version = candidate(store)
    with acting(store, ASKER):
        ask_for_approval(store, version, plan=Plan("canary:5,25,50", "r" * 64))
    given(store, "peter")
    assert verify_approval(store, MODEL, 2).verdict == "pass", "by its own plan"
    with pytest.raises(Refused, match="rollout plan changed from canary:5,25,50, rules rrrrrrrr to direct"):
        promote(store, MODEL, 2)
    for wanted, outcome in ((Plan("canary:5,25,50", "s" * 64), "fail"), (Plan("canary:5,25,50", "r" * 64), "pass")):
        assert state_of(store, version.mv_id, Going(wanted, fully=False)).outcome == outcome


def test_g3_what_may_go_live_at_once_may_be_tested_first_and_not_the_other_way_round(store: SqlStore) -> None:
    version = candidate(store)
    champion = alias(store, MODEL, CHAMPION)
    with pytest.raises(Refused, match="not approved"):
        passed_or_overridden(store, version, champion, None)
    with acting(store, ASKER):
        ask_for_approval(store, version, plan=BY_TEST)
    given(store, "peter")
    assert "passed" in passed_or_overridden(store, version, champion, None)
    with pytest.raises(Refused, match="rollout plan changed from test to direct"):
        promote(store, MODEL, 2)
    asked(store, version)
    given(store, "peter")
    assert "passed" in passed_or_overridden(store, version, champion, None)
    assert promote(store, MODEL, 2).version == 2


def test_g3_an_approval_of_another_version_is_none_of_this_one(store: SqlStore) -> None:
    version = candidate(store)
    asked(store, version)
    given(store, "peter")
    third = add_version(store, "new")
    champion = alias(store, MODEL, CHAMPION)
    assert champion is not None
    let_pass(store, third, champion)
    with pytest.raises(Refused, match="late/3 needs an approval"):
        promote(store, MODEL, 3)
    with pytest.raises(NotFound, match="nobody has asked for an approval of late/3"), acting(store, "peter"):
        give_approval(store, MODEL, 3)


def test_g3_who_looked_at_something_else_gives_nothing(store: SqlStore) -> None:
    version = candidate(store)
    seen = asked(store, version).subject_hash
    with pytest.raises(Conflict, match="not abcdef"):
        given(store, "peter", subject="abcdef")
    assert given(store, "peter", subject=seen[:12]).state == "approved"


def test_g4_an_approval_expires_and_that_is_looked_at_when_it_goes_live(store: SqlStore) -> None:
    version = candidate(store)
    asked(store, version)
    soon = store.clock.now() + timedelta(days=2)
    given(store, "peter", until=iso(soon))
    assert state_of(store, version.mv_id).state == "approved"
    late = state_of(store, version.mv_id, at=soon)
    assert (late.state, late.outcome) == ("expired", "fail")
    assert late.next == "assay approve request late 2"
    store.clock.advance(soon)
    with pytest.raises(Refused, match="the approval by peter expired at"):
        promote(store, MODEL, 2)
    asked(store, version)
    given(store, "vera")
    assert promote(store, MODEL, 2).version == 2


def test_g4_nothing_counts_longer_than_the_policy_says(store: SqlStore) -> None:
    asked(store, candidate(store))
    for until in ("2020-01-01", iso(store.clock.now() + timedelta(days=31)), "soon"):
        with pytest.raises(InvalidInput, match="cannot count until"):
            given(store, "peter", until=until)
    assert store.query("approval") == []


def test_g4_who_has_no_role_for_it_cannot_answer(store: SqlStore) -> None:
    asked(store, candidate(store))
    before = everything(store)
    for name in ("uma", "nobody"):
        with pytest.raises(Refused, match=f"{name} has no role for it at late"):
            given(store, name)
    assert everything(store) == before


def test_g4_the_role_counts_that_was_held_then(store: SqlStore) -> None:
    version = candidate(store)
    asked(store, version)
    given(store, "peter")
    end_role(store, "peter", "data-scientist")
    assert state_of(store, version.mv_id).state == "approved", "what was done with a role stays valid"
    given(store, "vera")
    rows = store.query("owner", {"person": "vera"})
    store.amend("owner", {"owner_id": rows[0]["owner_id"]}, {"from_ts": iso(store.clock.now() + timedelta(days=1))})
    faults = {one.approver: one.fault for one in state_of(store, version.mv_id).answers}
    assert faults["peter"] is None
    assert faults["vera"] == "vera did not have a role for it then (none)"


def test_g5_a_service_approves_nothing(store: SqlStore) -> None:
    version = candidate(store)
    asked(store, version)
    grant_role(store, "deploy", "owner")
    before = everything(store)
    with acting(store, "deploy", "service"):
        with pytest.raises(Refused, match="deploy is a service, and an approver is a person"):
            give_approval(store, MODEL, 2)
        with pytest.raises(Refused, match="deploy is a service, and an approver is a person"):
            reject_request(store, MODEL, 2, comment="no")
    assert everything(store) == before
    given(store, "peter")
    (row,) = store.query("approval")
    forged = {**row, "approval_id": "forged", "approver": "deploy", "approver_kind": "service", "role": "owner"}
    store.append("approval", forged)
    assert state_of(store, version.mv_id).by == ["peter (data-scientist)"]


def test_g6_a_rejection_and_a_withdrawal_are_new_rows(either_store: SqlStore) -> None:
    store, version = either_store, candidate(either_store)
    asked(store, version)
    given(store, "peter")
    first = store.query("approval")
    with acting(store, "vera"):
        rejected = reject_request(store, MODEL, 2, comment="short flights are worse")
    assert (rejected.state, rejected.outcome) == ("rejected", "fail")
    assert rejected.words == "vera (validator) rejected it: short flights are worse"
    with pytest.raises(Refused, match="not approved: vera"):
        promote(store, MODEL, 2)
    with pytest.raises(Refused, match="vera rejected exactly this of late/2"):
        asked(store, version)
    with acting(store, "vera"):
        back = withdraw_approval(store, MODEL, 2, comment="I was wrong")
    assert back.state == "approved"
    with acting(store, "peter"):
        assert withdraw_approval(store, MODEL, 2).state == "waiting"
    with acting(store, ASKER):
        assert withdraw_approval(store, MODEL, 2).state == "missing"
        with pytest.raises(Conflict, match="nothing to take back"):
            withdraw_approval(store, MODEL, 2)
    rows = store.query("approval", order_by=["decision"])
    assert [row["outcome"] for row in rows] == ["approve", "reject", "withdraw", "withdraw", "withdraw"]
    assert rows[:1] == first
    kinds = [entry.kind for entry in ledger.entries(store)[:5]]
    assert kinds == ["withdrawal", "withdrawal", "withdrawal", "rejection", "approval"]
    assert ledger.verify(store).sound


def test_g6_the_database_refuses_to_change_or_delete_an_answer(either_store: SqlStore, meddle: Meddle) -> None:
    asked(either_store, candidate(either_store))
    given(either_store, "peter")
    before = either_store.query("approval")
    answers = ("UPDATE approval SET outcome = 'reject'", "DELETE FROM approval")
    requests = ("UPDATE approval_request SET subject_hash = 'other'", "DELETE FROM approval_request")
    for statement in (*answers, *requests):
        with pytest.raises(sa.exc.DBAPIError, match="approvals are append-only"):
            meddle(either_store, statement)
    with pytest.raises(Exception, match="append-only"):
        either_store.amend("approval", {"approval_id": before[0]["approval_id"]}, {"outcome": "reject"})
    assert either_store.query("approval") == before


def test_g6_sqlite_refuses_to_replace_an_answer(store: SqlStore, meddle: Meddle) -> None:
    asked(store, candidate(store))
    given(store, "peter")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        meddle(store, "REPLACE INTO approval SELECT * FROM approval")


def test_g6_postgres_refuses_to_empty_the_answers(postgres_store: SqlStore, meddle: Meddle) -> None:
    asked(postgres_store, candidate(postgres_store))
    given(postgres_store, "peter")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        meddle(postgres_store, "TRUNCATE approval")


def test_what_was_edited_past_the_triggers_disagrees_with_the_ledger(store: SqlStore, meddle: Meddle) -> None:
    asked(store, candidate(store))
    given(store, "peter")
    meddle(store, "DROP TRIGGER approval_no_UPDATE")
    meddle(store, "DROP TRIGGER approval_request_no_UPDATE")
    meddle(store, "UPDATE approval SET subject_hash = 'other'")
    meddle(store, "UPDATE approval_request SET subject_hash = 'other'")
    problems = ledger.verify(store).problems
    assert len(problems) == 2
    assert all("is not what entry" in one for one in problems)


def test_a_rollback_is_never_held(store: SqlStore) -> None:
    version = candidate(store, "high")
    with acting(store, "olga"):
        promote(store, MODEL, version.version, override="the old one is on fire")
    back = rollback(store, MODEL, reason="the new one, too")
    assert (back.version, back.approval) == (1, "a rollback waits for nobody")


def test_a_request_without_a_verdict_has_nothing_to_agree_on(store: SqlStore) -> None:
    candidate(store)
    third = add_version(store, "new")
    with pytest.raises(Conflict, match="late/3 has no verdict: there is nothing to agree on yet"):
        asked(store, third)


def test_the_same_is_asked_for_once(store: SqlStore) -> None:
    version = candidate(store)
    asked(store, version)
    with pytest.raises(Conflict, match="this was asked for already: late/2 waits for one peer"):
        asked(store, version)


def test_people_are_told_with_the_page_where_they_can_answer(store: SqlStore) -> None:
    version = candidate(store)
    request = asked(store, version).request
    assert request is not None
    given(store, "peter")
    rows = store.query("outbox", {"event in": ["approval.requested", "approval.given"]}, order_by=["ts"])
    first, second = (json.loads(row["payload"]) for row in rows)
    assert first["page"] == second["page"] == f"/approvals/{request.request_id}"
    assert first["message"].startswith("ben asks for an approval of late/2 (direct): late/2 waits for one peer")
    assert first["waits_for"] == ["olga", "peter", "vera"]
    assert second["message"].startswith("peter (data-scientist) approves late/2: approved by peter")


def test_what_waits_is_listed_with_whom_it_waits_for(store: SqlStore) -> None:
    asked(store, candidate(store))
    (line,) = list_approvals(store)
    assert (line.state, line.requester, line.plan, line.waits_for) == (
        "waiting", ASKER, "direct", ["olga", "peter", "vera"]
    )  # fmt: skip
    assert list_approvals(store, person="vera") == [line]
    assert list_approvals(store, person="carl") == []
    given(store, "vera")
    assert list_approvals(store) == []
    assert [one.state for one in list_approvals(store, all_=True)] == ["approved"]


def test_who_made_it_is_shown_to_those_who_are_asked(store: SqlStore) -> None:
    version = candidate(store)
    assert asked(store, version).request is not None
    store.amend("run", {"run_id": version.run_id}, {"code_authors": "[]"})
    first, *_, last = show_approval(store, MODEL, 2).made_by
    assert first.startswith("tina trained it in run ")
    assert last == "who wrote the code of its run is not known"


def test_to_ask_for_less_is_up_to_people_who_answer_for_it(store: SqlStore) -> None:
    candidate(store, "medium")
    with acting(store, "peter"):
        assert approval_policy(store, MODEL, tier="high", days=7).tier == "high"
        for less in ({"tier": "low"}, {"days": 8}, {"one_person": True}):
            with pytest.raises(Refused, match="to ask for less than before"):
                declare_policy(store, MODEL, **less)
    with acting(store, "olga", "service"), pytest.raises(Refused, match="olga is a service"):
        declare_policy(store, MODEL, tier="low")
    with acting(store, "carl"):
        assert declare_policy(store, MODEL, tier="medium").words.startswith("late: risk tier medium")
    entries = ledger.entries(store, kind="approval_policy")
    assert [(entry.actor, entry.detail["tier"]) for entry in entries] == [
        ("carl", "medium"), ("peter", "high"), (TRAINER, "medium")
    ]  # fmt: skip


def test_a_policy_for_all_models_counts_where_none_is_declared(store: SqlStore) -> None:
    first, second = add_version(store, "old"), add_version(store, "new")
    let_pass(store, second, first)
    assert approval_policy(store).tier is None
    with pytest.raises(InvalidInput, match="no tier is given"):
        approval_policy(store, days=3)
    approval_policy(store, tier="medium")
    with pytest.raises(Refused, match="risk tier medium"):
        promote(store, MODEL, 2)
    for wrong, said in (({"tier": "hihg"}, "did you mean 'high'"), ({"days": 0}, "1 to 366"), ({"delay": "1m"}, "1h")):
        with pytest.raises(InvalidInput) as refused:
            declare_policy(store, MODEL, **wrong)
        assert said in str(refused.value)
    with pytest.raises(NotFound, match="no model 'lat'"):
        approval_policy(store, "lat", tier="low")
