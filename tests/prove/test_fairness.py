"""Fairness bounds in a policy: who is held against whom, and what a passing verdict needs."""

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.gate import gate
from assay.prove.policy import Bound, Policy, parse_policy


def evaluated(rates: tuple[float, float, float], sizes: tuple[int, int, int] = (4000, 3000, 40)) -> Evaluation:
    generator = np.random.default_rng(5)
    says = generator.random(sum(sizes)) < np.repeat(rates, sizes)
    table = pa.table(
        {
            "label": generator.integers(0, 2, sum(sizes)),
            "score": np.where(says, 0.9, 0.1),
            "sex": np.repeat(["f", "m", "x"], sizes),
        }
    )
    return evaluate("score", table, label="label", segments=["sex"])


POLICY = Policy(name="fair", fairness={"sex": {"selection_rate": Bound(ratio=0.8)}})


def test_small_groups_are_listed_and_the_shown_ones_pass() -> None:
    result = gate(evaluated((0.5, 0.5, 0.5)), POLICY)
    assert [(check.segment, check.verdict) for check in result.checks] == [("sex=m", "pass"), ("sex=x", "inconclusive")]
    assert result.verdict == "pass"
    assert result.reasons[-1] == "1 smaller segment is inconclusive and does not block by the policy."


def test_a_group_that_is_proven_to_be_beyond_the_bound_fails_with_the_count_of_its_rows() -> None:
    result = gate(evaluated((0.5, 0.3, 0.5)), POLICY)
    assert result.verdict == "fail"
    assert result.reasons[0].startswith("sex=m: Selection rate 0.295 (3,000 rows), sex=f 0.508; ratio 0.580")
    assert "proven to be beyond a ratio of 0.8" in result.reasons[0]
    assert "of its rows would have counted otherwise" in result.reasons[0]


def test_a_required_group_has_to_be_shown() -> None:
    policy = Policy(name="fair", fairness=POLICY.fairness, required=["sex=x"])
    result = gate(evaluated((0.5, 0.5, 0.5)), policy)
    assert result.verdict == "inconclusive"
    assert "sex=x: Selection rate" in result.reasons[0]
    assert "rows of the group would decide" in result.reasons[0]


def test_a_column_that_was_not_evaluated_is_missing_evidence() -> None:
    policy = Policy(name="fair", fairness={"race": {"recall": Bound(gap=0.05)}})
    result = gate(evaluated((0.5, 0.5, 0.5)), policy)
    assert result.verdict == "inconclusive"
    assert result.reasons == ["race: the policy wants segments by it, and the evaluation was made without it."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selection_rat = {ratio = 0.8}", "there is no rate 'selection_rat'"),
        ("auc = {gap = 0.1}", "there is no rate 'auc'"),
        ("recall = {}", "recall is bounded in no way or in two"),
        ("recall = {gap = 0.1, ratio = 0.8}", "recall is bounded in no way or in two"),
        ("recall = {gap = 5}", "the bound of recall is 5.0"),
        ("recall = {gaps = 5}", "unknown field `gaps`"),
    ],
)
def test_a_wrong_bound_is_told(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        parse_policy(f'name = "fair"\n[fairness.sex]\n{text}\n', "policy.toml")
    assert raised.value.where is not None
    assert raised.value.where.startswith("policy.toml")
