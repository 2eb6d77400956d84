"""A quantile against a limit, such as the 95th percentile of a latency: exact, whatever the distribution.

How many of n independent values lie above the q-quantile is binomial with n and 1 − q; nothing else is assumed (order
statistics; Conover, Practical Nonparametric Statistics, 1999, section 3.2). Values that influence each other, such as
calls during one hiccup of a machine, are fewer values than they seem.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from assay.errors import InvalidInput
from assay.stats.intervals import Interval

__all__ = ["quantile_interval", "quantile_p_above", "quantile_p_within"]


def quantile_p_within(above: int, n: int, q: float) -> float:
    """P-value of "the q-quantile is beyond the limit", where `above` of `n` values are; small: it is within.

    P(Bin(n, 1 − q) <= above). 1 where n is 0: at q = .95 it takes 59 values, at .99 299, before none above means
    anything at .05.
    """
    _check(above, n, q)
    return _binomial_cdf(above, n, 1.0 - q) if n else 1.0


def quantile_p_above(above: int, n: int, q: float) -> float:
    """P-value of "the q-quantile is within the limit"; small: it is beyond.

    P(Bin(n, 1 − q) >= above). 1 where n is 0.
    """
    _check(above, n, q)
    return 1.0 - _binomial_cdf(above - 1, n, 1.0 - q) if above else 1.0


def quantile_interval(values: ArrayLike, q: float, confidence: float = 0.9) -> Interval:
    """The two-sided interval of the q-quantile between two of the values; an end is infinite where n is too small."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    _check(0, n, q)
    tail = (1.0 - confidence) / 2.0
    below = [k for k in range(1, n + 1) if _binomial_cdf(k - 1, n, q) <= tail]
    beyond = [k for k in range(1, n + 1) if 1.0 - _binomial_cdf(k - 1, n, q) <= tail]
    return Interval(
        float(ordered[below[-1] - 1]) if below else -math.inf, float(ordered[beyond[0] - 1]) if beyond else math.inf
    )


def _binomial_cdf(k: int, n: int, p: float) -> float:
    if k < 0:
        return 0.0
    from scipy.special import bdtr  # not needed to import the room

    return float(bdtr(k, n, p))


def _check(above: int, n: int, q: float) -> None:
    if not 0 <= above <= n:
        raise InvalidInput(f"{above!r} of {n!r} values", expected="a part of the values")
    if not 0.0 < q < 1.0:
        raise InvalidInput(f"a quantile at {q!r}", expected="inside (0, 1), such as 0.95")
