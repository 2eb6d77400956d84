import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, chi2_contingency

from assay.errors import InvalidInput
from assay.stats import (
    Interval,
    miettinen_nurminen_interval,
    miettinen_nurminen_p_not_worse,
    miettinen_nurminen_p_worse,
    miettinen_nurminen_z,
    two_rates_p,
)

Table = tuple[int, int, int, int]
SIDES = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
TABLES = st.builds(lambda a, b: (*a, *b), SIDES, SIDES)


def rounded(found: Interval) -> tuple[float, float]:
    return round(found.low, 4), round(found.high, 4)


def test_the_intervals_are_those_of_ratesci() -> None:
    assert rounded(miettinen_nurminen_interval(5, 56, 0, 29)) == (-0.0326, 0.1933)
    assert rounded(miettinen_nurminen_interval(5, 56, 0, 29, corrected=False)) == (-0.0313, 0.1926)


def test_the_intervals_are_those_of_contingencytables() -> None:
    assert rounded(miettinen_nurminen_interval(0, 16, 15, 72)) == (-0.3164, -0.0056)
    assert rounded(miettinen_nurminen_interval(7, 34, 1, 34, corrected=False)) == (0.0284, 0.3439)


@given(TABLES, st.integers(-950, 950))
def test_the_restricted_rates_are_those_of_greatest_likelihood(table: Table, thousandths: int) -> None:
    x_1, n_1, x_2, n_2 = table
    d = thousandths / 1000

    def slope(p_2: float) -> float:
        """Of the log likelihood, falling in p_2."""
        p_1 = p_2 + d
        parts = ((x_1, p_1), (n_1 - x_1, p_1 - 1), (x_2, p_2), (n_2 - x_2, p_2 - 1))
        return sum(count / p for count, p in parts if count)

    low, high = max(0.0, -d) + 1e-12, min(1.0, 1.0 - d) - 1e-12
    if slope(low) <= 0 or slope(high) >= 0:
        p_2 = low if slope(low) <= 0 else high
    else:
        p_2 = float(brentq(slope, low, high, xtol=1e-14))
    p_1 = p_2 + d
    variance = (p_1 * (1 - p_1) / n_1 + p_2 * (1 - p_2) / n_2) * (n_1 + n_2) / (n_1 + n_2 - 1)
    expected = (x_1 / n_1 - x_2 / n_2 - d) / math.sqrt(variance)
    assert miettinen_nurminen_z(*table, d) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@given(TABLES)
def test_equal_rates_are_tested_by_chi_squared(table: Table) -> None:
    x_1, n_1, x_2, n_2 = table
    if 0 < x_1 + x_2 < n_1 + n_2:
        chi2 = chi2_contingency([[x_1, n_1 - x_1], [x_2, n_2 - x_2]], correction=False).statistic
        assert miettinen_nurminen_z(*table, 0.0, corrected=False) ** 2 == pytest.approx(chi2, rel=1e-6, abs=1e-9)
        reduced = chi2 * (n_1 + n_2 - 1) / (n_1 + n_2)
        assert two_rates_p(*table) == pytest.approx(math.erfc(math.sqrt(reduced / 2)), rel=1e-5, abs=1e-12)
    else:
        assert two_rates_p(*table) == 1.0


@given(TABLES, st.floats(-0.5, 0.5), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_interval_leaves_out_what_the_tests_reject(table: Table, d: float, alpha: float) -> None:
    ends = miettinen_nurminen_interval(*table, 1 - 2 * alpha)
    if abs(d - ends.low) > 1e-7:
        assert (miettinen_nurminen_p_not_worse(*table, d) < alpha) == (d < ends.low)
    if abs(d - ends.high) > 1e-7:
        assert (miettinen_nurminen_p_worse(*table, d) < alpha) == (d > ends.high)


@given(TABLES)
def test_swapping_the_groups_mirrors_the_interval(table: Table) -> None:
    x_1, n_1, x_2, n_2 = table
    ends, mirrored = miettinen_nurminen_interval(*table), miettinen_nurminen_interval(x_2, n_2, x_1, n_1)
    assert ends.low == pytest.approx(-mirrored.high, abs=1e-7)
    assert -1.0 <= ends.low <= x_1 / n_1 - x_2 / n_2 <= ends.high <= 1.0
    narrower = miettinen_nurminen_interval(*table, corrected=False)
    assert ends.low <= narrower.low + 1e-11
    assert narrower.high <= ends.high + 1e-11


@pytest.mark.parametrize(("p_1", "p_2"), [(0.3, 0.15), (0.95, 0.9), (0.05, 0.05)])
def test_the_interval_covers_and_the_test_at_a_margin_errs_as_promised(p_1: float, p_2: float) -> None:
    n_1, n_2 = 40, 60
    d = p_1 - p_2
    weights = np.outer(binom.pmf(np.arange(n_1 + 1), n_1, p_1), binom.pmf(np.arange(n_2 + 1), n_2, p_2))
    z = np.array([[miettinen_nurminen_z(k, n_1, m, n_2, d) for m in range(n_2 + 1)] for k in range(n_1 + 1)])
    covered = (weights * (abs(z) <= 1.959963984540054)).sum()
    certified = (weights * (z >= 1.6448536269514722)).sum()
    assert 0.94 <= covered <= 0.98
    assert certified <= 0.063  # 0.0625 where rates and groups are smallest, as the docstring says


def test_no_rows_prove_nothing() -> None:
    for table in ((0, 0, 3, 5), (3, 5, 0, 0)):
        assert miettinen_nurminen_interval(*table) == Interval(-1.0, 1.0)
        assert miettinen_nurminen_z(*table, -0.02) == 0.0
        assert miettinen_nurminen_p_worse(*table) == miettinen_nurminen_p_not_worse(*table) == 1.0
        assert two_rates_p(*table) == 1.0


def test_two_rates_of_one_certify_a_margin_only_with_enough_rows() -> None:
    assert miettinen_nurminen_p_not_worse(20, 20, 20, 20, -0.05) > 0.05
    assert miettinen_nurminen_p_not_worse(200, 200, 200, 200, -0.05) < 0.05
    assert miettinen_nurminen_interval(20, 20, 0, 20).high == 1.0


def test_impossible_input_is_refused() -> None:
    for table in ((-1, 5, 1, 5), (1, 5, 6, 5), (1, math.inf, 1, 5), (math.nan, 5, 1, 5)):
        with pytest.raises(InvalidInput, match="proportion"):
            miettinen_nurminen_interval(*table)
    with pytest.raises(InvalidInput, match="difference"):
        miettinen_nurminen_z(1, 5, 1, 5, 1.1)
    with pytest.raises(InvalidInput, match="confidence"):
        miettinen_nurminen_interval(0, 0, 0, 0, 1.0)
