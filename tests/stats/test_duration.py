import math

import pytest
from statsmodels.stats.power import NormalIndPower, TTestIndPower

from assay.errors import InvalidInput
from assay.stats.anytime import asymptotic_interval
from assay.stats.duration import (
    days,
    design_effect,
    mean_units,
    noninferiority_units,
    paired_units,
    plan,
    power_of_each,
    proportion_units,
    sequence_inflation,
    sequence_width,
    unpaired_units,
)
from assay.stats.effects import Effect


def test_sizes_are_those_of_the_documentation_of_r() -> None:
    """O10."""
    assert proportion_units(0.5, 0.75, power=0.9) == pytest.approx(76.7, abs=0.05)
    assert mean_units(1.0, power=0.9) == pytest.approx(22.02110, abs=5e-6)


def test_a_shadow_needs_a_fraction_of_the_labels_of_a_split() -> None:
    """O12."""
    assert paired_units(0.04, 0.01) == 3132
    assert unpaired_units(0.90, 0.91) == pytest.approx(26_984, abs=1)  # 26,984.4, of which the last unit is needed, too


@pytest.mark.parametrize("difference", [0.02, 0.3, 2.0])
def test_means_are_those_of_statsmodels(difference: float) -> None:
    expected = TTestIndPower().solve_power(difference, alpha=0.01, power=0.85)
    assert mean_units(difference, alpha=0.01, power=0.85) == pytest.approx(expected, rel=1e-4)
    assert mean_units(-difference * 7.0, 7.0, 0.01, 0.85) == pytest.approx(expected, rel=1e-4)


def test_noninferiority_is_one_sided() -> None:
    expected = NormalIndPower().solve_power(0.02 / 0.5, alpha=0.05, power=0.8, alternative="larger")
    assert noninferiority_units(0.25, 0.02) == math.ceil(expected)
    assert noninferiority_units(0.25, 0.03, expected=-0.01) == math.ceil(expected)
    with pytest.raises(InvalidInput, match="no number"):
        noninferiority_units(0.25, 0.01, expected=-0.01)


def test_rows_that_hang_together_are_worth_less() -> None:
    assert design_effect(10, 0.5) == 5.5
    assert design_effect(1, 0.9) == 1.0


def test_guardrails_share_out_what_may_be_missed() -> None:
    assert power_of_each(0.8, 3) == pytest.approx(0.95)
    assert power_of_each(0.8, 0) == pytest.approx(0.8)
    assert power_of_each(0.8, 2, success=False) == pytest.approx(0.9)


def test_looking_at_will_is_half_as_wide_again_at_twice_the_tuning() -> None:
    assert sequence_width(2.0) == pytest.approx(1.56, abs=0.005)


def test_with_the_units_of_the_plan_the_sequence_has_the_power_at_the_end() -> None:
    """With 20,000 units of a fixed plan the bound lies z(β) standard errors below the effect it was planned for."""
    fixed = 10_000
    effect = 2.801585 / math.sqrt(fixed / 2)  # in standard deviations: power .8 of a single look
    found = plan(fixed, 1000, engine="at will", tuning=5000)
    n = found.units
    half = asymptotic_interval(Effect(0.0, math.sqrt(2 / n), n, n, 2.0 * n), tuning=5000).high
    assert (effect - half) / math.sqrt(2 / n) == pytest.approx(0.841621, abs=1e-3)


def test_the_tuning_at_the_end_is_cheapest() -> None:
    assert sequence_inflation() < sequence_inflation(tuned_at=0.2)
    assert sequence_inflation() < sequence_inflation(tuned_at=5.0)
    assert sequence_inflation() == pytest.approx(1.915, abs=1e-3)


def test_a_plan_adds_up() -> None:
    found = plan(
        5000, 2000, engine="fixed", maturity_days=7, rows_per_unit=4, correlation=0.5
    )  # 5,000 rows are 1,250 units, times 2.5
    assert (found.units, found.total, found.design_effect, found.inflation) == (3125, 6250, 2.5, 1.0)
    assert found.days == 6250 / 2000 + 7
    looks = plan(5000, 2000, engine="obrien-fleming", looks=5)
    assert 5000 < looks.units < 5200
    assert plan(5000, 2000, engine="pocock").units > looks.units
    assert plan(5000, 2000).units > plan(5000, 2000, engine="pocock").units
    assert days(100, 50, 1.5) == 3.5


def test_unequal_shares_need_more_units_in_all_and_a_shadow_half_of_them() -> None:
    even = plan(1000, 100, engine="fixed")
    tenth = plan(1000, 100, engine="fixed", share=0.1)
    # The error is that of 1/n of both sides: 1/556 + 1/5,000 = 2/1,000.
    assert (tenth.units, tenth.total) == (556, 5560)
    assert plan(1000, 100, engine="fixed", share=0.9) == tenth
    shadow = plan(1000, 100, engine="fixed", share=None)
    assert (shadow.units, shadow.total, even.total) == (1000, 1000, 2000)
    assert shadow.days == even.days / 2


@pytest.mark.parametrize(
    "refused",
    [
        lambda: proportion_units(0.5, 0.5),
        lambda: proportion_units(0.5, 1.5),
        lambda: mean_units(0.0),
        lambda: mean_units(1.0, 0.0),
        lambda: mean_units(1.0, power=1.0),
        lambda: paired_units(0.01, 0.02),
        lambda: design_effect(0.5, 0.1),
        lambda: power_of_each(0.8, 0, success=False),
        lambda: sequence_width(0.0),
        lambda: sequence_inflation(tuned_at=0.0),
        lambda: days(10, 0),
        lambda: plan(0, 10),
        lambda: plan(10, 10, share=1.0),
        lambda: plan(10, 10, engine="bayes"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_planned_is_refused(refused: object) -> None:
    assert callable(refused)
    with pytest.raises(InvalidInput):
        refused()
