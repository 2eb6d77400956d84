"""Promotion and rollback: what the evidence must be, what changes together, and that otherwise nothing does."""

import json
from collections.abc import Callable

import pytest
from tests.prove.worlds import add_version, judged

from assay.errors import Conflict, InvalidInput, NotFound, Refused
from assay.prove import promotion
from assay.prove.promotion import Promotion, promote, put_back, rollback
from assay.record import ledger
from assay.record.identity import Actor
from assay.record.models.registry import CHAMPION, ModelVersion, alias, find_version
from assay.record.schema import TABLES
from assay.record.sqlstore import SqlStore
from assay.record.store import Row, Store

KINDS = ("ledger", "ledger_head", "alias_move", "deployment", "route", "gate")


def everything(store: SqlStore) -> dict[str, list[Row]]:
    """All rows that a promotion may touch."""
    keys = {kind: [column.name for column in TABLES[kind].primary_key] for kind in KINDS}
    return {kind: store.query(kind, order_by=keys[kind]) for kind in KINDS}


def versions(store: SqlStore, count: int) -> list[ModelVersion]:
    """So many versions of the model `late`, each with an answer of its own."""
    return [add_version(store, f"score {number}") for number in range(1, count + 1)]


def champions(store: SqlStore, count: int) -> list[ModelVersion]:
    """So many versions, promoted one after the other on a verdict each, from the second on."""
    made = versions(store, count)
    judged(store, made[1], made[0])
    for number in range(1, count):
        if number > 1:
            judged(store, made[number], made[number - 1])
        promote(store, "late", number + 1)
    return made


def champion(store: SqlStore) -> int | None:
    found = alias(store, "late", CHAMPION)
    return found.version if found else None


def deployments(store: SqlStore) -> list[Row]:
    return store.query("deployment", order_by=["decision"])


def test_a_pass_makes_the_first_champion(either_store: SqlStore) -> None:
    baseline, candidate = versions(either_store, 2)
    verdict = judged(either_store, candidate, baseline)
    assert verdict.verdict == "pass"
    assert verdict.decision is not None
    promoted = promote(either_store, "late", 2)
    assert promoted == Promotion(
        model="late",
        version=2,
        previous_version=None,
        endpoint="late",
        revision=1,
        decision=verdict.decision + 1,
        deployment=promoted.deployment,
        cause="change",
        reason=f"gate {verdict.gate_id[:8]} passed",
        approval="nothing is declared for late: no approval is asked for, the gate alone decides",
    )
    assert champion(either_store) == 2
    (move,) = either_store.query("alias_move")
    assert (move["seq"], move["mv_id"], move["previous_mv_id"]) == (1, candidate.mv_id, None)
    (route,) = either_store.query("route")
    assert json.loads(route["detail"]) == {
        "variants": [{"mv_id": candidate.mv_id, "hash": candidate.hash, "weight": 1, "name": "champion"}]
    }
    (deployment,) = deployments(either_store)
    assert (deployment["dep_id"], deployment["mv_id"]) == (promoted.deployment, candidate.mv_id)
    assert (deployment["cause"], deployment["ended"], deployment["outcome"]) == ("change", None, None)
    entry = ledger.entries(either_store, kind="promotion")[0]
    assert (entry.seq, entry.subject) == (promoted.decision, "late/2")
    assert entry.detail == {
        "hash": candidate.hash,
        "previous": None,
        "endpoint": "late",
        "cause": "change",
        "reason": promoted.reason,
    }
    assert {row["decision"] for row in (move, route, deployment)} == {promoted.decision}
    assert ledger.verify(either_store).sound


def test_the_next_champion_ends_the_deployment_before_it(store: SqlStore) -> None:
    made = champions(store, 3)
    assert champion(store) == 3
    first, second = deployments(store)
    assert (first["mv_id"], first["outcome"]) == (made[1].mv_id, "ok")
    assert first["ended"] == second["started"]
    assert (second["ended"], second["rollback_of"]) == (None, None)
    moves = store.query("alias_move", order_by=["seq"])
    assert [(move["seq"], move["mv_id"], move["previous_mv_id"]) for move in moves] == [
        (1, made[1].mv_id, None),
        (2, made[2].mv_id, made[1].mv_id),
    ]
    assert [row["revision"] for row in store.query("route", order_by=["revision"])] == [1, 2]
    assert ledger.verify(store).sound


@pytest.mark.parametrize("verdict", ["none", "fail", "inconclusive"])
def test_without_a_pass_nothing_changes_and_the_reason_is_told(store: SqlStore, verdict: str) -> None:
    baseline, candidate = versions(store, 2)
    reasons: list[str] = []
    if verdict != "none":
        difference, rows = (-0.2, 3000) if verdict == "fail" else (0.0, 200)
        result = judged(store, candidate, baseline, difference, rows)
        assert result.verdict == verdict
        reasons = result.reasons
    before = everything(store)
    with pytest.raises(Refused) as raised:
        promote(store, "late", 2)
    error = raised.value
    assert error.exit_code == 1
    if verdict == "none":
        assert error.what == "late/2 has no verdict"
        assert error.hint == "evaluate it and let the gate judge, or --override REASON"
    else:
        assert error.what == f"the gate's verdict on late/2 is {verdict}"
        assert (error.where, error.expected) == (reasons[0], "pass")
        assert error.hint == "--override REASON puts a person's name on it"
    assert everything(store) == before


