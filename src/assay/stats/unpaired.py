"""Score tests and intervals for the difference of two proportions measured on different rows.

Group against group, this month against last, the two arms of a canary. Not for two models on the same rows: those
are paired (`paired`). Counts may be fractional. "First" is `successes_1` of `n_1`; the difference is p₁ − p₂.
"""

import math

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.intervals import Interval

__all__ = [
    "check_two_rates",
    "miettinen_nurminen_interval",
    "miettinen_nurminen_p_not_worse",
    "miettinen_nurminen_p_worse",
    "miettinen_nurminen_z",
    "two_rates_p",
]

_ZERO_VARIANCE = 1e-14
_ZERO_NUMERATOR = math.sqrt(_ZERO_VARIANCE)
_TOLERANCE = 1e-12


def miettinen_nurminen_z(
    successes_1: float, n_1: float, successes_2: float, n_2: float, d: float, *, corrected: bool = True
) -> float:
    """The score statistic of H0: p₁ − p₂ = `d`; negative where the first is below that.

    z(d) = (p̂₁ − p̂₂ − d)/√((p̃₁q̃₁/n₁ + p̃₂q̃₂/n₂)·N/(N − 1)), p̃ the maximum-likelihood rates under H0, N = n₁ + n₂
    (Miettinen & Nurminen 1985, Stat Med 4:213); with `corrected` False without N/(N − 1) (Mee 1984). Where the
    variance is 0 (1e-14): 0 if the numerator is 0 (1e-7), else ±infinity. 0 where an n is 0. Assumes independent
    rows.
    It is asymptotic: with 40 rows against 60 and rates of 0.05, a one-sided test at 0.05 errs in 6.2 %.
    InvalidInput unless 0 <= successes <= n and −1 <= d <= 1.
    """
    check_two_rates(successes_1, n_1, successes_2, n_2)
    if not -1.0 <= d <= 1.0:
        raise InvalidInput(f"a difference of proportions of {d!r} does not exist", expected="between -1 and 1")
    return _z(successes_1, n_1, successes_2, n_2, d, corrected) if n_1 and n_2 else 0.0


def miettinen_nurminen_interval(
    successes_1: float,
    n_1: float,
    successes_2: float,
    n_2: float,
    confidence: float = 0.95,
    *,
    corrected: bool = True,
) -> Interval:
    """The differences p₁ − p₂ which the score test does not reject at `confidence`, to about 1e-8.

    Its ends agree with the one-sided tests below at half the two-sided error. (−1, 1) where an n is 0. With
    `corrected` False it is Mee's interval, a little narrower.
    """
    check_two_rates(successes_1, n_1, successes_2, n_2)
    z = normal.critical_value(confidence)
    if n_1 == 0 or n_2 == 0:
        return Interval(-1.0, 1.0)
    estimate = successes_1 / n_1 - successes_2 / n_2

    def end(outside: float) -> float:
        """Where |z(d)| = z between `outside`, rejected or the end of the range, and the estimate."""
        inside = estimate
        if abs(_z(successes_1, n_1, successes_2, n_2, outside, corrected)) <= z:
            return outside
        while abs(outside - inside) > _TOLERANCE:
            middle = (outside + inside) / 2.0
            if abs(_z(successes_1, n_1, successes_2, n_2, middle, corrected)) <= z:
                inside = middle
            else:
                outside = middle
        return (outside + inside) / 2.0

    return Interval(end(-1.0), end(1.0))


def miettinen_nurminen_p_worse(successes_1: float, n_1: float, successes_2: float, n_2: float, d: float = 0.0) -> float:
    """One-sided P-value of H0: p₁ − p₂ >= `d`: small means the first is lower by more than −d. 1 where an n is 0."""
    z = miettinen_nurminen_z(successes_1, n_1, successes_2, n_2, d)
    return normal.cdf(z) if n_1 and n_2 else 1.0


def miettinen_nurminen_p_not_worse(
    successes_1: float, n_1: float, successes_2: float, n_2: float, d: float = 0.0
) -> float:
    """One-sided P-value of H0: p₁ − p₂ <= `d`: at d = −margin, small means non-inferior. 1 where an n is 0."""
    z = miettinen_nurminen_z(successes_1, n_1, successes_2, n_2, d)
    return normal.upper_tail(z) if n_1 and n_2 else 1.0


def two_rates_p(successes_1: float, n_1: float, successes_2: float, n_2: float) -> float:
    """Two-sided P-value of p₁ = p₂ on different rows: the "N − 1" chi-squared test. 1 where an n is 0.

    χ²·(N − 1)/N with 1 degree of freedom, Pearson's without continuity correction (Campbell 2007, Stat Med
    26:3661): the score test at d = 0. Good where all expected counts are 1 or more; with smaller ones take an
    exact test.
    """
    return min(1.0, 2.0 * normal.upper_tail(abs(miettinen_nurminen_z(successes_1, n_1, successes_2, n_2, 0.0))))


def check_two_rates(successes_1: float, n_1: float, successes_2: float, n_2: float) -> None:
    """InvalidInput unless 0 <= successes <= n, finite, on both sides."""
    for successes, n in ((successes_1, n_1), (successes_2, n_2)):
        if not (0 <= successes <= n and math.isfinite(n)):
            raise InvalidInput(
                f"{successes!r} successes of {n!r} rows is not a proportion", expected="0 <= successes <= n"
            )


def _z(x_1: float, n_1: float, x_2: float, n_2: float, d: float, corrected: bool) -> float:
    numerator = x_1 / n_1 - x_2 / n_2 - d
    p_2 = _restricted(x_1, n_1, x_2, n_2, d)
    p_1 = min(1.0, max(0.0, p_2 + d))
    variance = p_1 * (1.0 - p_1) / n_1 + p_2 * (1.0 - p_2) / n_2
    total = n_1 + n_2
    if corrected and total > 1:
        variance *= total / (total - 1.0)
    if variance <= _ZERO_VARIANCE:
        return 0.0 if abs(numerator) <= _ZERO_NUMERATOR else math.copysign(math.inf, numerator)
    return numerator / math.sqrt(variance)


def _restricted(x_1: float, n_1: float, x_2: float, n_2: float, d: float) -> float:
    """The maximum-likelihood p₂ under p₁ = p₂ + d: the root of a cubic, by Miettinen and Nurminen's closed form.

    To 1e-8: where two roots meet (both rates 0 or 1 and d near 0) half of the digits are lost.
    """
    successes, total = x_1 + x_2, n_1 + n_2
    cubic = total
    square = (n_1 + 2.0 * n_2) * d - total - successes
    linear = (n_2 * d - total - 2.0 * x_2) * d + successes
    constant = x_2 * d * (1.0 - d)
    third = square / (3.0 * cubic)
    q = third**3 - square * linear / (6.0 * cubic**2) + constant / (2.0 * cubic)
    p = math.copysign(math.sqrt(max(0.0, third**2 - linear / (3.0 * cubic))), q)
    angle = (math.pi + math.acos(min(1.0, max(-1.0, q / p**3)))) / 3.0 if abs(p) > 1e-100 else math.pi / 2.0
    root = 2.0 * p * math.cos(angle) - third
    return min(1.0, 1.0 - d, max(0.0, -d, root))
