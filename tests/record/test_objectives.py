from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from assay.errors import InvalidInput, NotFound
from assay.record.ledger import entries, verify
from assay.record.models.registered_models import create_registered_model
from assay.record.objective_terms import Baseline, Decision, Guardrail, Kpi, StopRule, Terms, Value, check_terms
from assay.record.objectives import (
    Basis,
    KpiObservation,
    decide_objective,
    find_objective,
    newest_observation,
    objective_of,
    objective_versions,
    objectives,
)
from assay.record.store import Store

VALUE = Value(
    version="1",
    unit="EUR",
    source="an example",
    owner="ann",
    valid_until=date(2026, 12, 31),
    outcomes={"late": 1, "on time": 0},
    matrix={"late": {"leave": 0.0, "warn": (2.0, 4.0, 6.0)}, "on time": {"leave": 0.0, "warn": (-2.0, -1.0, 0.0)}},
)
TERMS = Terms(
    statement="fewer people wait at the gate",
    owner="ann",
    kpi=Kpi(name="value", unit="EUR", target=100.0, floor=50.0, source="value"),
    decision=Decision(drives="who is warned", actions=["leave", "warn"]),
    baseline=Baseline(words="nobody is warned", action="leave"),
    value=VALUE,
)
UPSIDE_DOWN = {**VALUE.matrix, "late": {"leave": 0.0, "warn": (3.0, 2.0, 4.0)}}


def changed(**fields: object) -> Terms:
    return msgspec.structs.replace(TERMS, **fields)


def test_an_objective_has_versions_that_stay_as_they_were_decided(store: Store) -> None:
    create_registered_model(store, "late")
    first = decide_objective(store, "late", TERMS)
    between = store.clock.now()
    second = decide_objective(store, "late", changed(statement="nobody waits"), reason="it was too modest")
    assert [one.version for one in objective_versions(store, "late")] == [1, 2]
    assert first.objective_id == second.objective_id
    assert objective_of(store, "late") == second
    assert objective_of(store, "late", between) == first
    assert objective_of(store, "late", between - timedelta(days=1)) is None
    said = [one for one in entries(store, limit=10) if one.kind == "objective"]
    assert [one.detail["hash"] for one in said] == [second.hash, first.hash]
    assert verify(store).sound


def test_the_same_terms_are_decided_once(store: Store) -> None:
    create_registered_model(store, "late")
    assert decide_objective(store, "late", TERMS) == decide_objective(store, "late", TERMS)
    assert len(objective_versions(store, "late")) == 1


def test_any_change_of_the_terms_is_another_hash(store: Store) -> None:
    create_registered_model(store, "late")
    kinds: list[dict[str, object]] = [
        {"kpi": msgspec.structs.replace(TERMS.kpi, floor=49.0)},
        {"value": msgspec.structs.replace(VALUE, version="2")},
        {"value": msgspec.structs.replace(VALUE, valid_until=date(2027, 1, 1))},
        {"stop": StopRule(reviews=3)},
        {"owner": "bob"},
    ]
    hashes = {decide_objective(store, "late", changed(**kind)).hash for kind in kinds}
    assert len(hashes) == len(kinds)


def test_a_model_that_was_retired_has_no_objective_any_more(store: Store) -> None:
    create_registered_model(store, "late")
    decide_objective(store, "late", TERMS)
    assert [one.model for one in objectives(store)] == ["late"]
    ended = decide_objective(store, "late", TERMS, ended=True, reason="nobody flies")
    assert ended.ended is not None
    assert objective_of(store, "late") is None
    assert objectives(store) == []
    with pytest.raises(NotFound, match="late has no objective"):
        find_objective(store, "late")
    assert decide_objective(store, "late", TERMS).version == 3, "it can be begun anew"


