"""Score intervals and tests of many proportions at once: Wilson and Tango over arrays.

The formulas, their sources and assumptions are those of `intervals.wilson` and `paired.tango_*`, which call these.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["tango_ends", "tango_zs", "wilson_ends"]

Floats = NDArray[np.float64]

_ZERO_VARIANCE = 1e-14
_ZERO_NUMERATOR = _ZERO_VARIANCE**0.5
_TOLERANCE = 1e-12
_HALVINGS = 42  # 2 · 2**-42 < 1e-12


def wilson_ends(successes: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    """[k] lower and upper ends; 0 and 1 where n is 0."""
    z2 = z * z
    with np.errstate(invalid="ignore", divide="ignore"):
        # Over n² so that 0 and n successes give the ends 0 and 1 exactly, without rounding.
        spread = np.sqrt(z2 * (np.where(n > 0, successes * (n - successes) / n, 0.0) + z2 / 4.0))
    centre = successes + z2 / 2.0
    low = np.where(successes == 0, 0.0, (centre - spread) / (n + z2))
    high = np.where(successes == n, 1.0, (centre + spread) / (n + z2))
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def tango_zs(b: Floats, c: Floats, n: Floats, d: Floats) -> Floats:
    """[k] Tango's score statistic of a difference of d; 0 where n is 0."""
    numerator = b - c - n * d
    A = 2.0 * n
    B = -b - c + (2.0 * n - b + c) * d
    C = -c * d * (1.0 - d)
    with np.errstate(invalid="ignore", divide="ignore"):
        q = np.where(n > 0, (np.sqrt(np.maximum(0.0, B * B - 4.0 * A * C)) - B) / (2.0 * A), 0.0)
        variance = n * (2.0 * q + d * (1.0 - d))
        z = numerator / np.sqrt(np.maximum(variance, 0.0))
    # Not "numerator == 0": without disagreement, |z| = √(n|d|/(1 − |d|)) is small, not infinite, for small d.
    without = np.where(np.abs(numerator) <= _ZERO_NUMERATOR, 0.0, np.copysign(np.inf, numerator))
    return np.where(variance <= _ZERO_VARIANCE, without, z)


def tango_ends(b: Floats, c: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    """[k] the ends of the differences with |z(d)| <= z, by bisection to 1e-12; −1 and 1 where n is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = np.where(n > 0, (b - c) / n, 0.0)
    return _end(b, c, n, z, estimate, -1.0), _end(b, c, n, z, estimate, 1.0)


def _end(b: Floats, c: Floats, n: Floats, z: float, estimate: Floats, limit: float) -> Floats:
    outside, inside = np.full_like(estimate, limit), estimate
    whole_range = np.abs(tango_zs(b, c, n, outside)) <= z
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2.0
        accepted = np.abs(tango_zs(b, c, n, middle)) <= z
        inside, outside = np.where(accepted, middle, inside), np.where(accepted, outside, middle)
    found: Floats = np.where(whole_range, limit, (outside + inside) / 2.0)
    return found
