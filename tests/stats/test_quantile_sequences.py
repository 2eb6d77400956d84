import math

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats import bernoulli_interval, beta_binomial_log
from assay.stats.quantile_sequences import (
    quantile_difference,
    quantile_ranks,
    quantile_sequence,
    quantiles_differ_p,
)


@pytest.mark.parametrize(("n", "q"), [(50, 0.5), (500, 0.9), (3000, 0.99), (40, 0.05)])
def test_the_ranks_are_the_counts_that_the_mixture_allows(n: int, q: float) -> None:
    v = q * (1 - q)
    allowed = [
        count
        for count in range(n + 1)
        if beta_binomial_log(count - n * q, v * n, v * 2000, q, 1 - q, 0.05) <= math.log(1 / 0.05)
    ]
    # The quantile is at or above the value of the smallest allowed count, and below the value after the largest.
    assert quantile_ranks(n, q) == (allowed[0], allowed[-1] + 1)


def test_without_values_there_is_no_bound() -> None:
    assert quantile_ranks(0, 0.5) == (0, 1)
    found = quantile_sequence([], 0.5)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert quantiles_differ_p([], [1.0], 0.5) == 1.0


def test_a_high_percentile_needs_many_values_before_it_has_an_upper_bound() -> None:
    values = np.arange(5000.0)
    assert quantile_sequence(values[:100], 0.99).high == math.inf
    assert math.isfinite(quantile_sequence(values, 0.99).high)


def test_the_median_lies_where_the_share_below_it_may_be_one_half() -> None:
    values = np.random.default_rng(1).exponential(1.0, 2000)
    found = quantile_sequence(values, 0.5, tuning=2000)
    inside = bernoulli_interval(int((values <= found.low).sum()), 2000, 2000, 0.05)
    assert inside.low <= 0.5 <= inside.high + 0.01
    assert found.low < math.log(2) < found.high


def test_order_and_scale_do_not_matter() -> None:
    values = np.random.default_rng(2).normal(size=500)
    found, turned = quantile_sequence(values, 0.8), quantile_sequence(4.0 * values[::-1], 0.8)
    assert (turned.low, turned.high) == (4.0 * found.low, 4.0 * found.high)


def test_a_slower_tail_is_found_and_an_equal_one_is_not() -> None:
    generator = np.random.default_rng(3)
    control, same = generator.lognormal(3.0, 0.5, (2, 4000))
    slower = generator.lognormal(3.4, 0.5, 4000)
    assert quantile_difference(control, slower, 0.95).low > 0.0
    assert quantiles_differ_p(control, slower, 0.95) < 0.01
    found = quantile_difference(control, same, 0.95)
    assert found.low < 0.0 < found.high
    assert quantiles_differ_p(control, same, 0.95) > 0.05


def test_the_test_sees_differences_that_two_intervals_do_not() -> None:
    generator = np.random.default_rng(4)
    control, later = generator.exponential(1.0, 3000), generator.exponential(1.2, 3000)
    found = quantile_difference(control, later, 0.5)
    assert found.low < 0.0 < found.high
    assert quantiles_differ_p(control, later, 0.5) < 0.05


def test_values_that_all_tie_do_not_differ() -> None:
    assert quantiles_differ_p(np.ones(1000), np.ones(900), 0.5) == 1.0
    assert quantile_difference(np.ones(1000), np.ones(900), 0.5).low == 0.0


def test_a_coarser_search_is_never_bolder(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(5)
    control, later = generator.exponential(1.0, 1500), generator.exponential(1.4, 1500)
    fine = quantiles_differ_p(control, later, 0.5)
    monkeypatch.setattr("assay.stats.quantile_sequences._CELLS", 20)
    coarse = quantiles_differ_p(control, later, 0.5)
    assert fine <= coarse < 0.05


def test_what_is_no_quantile_is_refused() -> None:
    with pytest.raises(InvalidInput, match="quantile"):
        quantile_ranks(10, 1.0)
    with pytest.raises(InvalidInput, match="values"):
        quantile_ranks(-1, 0.5)
    with pytest.raises(InvalidInput, match="list of numbers"):
        quantile_sequence([1.0, math.nan], 0.5)
    with pytest.raises(InvalidInput, match="quantile"):
        quantiles_differ_p([1.0], [2.0], 0.0)


def test_the_ends_are_the_values_at_the_ranks() -> None:
    low, high = quantile_ranks(900, 0.7)
    found = quantile_sequence(np.arange(1.0, 901.0), 0.7)
    assert (found.low, found.high) == (low, high)


def test_the_p_value_is_that_of_the_common_quantile_with_the_least_evidence() -> None:
    generator = np.random.default_rng(6)
    q, control, treatment = 0.8, generator.normal(0.0, 1.0, 300), generator.normal(0.6, 1.0, 200)
    v = q * (1 - q)

    def evidence(values: np.ndarray, x: float) -> float:
        n = len(values)
        count = int((values <= x).sum())
        return beta_binomial_log(count - n * q, v * n, v * 2000, q, 1 - q, 0.05)

    everywhere = np.concatenate([control, treatment])
    least = min(evidence(control, x) + evidence(treatment, x) for x in everywhere)
    # At a value that is there, it may be counted on either side, which is worth up to an observation.
    assert math.log(quantiles_differ_p(control, treatment, q)) == pytest.approx(-least, abs=0.5)
    assert quantiles_differ_p(control, treatment, q) >= math.exp(-least)
    assert quantiles_differ_p(treatment, control, q) == quantiles_differ_p(control, treatment, q)


def test_each_side_of_a_difference_has_half_of_alpha() -> None:
    control, treatment = np.random.default_rng(7).normal(size=(2, 700))
    low, high = (quantile_sequence(values, 0.6, 0.01) for values in (control, treatment))
    found = quantile_difference(control, treatment, 0.6, 0.02)
    assert (found.low, found.high) == (high.low - low.high, high.high - low.low)
