import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from assay.errors import InvalidInput
from assay.stats import (
    Interval,
    koopman_interval,
    koopman_z,
    miettinen_nurminen_z,
    mover_ratio,
    ratio_p_above,
    ratio_p_below,
)

Table = tuple[int, int, int, int]
SIDES = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
TABLES = st.builds(lambda a, b: (*a, *b), SIDES, SIDES)


def rounded(found: Interval) -> tuple[float, float]:
    return round(found.low, 4), round(found.high, 4)


def test_the_score_interval_is_that_of_koopmans_article() -> None:
    found = koopman_interval(36, 40, 16, 80)
    assert (round(found.low, 2), round(found.high, 2)) == (2.94, 7.15)


def test_both_intervals_are_those_of_contingencytables() -> None:
    assert rounded(koopman_interval(7, 34, 1, 34)) == (1.2209, 42.5757)
    assert rounded(mover_ratio(7, 34, 1, 34)) == (1.1537, 41.9763)


@given(TABLES)
def test_a_ratio_of_one_is_a_difference_of_zero(table: Table) -> None:
    expected = miettinen_nurminen_z(*table, 0.0, corrected=False)
    assert koopman_z(*table, 1.0) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(TABLES, st.floats(0.05, 20))
def test_z_squared_is_koopmans_chi_squared_of_both_groups(table: Table, ratio: float) -> None:
    x_1, n_1, x_2, n_2 = table
    if x_1 + x_2 > 0 and (x_1 < n_1 or x_2 < n_2):
        A, B, C = (n_1 + n_2) * ratio, n_1 * ratio + x_1 + n_2 + x_2 * ratio, x_1 + x_2
        p_2 = (B - math.sqrt(B * B - 4 * A * C)) / (2 * A)
        p_1 = ratio * p_2
        if max(p_1, p_2) < 1 - 1e-6:
            chi2 = (x_1 - n_1 * p_1) ** 2 / (n_1 * p_1 * (1 - p_1)) + (x_2 - n_2 * p_2) ** 2 / (n_2 * p_2 * (1 - p_2))
            assert koopman_z(*table, ratio) ** 2 == pytest.approx(chi2, rel=1e-5, abs=1e-8)


@given(TABLES, st.floats(0.1, 10), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_interval_leaves_out_what_the_tests_reject(table: Table, ratio: float, alpha: float) -> None:
    ends = koopman_interval(*table, 1 - 2 * alpha)
    if abs(ratio / ends.low - 1 if ends.low else 1) > 1e-6:
        assert (ratio_p_above(*table, ratio) < alpha) == (ratio < ends.low)
    if abs(ratio / ends.high - 1) > 1e-6:
        assert (ratio_p_below(*table, ratio) < alpha) == (ratio > ends.high)


@given(TABLES)
def test_swapping_the_groups_inverts_both_intervals(table: Table) -> None:
    x_1, n_1, x_2, n_2 = table
    for method in (koopman_interval, mover_ratio):
        ends, swapped = method(*table), method(x_2, n_2, x_1, n_1)
        assert ends.low == pytest.approx(1 / swapped.high, rel=1e-7)
        if x_2:
            estimate = x_1 / n_1 / (x_2 / n_2)
            assert ends.low <= estimate * (1 + 1e-12)
            assert estimate <= ends.high * (1 + 1e-12)


@pytest.mark.parametrize(("p_1", "p_2"), [(0.24, 0.3), (0.4, 0.5), (0.72, 0.9), (0.1, 0.05)])
def test_intervals_cover_and_the_test_of_a_ratio_errs_as_promised(p_1: float, p_2: float) -> None:
    n_1, n_2 = 50, 70
    ratio = p_1 / p_2
    weights = np.outer(binom.pmf(np.arange(n_1 + 1), n_1, p_1), binom.pmf(np.arange(n_2 + 1), n_2, p_2))
    z = np.array([[koopman_z(k, n_1, m, n_2, ratio) for m in range(n_2 + 1)] for k in range(n_1 + 1)])
    assert 0.94 <= (weights * (abs(z) <= 1.959963984540054)).sum() <= 0.97
    assert (weights * (z >= 1.6448536269514722)).sum() <= 0.06
    assert (weights * (z <= -1.6448536269514722)).sum() <= 0.06
    inside = [
        [(e := mover_ratio(k, n_1, m, n_2)).low <= ratio <= e.high for m in range(n_2 + 1)] for k in range(n_1 + 1)
    ]
    assert 0.93 <= (weights * np.array(inside)).sum() <= 0.98


def test_no_rows_and_no_success_prove_nothing() -> None:
    nothing = Interval(0.0, math.inf)
    for table in ((0, 0, 3, 5), (3, 5, 0, 0)):
        assert koopman_interval(*table) == mover_ratio(*table) == nothing
        assert koopman_z(*table, 0.8) == 0.0
        assert ratio_p_below(*table, 0.8) == ratio_p_above(*table, 0.8) == 1.0
    assert koopman_interval(0, 9, 0, 5) == mover_ratio(0, 9, 0, 5) == nothing
    assert ratio_p_below(0, 9, 0, 5, 0.8) == ratio_p_above(0, 9, 0, 5, 0.8) == 0.5


def test_a_group_without_successes_gives_an_open_end() -> None:
    first, second = koopman_interval(0, 40, 10, 40), koopman_interval(10, 40, 0, 40)
    assert first.low == 0.0
    assert 0 < first.high < 1
    assert second.high == math.inf
    assert second.low > 1
    assert mover_ratio(10, 40, 0, 40).high == math.inf
    assert mover_ratio(10, 40, 0, 40).low > 1


def test_impossible_input_is_refused() -> None:
    with pytest.raises(InvalidInput, match="proportion"):
        koopman_interval(6, 5, 1, 5)
    with pytest.raises(InvalidInput, match="proportion"):
        mover_ratio(1, 5, 6, 5)
    for ratio in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InvalidInput, match="ratio"):
            koopman_z(1, 5, 1, 5, ratio)
