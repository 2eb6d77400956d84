"""Checks without a baseline: absolute bounds, calibration and the rows themselves, each with three answers."""

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.prove.checks import Check
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.gate import GateResult, gate
from assay.prove.policy import Calibration, DataRules, Guard, Policy


def rows(n: int, right: float = 0.8, seed: int = 0, shift: float = 0.0) -> pa.Table:
    """Labels whose share follows the score, moved by `shift`; accuracy about `right`."""
    generator = np.random.default_rng(seed)
    score = np.where(generator.random(n) < 0.5, 1 - right, right)
    label = (generator.random(n) < score).astype(float)
    return pa.table({"label": label, "score": np.clip(score + shift, 0, 1), "part": generator.choice(["a", "b"], n)})


def evaluated(table: pa.Table) -> Evaluation:
    return evaluate("score", table, label="label", segments=["part"])


def only(result: GateResult, kind: str, segment: str = "overall") -> Check:
    (check,) = (check for check in result.checks if (check.kind, check.segment) == (kind, segment))
    return check


@pytest.mark.parametrize(
    ("guard", "n", "verdict"),
    [
        (Guard(at_least=0.7), 2000, "pass"),
        (Guard(at_least=0.9), 2000, "fail"),
        (Guard(at_least=0.8), 2000, "inconclusive"),
        (Guard(at_least=0.7), 30, "inconclusive"),
        (Guard(at_most=0.9), 2000, "pass"),
        (Guard(at_most=0.7), 2000, "fail"),
    ],
)
def test_an_absolute_bound_is_tested_and_not_compared_with_a_point(guard: Guard, n: int, verdict: str) -> None:
    result = gate(evaluated(rows(n)), Policy(name="bound", metrics={"accuracy": guard}))
    check = only(result, "bound")
    assert (result.verdict, check.verdict) == (verdict, verdict)
    assert result.reasons[0] == check.reason
    assert check.low is not None
    assert check.high is not None
    assert check.low <= (check.value or 0) <= check.high
    assert (check.rows_needed is not None) == (verdict == "inconclusive")


def test_a_bound_holds_in_every_required_segment() -> None:
    table = rows(4000)
    worse = np.where(np.asarray(table["part"]) == "b", 1 - table["label"].to_numpy(), table["label"].to_numpy())
    policy = Policy(name="bound", metrics={"accuracy": Guard(at_least=0.4)}, required=["part=a", "part=b"])
    result = gate(evaluated(table.set_column(0, "label", pa.array(worse))), policy)
    assert [only(result, "bound", name).verdict for name in ("part=a", "part=b")] == ["pass", "fail"]
    assert result.verdict == "fail"
    assert result.reasons[0].startswith("part=b: Accuracy ")


def test_rates_at_the_bound_pass_and_fail_no_oftener_than_alpha() -> None:
    """300 sets of rows whose accuracy is the bound, at alpha .05 on each side, and 3 Monte-Carlo s.e."""
    policy = Policy(name="bound", metrics={"accuracy": Guard(at_least=0.8)})
    verdicts = [gate(evaluated(rows(300, seed=seed)), policy).verdict for seed in range(300)]
    for verdict in ("pass", "fail"):
        assert verdicts.count(verdict) / len(verdicts) <= 0.05 + 3 * (0.05 * 0.95 / len(verdicts)) ** 0.5


@pytest.mark.parametrize(
    ("shift", "n", "verdict"), [(0.0, 20_000, "pass"), (0.1, 20_000, "fail"), (0.0, 100, "inconclusive")]
)
def test_calibration_in_the_large_is_judged(shift: float, n: int, verdict: str) -> None:
    result = gate(evaluated(rows(n, shift=shift, right=0.7)), Policy(name="c", calibration=Calibration(within=0.02)))
    assert only(result, "calibration").verdict == verdict
    assert result.verdict == verdict


def test_too_few_and_unlabelled_rows_are_inconclusive() -> None:
    table = rows(1000)
    some = table.set_column(0, "label", pa.array([None] * 200 + table["label"].to_pylist()[200:]))
    policy = Policy(name="d", metrics={"accuracy": Guard(at_least=0.5)}, data=DataRules(minimum_rows=900))
    result = gate(evaluated(some), policy)
    assert result.verdict == "inconclusive"
    assert result.reasons == ["800 labelled rows; the policy wants at least 900."]
    strict = Policy(name="d", metrics={"accuracy": Guard(at_least=0.5)}, data=DataRules(maximum_unlabelled=0.1))
    assert gate(evaluated(some), strict).reasons == [
        "200 of 1,000 rows have no label (20.0%); the policy allows 10.0%."
    ]


def test_rows_without_a_label_are_named_by_a_passing_verdict() -> None:
    table = rows(2000)
    some = table.set_column(0, "label", pa.array([None] * 100 + table["label"].to_pylist()[100:]))
    result = gate(evaluated(some), Policy(name="d", metrics={"accuracy": Guard(at_least=0.5)}))
    assert result.verdict == "pass"
    assert result.reasons[-1] == "100 rows have no label (5.0%) and say nothing."


def test_a_margin_needs_a_baseline() -> None:
    with pytest.raises(InvalidInput, match="has a margin for 'accuracy', and the evaluation has no baseline"):
        gate(evaluated(rows(100)), Policy(name="m", metrics={"accuracy": Guard(margin=0.01)}))


def test_a_verdict_without_a_store_is_not_recorded() -> None:
    result = gate(evaluated(rows(2000)), Policy(name="b", metrics={"accuracy": Guard(at_least=0.5)}))
    assert (result.decision, result.version, result.candidate, result.baseline) == (None, None, "score", None)
