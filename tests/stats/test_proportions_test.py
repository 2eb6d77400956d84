import math

import numpy as np
import pytest
from scipy import special

from assay.errors import InvalidInput
from assay.stats.proportions_test import error_share, log_bayes_factor, sample_ratio_chi_square_p, share_p


def test_the_split_of_a_published_mismatch() -> None:
    """O8: Fabijan et al. 2019."""
    assert sample_ratio_chi_square_p([821_588, 815_482], [0.5, 0.5]) == pytest.approx(1.8e-6, abs=5e-8)


def test_for_two_variants_it_is_a_beta_binomial() -> None:
    k, shares, counts = 10.0, np.array([0.1, 0.9]), np.array([7.0, 12.0])
    expected = special.betaln(*(k * shares + counts)) - special.betaln(*(k * shares)) - counts @ np.log(shares)
    assert log_bayes_factor(counts, shares, k) == pytest.approx(expected, rel=1e-12)


def test_nothing_counted_is_no_evidence() -> None:
    assert log_bayes_factor([0, 0, 0], [1, 1, 2], 10) == pytest.approx(0.0, abs=1e-12)
    assert error_share([0, 0], [0.1, 0.9], 0).p_value == 1.0


def test_under_the_hypothesis_the_evidence_is_1_in_the_mean_also_over_phases_of_other_shares() -> None:
    """Every outcome of two phases, with its chance: the exact expectation of exp(log Bayes factor)."""
    shares = np.array([[0.2, 0.8], [0.5, 0.5]])
    total = 0.0
    for first in range(7):
        for second in range(5):
            chance = math.comb(6, first) * 0.2**first * 0.8 ** (6 - first) * math.comb(4, second) * 0.5**4
            counts = np.array([[first, 6 - first], [second, 4 - second]])
            total += chance * math.exp(log_bayes_factor(counts, shares, 3.0))
    assert total == pytest.approx(1.0, abs=1e-12)


def test_phases_of_the_same_shares_are_one_phase() -> None:
    phases = [[3, 5, 9], [10, 20, 4], [0, 1, 0]]
    shares = [0.2, 0.3, 0.5]
    together = log_bayes_factor(np.sum(phases, axis=0), shares, 10)
    assert log_bayes_factor(phases, [shares] * 3, 10) == pytest.approx(together, rel=1e-12)


def test_what_a_phase_taught_is_carried_into_the_next() -> None:
    """A canary with five times its part of the errors at 10 % and at 50 %: together more than the two on their own."""
    counts, shares = [[36, 64], [83, 17]], [[0.1, 0.9], [0.5, 0.5]]
    apart = sum(log_bayes_factor(*one, 10) for one in zip(counts, shares, strict=True))
    assert log_bayes_factor(counts, shares, 10) > apart + 1.0


def test_proportions_of_shares_count_only() -> None:
    assert log_bayes_factor([3, 9], [10, 30], 10) == log_bayes_factor([3, 9], [0.25, 0.75], 10)


def test_a_count_where_none_can_be_is_proof() -> None:
    assert log_bayes_factor([1, 9], [0.0, 1.0], 10) == math.inf
    assert share_p([1, 9], [0.0, 1.0]) == 0.0
    assert sample_ratio_chi_square_p([1, 9], [0.0, 1.0]) == 0.0


def test_a_variant_without_traffic_in_a_phase_says_nothing_there() -> None:
    assert log_bayes_factor([[0, 9], [2, 8]], [[0.0, 1.0], [0.1, 0.9]], 10) == pytest.approx(
        log_bayes_factor([2, 8], [0.1, 0.9], 10), rel=1e-12
    )


def test_more_errors_than_traffic_is_harm_and_fewer_are_not() -> None:
    """At a share of 10 % all errors fall on the canary, or none of many."""
    more, fewer = error_share([6, 0], [0.1, 0.9], 0), error_share([0, 300], [0.1, 0.9], 0)
    assert more.p_value < 0.01
    assert fewer.p_value < 0.01
    assert more.harmful(0.01)
    assert not fewer.harmful(0.01)
    assert (more.share, more.expected) == pytest.approx((1.0, 0.1))


