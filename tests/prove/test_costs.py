"""Size and latency of a model: measured once, recorded, judged with three answers."""

import time

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from tests.prove.worlds import Part, pair, world

from assay.prove.costs import ModelCosts, budget_checks, measure
from assay.prove.evaluation import evaluate, load_evaluation
from assay.prove.gate import gate
from assay.prove.judgement import judge_evaluation
from assay.prove.policy import Budget, Guard, Policy
from assay.prove.sources import source_of
from assay.record.sqlstore import SqlStore


def policy(size: int | None = None, latency: float | None = None, percentile: float = 95.0) -> Policy:
    budget = Budget(maximum_size_bytes=size, maximum_latency_ms=latency, percentile=percentile)
    return Policy(name="budget", metrics={"accuracy": Guard(at_least=0.5)}, model=budget)


def costs(*latencies: float, size: int | None = 1000) -> ModelCosts:
    return ModelCosts(size, sorted(latencies), 20, "x86_64")


@pytest.mark.parametrize(("limit", "verdict"), [(1000, "pass"), (999, "fail")])
def test_a_size_is_a_number_and_no_sample(limit: int, verdict: str) -> None:
    (check,) = budget_checks(costs(), policy(size=limit))
    assert (check.kind, check.verdict, check.value, check.bound) == ("size", verdict, 1000.0, limit)
    assert check.reason == f"size of the model: 1,000 bytes; the policy allows {limit:,} bytes."


@pytest.mark.parametrize(
    ("above", "n", "percentile", "verdict"),
    [
        (0, 59, 95, "pass"),
        (0, 58, 95, "inconclusive"),
        (4, 200, 95, "pass"),
        (10, 200, 95, "inconclusive"),
        (20, 200, 95, "fail"),
        (0, 200, 99, "inconclusive"),
        (0, 299, 99, "pass"),
    ],
)
def test_a_percentile_is_tested_and_not_compared_with_a_point(
    above: int, n: int, percentile: float, verdict: str
) -> None:
    (check,) = budget_checks(costs(*[1.0] * (n - above), *[9.0] * above), policy(latency=5.0, percentile=percentile))
    assert (check.kind, check.verdict, check.n) == ("latency", verdict, n)
    assert f"{percentile} % of single rows within " in check.reason
    assert "the policy allows 5 ms." in check.reason


@pytest.mark.parametrize("found", [None, ModelCosts(None, [], 0, "x86_64")])
def test_what_was_not_measured_is_never_a_pass(found: ModelCosts | None) -> None:
    for check in budget_checks(found, policy(size=10**9, latency=1e9)):
        assert (check.verdict, check.blocks, check.value) == ("inconclusive", True, None)
        assert "was not measured" in check.reason
    assert budget_checks(found, Policy(name="none")) == []


def test_a_call_is_one_row_and_slow_models_take_long() -> None:
    seen = []

    def slow(rows: pa.Table) -> NDArray[np.float64]:
        seen.append(rows.num_rows)
        time.sleep(0.002)
        return np.full(rows.num_rows, 0.5)

    found = measure(slow, source_of(world({"a": Part(1000)})), calls=30)
    assert set(seen) == {1}
    assert (len(found.latency_ms), found.warm_up, found.size_bytes) == (30, 20, None)
    assert found.latency_ms == sorted(found.latency_ms)
    assert found.latency_ms[0] >= 2.0
    assert len(seen) == 50


def test_scores_that_are_given_take_no_time_to_measure() -> None:
    table = source_of(world({"a": Part(100)}))
    assert measure("new", table).latency_ms == measure(np.zeros(100), table).latency_ms == []


def test_costs_are_recorded_and_a_replay_does_not_measure_again(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate, baseline = pair(store)
    table = world({"a": Part(2000)})
    asked = {"baseline": baseline, "label": "late", "unit": "unit", "store": store}
    found = evaluate(candidate, table, costs=True, **asked)  # type: ignore[arg-type] # chosen above
    assert found.costs is not None
    manifest = store.blobs.manifest(candidate.version.hash)
    assert found.costs.size_bytes == sum(len(store.blobs.get(blob)) for blob in manifest.values())
    assert len(found.costs.latency_ms) > 100
    monkeypatch.setattr("assay.prove.costs.measure", None)
    assert load_evaluation(store, found.evaluation_id).costs == found.costs
    result = gate(found, policy(size=10**9, latency=1e6), store=store)
    assert result.verdict == "pass"
    assert any("single rows within" in reason for reason in result.reasons)
    again = judge_evaluation(store, replay=result.gate_id)
    assert (again.reproduced, again.checks) == (True, result.checks)
    without = evaluate(candidate, table, **asked)  # type: ignore[arg-type] # chosen above
    assert load_evaluation(store, without.evaluation_id).costs is None
    assert gate(without, policy(size=10**9)).verdict == "inconclusive"
