import numpy as np
import pytest
from scipy import special

from assay.errors import InvalidInput
from assay.stats import bernoulli_interval, clustered_ratio, paired_t
from assay.stats.anytime import asymptotic_interval
from assay.stats.effects import Sums
from assay.stats.shadow_pairs import discordant, paired_effect


def test_one_label_for_each_unit_is_the_paired_mean() -> None:
    d = np.random.default_rng(1).normal(0.1, 1.0, 500)
    found, expected = paired_effect(Sums.of(d)), paired_t(500, d.sum(), (d * d).sum())
    assert (found.estimate, found.se) == pytest.approx((expected.value, expected.standard_error), rel=1e-12)
    assert found.degrees == expected.df
    assert found.p_value() == pytest.approx(2 * min(expected.p_worse(), expected.p_not_worse()), rel=1e-9)


def test_labels_of_one_unit_hang_together() -> None:
    generator = np.random.default_rng(2)
    labels = 1 + generator.poisson(4.0, 400)
    d = labels * generator.normal(0.05, 0.3, 400)
    found, expected = paired_effect(Sums.of(d, denominator=labels)), clustered_ratio(d, labels)
    assert found.estimate == pytest.approx(expected.value, rel=1e-12)
    assert found.se == pytest.approx(expected.standard_error, rel=2e-3)  # the sandwich divides by n, not n − 1


def test_the_sequence_of_the_mean_waits_for_100_units() -> None:
    assert asymptotic_interval(paired_effect(Sums.of(np.ones(99)))).low == -np.inf
    assert asymptotic_interval(paired_effect(Sums.of(np.ones(100)))).low == 1.0


def test_no_units_say_nothing() -> None:
    found = paired_effect(Sums())
    assert np.isnan(found.estimate)
    assert np.isnan(found.se)


def test_discordant_pairs_are_a_fair_coin_under_the_hypothesis() -> None:
    found = discordant(40, 10)
    log = special.betaln(45, 15) - special.betaln(5, 5) + 50 * np.log(2)
    assert found.p_value == pytest.approx(np.exp(-log), rel=1e-9)
    assert found.share == bernoulli_interval(40, 50, 100.0, 0.05)
    assert found.share.low > 0.5
    assert discordant(0, 0).p_value == 1.0
    assert discordant(10, 40).p_value == pytest.approx(found.p_value, rel=1e-12)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="worse"):
        discordant(3, -1)
