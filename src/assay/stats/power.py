"""How many rows a comparison needs, and what difference the rows at hand can show."""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import normal

__all__ = ["minimum_difference", "minimum_differences", "rows_needed"]

_MOST_RATIO = 1e9  # of z to the margin: beyond it nobody has the rows


def rows_needed(
    variance_per_row: float, margin: float, expected: float = 0.0, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Rows with which a one-sided test at `alpha` shows non-inferiority with probability `power`.

    n = (z₁₋α + z₁₋β)²·variance/(expected + margin)², rounded up; `expected` is the true difference assumed. For
    a paired proportion `variance_per_row` is the disagreement ψ = (b + c)/n; for unpaired proportions
    p₁q₁ + p₂q₂ gives the rows of each side; otherwise the variance of the per-row difference. None where no
    number of rows decides (expected + margin <= 0, or next to nothing) or the variance is NaN, that is unknown.
    """
    if math.isnan(variance_per_row) or expected + margin <= 0:
        return None
    ratio = _z_sum(variance_per_row, alpha, power) / (expected + margin)
    n = ratio**2 * variance_per_row if ratio < _MOST_RATIO else math.inf
    return math.ceil(n) if math.isfinite(n) else None


def minimum_difference(variance_per_row: float, n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference `n` rows show with probability `power` in a one-sided test at `alpha`.

    (z₁₋α + z₁₋β)·√(variance/n); infinite where n is 0, NaN where the variance is NaN.
    """
    if math.isnan(variance_per_row):
        return math.nan
    if n < 0:
        raise InvalidInput(f"{n!r} rows", expected="0 or more")
    return _z_sum(variance_per_row, alpha, power) * math.sqrt(variance_per_row / n) if n else math.inf


def minimum_differences(
    variance_per_row: NDArray[np.float64], n: NDArray[np.float64], alpha: float = 0.05, power: float = 0.8
) -> NDArray[np.float64]:
    """[k] `minimum_difference` of many at once."""
    z = _z_sum(0.0, alpha, power)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[np.float64] = np.where(n > 0, z * np.sqrt(variance_per_row / n), np.inf)
    return np.where(np.isnan(variance_per_row), np.nan, found)


def _z_sum(variance_per_row: float, alpha: float, power: float) -> float:
    if not variance_per_row >= 0:
        raise InvalidInput(f"the variance per row is {variance_per_row!r}", expected="0 or more")
    return _z(alpha, power)


@functools.lru_cache(maxsize=64)  # asked thousands of times with the same two numbers by a gate
def _z(alpha: float, power: float) -> float:
    return -normal.quantile(alpha) + normal.quantile(power)
