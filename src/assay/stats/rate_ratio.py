"""Tests and intervals for the ratio of two proportions measured on different rows.

The 80 % rule of disparate impact is a question about such a ratio. Counts may be fractional. The ratio is p₁/p₂,
first group over second, from 0 to infinity.
"""

import math

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.intervals import Interval, wilson
from assay.stats.unpaired import check_two_rates

__all__ = ["koopman_interval", "koopman_z", "mover_ratio", "ratio_p_above", "ratio_p_below"]

_ZERO_VARIANCE = 1e-14
_ZERO_NUMERATOR = math.sqrt(_ZERO_VARIANCE)
_TOLERANCE = 1e-13


def koopman_z(successes_1: float, n_1: float, successes_2: float, n_2: float, ratio: float) -> float:
    """The score statistic of H0: p₁/p₂ = `ratio`; negative where the first is lower than that.

    z = (p̂₁ − r·p̂₂)/√(p̃₁q̃₁/n₁ + r²·p̃₂q̃₂/n₂), p̃ the maximum-likelihood rates under H0; z² is the chi-squared
    of Koopman 1984 (Biometrics 40:513). Where the variance is 0 (1e-14): 0 if the numerator is 0 (1e-7; both
    times r for r < 1), else ±infinity. 0 where an n is 0. Assumes independent rows and is asymptotic, as the
    score test of the difference is. InvalidInput unless 0 <= successes <= n and the ratio is positive and finite.
    """
    check_two_rates(successes_1, n_1, successes_2, n_2)
    if not (ratio > 0.0 and math.isfinite(ratio)):
        raise InvalidInput(f"the ratio to be tested is {ratio!r}", expected="above 0 and finite, such as 0.8")
    return _z(successes_1, n_1, successes_2, n_2, ratio) if n_1 and n_2 else 0.0


def koopman_interval(
    successes_1: float, n_1: float, successes_2: float, n_2: float, confidence: float = 0.95
) -> Interval:
    """The ratios p₁/p₂ which Koopman's score test does not reject at `confidence`, relative accuracy about 1e-12.

    (0, infinity) where an n is 0 or nobody has a success; from 0 where the first has none, to infinity where the
    second has none. Its ends agree with `ratio_p_below` and `ratio_p_above` at half the two-sided error.
    """
    check_two_rates(successes_1, n_1, successes_2, n_2)
    z = normal.critical_value(confidence)
    if n_1 == 0 or n_2 == 0 or successes_1 + successes_2 == 0:
        return Interval(0.0, math.inf)
    p_1, p_2 = successes_1 / n_1, successes_2 / n_2
    estimate = p_1 / (p_1 + p_2)  # on the scale r/(1 + r), where the range is [0, 1]

    def end(outside: float) -> float:
        if outside == estimate:
            return estimate
        inside = estimate
        while abs(outside - inside) > _TOLERANCE * min(max(inside, outside), 1.0 - min(inside, outside)):
            middle = (outside + inside) / 2.0
            if middle in (inside, outside):
                break
            if abs(_z(successes_1, n_1, successes_2, n_2, middle / (1.0 - middle))) <= z:
                inside = middle
            else:
                outside = middle
        return (outside + inside) / 2.0

    low, high = end(0.0), end(1.0)
    return Interval(low / (1.0 - low) if low < 1.0 else math.inf, high / (1.0 - high) if high < 1.0 else math.inf)


def ratio_p_below(successes_1: float, n_1: float, successes_2: float, n_2: float, ratio: float) -> float:
    """One-sided P-value of H0: p₁/p₂ >= `ratio`: small means the ratio is below it. 1 where an n is 0.

    Nobody's success is no evidence: the P-value is then ½ or more.
    """
    z = koopman_z(successes_1, n_1, successes_2, n_2, ratio)
    return normal.cdf(z) if n_1 and n_2 else 1.0


def ratio_p_above(successes_1: float, n_1: float, successes_2: float, n_2: float, ratio: float) -> float:
    """One-sided P-value of H0: p₁/p₂ <= `ratio`: at 0.8, small certifies the 80 % rule. 1 where an n is 0."""
    z = koopman_z(successes_1, n_1, successes_2, n_2, ratio)
    return normal.upper_tail(z) if n_1 and n_2 else 1.0


def mover_ratio(successes_1: float, n_1: float, successes_2: float, n_2: float, confidence: float = 0.95) -> Interval:
    """The interval of p₁/p₂ recovered from the two Wilson intervals, in closed form.

    L = (p₁p₂ − √((p₁p₂)² − l₁(2p₁ − l₁)·u₂(2p₂ − u₂)))/(u₂(2p₂ − u₂)),
    U = (p₁p₂ + √((p₁p₂)² − u₁(2p₁ − u₁)·l₂(2p₂ − l₂)))/(l₂(2p₂ − l₂)) (MOVER, Donner & Zou 2012, Stat Methods
    Med Res 21:347). Infinite above where the second has no success; (0, infinity) where an n is 0. For display;
    it is not the inversion of a test, verdicts take `koopman_interval`. InvalidInput unless 0 <= successes <= n.
    """
    first, second = wilson(successes_1, n_1, confidence), wilson(successes_2, n_2, confidence)
    if n_1 == 0 or n_2 == 0:
        return Interval(0.0, math.inf)
    p_1, p_2 = successes_1 / n_1, successes_2 / n_2
    product = p_1 * p_2
    low_part = first.low * (2.0 * p_1 - first.low)
    high_part = first.high * (2.0 * p_1 - first.high)
    other_low = second.low * (2.0 * p_2 - second.low)
    other_high = second.high * (2.0 * p_2 - second.high)
    # The first formula multiplied out, because its denominator may be 0.
    low = low_part / (product + math.sqrt(max(0.0, product**2 - low_part * other_high))) if low_part > 0.0 else 0.0
    if other_low <= 0.0:
        return Interval(low, math.inf)
    return Interval(low, (product + math.sqrt(max(0.0, product**2 - high_part * other_low))) / other_low)


def _z(x_1: float, n_1: float, x_2: float, n_2: float, ratio: float) -> float:
    if ratio > 1.0:  # p₂/p₁ = 1/ratio is the same question, and stays in numbers of ordinary size
        return -_z(x_2, n_2, x_1, n_1, 1.0 / ratio)
    numerator = x_1 / n_1 - ratio * x_2 / n_2
    total = n_1 + n_2
    B = n_1 * ratio + x_1 + n_2 + x_2 * ratio
    C = x_1 + x_2
    p_2 = min(1.0, 2.0 * C / (B + math.sqrt(max(0.0, B * B - 4.0 * total * ratio * C))))
    p_1 = ratio * p_2
    variance = p_1 * (1.0 - p_1) / n_1 + ratio**2 * p_2 * (1.0 - p_2) / n_2
    if variance <= _ZERO_VARIANCE * ratio:
        return 0.0 if abs(numerator) <= _ZERO_NUMERATOR * ratio else math.copysign(math.inf, numerator)
    return numerator / math.sqrt(variance)
