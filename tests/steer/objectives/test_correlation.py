from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from tests.steer.objectives.objective_world import terms_with

from assay.operate.online_tests.readings import ArmReading, MetricReading, Seen, TestReading
from assay.prove.checks import Check
from assay.record.canonical import canonical_json
from assay.record.models.registered_models import create_registered_model
from assay.record.objectives import decide_objective
from assay.record.store import Store
from assay.steer.objectives.correlation import correlations, gain_pairs
from assay.steer.objectives.observing import observe

AT = "2026-06-01T00:00:00.000000Z"


def replaced(store: Store, name: str, offline: float) -> None:
    """A model whose second version was evaluated beside the first and promoted in June."""
    if store.clock.event is None:
        store.clock.advance(datetime(2026, 6, 1, tzinfo=UTC))
    create_registered_model(store, name)
    decide_objective(store, name, terms_with())
    for version in (1, 2):
        row = {"mv_id": f"{name}-{version}", "model": name, "version": version, "hash": f"{name}{version}"}
        store.append("model_version", {**row, "created": AT})
    check = Check(
        kind="champion_compare",
        segment="overall",
        metric="brier",
        verdict="pass",
        n=10,
        delta=0.2 * offline,
        baseline_value=0.2,
    )
    verdict = {"policy_version": "1", "outcome": "pass", "mode": "auto", "subject_hash": "h", "decision": 0}
    ids = {"id": name, "mv_id": f"{name}-2", "baseline_mv_id": f"{name}-1", "evaluation_id": "e"}
    store.append("gate", {**ids, **verdict, "checks": canonical_json([msgspec.to_builtins(check)])})
    move = {"model": name, "alias": "champion", "seq": 1, "mv_id": f"{name}-2", "previous_mv_id": f"{name}-1"}
    store.append("alias_move", {**move, "cleared": 0, "decision": 0})


def seen(store: Store, name: str, change: float) -> None:
    """The KPI of May and of July, and an estimate that does not count."""
    for begin, end, value in (("05", "06", 100.0), ("07", "08", 100.0 * (1 + change))):
        observe(store, name, value=value, basis="observed", from_=f"2026-{begin}-01", to=f"2026-{end}-01")
    observe(store, name, value=500.0, basis="estimated", from_="2026-07-01", to="2026-08-01")


def in_test(store: Store, name: str, effect: float, direction: str) -> None:
    """An online test of both versions, in which the challenger had that effect on 2.0."""
    arms = [
        {"name": one, "mv_id": f"{name}-{version}", "hash": "h", "model": name, "version": version}
        for one, version in (("champion", 1), ("challenger", 2))
    ]
    metric = {"name": "orders", "direction": direction}
    detail = canonical_json({"arms": arms, "metrics": [metric], "design": {}, "salt": "s"})
    test = {"test_id": name, "name": name, "endpoint": name, "model": name, "kind": "ab", "status": "stopped"}
    store.append("online_test", {**test, "detail": detail, "started": AT, "decision": 0})
    measured = MetricReading(
        metric="orders",
        role="success",
        champion=2.0,
        challenger=2.0 + effect,
        effect=effect,
        low=None,
        high=None,
        p_value=None,
        units=(1, 1),
        coverage=(1.0, 1.0),
        better=False,
        worse=False,
        outcome="pass",
        words="",
        needed_units=None,
    )
    reading = TestReading(
        test=name,
        test_id=name,
        endpoint=name,
        kind="ab",
        status="stopped",
        as_of=AT,
        design="anytime",
        phase=1,
        outcome="pass",
        words=[],
        held=[],
        arms=[ArmReading("challenger", 2, "pass", "", [measured])],
        counts={},
        srm_p=1.0,
        needed_units=None,
        needed_days=None,
        seen=Seen(),
    )
    row = {"test_id": name, "seq": 1, "as_of": AT, "outcome": "pass"}
    store.append("test_reading", {**row, "detail": canonical_json(msgspec.to_builtins(reading))})


OFFLINE = [0.01, 0.05, 0.02, 0.08, 0.03, 0.06]
BUSINESS = [0.02, 0.04, -0.01, 0.07, 0.00, 0.09]


def promotions(store: Store, offline: Sequence[float], business: Sequence[float]) -> None:
    for number, (gain, change) in enumerate(zip(offline, business, strict=True)):
        replaced(store, f"m{number}", gain)
        seen(store, f"m{number}", change)


def test_the_correlation_is_that_of_the_pairs_on_record(store: Store) -> None:
    promotions(store, OFFLINE, BUSINESS)
    pairs = gain_pairs(store)
    assert [one.offline for one in pairs] == pytest.approx(OFFLINE)
    assert [one.business for one in pairs] == pytest.approx(BUSINESS)
    (found,) = correlations(store)
    r = pearsonr(OFFLINE, BUSINESS)
    interval = r.confidence_interval(0.95)
    assert found.basis == "observed"
    assert found.pearson == pytest.approx(r.statistic)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.spearman == pytest.approx(spearmanr(OFFLINE, BUSINESS).statistic)
    assert f"r = {r.statistic:.2f}" in found.words
    assert "over 6 promotions" in found.words


def test_below_five_pairs_nothing_is_claimed(store: Store) -> None:
    promotions(store, OFFLINE[:4], BUSINESS[:4])
    (found,) = correlations(store)
    assert (found.pearson, found.spearman, len(found.pairs)) == (None, None, 4)
    assert "too few: 4" in found.words


def test_pairs_of_tests_and_of_months_are_never_put_together(store: Store) -> None:
    """Governance G16."""
    promotions(store, OFFLINE[:3], BUSINESS[:3])
    for number, (gain, effect) in enumerate(zip(OFFLINE, BUSINESS, strict=True)):
        replaced(store, f"t{number}", gain)
        in_test(store, f"t{number}", -2.0 * effect, "down")
    measured, observed = correlations(store)
    assert (measured.basis, len(measured.pairs)) == ("measured", 6)
    assert measured.pearson == pytest.approx(np.corrcoef(OFFLINE, BUSINESS)[0, 1]), "less is better there"
    assert (observed.basis, observed.pearson) == ("observed", None)


def test_the_interval_of_a_rank_correlation_is_wider(store: Store) -> None:
    promotions(store, OFFLINE, OFFLINE[::-1])
    (found,) = correlations(store)
    assert found.pearson is not None
    assert found.low is not None
    assert found.high is not None
    assert found.spearman_low is not None
    assert found.spearman_high is not None
    assert found.low < found.pearson < found.high
    assert found.spearman_low < (found.spearman or 0.0) < found.spearman_high


def test_gains_that_are_all_alike_say_nothing(store: Store) -> None:
    promotions(store, [0.02] * 5, BUSINESS[:5])
    (found,) = correlations(store)
    assert found.pearson is None
    assert "all alike" in found.words
