"""The same effects as tea-tasting 1.14.0 and gbstats 0.8.0 give, computed once with those versions."""

import numpy as np
import pytest

from assay.stats.anytime import asymptotic_interval
from assay.stats.effects import Effect, Sums, difference


def sides(*, ratio: bool, covariate: bool) -> tuple[Sums, Sums]:
    """Whole numbers by a formula. Both variants have the same covariates, so that all ways of pooling θ agree."""
    i = np.arange(60)
    x, w = (i * 37) % 11 + 1, (i * 53) % 7 + 2
    found = []
    for variant in (0, 1):
        y = 3 * x + (i * (31 + 4 * variant)) % 13 + 4 * variant
        d = w + (i * (29 + 2 * variant)) % 5
        found.append(
            Sums.of(
                y,
                x if covariate else None,
                denominator=d if ratio else None,
                covariate_denominator=w if ratio and covariate else None,
            )
        )
    return found[0], found[1]


def looks(effect: Effect) -> tuple[float, ...]:
    interval = effect.interval(0.95)
    return (effect.control, effect.treatment, effect.estimate, interval.low, interval.high, effect.p_value())


@pytest.mark.parametrize(
    ("ratio", "covariate", "expected"),
    [
        (
            False,
            False,
            (
                23.666666666666668,
                27.583333333333332,
                3.9166666666666643,
                0.111902385573,
                7.721430947760,
                0.043733458334,
            ),
        ),
        (
            False,
            True,
            (
                23.666666666666668,
                27.583333333333332,
                3.9166666666666643,
                2.546223530049,
                5.287109803284,
                1.08258379e-07,
            ),
        ),
        (
            True,
            False,
            (
                3.397129186602871,
                3.9593301435406696,
                0.5622009569377986,
                -0.127546407382,
                1.251948321258,
                0.109175233184,
            ),
        ),
        (
            True,
            True,
            (3.397129186602871, 3.9593301435406696, 0.5622009569377986, 0.220649843962, 0.903752069913, 0.00145964865),
        ),
    ],
)
def test_means_and_ratios_with_and_without_covariate_are_those_of_tea_tasting(
    ratio: bool, covariate: bool, expected: tuple[float, ...]
) -> None:
    # θ of a ratio is linearised around the ratio of each variant here, around that of both together there.
    close = 3e-5 if ratio and covariate else 1e-8
    assert looks(difference(*sides(ratio=ratio, covariate=covariate))) == pytest.approx(expected, rel=close)


def test_the_error_of_a_relative_ratio_is_that_of_gbstats() -> None:
    effect = difference(*sides(ratio=True, covariate=False), relative=True)
    assert (effect.estimate, effect.se) == pytest.approx((0.16549295774647887, 0.11073621783346689), rel=1e-12)


@pytest.mark.parametrize(
    ("ratio", "covariate", "expected"),
    [
        (True, False, (-0.5038632711845847, 1.6282651850601828)),
        (False, True, (1.7984214207269171, 6.034911912606411)),
    ],
)
def test_sequences_of_ratios_and_adjusted_means_are_those_of_gbstats(
    ratio: bool, covariate: bool, expected: tuple[float, float]
) -> None:
    found = asymptotic_interval(difference(*sides(ratio=ratio, covariate=covariate)), 0.05, tuning=200.0, minimum=2)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-9)