def test_the_errors_of_one_variant_stand_against_all_others_together() -> None:
    three = error_share([8, 50, 20], [0.1, 0.6, 0.3], 0)
    assert three == error_share([8, 70], [0.1, 0.9], 0)


@pytest.mark.parametrize(
    ("counts", "shares"),
    [([1, 2], [0.5]), ([1], [1.0]), ([-1, 2], [0.5, 0.5]), ([1, 2], [0.0, 0.0]), ([1, math.nan], [0.5, 0.5])],
)
def test_what_are_no_counts_is_refused(counts: list[float], shares: list[float]) -> None:
    with pytest.raises(InvalidInput):
        share_p(counts, shares)


def test_a_variant_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no variant 2"):
        error_share([1, 2], [0.5, 0.5], 2)


def test_the_evidence_of_errors_is_that_of_the_variant_against_the_rest() -> None:
    found = error_share([8, 50, 20], [1, 6, 3], 0)
    assert found.p_value == pytest.approx(share_p([8, 70], [0.1, 0.9], 10.0), rel=1e-12)
    assert found.share == pytest.approx(8 / 78)


def test_counts_as_expected_have_a_p_value_of_1() -> None:
    assert share_p([50, 50], [0.5, 0.5]) == 1.0
    assert sample_ratio_chi_square_p([50, 50], [0.5, 0.5]) == 1.0
    assert sample_ratio_chi_square_p([50, 0], [1.0, 0.0]) == 1.0
    assert sample_ratio_chi_square_p([30, 20, 0], [0.5, 0.5, 0.0]) == sample_ratio_chi_square_p([30, 20], [0.5, 0.5])


@pytest.mark.parametrize("concentration", [0.0, -1.0, math.inf])
def test_a_concentration_must_be_above_0(concentration: float) -> None:
    with pytest.raises(InvalidInput, match="concentration"):
        log_bayes_factor([1, 2], [0.5, 0.5], concentration)


def test_against_a_stated_harm_it_is_the_likelihood_ratio() -> None:
    found = error_share([30, 70], [0.1, 0.9], 0, factor=2.0)
    ratio = (0.2 / 1.1 / 0.1) ** 30 * (0.9 / 1.1 / 0.9) ** 70
    assert found.p_value == pytest.approx(1 / ratio, rel=1e-9)
    phases = error_share([[10, 40], [20, 30]], [[0.1, 0.9], [0.4, 0.6]], 0, factor=2.0)
    second = (0.8 / 1.4 / 0.4) ** 20 * (1 / 1.4) ** 30
    assert phases.p_value == pytest.approx(min(1.0, 1 / ((2 / 1.1) ** 10 * (1 / 1.1) ** 40 * second)), rel=1e-9)


def test_twice_the_errors_are_seen_sooner_where_twice_was_stated_and_an_outage_later() -> None:
    shares = [0.1, 0.9]
    twice, outage = [30, 135], [5, 0]
    assert error_share(twice, shares, 0, factor=2.0).p_value < error_share(twice, shares, 0).p_value
    assert error_share(outage, shares, 0, factor=2.0).p_value > error_share(outage, shares, 0).p_value
    assert not error_share([5, 300], shares, 0, factor=2.0).harmful(0.01)


@pytest.mark.parametrize("factor", [1.0, 0.5, math.inf])
def test_a_stated_harm_is_more_errors(factor: float) -> None:
    with pytest.raises(InvalidInput, match="factor"):
        error_share([1, 2], [0.5, 0.5], 0, factor=factor)


def test_shares_of_units_are_tested_with_a_concentration_of_100_and_errors_with_10() -> None:
    counts, shares = [530, 470], [0.5, 0.5]
    assert share_p(counts, shares) == pytest.approx(math.exp(-log_bayes_factor(counts, shares, 100.0)))
    assert error_share(counts, shares, 0).p_value == share_p(counts, shares, 10.0)
