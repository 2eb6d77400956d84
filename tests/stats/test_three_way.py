import math

import pytest

from assay.errors import InvalidInput
from assay.stats.three_way import Answer, Harm, noninferiority


@pytest.mark.parametrize(
    ("low", "high", "harm", "expected"),
    [
        (-0.005, 0.02, "any", Answer("pass", worse=False)),
        (0.001, 0.02, "any", Answer("pass", worse=False)),
        (-0.02, 0.02, "any", Answer("inconclusive", worse=False)),
        (-0.03, -0.02, "any", Answer("fail", worse=True)),
        (-0.005, -0.001, "any", Answer("fail", worse=True)),
        (-0.005, -0.001, "beyond margin", Answer("pass", worse=True)),
        (-0.02, -0.001, "beyond margin", Answer("inconclusive", worse=True)),
        (-0.03, -0.02, "beyond margin", Answer("fail", worse=True)),
        (-0.01, 0.02, "any", Answer("inconclusive", worse=False)),
        (-math.inf, math.inf, "any", Answer("inconclusive", worse=False)),
        (math.nan, math.nan, "any", Answer("inconclusive", worse=False)),
        (-0.005, math.inf, "any", Answer("pass", worse=False)),
        (-math.inf, -0.001, "any", Answer("fail", worse=True)),
    ],
)
def test_the_interval_decides_between_pass_fail_and_more_data(
    low: float, high: float, harm: Harm, expected: Answer
) -> None:
    assert noninferiority(low, high, 0.01, harm) == expected


def test_a_margin_of_nothing_asks_for_better() -> None:
    assert noninferiority(0.0, 0.1, 0.0).verdict == "inconclusive"
    assert noninferiority(1e-9, 0.1, 0.0).verdict == "pass"


@pytest.mark.parametrize("margin", [-0.01, math.nan, math.inf])
def test_a_margin_must_be_given(margin: float) -> None:
    with pytest.raises(InvalidInput, match="margin"):
        noninferiority(0.0, 1.0, margin)


def test_an_interval_that_touches_nothing_proves_no_harm() -> None:
    assert noninferiority(-0.03, 0.0, 0.01) == Answer("inconclusive", worse=False)
    assert noninferiority(-0.005, 0.0, 0.01) == Answer("pass", worse=False)
