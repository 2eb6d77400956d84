"""Which of several periods has a rate unlike the others, beyond chance and the usual moves from period to period."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats import multiplicity, normal

__all__ = ["odd_rates"]

# Rates of real data move. Over the months of two years of flights the log odds of a delay have a standard deviation of
# 0.45, over the years of a census 0.02. Before any period is seen, 0.3 is believed as firmly as eleven would say it.
USUAL_SPREAD = 0.3
BELIEF = 10.0
_TO_SIGMA = 1.4826  # of the median absolute deviation, for a normal distribution
_EFFICIENCY = 0.37  # of the median absolute deviation: so many of its observations count


def odd_rates(
    positives: ArrayLike,
    totals: ArrayLike,
    *,
    difference: float = 0.05,
    alpha: float = 0.001,
    rate: float | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each period's rate `positives`/`totals`, both [periods], is odd, and the rate its others centre on.

    On the log odds, y = log((k + ½)/(n − k + ½)), each period is compared with the weighted median m of all others:
    t = (y − m)/√(s² (1 + π/2w) + 1/(n q (1 − q))), where w is the number of others, s² their spread, and q the rate at
    (y + m)/2: at y itself a period of one class would have no precision, and at m one beside a rate near 1 would not.
    s² is moderated as Smyth (2004) does variances: between a robust one (1.48 median absolute deviations, squared) and
    `USUAL_SPREAD`², by their degrees of freedom, so that few periods are not taken at their word; k is moved half a row
    towards m, for continuity. Holm over the periods. Odd is what is below `alpha` there and differs from the rate at m
    by `difference` or more. `rate` counts as one more period, of a reference with many rows.

    Right where fewer than half of the periods are odd, and where labels within a period are not much more alike than
    periods are. Periods without rows are never odd. InvalidInput unless 0 <= positives <= totals.
    """
    k, n = np.asarray(positives, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    if k.shape != n.shape or k.ndim != 1 or not np.all((k >= 0) & (k <= n)):
        raise InvalidInput("the positives are not parts of the totals", expected="0 <= positives <= totals")
    y = np.log((k + 0.5) / (n - k + 0.5))
    noise = (n + 1.0) / ((k + 0.5) * (n - k + 0.5))
    weights = np.where(n > 0, 1.0 / (USUAL_SPREAD**2 + noise), 0.0)
    reference = np.log((rate + 1e-9) / (1.0 - rate + 1e-9)) if rate is not None else None
    ts, freedoms, centres = np.zeros(len(n)), np.full(len(n), BELIEF), np.full(len(n), np.nan)
    for period in np.flatnonzero(n > 0):
        others = np.flatnonzero((n > 0) & (np.arange(len(n)) != period))
        about = y[others] if reference is None else np.append(y[others], reference)
        weight = weights[others] if reference is None else np.append(weights[others], 1.0 / USUAL_SPREAD**2)
        if not len(about):
            continue
        centre = _weighted_median(about, weight)
        robust = (_TO_SIGMA * _weighted_median(np.abs(about - centre), weight)) ** 2
        freedom = _EFFICIENCY * (len(about) - 1)
        spread = (BELIEF * USUAL_SPREAD**2 + freedom * robust) / (BELIEF + freedom)
        p = 1.0 / (1.0 + np.exp(-centre))
        halfway = 1.0 / (1.0 + np.exp(-(centre + y[period]) / 2.0))
        chance = 1.0 / (n[period] * halfway * (1.0 - halfway))
        nearer = k[period] - np.clip(k[period] - n[period] * p, -0.5, 0.5)  # half a row for continuity
        distance = abs(np.log((nearer + 0.5) / (n[period] - nearer + 0.5)) - centre)
        ts[period] = distance / np.sqrt(spread * (1.0 + np.pi / 2.0 / len(about)) + chance)
        freedoms[period] = BELIEF + freedom
        centres[period] = p
    rates = np.divide(k, n, out=np.full(len(n), np.nan), where=n > 0)
    p_values = np.minimum(1.0, 2.0 * normal.t_upper_tails(ts, freedoms))
    is_odd = (np.array(multiplicity.holm(p_values.tolist())) <= alpha) & (np.abs(rates - centres) >= difference)
    return is_odd, centres


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The middle of the values by weight; between two that share the middle, their mean."""
    order = np.argsort(values)
    before = np.cumsum(weights[order])
    half = before[-1] / 2.0
    middle = int(np.searchsorted(before, half))
    if abs(before[middle] - half) <= 1e-9 * half and middle + 1 < len(values):
        return float(values[order[middle]] + values[order[middle + 1]]) / 2.0
    return float(values[order[middle]])
