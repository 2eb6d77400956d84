import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from assay.errors import InvalidInput
from assay.stats import benjamini_hochberg, benjamini_yekutieli, e_benjamini_hochberg, holm


def test_benjamini_hochberg_gives_the_values_of_r() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02], abs=1e-15)


def test_benjamini_yekutieli_multiplies_by_the_harmonic_number() -> None:
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    expected = [0.02 * harmonic, 0.04 * harmonic, 0.04 * harmonic, 0.02 * harmonic]
    assert benjamini_yekutieli([0.01, 0.04, 0.03, 0.005]) == pytest.approx(expected, abs=1e-15)


def test_nothing_tested_gives_nothing() -> None:
    assert benjamini_hochberg([]) == benjamini_yekutieli([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_values_are_those_of_scipy(p_values: list[float]) -> None:
    for ours, expected in (
        (benjamini_hochberg, false_discovery_control(p_values, method="bh")),
        (benjamini_yekutieli, false_discovery_control(p_values, method="by")),
    ):
        assert ours(p_values) == pytest.approx(expected.tolist(), rel=1e-12, abs=1e-300)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_no_adjusted_value_is_below_its_own_or_above_holms(p_values: list[float]) -> None:
    adjusted = benjamini_hochberg(p_values)
    assert all(p <= a <= h * (1 + 1e-12) for p, a, h in zip(p_values, adjusted, holm(p_values), strict=True))


def test_twenty_true_nulls_raise_any_alarm_as_rarely_as_promised() -> None:
    # each at 0.10 alone, some alarm would be raised in 1 - 0.9**20 = 88 % of the runs
    rng = np.random.default_rng(17)
    runs = 5000
    alarms = np.mean([min(benjamini_hochberg(row)) <= 0.10 for row in rng.random((runs, 20)).tolist()])
    assert alarms == pytest.approx(0.10, abs=3 * math.sqrt(0.1 * 0.9 / runs))


def test_the_false_discovery_rate_is_the_true_share_of_its_level() -> None:
    rng = np.random.default_rng(18)
    runs, false, true = 2000, 15, 5
    z = rng.normal(size=(runs, false + true))
    z[:, false:] += 3.0
    p_values = np.vectorize(lambda x: 0.5 * math.erfc(x / math.sqrt(2)))(z)
    shares = []
    for row in p_values.tolist():
        rejected = [position for position, p in enumerate(benjamini_hochberg(row)) if p <= 0.2]
        shares.append(sum(position < false for position in rejected) / max(1, len(rejected)))
    # exactly level * (true nulls)/(all) for independent tests
    assert np.mean(shares) == pytest.approx(0.2 * 0.75, abs=3 * float(np.std(shares)) / math.sqrt(runs))


def test_any_dependence_is_allowed_to_yekutieli() -> None:
    rng = np.random.default_rng(19)
    runs = 3000
    shared = rng.random((runs, 1))
    p_values = (shared + np.arange(10) / 10) % 1.0  # each uniform, and one always below 0.1
    alarms = np.mean([min(benjamini_yekutieli(row)) <= 0.10 for row in p_values.tolist()])
    assert alarms <= 0.10 + 3 * math.sqrt(0.1 * 0.9 / runs)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_impossible_p_values_are_refused_by_position(p: float) -> None:
    for method in (benjamini_hochberg, benjamini_yekutieli):
        with pytest.raises(InvalidInput, match="number 1"):
            method([0.5, p])


def test_e_values_are_adjusted_as_their_inverses() -> None:
    assert e_benjamini_hochberg([100.0, 40.0, 0.5, math.inf]) == pytest.approx(
        benjamini_hochberg([0.01, 0.025, 1.0, 0.0])
    )
    # e-BH rejects the k largest where the k-th is at least m/(k·α): here 3 of 4 at .05, as 40 >= 4/(3·.05).
    assert sum(p <= 0.05 for p in e_benjamini_hochberg([100.0, 40.0, 0.5, math.inf])) == 3


def test_what_is_no_e_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="number 1"):
        e_benjamini_hochberg([1.0, -0.1])
