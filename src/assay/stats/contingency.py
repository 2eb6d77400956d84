"""Do several groups of rows differ in a share? The chi-square test of homogeneity."""

import numpy as np
from numpy.typing import ArrayLike

from assay.errors import InvalidInput

__all__ = ["shares_differ_p"]


def shares_differ_p(counts: ArrayLike, totals: ArrayLike) -> float:
    """P-value of "the share `counts`/`totals` is the same in all groups", both [groups].

    Pearson's X² = Σ (observed − expected)²/expected over counts and their complement, with groups − 1 degrees of
    freedom (Pearson 1900). Groups of no rows are left out; 1 where fewer than two have rows, or where nobody or
    everybody is counted. Assumes independent rows and is not for verdicts on few: it is rough where an expected count
    is below 5.

    InvalidInput unless 0 <= counts <= totals.
    """
    found, rows = np.asarray(counts, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    if found.shape != rows.shape or found.ndim != 1 or not np.all((found >= 0) & (found <= rows)):
        raise InvalidInput("the counts are not parts of the totals", expected="0 <= counts <= totals, group by group")
    found, rows = found[rows > 0], rows[rows > 0]
    share = found.sum() / rows.sum() if len(rows) else 0.0
    if len(rows) < 2 or not 0.0 < share < 1.0:
        return 1.0
    from scipy.special import chdtrc  # not needed to import the room

    statistic = float(np.sum((found - rows * share) ** 2 / (rows * share * (1.0 - share))))
    return float(chdtrc(len(rows) - 1, statistic))
