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
        ("recall = {gaps = 5}", "an unknown key 'gaps'"),
    ],
)
def test_a_wrong_bound_is_told(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        parse_policy(f'name = "fair"\n[fairness.sex]\n{text}\n', "policy.toml")
    assert raised.value.where is not None
    assert raised.value.where.startswith("policy.toml")


def judged(text: str, rates: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> list[tuple[str, str, str]]:
    policy = parse_policy(f'name = "fair"\n[fairness.sex]\n{text}\n', "policy.toml")
    return [(check.segment, check.metric, check.verdict) for check in gate(evaluated(rates), policy).checks]


def test_equalised_odds_bound_both_rates_and_the_reason_says_which_is_broken() -> None:
    odds = "equalised_odds = {gap = 0.1}"
    assert judged(odds) == [
        ("sex=m", "equalised_odds", "pass"),
        ("sex=x", "equalised_odds", "inconclusive"),
    ]
    policy = parse_policy(f'name = "fair"\n[fairness.sex]\n{odds}\n', "policy.toml")
    check = gate(evaluated((0.5, 0.2, 0.5)), policy).checks[0]
    assert check.verdict == "fail"
    assert check.reason.startswith("Equalised odds, a rate beyond the bound: sex=m: Recall 0.2")
    assert "sex=m: False positive rate 0.1" in check.reason
    assert check.reason.count("proven to be beyond a difference of 0.1") == 2


def test_calibration_of_groups_is_a_mean_with_a_gap() -> None:
    """All scores are right on average; that of the second group is half as high, so it is wrong."""
    assert judged("calibration_in_the_large = {gap = 0.1}", (0.5, 0.1, 0.5))[0] == (
        "sex=m",
        "calibration_in_the_large",
        "fail",
    )
    assert judged("calibration_in_the_large = {gap = 0.1}")[0][2] == "pass"


def test_holm_is_over_all_bounds_of_the_policy() -> None:
    text = "[fairness.sex]\nselection_rate = {ratio = 0.8}\nrecall = {gap = 0.1}\nequalised_odds = {gap = 0.1}"
    result = gate(evaluated((0.5, 0.4, 0.5)), parse_policy(f'name = "fair"\n{text}\n', "policy.toml"))
    alone = gate(evaluated((0.5, 0.4, 0.5)), POLICY)
    assert result.checks[0].p_worse == alone.checks[0].p_worse
    assert result.checks[0].p_holm >= alone.checks[0].p_holm
    assert len(result.checks) == 6


def test_groups_may_be_crosses_of_columns() -> None:
    generator = np.random.default_rng(6)
    n = 6000
    race, sex = generator.choice(["a", "b"], n), generator.choice(["f", "m"], n)
    rate = np.where((race == "b") & (sex == "f"), 0.3, 0.5)
    says = generator.random(n) < rate
    table = pa.table(
        {"label": generator.integers(0, 2, n), "score": np.where(says, 0.9, 0.1), "race": race, "sex": sex}
    )
    evaluation = evaluate("score", table, label="label", segments=["race", "sex"])
    text = 'name = "fair"\n[fairness."race & sex"]\nselection_rate = {ratio = 0.8, reference = "a & m"}\n'
    result = gate(evaluation, parse_policy(text, "policy.toml"))
    assert [(check.segment, check.verdict) for check in result.checks] == [
        ("race=a & sex=f", "pass"),
        ("race=b & sex=f", "fail"),
        ("race=b & sex=m", "pass"),
    ]
    missing = gate(evaluation, parse_policy(text.replace("sex", "age"), "policy.toml"))
    assert missing.reasons[0].startswith("race & age: the policy wants segments by it")
    deep = 'name = "fair"\n[fairness."race & sex & late"]\nrecall = {gap = 0.1}\n'
    with pytest.raises(InvalidInput, match="crosses 3 columns"):
        gate(
            evaluate(
                "score", table.append_column("late", table["sex"]), label="label", segments=["race", "sex", "late"]
            ),
            parse_policy(deep, "policy.toml"),
        )


@pytest.mark.parametrize("rate", ["equalised_odds", "calibration_in_the_large"])
def test_what_has_no_ratio_is_refused_one(rate: str) -> None:
    with pytest.raises(InvalidInput, match=f"{rate} has no ratio"):
        parse_policy(f'name = "fair"\n[fairness.sex]\n{rate} = {{ratio = 0.8}}\n', "policy.toml")
