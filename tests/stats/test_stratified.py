import math

import pytest

from assay.errors import InvalidInput
from assay.stats.effects import Effect, Sums, difference
from assay.stats.stratified import combined


def conversions(successes: int, n: int) -> Sums:
    return Sums(n=n, y=successes, yy=successes)


# Kohavi's two days: the challenger gets 1 % of Friday and half of Saturday.
CHAMPION = [conversions(20_000, 990_000), conversions(5_000, 500_000)]
CHALLENGER = [conversions(230, 10_000), conversions(6_000, 500_000)]


def test_phases_keep_a_ramp_from_turning_the_sign() -> None:
    effect = combined([difference(*phase) for phase in zip(CHAMPION, CHALLENGER, strict=True)])
    assert effect.estimate == pytest.approx(0.0024, abs=5e-6)
    assert effect.se == pytest.approx(0.00076, abs=5e-7)
    assert effect.estimate / effect.se == pytest.approx(3.16, abs=0.005)
    pooled = difference(CHAMPION[0] + CHAMPION[1], CHALLENGER[0] + CHALLENGER[1])
    assert pooled.estimate == pytest.approx(-0.0046, abs=5e-5)


def test_sums_by_phase_say_the_same_as_effects_by_phase() -> None:
    from_sums = difference(CHAMPION, CHALLENGER)
    from_effects = combined([difference(*phase) for phase in zip(CHAMPION, CHALLENGER, strict=True)])
    assert from_sums.estimate == pytest.approx(from_effects.estimate, rel=1e-12)
    assert from_sums.se == pytest.approx(from_effects.se, rel=1e-12)
    assert from_sums.degrees == pytest.approx(from_effects.degrees, rel=1e-9)
    assert (from_sums.control, from_sums.treatment) == pytest.approx((from_effects.control, from_effects.treatment))


def test_given_weights_count_instead_of_units() -> None:
    effects = [Effect(1.0, 0.5, 10, 10, 18.0), Effect(3.0, 0.25, 500, 500, 998.0)]
    effect = combined(effects, [1.0, 1.0])
    assert effect.estimate == 2.0
    assert effect.se == pytest.approx(math.hypot(0.5, 0.25) / 2.0)
    assert (effect.n_control, effect.n_treatment) == (510, 510)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0]])
def test_weights_that_cannot_be_are_refused(weights: list[float]) -> None:
    effects = [Effect(1.0, 0.5, 10, 10, 18.0)] * 2
    with pytest.raises(InvalidInput):
        combined(effects, weights)


def test_phases_count_by_their_units() -> None:
    effects = [Effect(1.0, 0.5, 10, 30, 38.0), Effect(3.0, 0.25, 500, 460, 958.0)]
    effect = combined(effects)
    assert effect.estimate == pytest.approx(0.04 * 1.0 + 0.96 * 3.0)
    assert effect.se == pytest.approx(math.hypot(0.04 * 0.5, 0.96 * 0.25))
