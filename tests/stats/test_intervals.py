import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom

from assay.errors import InvalidInput
from assay.stats import Interval, newcombe_independent, wilson


def test_wilson_gives_the_value_of_statsmodels() -> None:
    found = wilson(19, 38)
    assert found.low == pytest.approx(0.348499283643951, abs=1e-14)
    assert found.high == pytest.approx(0.651500716356049, abs=1e-14)


def test_wilson_of_twenty_out_of_twenty_is_not_of_width_zero() -> None:
    found = wilson(20, 20)
    assert round(found.low, 3) == 0.839
    assert found.high == 1.0


def test_wilson_lies_beside_the_exact_mid_p_interval() -> None:
    # ratesci: mid-p of 15/148; its ends are where half of the observed count's probability is in the tail
    def tail(p: float, upper: bool) -> float:
        beyond = binom.sf(15, 148, p) if upper else binom.cdf(14, 148, p)
        return float(beyond + binom.pmf(15, 148, p) / 2)

    low = brentq(lambda p: tail(p, True) - 0.025, 1e-6, 15 / 148)
    high = brentq(lambda p: tail(p, False) - 0.025, 15 / 148, 1 - 1e-6)
    assert (round(low, 4), round(high, 4)) == (0.0601, 0.1581)
    found = wilson(15, 148)
    assert found.low == pytest.approx(low, abs=0.003)
    assert found.high == pytest.approx(high, abs=0.003)


def test_newcombe_gives_the_published_interval() -> None:
    found = newcombe_independent(5, 56, 0, 29)
    assert round(found.low, 4) == -0.0381
    assert round(found.high, 4) == 0.1926


def test_no_rows_say_nothing() -> None:
    assert wilson(0, 0) == Interval(0.0, 1.0)
    assert newcombe_independent(0, 0, 3, 5) == Interval(-1.0, 1.0)
    assert newcombe_independent(3, 5, 0, 0) == Interval(-1.0, 1.0)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_estimate_and_mirrors(successes: int, n: int) -> None:
    successes = min(successes, n)
    found, mirrored = wilson(successes, n), wilson(n - successes, n)
    assert 0.0 <= found.low <= successes / n <= found.high <= 1.0
    assert found.low == pytest.approx(1.0 - mirrored.high, abs=1e-12)


@pytest.mark.parametrize("n", [10, 30, 200])
def test_wilson_covers_nominally_on_average_over_rates(n: int) -> None:
    ends = [wilson(k, n) for k in range(n + 1)]
    low = np.array([end.low for end in ends])
    high = np.array([end.high for end in ends])
    rates = np.linspace(0.01, 0.99, 197)
    inside = (low[None, :] <= rates[:, None]) & (rates[:, None] <= high[None, :])
    coverage = (binom.pmf(np.arange(n + 1)[None, :], n, rates[:, None]) * inside).sum(axis=1)
    assert 0.945 < coverage.mean() < 0.965
    assert coverage.min() > 0.83  # Wilson's known dips near 0 and 1


def test_newcombe_covers_nominally() -> None:
    n_1, n_2, p_1, p_2 = 40, 60, 0.3, 0.15
    weight_1, weight_2 = binom.pmf(np.arange(n_1 + 1), n_1, p_1), binom.pmf(np.arange(n_2 + 1), n_2, p_2)
    covered = 0.0
    for k in range(n_1 + 1):
        for m in range(n_2 + 1):
            ends = newcombe_independent(k, n_1, m, n_2)
            covered += weight_1[k] * weight_2[m] * (ends.low <= p_1 - p_2 <= ends.high)
    assert 0.94 < covered < 0.97


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (1, math.inf), (math.nan, 5)])
def test_impossible_counts_are_refused(successes: float, n: float) -> None:
    with pytest.raises(InvalidInput, match="proportion"):
        wilson(successes, n)


def test_impossible_confidence_is_refused_even_without_rows() -> None:
    with pytest.raises(InvalidInput, match="confidence"):
        wilson(0, 0, 1.0)
