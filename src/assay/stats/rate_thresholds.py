"""The threshold at which a share of some scores is selected that is nearest to a wanted one."""

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput

__all__ = ["threshold_for"]


def threshold_for(scores: NDArray[np.float64], share: float, near: float) -> tuple[float, float]:
    """The threshold inside (0, 1), and the share of `scores` in [0, 1] that are at least as high.

    Thresholds lie half way between neighbouring scores, so that rounding cannot move a row across. Of several that
    reach the same share the one closest to `near` is taken, `near` itself before all. InvalidInput for no scores and
    for a `near` that is not inside (0, 1).
    """
    if not len(scores):
        raise InvalidInput("there are no scores to choose a threshold for", expected="at least one")
    if not 0.0 < near < 1.0:
        raise InvalidInput(f"the threshold is {near!r}", expected="inside (0, 1)")
    distinct, counts = np.unique(scores, return_counts=True)
    ends = np.concatenate([[0.0], distinct, [1.0]])
    middles = (ends[:-1] + ends[1:]) / 2.0  # one below each score, and one above the last
    middles = np.where(middles > ends[:-1], middles, ends[1:])  # of neighbours without a number between them
    selected = np.append(np.cumsum(counts[::-1])[::-1], 0) / len(scores)
    thresholds = np.append(near, middles)
    shares = np.append((scores >= near).mean(), selected)
    inside = (thresholds > 0.0) & (thresholds < 1.0)
    thresholds, shares = thresholds[inside], shares[inside]
    best = np.lexsort((np.abs(thresholds - near), np.abs(shares - share)))[0]
    return float(thresholds[best]), float(shares[best])
