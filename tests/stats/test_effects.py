import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from assay.errors import InvalidInput
from assay.stats.effects import Sums, difference

Floats = NDArray[np.float64]


def halves(seed: int, n: int = 4000) -> tuple[Floats, Floats, Floats, Floats]:
    """Metric and covariate of control and treatment."""
    generator = np.random.default_rng(seed)
    before, other = generator.normal(10.0, 2.0, (2, n))
    return (
        3.0 + 0.8 * before + generator.normal(0.0, 1.0, n),
        before,
        3.1 + 0.8 * other + generator.normal(0.0, 1.0, n),
        other,
    )


def test_a_fixed_look_gives_the_values_of_growthbook() -> None:
    """O7: Welch's test, relative and absolute."""
    control, treatment = Sums(n=3407, y=1396.87, yy=52377.9767), Sums(n=3461, y=2422.7, yy=134698.29)
    lift = difference(control, treatment, relative=True)
    assert (lift.estimate, lift.se) == pytest.approx((0.70732, 0.37879), abs=5e-6)
    assert lift.p_value() == pytest.approx(0.06191, abs=1e-5)  # printed 0.06191, is 0.061905
    gain = difference(control, treatment)
    assert gain.estimate == pytest.approx(0.29, abs=1e-12)
    assert gain.p_value() == pytest.approx(0.02016, abs=5e-6)
    found = gain.interval(0.95)
    assert (found.low, found.high) == pytest.approx((0.04538, 0.53462), abs=5e-6)


def test_without_covariate_it_is_welchs_test() -> None:
    y_a, _, y_b, _ = halves(1, 300)
    found = difference(Sums.of(y_a), Sums.of(y_b[:200]))
    welch = scipy_stats.ttest_ind(y_b[:200], y_a, equal_var=False)
    assert found.p_value() == pytest.approx(welch.pvalue, rel=1e-9)
    assert found.degrees == pytest.approx(welch.df, rel=1e-9)
    assert (found.n_control, found.n_treatment, found.n) == (300, 200, 500)
    assert (found.control, found.treatment) == pytest.approx((y_a.mean(), y_b[:200].mean()))


def test_sums_of_parts_are_the_sums_of_the_whole() -> None:
    y, x, d, w = np.random.default_rng(2).normal(2.0, 1.0, (4, 1000))
    whole = Sums.of(y, x, denominator=d, covariate_denominator=w)
    parts = Sums()
    for start in range(0, 1000, 300):
        part = slice(start, start + 300)
        parts = parts + Sums.of(y[part], x[part], denominator=d[part], covariate_denominator=w[part])
    for name in ("n", "y", "yy", "x", "xx", "xy", "d", "dd", "yd", "xd", "w", "ww", "yw", "dw", "xw"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), rel=1e-12), name
    assert parts.ratio


def test_the_order_of_units_does_not_matter() -> None:
    y, x = np.random.default_rng(3).normal(1e6, 1.0, (2, 999))
    assert Sums.of(y, x) == Sums.of(y[::-1], x[::-1])


def test_mean_and_variance_are_those_of_the_units() -> None:
    y = np.random.default_rng(4).normal(2.0, 1.0, 50)
    sums = Sums.of(y)
    assert (sums.mean, sums.variance) == pytest.approx((y.mean(), y.var(ddof=1)), rel=1e-12)


def test_equal_values_have_no_variance_whatever_rounding_leaves() -> None:
    assert Sums.of(np.full(1000, 0.1)).variance == 0.0


def test_a_covariate_takes_out_what_it_explains() -> None:
    y_a, x_a, y_b, x_b = halves(5)
    plain = difference(Sums.of(y_a), Sums.of(y_b))
    adjusted = difference(Sums.of(y_a, x_a), Sums.of(y_b, x_b))
    r = np.corrcoef(np.concatenate([x_a, x_b]), np.concatenate([y_a, y_b]))[0, 1]
    assert adjusted.se**2 / plain.se**2 == pytest.approx(1.0 - r * r, abs=0.01)
    assert adjusted.estimate == pytest.approx(0.1, abs=4 * adjusted.se)
    unadjusted = difference(Sums.of(y_a, x_a), Sums.of(y_b, x_b), adjusted=False)
    assert (unadjusted.estimate, unadjusted.se) == (plain.estimate, plain.se)