def test_the_first_review_is_when_the_terms_say_and_else_after_the_usual_time(store: Store) -> None:
    create_registered_model(store, "late")
    store.clock.advance(datetime(2026, 1, 1, tzinfo=UTC))
    assert decide_objective(store, "late", TERMS).review_due == "2026-04-02T00:00:00.000000Z"
    dated = decide_objective(store, "late", changed(review_on=date(2026, 2, 1)))
    assert dated.review_due == "2026-02-01T00:00:00.000000Z"


def test_an_objective_of_no_model_is_refused_and_changes_nothing(store: Store) -> None:
    create_registered_model(store, "late")
    with pytest.raises(NotFound, match="did you mean 'late'"):
        decide_objective(store, "lates", TERMS)
    assert objective_versions(store, "lates") == []


_KPI, _DECISION = TERMS.kpi, TERMS.decision
REFUSED = [
    ({"statement": " "}, "statement", "words"),
    ({"kpi": msgspec.structs.replace(_KPI, floor=101.0)}, "kpi.floor", "not better than the target"),
    ({"kpi": msgspec.structs.replace(_KPI, source="sql")}, "kpi.source", "sql ="),
    ({"kpi": msgspec.structs.replace(_KPI, source="outside")}, "kpi.said_by", "said_by"),
    ({"value": None}, "kpi.source", "value"),
    ({"decision": Decision(drives="x", actions=["leave"])}, "decision.actions", "two"),
    ({"decision": Decision(drives="x", actions=["a", "b", "c"])}, "decision.thresholds", "2"),
    (
        {"decision": Decision(drives="x", actions=["a", "b", "c"], thresholds=[0.7, 0.3])},
        "decision.thresholds",
        "increase",
    ),
    ({"baseline": Baseline(words="x")}, "baseline", "a rule in SQL"),
    ({"baseline": Baseline(words="x", action="warm")}, "baseline.action", "did you mean 'warn'"),
    ({"value": msgspec.structs.replace(VALUE, matrix={})}, "value", "a matrix, or a function"),
    ({"value": msgspec.structs.replace(VALUE, matrix={"late": {"warn": 1.0}})}, "value.matrix.late", "leave ="),
    (
        {"value": msgspec.structs.replace(VALUE, matrix=UPSIDE_DOWN)},
        "value.matrix.late.warn",
        "least, likeliest, most",
    ),
    ({"value": msgspec.structs.replace(VALUE, outcomes={"late": 1, "on time": 1})}, "value.outcomes", "different"),
    ({"stop": StopRule(probability=1.0)}, "stop.probability", "inside"),
    ({"review_every": "0d"}, "review_every", "timedelta"),
    ({"coverage": 1.5}, "coverage", "share"),
    ({"segments": ["origin", "origin"]}, "segments", "different names"),
    (
        {"guardrails": [Guardrail(name="value", unit="%", limit=1.0, said_by="x")]},
        "guardrails",
        "different names",
    ),
]


@pytest.mark.parametrize(("fields", "where", "expected"), REFUSED, ids=[where for _, where, _ in REFUSED])
def test_terms_that_cannot_be_are_refused_with_their_key(fields: dict[str, object], where: str, expected: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_terms(changed(**fields))
    assert caught.value.where == where
    assert expected in str(caught.value)


def test_the_newest_observation_is_that_of_the_latest_span_on_the_strongest_ground() -> None:
    def seen(basis: Basis, month: int) -> KpiObservation:
        return KpiObservation(
            obs_id=f"{basis}{month}",
            model="late",
            kpi="value",
            basis=basis,
            started=f"2026-0{month}",
            ended=f"2026-0{month + 1}",
            value=1.0,
            low=None,
            high=None,
            link=None,
            note=None,
            recorded="2026-09",
            recorded_by="ann",
        )

    every = [seen("measured", 1), seen("estimated", 2), seen("observed", 2)]
    assert newest_observation(every) == seen("observed", 2)
    assert newest_observation([*every, seen("measured", 2)]) == seen("measured", 2)
    assert newest_observation([]) is None