def test_the_last_verdict_counts(store: SqlStore) -> None:
    baseline, candidate = versions(store, 2)
    judged(store, candidate, baseline)
    judged(store, candidate, baseline, difference=-0.2)
    with pytest.raises(Refused, match="is fail"):
        promote(store, "late", 2)
    judged(store, candidate, baseline)
    assert promote(store, "late", 2).version == 2


def test_a_verdict_against_an_older_champion_does_not_count(store: SqlStore) -> None:
    made = [*champions(store, 3), add_version(store, "score 4")]
    judged(store, made[3], made[1])
    before = everything(store)
    with pytest.raises(Refused, match="late/4 has no verdict against the champion, version 3"):
        promote(store, "late", 4)
    assert everything(store) == before
    judged(store, made[3], made[2])
    assert promote(store, "late", 4).previous_version == 3


def test_a_verdict_on_other_content_does_not_count(store: SqlStore) -> None:
    baseline, candidate = versions(store, 2)
    judged(store, candidate, baseline)
    (row,) = store.query("gate")
    store.amend("gate", {"id": row["id"]}, {"subject_hash": "0" * 64})
    with pytest.raises(Refused, match="late/2 has no verdict"):
        promote(store, "late", 2)


def test_the_champion_and_what_does_not_exist_cannot_be_promoted(store: SqlStore) -> None:
    champions(store, 2)
    before = everything(store)
    with pytest.raises(Conflict, match="late/2 is the champion already"):
        promote(store, "late", 2)
    with pytest.raises(NotFound, match="has no version 9"):
        promote(store, "late", 9)
    with pytest.raises(NotFound, match="no version 1") as raised:
        promote(store, "lat", 1)
    assert raised.value.hint == "did you mean 'late'?"
    assert everything(store) == before


@pytest.mark.parametrize("verdict", ["none", "fail"])
def test_an_override_is_recorded_with_the_person_and_the_reason(store: SqlStore, verdict: str) -> None:
    baseline, candidate = versions(store, 2)
    result = judged(store, candidate, baseline, difference=-0.2) if verdict == "fail" else None
    store.actor = Actor("rosa")
    promoted = promote(store, "late", 2, override="the labels of March are wrong")
    assert promoted.reason == "override: the labels of March are wrong"
    assert champion(store) == 2
    row = store.query("gate", {"mode": "manual"})[0]
    assert (row["override_by"], row["override_reason"]) == ("rosa", "the labels of March are wrong")
    assert (row["mv_id"], row["baseline_mv_id"], row["subject_hash"]) == (candidate.mv_id, None, candidate.hash)
    assert row["outcome"] == verdict
    assert row["evaluation_id"] == (result.evaluation_id if result else "")
    (told,) = store.query("outbox", {"event": "gate.overridden"})
    assert "rosa overrides the gate for late/2: the labels of March are wrong" in told["payload"]
    overrides = ledger.entries(store, kind="override")
    assert [(entry.seq, entry.actor, entry.subject) for entry in overrides] == [(row["decision"], "rosa", "late/2")]
    assert overrides[0].detail == {"hash": candidate.hash, "reason": "the labels of March are wrong"}
    assert ledger.entries(store, kind="promotion")[0].actor == "rosa"
    assert ledger.verify(store).sound


def test_an_override_is_no_verdict_for_the_next_time(store: SqlStore) -> None:
    made = champions(store, 3)
    promote(store, "late", 1, override="once")
    rollback(store, "late")
    with pytest.raises(Refused, match="late/1 has no verdict against the champion, version 3"):
        promote(store, "late", made[0].version)


@pytest.mark.parametrize("override", ["", "  \n"])
def test_an_override_without_a_reason_is_refused(store: SqlStore, override: str) -> None:
    versions(store, 1)
    before = everything(store)
    with pytest.raises(InvalidInput, match="the override gives no reason"):
        promote(store, "late", 1, override=override)
    assert everything(store) == before


def test_a_rollback_puts_the_champion_before_in_place(either_store: SqlStore) -> None:
    made = champions(either_store, 3)
    back = rollback(either_store, "late", reason="errors since noon")
    assert (back.version, back.previous_version, back.revision) == (2, 3, 3)
    assert (back.cause, back.reason) == ("incident", "errors since noon")
    assert champion(either_store) == 2
    _, failed, now = deployments(either_store)
    assert (failed["mv_id"], failed["outcome"], failed["ended"]) == (made[2].mv_id, "rolled_back", now["started"])
    assert (now["mv_id"], now["rollback_of"], now["cause"]) == (made[1].mv_id, failed["dep_id"], "incident")
    assert now["ended"] is None
    entry = ledger.entries(either_store, kind="rollback")[0]
    assert (entry.subject, entry.detail["previous"], entry.detail["cause"]) == ("late/2", 3, "incident")
    last = either_store.query("alias_move", order_by=["-seq"], limit=1)[0]
    assert (last["seq"], last["previous_mv_id"]) == (3, made[2].mv_id)
    assert ledger.verify(either_store).sound
    (incident,) = either_store.query("incident")
    assert (incident["opened_by"], incident["dep_id"], incident["decision"]) == (
        "rollback", failed["dep_id"], back.decision
    )  # fmt: skip
    assert incident["title"] == "late/3 was rolled back to version 2: errors since noon"
    assert failed["started"] == incident["started"] <= incident["detected"] <= incident["restored"]
    assert incident["closed"] is None


