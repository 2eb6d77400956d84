"""A percentile against a limit: exact figures, and error rates by simulation."""

import math

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats import quantile_interval, quantile_p_above, quantile_p_within


def test_it_takes_59_calls_for_the_95th_and_299_for_the_99th_percentile() -> None:
    """(1 - alpha)**n, the probability that none lies above: the sample size of Wilks (1941)."""
    assert quantile_p_within(0, 59, 0.95) == pytest.approx(0.95**59)
    assert quantile_p_within(0, 58, 0.95) > 0.05 >= quantile_p_within(0, 59, 0.95)
    assert quantile_p_within(0, 298, 0.99) > 0.05 >= quantile_p_within(0, 299, 0.99)


def test_nothing_measured_says_nothing() -> None:
    assert (quantile_p_within(0, 0, 0.95), quantile_p_above(0, 0, 0.95)) == (1.0, 1.0)


def test_the_published_interval_of_a_median() -> None:
    """Of 10 values the second and the ninth hold the median with 97.9 % (Conover 1999, table of the sign test)."""
    interval = quantile_interval(range(1, 11), 0.5, 0.975)
    assert (interval.low, interval.high) == (2.0, 9.0)


def test_few_values_leave_the_upper_end_open() -> None:
    interval = quantile_interval(np.arange(20), 0.95)
    assert interval.high == math.inf
    assert interval.low < 19


def test_the_tests_agree_with_the_ends_of_the_interval() -> None:
    values = np.random.default_rng(0).exponential(1.0, 300)
    interval = quantile_interval(values, 0.9, 0.9)
    for limit in np.sort(values)[240:]:
        above = int(np.sum(values > limit))
        assert (quantile_p_within(above, 300, 0.9) <= 0.05) == (limit >= interval.high)
        if quantile_p_above(above, 300, 0.9) <= 0.05:
            assert limit < interval.low


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_both_errors_keep_to_alpha_at_the_limit(q: float) -> None:
    generator = np.random.default_rng(2)
    above = generator.binomial(400, 1 - q, 4000)
    allowed = 0.05 + 3 * (0.05 * 0.95 / 4000) ** 0.5
    for test in (quantile_p_within, quantile_p_above):
        assert np.mean([test(int(one), 400, q) <= 0.05 for one in above]) <= allowed


@pytest.mark.parametrize(("above", "n", "q"), [(3, 2, 0.5), (-1, 2, 0.5), (1, 2, 0.0), (1, 2, 1.0), (1, 2, math.nan)])
def test_what_is_no_count_or_quantile_is_refused(above: int, n: int, q: float) -> None:
    for test in (quantile_p_within, quantile_p_above):
        with pytest.raises(InvalidInput):
            test(above, n, q)