def test_the_adjusted_difference_is_the_coefficient_of_a_regression() -> None:
    y_a, x_a, y_b, x_b = halves(6)
    design = np.stack([np.ones(8000), np.repeat([0.0, 1.0], 4000), np.concatenate([x_a, x_b])], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, np.concatenate([y_a, y_b]), rcond=None)
    assert difference(Sums.of(y_a, x_a), Sums.of(y_b, x_b)).estimate == pytest.approx(coefficients[1], rel=1e-9)


def ratio_arrays(generator: np.random.Generator, n: int, rate: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Clicks and views of units, then and before; a unit keeps its own taste and size."""
    taste = generator.beta(5.0, 15.0, n)
    size = generator.gamma(4.0, 3.0, n)
    views, before = 1 + generator.poisson(size), 1 + generator.poisson(size)
    clicks = generator.binomial(views, np.clip(taste * rate, 0.0, 1.0))
    return tuple(one.astype(np.float64) for one in (clicks, generator.binomial(before, taste), views, before))  # type: ignore[return-value]


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("covariate", ["none", "mean", "ratio"])
def test_the_error_of_a_ratio_is_what_repetitions_show(relative: bool, covariate: str) -> None:
    generator = np.random.default_rng(7)
    estimates, errors = [], []
    for _ in range(400):
        sides = []
        for rate in (1.0, 1.3):
            clicks, before, views, views_before = ratio_arrays(generator, 400, rate)
            sides.append(
                Sums.of(
                    clicks,
                    None if covariate == "none" else before,
                    denominator=views,
                    covariate_denominator=views_before if covariate == "ratio" else None,
                )
            )
        found = difference(*sides, relative=relative)
        estimates.append(found.estimate)
        errors.append(found.se)
    assert np.mean(errors) == pytest.approx(np.std(estimates, ddof=1), rel=0.1)
    assert np.mean(estimates) == pytest.approx(0.3 if relative else 0.075, abs=0.01)


def test_a_ratio_before_explains_a_ratio_now() -> None:
    generator = np.random.default_rng(8)
    a, b = (ratio_arrays(generator, 5000, rate) for rate in (1.0, 1.1))
    sides = [
        Sums.of(clicks, before, denominator=views, covariate_denominator=views_before)
        for clicks, before, views, views_before in (a, b)
    ]
    assert difference(*sides).se < 0.95 * difference(*sides, adjusted=False).se


@pytest.mark.parametrize("adjusted", [False, True])
def test_the_error_of_a_relative_effect_is_what_repetitions_show(adjusted: bool) -> None:
    """With a lift of 50 % and few units of the control, so that the control's own error matters."""
    generator = np.random.default_rng(9)
    estimates, errors = [], []
    for _ in range(600):
        sides = []
        for n, level in ((150, 4.0), (600, 6.0)):
            x = generator.normal(0.0, 1.0, n)
            sides.append(Sums.of(level + x + generator.normal(0.0, 1.0, n), x))
        found = difference(*sides, relative=True, adjusted=adjusted)
        estimates.append(found.estimate)
        errors.append(found.se)
    assert np.mean(errors) == pytest.approx(np.std(estimates, ddof=1), rel=0.08)
    assert np.mean(estimates) == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("relative", [False, True])
def test_the_error_over_phases_with_a_covariate_is_what_repetitions_show(relative: bool) -> None:
    """A ramp over two days of different levels, and covariates that move with the days: no share of it is an effect."""
    generator = np.random.default_rng(12)
    estimates, errors = [], []
    for _ in range(500):
        sides: tuple[list[Sums], list[Sums]] = ([], [])
        for level, counts in ((10.0, (900, 100)), (4.0, (300, 300))):
            for side, n in enumerate(counts):
                x = generator.normal(level, 1.0, n)
                sides[side].append(Sums.of((x + generator.normal(0.0, 1.0, n)) * (1.0 + 0.2 * side), x))
        found = difference(*sides, relative=relative)
        estimates.append(found.estimate)
        errors.append(found.se)
    level = 10.0 * 1000 / 1600 + 4.0 * 600 / 1600
    assert np.mean(estimates) == pytest.approx(0.2 if relative else 0.2 * level, rel=0.01)
    assert np.mean(errors) == pytest.approx(np.std(estimates, ddof=1), rel=0.1)


def test_phases_with_too_few_units_say_nothing() -> None:
    generator = np.random.default_rng(10)
    a, b = (Sums.of(generator.normal(level, 1.0, 100)) for level in (0.0, 1.0))
    found = difference([a, Sums(n=500, y=2500.0, yy=13_000.0)], [b, Sums(n=1, y=9.0, yy=81.0)])
    assert found == difference(a, b)


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        (Sums(), Sums()),
        (Sums(n=1, y=1.0, yy=1.0), Sums(n=9, y=1.0, yy=1.0)),
        (Sums(n=5, ratio=True), Sums(n=5, ratio=True)),
    ],
)
def test_where_nothing_can_be_said_all_is_nan(control: Sums, treatment: Sums) -> None:
    found = difference(control, treatment)
    assert all(math.isnan(value) for value in (found.estimate, found.se, found.degrees, found.interval().low))
    assert found.p_value() == 1.0


