"""Quantiles and tails of the normal and the t distribution.

The normal ones need the standard library only, because serving and the command line's start-up use them; the t
ones import scipy when called.
"""

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from assay.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "cdf",
    "critical_value",
    "log_cdf",
    "quantile",
    "t_quantile",
    "t_quantiles",
    "t_scores",
    "t_upper_tail",
    "t_upper_tails",
    "upper_tail",
    "upper_tails",
]

_STANDARD = NormalDist()
_FAR_TAIL = -30.0  # below this, erfc nears underflow and the asymptotic series is exact to 1e-15


def quantile(p: float) -> float:
    """The z with P(Z <= z) = `p` for standard normal Z; InvalidInput unless 0 < p < 1."""
    if not 0.0 < p < 1.0:
        raise InvalidInput(f"a normal quantile does not exist at {p!r}", expected="a probability inside (0, 1)")
    return _STANDARD.inv_cdf(p)


def upper_tail(z: float) -> float:
    """P(Z > z) for standard normal Z, accurate in the far tail; infinite z is allowed."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def cdf(z: float) -> float:
    """P(Z <= z) for standard normal Z, accurate in the far tail; infinite z is allowed."""
    return upper_tail(-z)


def log_cdf(z: float) -> float:
    """ln P(Z <= z), finite for every finite z (Mills ratio series in the far lower tail)."""
    if z > 0.0:
        return math.log1p(-upper_tail(z))
    if z > _FAR_TAIL:
        return math.log(cdf(z))
    inverse = 1.0 / (z * z)
    series = 1.0 - inverse * (1.0 - 3.0 * inverse * (1.0 - 5.0 * inverse * (1.0 - 7.0 * inverse)))
    return -0.5 * z * z - math.log(-z * math.sqrt(2.0 * math.pi)) + math.log(series)


def critical_value(confidence: float) -> float:
    """The z of a two-sided interval at `confidence` (1.96 for .95); InvalidInput unless 0 < confidence < 1."""
    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"confidence is {confidence!r}", expected="a number inside (0, 1), such as 0.95")
    # Through the small tail, so that confidence = 1 - 2 alpha gives the very z of a one-sided test at alpha.
    return -quantile((1.0 - confidence) / 2.0)


def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = `p` for Student's t with `df` degrees of freedom; df > 0, 0 < p < 1."""
    from scipy.special import stdtrit

    if not 0.0 < p < 1.0 or not df > 0:
        raise InvalidInput(
            f"a t quantile does not exist at p = {p!r} with {df!r} degrees of freedom",
            expected="p inside (0, 1) and degrees of freedom above 0",
        )
    return float(stdtrit(df, p))


def t_upper_tail(t: float, df: float) -> float:
    """P(T > t) for Student's t with `df` > 0 degrees of freedom, accurate in the far tail."""
    from scipy.special import stdtr

    if not df > 0:
        raise InvalidInput(f"t with {df!r} degrees of freedom does not exist", expected="more than 0")
    return float(stdtr(df, -t))


def upper_tails(z: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """[k] P(Z > z), each as `upper_tail`; NaN stays NaN."""
    from scipy.special import ndtr

    found: NDArray[np.float64] = ndtr(-z)
    return found


def t_quantiles(p: float, df: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """[k] the quantiles of Student's t; NaN where df is not above 0."""
    from scipy.special import stdtrit

    found: NDArray[np.float64] = stdtrit(df, p)
    return found


def t_scores(t: "NDArray[np.float64]", df: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """[k] the z with as much above it as `t` has, between -37 and 37; NaN where df is not above 0."""
    from scipy.special import ndtri, stdtr

    found: NDArray[np.float64] = -ndtri(stdtr(df, -t))
    return found.clip(-37.0, 37.0)


def t_upper_tails(t: "NDArray[np.float64]", df: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """[k] P(T > t) for Student's t; NaN where df is not above 0."""
    from scipy.special import stdtr

    found: NDArray[np.float64] = stdtr(df, -t)
    return found
