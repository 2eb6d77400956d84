"""Percentiles that may be looked at at will: of one variant, and their difference between two.

How many of n independent values are at or below the q-quantile is a sum of Bernoulli trials with chance q; the
beta-binomial mixture of `sequential` bounds it at all n at once, whatever the distribution (Howard & Ramdas 2022,
Bernoulli 28:1704). Values of one unit hang together: take one for each unit.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats.intervals import Interval
from assay.stats.sequential import beta_binomial_bound, beta_binomial_log

__all__ = ["QUANTILE_TUNING", "quantile_difference", "quantile_ranks", "quantile_sequence", "quantiles_differ_p"]

Floats = NDArray[np.float64]

QUANTILE_TUNING = 2000.0  # values of a variant at which the sequence is tightest
_CELLS = 500  # in which a common quantile is looked for


def quantile_ranks(n: int, q: float, alpha: float = 0.05, *, tuning: float = QUANTILE_TUNING) -> tuple[int, int]:
    """Between which two of `n` ordered values the q-quantile lies at all n together, with chance 1 − `alpha`.

    Ranks count from 1; 0 and n + 1 mean that there is no bound on that side yet. With them any store that can sort
    gives the interval. InvalidInput for n < 0, q outside (0, 1) and what `beta_binomial_bound` refuses.
    """
    _check(n, q)
    if n == 0:
        return 0, 1
    v, v_opt = q * (1.0 - q) * n, q * (1.0 - q) * tuning
    fewer = beta_binomial_bound(v, v_opt, 1.0 - q, q, alpha)  # n·q minus the count
    more = beta_binomial_bound(v, v_opt, q, 1.0 - q, alpha)
    return max(0, math.ceil(n * q - fewer - 1e-9)), min(n, math.floor(n * q + more + 1e-9)) + 1


def quantile_sequence(values: ArrayLike, q: float, alpha: float = 0.05, *, tuning: float = QUANTILE_TUNING) -> Interval:
    """The confidence sequence of the q-quantile of `values`; an end is infinite while too few are there."""
    ordered = _ordered(values)
    low, high = quantile_ranks(len(ordered), q, alpha, tuning=tuning)
    return Interval(
        float(ordered[low - 1]) if low else -math.inf, float(ordered[high - 1]) if high <= len(ordered) else math.inf
    )


def quantile_difference(
    control: ArrayLike, treatment: ArrayLike, q: float, alpha: float = 0.05, *, tuning: float = QUANTILE_TUNING
) -> Interval:
    """The confidence sequence of the treatment's q-quantile minus the control's; each side has half of `alpha`."""
    a, b = (quantile_sequence(values, q, alpha / 2.0, tuning=tuning) for values in (control, treatment))
    return Interval(b.low - a.high, b.high - a.low)


def quantiles_differ_p(
    control: ArrayLike, treatment: ArrayLike, q: float, alpha: float = 0.05, *, tuning: float = QUANTILE_TUNING
) -> float:
    """The anytime-valid P-value of "both have the same q-quantile"; `alpha` only tunes it. Keep the smallest of looks.

    1/min over a common value of the product of both mixtures (Howard & Ramdas, as `QuantileABTest` of confseq): more
    powerful than whether `quantile_difference` leaves out 0. 1 while a variant has no value.
    """
    sides = [_ordered(values) for values in (control, treatment)]
    for ordered in sides:
        _check(len(ordered), q)
    if not all(len(ordered) for ordered in sides):
        return 1.0
    lower, upper = sorted(sides, key=lambda ordered: _sample_quantile(ordered, q))
    grid = _grid(sides, _sample_quantile(lower, q), _sample_quantile(upper, q))
    rising = [_evidence(lower, x, q, alpha, tuning) for x in grid]
    falling = [_evidence(upper, x, q, alpha, tuning) for x in grid]
    # In a cell of the grid no common value has less evidence against it than this.
    least = min(up + down for up, down in zip(rising, falling[1:] or falling, strict=False))
    return math.exp(min(0.0, -least))


def _grid(sides: list[Floats], low: float, high: float) -> list[float]:
    """Values between the two sample quantiles, both included: the least evidence is there, as outside both grow."""
    inside = np.unique(np.concatenate([ordered[(ordered >= low) & (ordered <= high)] for ordered in sides]))
    if len(inside) > _CELLS:
        inside = inside[np.unique(np.linspace(0, len(inside) - 1, _CELLS + 1).astype(np.int64))]
    return [float(x) for x in inside]


def _sample_quantile(ordered: Floats, q: float) -> float:
    return float(ordered[min(len(ordered) - 1, int(q * len(ordered)))])


def _evidence(ordered: Floats, x: float, q: float, alpha: float, tuning: float) -> float:
    """ln of the mixture against the q-quantile being x: 0 where the counts below and up to x allow it exactly."""
    n = len(ordered)
    below, upto = int(np.searchsorted(ordered, x, side="left")), int(np.searchsorted(ordered, x, side="right"))
    nearest = min(max(n * q, below), upto)  # values equal to x may be counted on either side
    return beta_binomial_log(nearest - n * q, q * (1.0 - q) * n, q * (1.0 - q) * tuning, q, 1.0 - q, alpha)


def _ordered(values: ArrayLike) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or np.isnan(column).any():
        raise InvalidInput("the values are not a list of numbers", expected="one number for each unit")
    return np.sort(column)


def _check(n: int, q: float) -> None:
    if not 0.0 < q < 1.0:
        raise InvalidInput(f"a quantile at {q!r}", expected="inside (0, 1), such as 0.95")
    if n < 0:
        raise InvalidInput(f"{n!r} values", expected="0 or more")