def test_a_lift_over_nothing_is_nan() -> None:
    nobody, some = Sums(n=50), Sums.of(np.tile([0.0, 1.0], 25))
    assert math.isnan(difference(nobody, some, relative=True).estimate)
    assert difference(nobody, some).estimate == 0.5


def test_no_spread_at_all_decides_at_once() -> None:
    zeros, ones = Sums.of(np.zeros(10)), Sums.of(np.ones(10))
    assert difference(zeros, ones).p_value() == 0.0
    assert difference(zeros, zeros).p_value() == 1.0


def test_what_does_not_belong_together_is_refused() -> None:
    mean, ratio = Sums.of([1.0, 2.0]), Sums.of([1.0, 2.0], denominator=[1.0, 1.0])
    with pytest.raises(InvalidInput, match="add up"):
        mean + ratio
    with pytest.raises(InvalidInput, match="ratio"):
        difference(mean, ratio)
    with pytest.raises(InvalidInput, match="phases"):
        difference([mean], [mean, mean])
    with pytest.raises(InvalidInput, match="lengths"):
        Sums.of([1.0, 2.0], [1.0])
    with pytest.raises(InvalidInput, match="finite"):
        Sums.of([1.0, math.nan])
    with pytest.raises(InvalidInput, match="covariate"):
        Sums.of([1.0], covariate_denominator=[1.0])


@pytest.mark.parametrize("relative", [False, True])
def test_the_error_of_an_adjusted_effect_is_that_of_leaving_out_one_unit_each(relative: bool) -> None:
    """The middle of the covariate belongs to both variants, and moves a relative effect with them."""
    generator = np.random.default_rng(13)
    arms = []
    for n, level in ((150, 5.0), (100, 15.0)):
        x = generator.normal(0.0, 2.0, n)
        arms.append((level + x + generator.normal(0.0, 0.2, n), x))
    found = difference(*(Sums.of(*arm) for arm in arms), relative=relative)
    total = 0.0
    for side in (0, 1):
        n = len(arms[side][0])
        left = []
        for unit in range(n):
            sides = [Sums.of(*arm) for arm in arms]
            sides[side] = Sums.of(*(np.delete(column, unit) for column in arms[side]))
            left.append(difference(*sides, relative=relative).estimate)
        total += (n - 1) * float(np.var(left))
    assert found.se == pytest.approx(math.sqrt(total), rel=0.02)