def test_a_second_rollback_goes_further_back_and_not_to_what_just_failed(store: SqlStore) -> None:
    champions(store, 4)
    assert [rollback(store, "late").version for _ in range(2)] == [3, 2]
    with pytest.raises(NotFound, match="there was no champion before late/2"):
        rollback(store, "late")
    assert rollback(store, "late", to=4).version == 4, "by name it can be put back"
    assert rollback(store, "late").version == 2


def test_a_rollback_after_an_earlier_champion_was_promoted_again_goes_to_the_one_before(store: SqlStore) -> None:
    made = champions(store, 3)
    judged(store, made[1], made[2])
    promote(store, "late", 2)
    assert rollback(store, "late").version == 3
    assert rollback(store, "late").version == 2


def test_a_drill_is_no_failure_and_leaves_the_order_as_it_was(store: SqlStore) -> None:
    champions(store, 3)
    back = put_back(store, "late", to=None, cause="drill", reason="rollback drill")
    again = put_back(store, "late", to=back.previous_version, cause="drill", reason="end of the rollback drill")
    assert (back.version, again.version) == (2, 3)
    rows = deployments(store)
    assert [row["outcome"] for row in rows] == ["ok", "ok", "ok", None]
    assert [row["cause"] for row in rows] == ["change", "change", "drill", "drill"]
    assert [row["rollback_of"] for row in rows] == [None, None, rows[1]["dep_id"], rows[2]["dep_id"]]
    assert store.query("incident") == []
    assert rollback(store, "late").version == 2


def test_a_rollback_to_a_named_champion_goes_there(store: SqlStore) -> None:
    champions(store, 4)
    assert rollback(store, "late", to=2).version == 2
    assert champion(store) == 2


def test_a_rollback_needs_a_champion_to_go_to(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="model 'late' has no champion to roll back"):
        rollback(store, "late")
    champions(store, 2)
    before = everything(store)
    with pytest.raises(NotFound, match="there was no champion before late/2"):
        rollback(store, "late")
    with pytest.raises(Conflict, match="late/2 is the champion already"):
        rollback(store, "late", to=2)
    with pytest.raises(Refused, match="late/1 was never the champion") as raised:
        rollback(store, "late", to=1)
    assert raised.value.hint == "assay promote late 1"
    with pytest.raises(NotFound, match="has no version 9"):
        rollback(store, "late", to=9)
    assert everything(store) == before


@pytest.mark.parametrize("act", ["promote", "override", "rollback"])
def test_a_failure_at_the_last_record_leaves_nothing_changed(
    either_store: SqlStore, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    store = either_store
    made = [*champions(store, 3), add_version(store, "score 4")]
    judged(store, made[3], made[2])
    actions: dict[str, Callable[[], Promotion]] = {
        "promote": lambda: promote(store, "late", 4),
        "override": lambda: promote(store, "late", 1, override="why not"),
        "rollback": lambda: rollback(store, "late"),
    }
    before = everything(store)
    append = store.append

    def failing(kind: str, row: dict[str, object]) -> None:
        if kind == "route":
            raise RuntimeError("power cut")
        append(kind, row)

    with monkeypatch.context() as patch:
        patch.setattr(store, "append", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            actions[act]()
    assert everything(store) == before
    actions[act]()
    assert {kind: len(rows) for kind, rows in everything(store).items()} == {
        kind: len(rows)
        + (0 if kind == "ledger_head" else 1 if kind != "gate" else int(act == "override"))
        + int(kind == "ledger" and act == "override")
        for kind, rows in before.items()
    }
    assert ledger.verify(store).sound


def test_a_champion_that_moved_meanwhile_is_a_conflict(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made = champions(store, 3)
    judged(store, made[2], made[1])
    rollback(store, "late")
    rollback_again = everything(store)

    def before_the_move(store: Store, model: str, name: str) -> ModelVersion:
        return find_version(store, model, 3)  # as it was when somebody looked

    monkeypatch.setattr(promotion, "alias", before_the_move)
    with pytest.raises(Conflict, match="late@champion was moved by somebody else"):
        promote(store, "late", 1, override="why not")
    assert everything(store) == rollback_again


def test_models_do_not_touch_each_other(store: SqlStore) -> None:
    champions(store, 2)
    add_version(store, "score 1", model="other")
    promoted = promote(store, "other", 1, override="the first")
    assert (promoted.endpoint, promoted.revision, promoted.previous_version) == ("other", 1, None)
    assert champion(store) == 2
    assert [row["ended"] for row in deployments(store)] == [None, None]
