"""Has the mean of windows risen above a limit, whenever that began?

A test that counts from the first window on has to outweigh all good ones before it sees a late rise. Here the capital
is shared out: 1/(k(k + 1)) of it begins to bet at the k-th window, which is 1 in all, so that the whole is a test by
betting with as many beginnings (a mixture of e-processes; the weighted sum of Shin, Ramdas & Rinaldo 2024, NEJSDS
2:229). Late beginnings have little capital, which costs 2 ln k of evidence and no more.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats import normal

__all__ = ["rise_evidence"]

Floats = NDArray[np.float64]
_BETS = np.array([0.25, 0.5, 1.0])[:, None]  # rises beyond the limit, in standard deviations, that are betted on
_LEAST = 5  # windows before the first bet
_MOST_Z = 2.5  # of one window: more is no more proof, so that a storm or two prove nothing, nor a long tail
_MOST_STARTS = 200  # what began before is given up, which makes the test slower and never wrong


def rise_evidence(values: ArrayLike, errors: ArrayLike, limit: float) -> Floats:
    """[windows] ln of the e-value against "the mean is at most `limit`" after each window, in order of time.

    Of each beginning, a window is `limit` plus Student's t times the standard deviation of the windows before, about
    their own means before and after the beginning, and at least its own standard error in `errors` (0 where none is
    known). If windows are independent and normal, 1/alpha is ever reached with probability at most alpha, in simulation
    also where they have long tails on the side that is worse. Where each window resembles the one before, or tails are
    long on the better side, it is reached more often if the mean is at the limit itself, and as good as never where it
    is a standard deviation better. InvalidInput for numbers that are not finite, and lengths that differ.
    """
    x, least = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if x.shape != least.shape or x.ndim != 1:
        raise InvalidInput(f"{x.shape} values and {least.shape} errors", expected="one error for each value")
    if not (np.isfinite(x).all() and np.isfinite(least).all() and (least >= 0.0).all() and math.isfinite(limit)):
        raise InvalidInput("a value, an error or the limit is not a number", expected="numbers; errors of 0 or more")
    found = np.zeros(len(x))
    starts = np.arange(len(x)) - float(_LEAST - 1)  # which beginning it is, 1 for the first
    shares = 1.0 / (np.maximum(starts, 1.0) * (np.maximum(starts, 1.0) + 1.0))
    capitals = np.zeros((len(_BETS), len(x)))
    squares_before, means_since, squares_since = np.zeros((3, len(x)))
    mean = squares = 0.0  # of all windows so far
    for place, value in enumerate(x.tolist()):
        if place >= _LEAST:
            squares_before[place] = squares
            live = slice(max(_LEAST, place + 1 - _MOST_STARTS), place + 1)
            since = place - np.arange(live.start, live.stop)  # windows of each beginning before this one
            freedom = np.arange(live.start, live.stop) - 1.0 + np.maximum(since - 1.0, 0.0)
            spread = np.maximum(np.sqrt((squares_before[live] + squares_since[live]) / freedom), least[place])
            z = _scores(value - limit, spread, freedom)
            capitals[:, live] += _BETS * z - _BETS**2 / 2.0
            whole = float((shares[live] * np.exp(capitals[:, live])).sum()) / len(_BETS)
            found[place] = math.log(whole + 1.0 / (starts[place] + 1.0))
            off = value - means_since[live]
            means_since[live] += off / (since + 1.0)
            squares_since[live] += off * (value - means_since[live])
        off_all = value - mean
        mean += off_all / (place + 1)
        squares += off_all * (value - mean)
    return found


def _scores(beyond: float, spread: Floats, freedom: Floats) -> Floats:
    """[beginnings] how far a window is beyond the limit, as a normal number; 0 where nothing ever moved."""
    t = np.divide(beyond, spread, out=np.zeros_like(spread), where=spread > 0.0)
    return np.minimum(normal.t_scores(t, freedom), _MOST_Z)
