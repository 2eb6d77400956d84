"""Whether estimates without labels were right, once the labels are there: the coverage of their intervals."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from assay.errors import InvalidInput
from assay.stats.intervals import wilson
from assay.stats.sequential import BettingTest

__all__ = ["BackTest", "back_test"]


class BackTest(msgspec.Struct, frozen=True):
    """Of `windows` with an estimate and a label, `covered` lay inside the interval that promised `confidence`.

    `verdict` "fails": it is proven that fewer are covered than `tolerated`, at whatever time one looks; the world is no
    covariate shift, or labels hang together within windows. "holds": the share that was seen is at least that. `p` is
    the P-value of "enough are covered", valid at every look. `low` and `high`: Wilson's interval of the share.
    """

    windows: int
    covered: int
    confidence: float
    tolerated: float
    low: float
    high: float
    p: float
    verdict: Literal["holds", "fails", "unknown"]

    @property
    def share(self) -> float:
        """The share covered; NaN without windows."""
        return self.covered / self.windows if self.windows else float("nan")


def back_test(
    inside: Iterable[bool], *, confidence: float = 0.95, tolerated: float | None = None, alpha: float = 0.05
) -> BackTest:
    """From whether each window's metric lay in its interval, in order. `tolerated` is by default `confidence` − 0.15.

    An interval at 95 % that holds 80 % of windows is still of use; one that holds half of them is not. "Fails" by a
    bet against "misses are at most as frequent as tolerated"; "holds" from 5 windows on.
    """
    least = confidence - 0.15 if tolerated is None else tolerated
    if not 0.0 < least <= confidence < 1.0:
        raise InvalidInput(
            f"coverage of {least:g} is tolerated of intervals at {confidence:g}", expected="above 0, and not more"
        )
    test, covered = BettingTest(1.0 - least), 0
    for one in inside:
        covered += one
        test.update(float(not one))
    ends = wilson(covered, test.n)
    if test.rejects(alpha):
        verdict: Literal["holds", "fails", "unknown"] = "fails"
    else:
        verdict = "holds" if test.n >= 5 and covered / test.n >= least else "unknown"
    return BackTest(test.n, covered, confidence, least, ends.low, ends.high, test.p_value, verdict)
