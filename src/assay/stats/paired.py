"""Tests and intervals for the difference of two proportions on the same rows.

Rows form a paired table: `b` = candidate right and champion wrong, `c` = the reverse, `n` = all rows of the
denominator; the difference is Δ = (b − c)/n, larger is better for the candidate. Counts may be fractional.
"""

import math

import numpy as np

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.intervals import Interval
from assay.stats.score_arrays import tango_ends, tango_zs

__all__ = ["mcnemar_p", "tango_interval", "tango_p_not_worse", "tango_p_worse", "tango_z"]

_EXACT_BELOW = 25  # discordant pairs; from here on the normal approximation of McNemar's test is good


def tango_z(b: float, c: float, n: float, d: float) -> float:
    """Tango's score statistic of H0: Δ = `d`; negative where the candidate is below `d`.

    z(d) = (b − c − nd)/√(n(2q + d(1 − d))), q the restricted maximum-likelihood estimate of P(c) (Tango 1998,
    Stat Med 17:891). z(0) is McNemar's z. Where the variance is 0 (1e-14): 0 if the numerator is 0 (1e-7), else
    ±infinity. 0 for n = 0. InvalidInput unless b, c >= 0, b + c <= n and −1 <= d <= 1.
    """
    _check(b, c, n)
    if not -1.0 <= d <= 1.0:
        raise InvalidInput(f"a difference of proportions of {d!r} does not exist", expected="between -1 and 1")
    return _z(b, c, n, d)


def tango_interval(b: float, c: float, n: float, confidence: float = 0.95) -> Interval:
    """The differences Δ which Tango's test does not reject at `confidence`, to 1e-12; (−1, 1) where n is 0.

    Assumes independent rows. Its ends agree with `tango_p_worse` and `tango_p_not_worse` at half the
    two-sided error.
    """
    _check(b, c, n)
    first, second, rows = (np.array([count], dtype=np.float64) for count in (b, c, n))
    low, high = tango_ends(first, second, rows, normal.critical_value(confidence))
    return Interval(float(low[0]), float(high[0]))


def tango_p_worse(b: float, c: float, n: float, d: float) -> float:
    """One-sided P-value of H0: Δ >= `d` against Δ < `d`: small means evidence of harm. 1 where n is 0."""
    return normal.cdf(tango_z(b, c, n, d)) if n else 1.0


def tango_p_not_worse(b: float, c: float, n: float, d: float) -> float:
    """One-sided P-value of H0: Δ <= `d` against Δ > `d`: at d = −margin, small means non-inferior.

    1 where n is 0.
    """
    return normal.upper_tail(tango_z(b, c, n, d)) if n else 1.0


def mcnemar_p(b: int, c: int) -> float:
    """Two-sided P-value of McNemar's test of Δ = 0: mid-p below 25 discordant pairs, else z = (b − c)/√(b + c).

    Mid-p: 2·P(X <= min(b, c)) − P(X = min(b, c)), X binomial(b + c, ½) (Fagerland et al. 2013). 1 where no pair
    is discordant. InvalidInput for negative counts.
    """
    _check(b, c, b + c)
    pairs, fewer = b + c, min(b, c)
    if pairs >= _EXACT_BELOW:
        return 2.0 * normal.upper_tail(abs(b - c) / math.sqrt(pairs))
    below = sum(math.comb(pairs, k) for k in range(fewer))
    return math.ldexp(2 * below + math.comb(pairs, fewer), -pairs)


def _check(b: float, c: float, n: float) -> None:
    if not (b >= 0 and c >= 0 and b + c <= n and math.isfinite(n)):
        raise InvalidInput(
            f"b = {b!r} and c = {c!r} of n = {n!r} rows is not a paired table",
            expected="b >= 0, c >= 0 and b + c <= n",
        )


def _z(b: float, c: float, n: float, d: float) -> float:
    return float(tango_zs(*(np.array([value], dtype=np.float64) for value in (b, c, n, d)))[0])
