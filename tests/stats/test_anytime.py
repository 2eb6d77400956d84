import math

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats.anytime import Looks, Side, asymptotic_interval, asymptotic_p
from assay.stats.effects import Effect, Sums, difference
from assay.stats.intervals import Interval

# O6, GrowthBook's test of the sequential relative lift.
CONTROL = Sums(n=3000, y=1396.87, yy=52377.9767)
TREATMENT = Sums(n=3461, y=2422.7, yy=134698.29)


def test_the_relative_sequence_gives_the_values_of_growthbook() -> None:
    effect = difference(CONTROL, TREATMENT, relative=True)
    assert effect.estimate == pytest.approx(0.50336, abs=5e-6)
    assert effect.se == pytest.approx(0.33341, abs=5e-6)
    found = asymptotic_interval(effect, 0.05, tuning=1000)
    assert (found.low, found.high) == pytest.approx((-0.55844, 1.56516), abs=5e-6)


def test_the_formulas_of_the_specification_are_those_of_the_normal_mixture() -> None:
    effect, alpha, tuning = Effect(0.02, 0.01, 3000, 4000, 6998.0), 0.05, 5000.0

    def rho(level: float) -> float:
        return math.sqrt((-2 * math.log(level) + math.log(1 - 2 * math.log(level))) / tuning)

    n, r = effect.n, rho(alpha)
    scale = effect.se * math.sqrt(n)
    time = n * r * r + 1
    half = scale * math.sqrt(2 * time / (n * r) ** 2 * math.log(math.sqrt(time) / alpha))
    found = asymptotic_interval(effect, alpha, tuning=tuning)
    assert (found.low, found.high) == pytest.approx((0.02 - half, 0.02 + half), rel=1e-9)
    s = n * effect.estimate / scale
    evidence = math.exp(r * r * s * s / (2 * time)) / math.sqrt(time)
    assert asymptotic_p(effect, 0.0, alpha, tuning=tuning) == pytest.approx(min(1.0, 1 / evidence), rel=1e-9)
    # One-sided: never wider than GrowthBook's closed form, which bounds the normal distribution function.
    r = rho(2 * alpha)
    time = n * r * r + 1
    closed = scale * math.sqrt(2 * time / (n * r) ** 2 * math.log(1 + math.sqrt(time) / (2 * alpha)))
    exact = 0.02 - asymptotic_interval(effect, alpha, tuning=tuning, side="above").low
    assert exact <= closed
    assert exact == pytest.approx(closed, rel=0.03)


@pytest.mark.parametrize("side", ["both", "above", "below"])
def test_the_p_value_and_the_interval_agree(side: Side) -> None:
    effect = Effect(0.02, 0.01, 3000, 4000, 6998.0)
    found = asymptotic_interval(effect, 0.03, side=side)
    ends = [end for end in (found.low, found.high) if math.isfinite(end)]
    assert len(ends) == (2 if side == "both" else 1)
    assert (found.low == -math.inf, found.high == math.inf) == (side == "below", side == "above")
    for end in ends:
        assert asymptotic_p(effect, end, 0.03, side=side) == pytest.approx(0.03, rel=1e-6)


def test_at_twice_the_tuning_it_is_half_as_wide_again_as_a_single_look() -> None:
    effect = Effect(0.0, 1.0, 5000, 5000, 9998.0)
    assert asymptotic_interval(effect, 0.05, tuning=5000).high / 1.959964 == pytest.approx(1.56, abs=0.005)


def test_nothing_is_said_before_each_variant_has_100_units() -> None:
    few = Effect(5.0, 0.01, 99, 100_000, 98.0)
    assert asymptotic_interval(few) == Interval(-math.inf, math.inf)
    assert asymptotic_p(few) == 1.0
    enough = Effect(5.0, 0.01, 100, 100_000, 99.0)
    assert asymptotic_interval(enough).low > 0.0


def test_an_effect_without_an_error_says_nothing_and_one_without_spread_all() -> None:
    assert asymptotic_p(Effect(1.0, math.nan, 500, 500, math.nan)) == 1.0
    same = Effect(0.0, 0.0, 500, 500, 998.0)
    assert asymptotic_p(same) == 1.0
    assert asymptotic_p(same, -0.1, side="above") == 0.0
    assert asymptotic_p(same, 0.0, side="above") == 1.0
    assert asymptotic_interval(same) == Interval(0.0, 0.0)


def test_looks_keep_what_all_of_them_allow() -> None:
    looks = Looks()
    assert (looks.p_value, looks.empty) == (1.0, False)
    looks.add(Interval(-math.inf, math.inf), 1.0)
    looks.add(Interval(-0.2, 0.5), 0.3)
    looks.add(Interval(0.1, 0.9), 0.02)
    looks.add(Interval(math.nan, math.nan), 1.0)
    assert (looks.interval, looks.p_value, looks.looks, looks.empty) == (Interval(0.1, 0.5), 0.02, 4, False)
    looks.add(Interval(0.5, 0.8), 0.02)
    assert looks.interval == Interval(0.5, 0.5)
    looks.add(Interval(0.6, 0.8), 0.001)
    assert looks.empty
    assert np.isnan(looks.interval.low)


def test_settings_that_cannot_be_are_refused() -> None:
    effect = Effect(0.0, 1.0, 500, 500, 998.0)
    with pytest.raises(InvalidInput, match="alpha"):
        asymptotic_interval(effect, 0.7)
    with pytest.raises(InvalidInput, match="side"):
        asymptotic_p(effect, side="left")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="v_opt"):
        asymptotic_interval(effect, tuning=0.0)


def test_without_spread_a_loss_that_is_not_above_is_no_proof_and_a_gain_is() -> None:
    sure = Effect(0.1, 0.0, 500, 500, 998.0)
    assert asymptotic_p(sure, 0.2, side="above") == 1.0
    assert asymptotic_p(sure, 0.0, side="above") == 0.0
    assert asymptotic_p(sure, 0.0, side="below") == 1.0
    assert asymptotic_p(sure, 0.2, side="below") == 0.0
