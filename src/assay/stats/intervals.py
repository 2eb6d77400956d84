"""Score intervals for one proportion and for the difference of two proportions from different rows."""

import math
from dataclasses import dataclass

import numpy as np

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.score_arrays import wilson_ends

__all__ = ["Interval", "newcombe_independent", "wilson"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Two ends, `low` <= `high`; both NaN where nothing can be said."""

    low: float
    high: float


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a proportion, inside [0, 1]; (0, 1) where `n` is 0.

    (p + z²/2n ± z√(p(1−p)/n + z²/4n²)) / (1 + z²/n), Wilson 1927. Assumes independent rows; it is right for
    small counts, where Wald's and the percentile bootstrap are not. InvalidInput unless 0 <= successes <= n.
    """
    if not (0 <= successes <= n and math.isfinite(n)):
        raise InvalidInput(f"{successes!r} successes of {n!r} rows is not a proportion", expected="0 <= successes <= n")
    z = normal.critical_value(confidence)
    low, high = wilson_ends(np.array([successes], dtype=np.float64), np.array([n], dtype=np.float64), z)
    return Interval(float(low[0]), float(high[0]))


def newcombe_independent(
    successes_1: float, n_1: float, successes_2: float, n_2: float, confidence: float = 0.95
) -> Interval:
    """Newcombe's hybrid score interval for p1 − p2 measured on different rows; (−1, 1) where an n is 0.

    Square-and-add of the two Wilson intervals (Newcombe 1998, method 10). Not for two models on the same rows:
    those are paired (`paired.tango_interval`).
    """
    first, second = wilson(successes_1, n_1, confidence), wilson(successes_2, n_2, confidence)
    if n_1 == 0 or n_2 == 0:
        return Interval(-1.0, 1.0)
    p_1, p_2 = successes_1 / n_1, successes_2 / n_2
    difference = p_1 - p_2
    return Interval(
        difference - math.hypot(p_1 - first.low, second.high - p_2),
        difference + math.hypot(first.high - p_1, p_2 - second.low),
    )
