"""The population stability index: how far the shares of bins moved, in one number."""

import numpy as np
from numpy.typing import ArrayLike

from assay.errors import InvalidInput

__all__ = ["stability_index"]

_SMOOTHING = 1e-4  # added to every share, so that a bin without rows does not make it infinite


def stability_index(before: ArrayLike, after: ArrayLike) -> float:
    """PSI of two lists of counts by the same bins: sum of (q - p) ln(q / p) over the shares p before and q after.

    It is 0 for equal shares and symmetric (it is Jeffreys' divergence; Lewis 1994 for its use in credit scoring, where
    .1 and .25 are read as a change and as a large one). It says how much, not whether it is more than chance: with few
    rows it is large for equal distributions too. InvalidInput unless both have the same bins, and rows.
    """
    counts = [np.asarray(one, np.float64) for one in (before, after)]
    if counts[0].shape != counts[1].shape or counts[0].ndim != 1:
        raise InvalidInput("the counts are not of the same bins", expected="two lists of one length")
    if any(one.sum() <= 0 or (one < 0).any() or not np.isfinite(one).all() for one in counts):
        raise InvalidInput("the counts have no rows", expected="counts of 0 or more, one of them positive")
    p, q = (one / one.sum() + _SMOOTHING for one in counts)
    return float(np.sum((q - p) * np.log(q / p)))
