"""Examples that must not change: counted exactly, and never a matter of chance."""

import numpy as np
import pyarrow as pa
import pytest
from tests.prove.worlds import ACCURACY, Part, world

from assay.errors import InvalidInput
from assay.prove.checks import Check
from assay.prove.evaluation import evaluate
from assay.prove.gate import GateResult, gate
from assay.prove.policy import GoldenSet, Guard, Policy


def examples(changed: int, wrong: int, unlabelled: int = 0, n: int = 40) -> pa.Table:
    """`changed` answers differ from the old model's, of which the last `wrong` are now wrong."""
    label = np.array([0.0, 1.0] * (n // 2))
    new = label.copy()
    new[:wrong] = 1 - new[:wrong]
    old = new.copy()
    old[:changed] = 1 - old[:changed]
    late = label.tolist()
    return pa.table(
        {
            "late": pa.array([*late[: n - unlabelled], *[None] * unlabelled]),
            "segment": ["g"] * n,
            "unit": [f"g{i}" for i in range(n)],
            "old": old,
            "new": new,
        }
    )


def judged(golden: GoldenSet | None, table: pa.Table | None, baseline: str | None = "old") -> GateResult:
    guard = Guard(margin=0.02) if baseline else Guard(at_least=0.5)
    policy = Policy(name="golden", metrics={"accuracy": guard}, golden=golden)
    rows = world({"a": Part(4000)})
    datasets = {"golden": table} if table is not None else None
    return gate(evaluate("new", rows, baseline=baseline, label="late", unit="unit", datasets=datasets), policy)


def only(result: GateResult, metric: str) -> Check:
    (check,) = (check for check in result.checks if (check.kind, check.metric) == ("golden", metric))
    return check


@pytest.mark.parametrize(
    ("changed", "wrong", "unlabelled", "verdicts", "verdict"),
    [
        (0, 0, 0, ("pass", "pass"), "pass"),
        (2, 1, 0, ("pass", "pass"), "pass"),
        (3, 1, 0, ("fail", "pass"), "fail"),
        (2, 2, 0, ("pass", "fail"), "fail"),
        (3, 0, 5, ("fail", "inconclusive"), "fail"),
        (0, 0, 2, ("pass", "inconclusive"), "inconclusive"),
        (0, 0, 1, ("pass", "pass"), "pass"),
    ],
)
def test_changed_and_wrong_answers_are_counted(
    changed: int, wrong: int, unlabelled: int, verdicts: tuple[str, str], verdict: str
) -> None:
    golden = GoldenSet("golden", maximum_changed=2, maximum_wrong=1)
    result = judged(golden, examples(changed, wrong, unlabelled))
    found = only(result, "changed"), only(result, "wrong")
    assert (found[0].value, found[1].value) == (changed, wrong)
    assert (found[0].verdict, found[1].verdict) == verdicts
    assert result.verdict == verdict
    words = f"golden set golden: {changed} of {40 - unlabelled} examples are answered otherwise than by the baseline"
    assert found[0].reason.startswith(words)
    assert ("have no label" in found[0].reason) == (unlabelled > 0)


def test_a_golden_set_that_was_not_evaluated_is_inconclusive() -> None:
    result = judged(GoldenSet("goldn"), examples(0, 0))
    assert result.verdict == "inconclusive"
    expected = "goldn: the policy wants this dataset too, and the evaluation was made without it. Is 'golden' meant?"
    assert result.reasons == [expected]


def test_answers_that_changed_need_a_baseline_and_wrong_ones_do_not() -> None:
    with pytest.raises(InvalidInput, match="the golden set bounds changed answers, and the evaluation has no baseline"):
        judged(GoldenSet("golden"), examples(0, 0), baseline=None)
    alone = judged(GoldenSet("golden", maximum_changed=None, maximum_wrong=0), examples(0, 0), baseline=None)
    assert (alone.verdict, only(alone, "wrong").verdict) == ("pass", "pass")


def test_without_a_golden_set_nothing_is_counted() -> None:
    assert {check.kind for check in judged(None, examples(9, 9)).checks} == {"champion_compare"}
    assert ACCURACY.golden is None
