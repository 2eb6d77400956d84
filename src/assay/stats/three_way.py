"""Is the treatment not worse than agreed? Pass, fail, or keep collecting: never a forced yes or no."""

import math
from dataclasses import dataclass
from typing import Literal

from assay.errors import InvalidInput

__all__ = ["Answer", "Harm", "noninferiority"]

Verdict = Literal["pass", "fail", "inconclusive"]
Harm = Literal["any", "beyond margin"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, and whether the treatment is proven to be worse at all."""

    verdict: Verdict
    worse: bool


def noninferiority(low: float, high: float, margin: float, harm: Harm = "any") -> Answer:
    """What an interval of the effect, larger being better, says about "not worse by `margin` or more".

    Proven harm is `fail`: the high end below 0 where `any` loss is harm, below −margin where only one "beyond margin"
    is. Otherwise `pass` where the low end is above −margin; what is worse within an agreed tolerance passes and is
    marked. Between them `inconclusive`: collect more. Ends may be infinite; NaN says nothing. A margin of 0 asks for
    "better".

    InvalidInput for a margin that is negative, infinite or NaN: a margin is a decision of the team.
    """
    if not 0.0 <= margin < math.inf:
        raise InvalidInput(
            f"the margin is {margin!r}",
            expected="0 or more: the loss that is still acceptable",
            hint="agree on a margin and write it down",
        )
    if harm not in ("any", "beyond margin"):
        raise InvalidInput(f"harm is {harm!r}", expected="any or beyond margin")
    worse = high < 0.0
    if high < (0.0 if harm == "any" else -margin):
        return Answer("fail", worse)
    return Answer("pass" if low > -margin else "inconclusive", worse)
