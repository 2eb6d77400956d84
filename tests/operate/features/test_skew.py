"""Verdicts on rates of wrong values, against Wilson's interval computed by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.operate.features.skew import FeatureSkew, Verdict, judged, overall, rows_to_decide

Z2 = 1.959963984540054**2


def skew(verdict: Verdict, compared: int = 10) -> FeatureSkew:
    return FeatureSkew("m", 1, "v@1:f", "f", compared, 0, 0.0, 0.0, 1.0, {}, verdict, None)


@pytest.mark.parametrize(
    ("wrong", "compared", "verdict"),
    [
        (0, 3838, "pass"),
        (0, 3837, "inconclusive"),
        (1, 100, "fail"),
        (1, 1000, "inconclusive"),
        (10, 10, "fail"),
        (0, 0, "inconclusive"),
    ],
)
def test_a_rate_is_judged_by_the_whole_of_its_interval(wrong: int, compared: int, verdict: Verdict) -> None:
    low, high, found = judged(wrong, compared, 0.001, 0.95)
    assert found == verdict
    if not wrong and compared:
        assert low == 0.0
        assert high == pytest.approx(Z2 / (compared + Z2))


def test_where_nothing_is_wrong_the_rows_needed_are_those_of_the_formula() -> None:
    assert rows_to_decide(0, 0, 0.001, 0.95) == math.ceil(Z2 * 999)
    assert rows_to_decide(0, 3000, 0.001, 0.95) == math.ceil(Z2 * 999) - 3000


@given(st.integers(0, 40), st.integers(1, 5000), st.sampled_from([0.001, 0.01, 0.2]))
def test_so_many_more_rows_at_the_same_rate_decide(wrong: int, compared: int, tolerated: float) -> None:
    wrong = min(wrong, compared)
    needed = rows_to_decide(wrong, compared, tolerated, 0.95)
    if needed is None:
        assert wrong / compared == pytest.approx(tolerated, rel=1e-4)
        return
    many = compared + needed
    assert judged(round(wrong / compared * many), many, tolerated, 0.95)[2] != "inconclusive"


def test_at_the_very_rate_that_is_tolerated_no_number_of_rows_decides() -> None:
    assert rows_to_decide(1, 1000, 0.001, 0.95) is None


def test_one_that_fails_is_enough_and_what_was_never_looked_up_does_not_count() -> None:
    assert overall([skew("pass"), skew("fail"), skew("inconclusive")]) == "fail"
    assert overall([skew("pass"), skew("inconclusive")]) == "inconclusive"
    assert overall([skew("pass"), skew("inconclusive", 0)]) == "pass"
    assert overall([]) == "inconclusive"
