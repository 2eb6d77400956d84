import math

import numpy as np
import pytest
from scipy import integrate
from scipy import stats as scipy_stats

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.group_sequential import (
    Spending,
    at_stop,
    boundaries,
    crossing,
    drift_for,
    inflation,
    repeated_interval,
    spent,
)

FIVE = [0.2, 0.4, 0.6, 0.8, 1.0]
UNEVEN = [0.07, 0.31, 0.33, 0.9]


@pytest.mark.parametrize(
    ("spending", "expected"),
    [
        ("obrien-fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_five_looks_have_the_boundaries_of_the_standard_tables(spending: Spending, expected: list[float]) -> None:
    """O9, to 1e-4 beyond the rounding of the print: 3.3569 was printed of 3.35701, see the next test."""
    assert boundaries(FIVE, 0.05, spending) == pytest.approx(expected, abs=1.5e-4)


@pytest.mark.parametrize(("spending", "looks"), [("pocock", [0.37, 1.0]), ("obrien-fleming", [0.2, 0.4])])
def test_two_looks_are_what_the_bivariate_normal_says(spending: Spending, looks: list[float]) -> None:
    first, second = boundaries(looks, 0.05, spending)
    assert first == pytest.approx(-normal.quantile(spent(looks[0], 0.05, spending) / 2), abs=1e-9)
    correlation = math.sqrt(looks[0] / looks[1])
    # P(|Z1| < first, |Z2| >= second) by an integral over Z1 that has nothing to do with the panels of the module.
    deviation = math.sqrt(1 - correlation**2)

    def leaves(z: float) -> float:
        tails = [normal.upper_tail((second + side * correlation * z) / deviation) for side in (1, -1)]
        return float(scipy_stats.norm.pdf(z)) * sum(tails)

    found, _ = integrate.quad(leaves, -first, first, epsabs=1e-13, limit=200)
    assert found == pytest.approx(spent(looks[1], 0.05, spending) - spent(looks[0], 0.05, spending), abs=1e-10)


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("looks", [FIVE, UNEVEN, [(look + 1) / 100 for look in range(100)]])
def test_the_error_spent_is_the_error_planned_at_each_look(
    spending: Spending, one_sided: bool, looks: list[float]
) -> None:
    bounds = boundaries(looks, 0.04, spending, one_sided=one_sided)
    ups, downs = crossing(looks, bounds, one_sided=one_sided)
    planned = [spent(look, 0.04, spending, one_sided=one_sided) for look in looks]
    assert np.cumsum(ups) + np.cumsum(downs) == pytest.approx(planned, abs=1e-9)


def test_a_bound_depends_on_no_later_look() -> None:
    assert boundaries([0.2, 0.5, 1.0])[:2] == pytest.approx(boundaries([0.2, 0.5, 0.51, 0.9])[:2], abs=1e-12)


def test_a_single_look_at_the_end_is_the_fixed_test() -> None:
    assert boundaries([1.0], 0.05) == pytest.approx([1.959964], abs=1e-6)
    assert boundaries([1.3], 0.05, "pocock", one_sided=True) == pytest.approx([1.644854], abs=1e-6)


def test_an_early_end_spends_what_is_left() -> None:
    ups, downs = crossing([0.3, 0.6], boundaries([0.3, 0.6], final=True))
    assert sum(ups) + sum(downs) == pytest.approx(0.05, abs=1e-10)


def test_units_beyond_the_plan_cost_nothing() -> None:
    ups, downs = crossing([0.5, 1.2, 1.4], bounds := boundaries([0.5, 1.2, 1.4]))
    assert sum(ups) + sum(downs) == pytest.approx(0.05, abs=1e-10)
    assert bounds[2] == math.inf


def test_a_look_at_next_to_nothing_is_infinite() -> None:
    assert boundaries([0.01, 1.0])[0] == math.inf


def test_drift_gives_the_power_it_is_asked_for() -> None:
    bounds = boundaries(FIVE)
    drift = drift_for(0.9, FIVE, bounds)
    ups, downs = crossing(FIVE, bounds, drift)
    assert sum(ups) == pytest.approx(0.9, abs=1e-9)
    assert sum(downs) < 1e-4


def test_looks_cost_little_with_obrien_fleming_and_more_with_pocock() -> None:
    assert inflation(1) == pytest.approx(1.0, abs=1e-6)
    assert 1.01 < inflation(5, power=0.9) < 1.04
    assert 1.15 < inflation(5, power=0.9, spending="pocock") < 1.25
    assert inflation(20, power=0.9) > inflation(5, power=0.9)


def test_stopping_at_a_bound_has_the_p_value_that_was_spent() -> None:
    bounds = boundaries(FIVE)
    for look in range(1, 5):
        stop = at_stop(bounds[look] * 0.7, 0.7, FIVE[: look + 1], bounds[: look + 1])
        assert stop.p_value == pytest.approx(spent(FIVE[look], 0.05, "obrien-fleming"), abs=1e-9)
        # One side at a time, what was spent is α/2 only at the end: there the interval touches 0.
        assert (stop.interval.low > 1e-9) == (look < 4)


def test_at_the_first_look_the_stop_is_the_fixed_answer() -> None:
    stop = at_stop(0.5, 0.1, FIVE[:1], boundaries(FIVE[:1]))
    assert stop.estimate == pytest.approx(0.5, abs=1e-9)
    assert (stop.interval.low, stop.interval.high) == pytest.approx((0.5 - 0.1959964, 0.5 + 0.1959964), abs=1e-7)


def test_a_test_that_stopped_early_is_corrected_towards_nothing() -> None:
    bounds = boundaries(FIVE, 0.05, "pocock")
    up = at_stop(3.0, 1.0, FIVE[:3], bounds[:3])
    down = at_stop(-3.0, 1.0, FIVE[:3], bounds[:3])
    assert 0.0 < up.interval.low < up.estimate < 3.0
    assert down.estimate == pytest.approx(-up.estimate, abs=1e-6)
    assert down.p_value == pytest.approx(up.p_value, rel=1e-6)


def test_the_repeated_interval_is_unbounded_where_nothing_is_spent() -> None:
    assert repeated_interval(1.0, 0.5, 2.0).low == 0.0
    assert repeated_interval(1.0, 0.5, math.inf).high == math.inf


@pytest.mark.parametrize("fractions", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 0.4], [0.5, 0.50001], [math.nan]])
def test_fractions_that_do_not_grow_are_refused(fractions: list[float]) -> None:
    with pytest.raises(InvalidInput, match="information"):
        boundaries(fractions)


def test_other_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidInput, match="alpha"):
        boundaries(FIVE, 0.6)
    with pytest.raises(InvalidInput, match="spending"):
        boundaries(FIVE, 0.05, "haybittle")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="bounds"):
        crossing(FIVE, [2.0])
    with pytest.raises(InvalidInput, match="standard error"):
        at_stop(1.0, 0.0, FIVE, boundaries(FIVE))
    with pytest.raises(InvalidInput, match="power"):
        drift_for(1.0, FIVE, boundaries(FIVE))
    with pytest.raises(InvalidInput, match="looks"):
        inflation(0)
    with pytest.raises(InvalidInput, match="fraction"):
        spent(0.0, 0.05, "pocock")


def test_what_may_be_spent_is_the_formula_of_lan_and_demets() -> None:
    z = -normal.quantile(0.05 / 4)
    assert spent(0.4, 0.05, "obrien-fleming") == pytest.approx(4 * normal.upper_tail(z / math.sqrt(0.4)), rel=1e-12)
    one_sided = 2 * normal.upper_tail(z / math.sqrt(0.4))
    assert spent(0.4, 0.025, "obrien-fleming", one_sided=True) == pytest.approx(one_sided, rel=1e-12)
    assert spent(0.4, 0.05, "pocock") == pytest.approx(0.05 * math.log(1 + (math.e - 1) * 0.4), rel=1e-12)
    assert spent(1.0, 0.05, "obrien-fleming") == pytest.approx(0.05, rel=1e-9) == spent(1.5, 0.05, "pocock")
    assert repeated_interval(1.0, math.nan, 2.0).low == repeated_interval(1.0, 0.5, math.inf).low == -math.inf
