"""The mean of paired differences, and a mean or ratio over clusters, from sums alone; reference Student's t."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.intervals import Interval

__all__ = ["MeanEstimate", "clustered_ratio", "paired_t"]

_ROUNDING = 1e-14  # of the sum of squares: a spread below it is what cancellation leaves of equal values


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean or ratio, its standard error and degrees of freedom; NaN where they cannot be had."""

    value: float
    standard_error: float
    df: int

    def interval(self, confidence: float = 0.95) -> Interval:
        """value ± t·s.e.; NaN where the standard error is."""
        normal.critical_value(confidence)
        if math.isnan(self.standard_error):
            return Interval(math.nan, math.nan)
        half = normal.t_quantile((1.0 + confidence) / 2.0, self.df) * self.standard_error
        return Interval(self.value - half, self.value + half)

    def p_worse(self, d: float = 0.0) -> float:
        """One-sided P-value of H0: value >= `d`: small means it is below. 1 where the standard error is NaN.

        With a standard error of 0: 0 where the value is below d, else 1.
        """
        return self._p(self.value - d)

    def p_not_worse(self, d: float = 0.0) -> float:
        """One-sided P-value of H0: value <= `d`: at d = −margin, small means non-inferior; else as `p_worse`."""
        return self._p(d - self.value)

    def _p(self, distance: float) -> float:
        """P(T <= distance/s.e.)."""
        if math.isnan(self.standard_error):
            return 1.0
        if self.standard_error == 0.0:
            return float(distance >= 0.0)
        return normal.t_upper_tail(-distance / self.standard_error, self.df)


def paired_t(n: int, total: float, total_squares: float) -> MeanEstimate:
    """The paired t test of a mean difference d from n, Σd and Σd²: these add up over shards.

    mean ± t₍ₙ₋₁₎·s/√n, s² = (Σd² − (Σd)²/n)/(n − 1) (Student 1908). For losses per row (log loss, absolute error,
    a judge's score) of two models on the same rows, as baseline − candidate so that larger is better. Assumes
    independent rows and n large enough for the mean to be normal: not for 0/1 outcomes (`paired.tango_z`) nor
    for a few hundred rows with heavy tails. Where |mean| is 10⁷ times s, the sums no longer hold s, which then
    counts as 0: subtract a constant first.

    The value is NaN for n = 0, the standard error for n < 2. InvalidInput for a negative n, a number that is
    not finite, or Σd² below (Σd)²/n by more than rounding.
    """
    if not (n >= 0 and math.isfinite(total) and math.isfinite(total_squares)) or (n == 0 and (total or total_squares)):
        raise InvalidInput(f"n = {n!r}, sum {total!r} and sum of squares {total_squares!r} are not those of rows")
    if n == 0:
        return MeanEstimate(math.nan, math.nan, -1)
    spread = total_squares - total * total / n
    if spread < -1e-9 * abs(total_squares):
        raise InvalidInput(
            f"the sum of squares {total_squares!r} is too small for a sum of {total!r} over {n} rows",
            expected="at least sum²/n",
        )
    if n < 2:
        return MeanEstimate(total / n, math.nan, n - 1)
    spread = 0.0 if spread <= _ROUNDING * total_squares else spread
    return MeanEstimate(total / n, math.sqrt(spread / (n - 1) / n), n - 1)


def clustered_ratio(numerators: ArrayLike, denominators: ArrayLike) -> MeanEstimate:
    """R = ΣA/ΣB over clusters, with a standard error that lets rows of one cluster hang together.

    `numerators` A and `denominators` B are [G] sums per cluster (user, query, prompt): with B the rows of the
    cluster R is the mean per row; with B another quantity (rows selected, actual values) a ratio of sums.
    CR0 sandwich: Var = Σ(A_c − R·B_c)²/(ΣB)² (Liang & Zeger 1986; for a ratio, linearisation), with t of G − 1
    degrees of freedom. A cluster with A = B = 0 holds nothing and is left out of G.

    Assumes independent clusters. CR0 is too small by about √(1 − 1/G), and by more where one cluster holds much
    of ΣB: not for fewer than about 30 clusters. NaN where ΣB is 0; the standard error is NaN for G < 2.
    InvalidInput for shapes that differ, numbers that are not finite, or a negative denominator.
    """
    a, b = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise InvalidInput(f"sums per cluster have shapes {a.shape} and {b.shape}", expected="one length for both")
    if not (np.isfinite(a).all() and np.isfinite(b).all() and (b >= 0).all()):
        raise InvalidInput("a sum per cluster is not finite or a denominator negative", expected="finite sums")
    clusters = int(((a != 0) | (b != 0)).sum())
    weight = float(b.sum())
    if weight == 0.0:
        return MeanEstimate(math.nan, math.nan, clusters - 1)
    value = float(a.sum()) / weight
    if clusters < 2:
        return MeanEstimate(value, math.nan, clusters - 1)
    residuals = a - value * b
    squares = float((residuals**2).sum())
    squares = 0.0 if squares <= _ROUNDING**2 * float((a**2).sum()) else squares
    return MeanEstimate(value, math.sqrt(squares) / weight, clusters - 1)
