"""What is usual of one figure a window, such as its rows: an interval by the logarithms of earlier windows."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from assay.stats import normal
from assay.stats.drift import MINIMUM_WINDOWS

__all__ = ["Usual", "usual_of"]


class Usual(msgspec.Struct, frozen=True):
    """One more window lies between `low` and `high` with probability 1 − alpha; `middle` is the geometric mean.

    `low`, `high` are None with fewer than 6 windows: uncalibrated.
    """

    windows: int
    middle: float
    low: float | None
    high: float | None

    def p(self, value: float) -> float | None:
        """P(a window is as far on either side | nothing is wrong)."""
        if self.low is None or self.high is None or value < 0:
            return None
        t = abs(math.log(value + self.shift) - math.log(self.middle + self.shift)) / self.spread if self.spread else 0.0
        return min(1.0, 2.0 * normal.t_upper_tail(t, self.windows - 1))

    spread: float = 0.0
    shift: float = 0.0


def usual_of(values: Sequence[float], *, alpha: float, chance: float = 0.0, shift: float = 0.0) -> Usual | None:
    """From the values of earlier windows, 0 or more; None where there is none.

    exp(mean ± t·sd·√(1 + 1/K)) of log(value + shift), the standard deviation being at least `chance`: that of the
    logarithm where nothing but chance moves it.
    """
    if not values:
        return None
    logs = np.log(np.asarray(values, dtype=np.float64) + shift)
    middle, windows = float(logs.mean()), len(values)
    if windows < MINIMUM_WINDOWS:
        return Usual(windows, math.exp(middle) - shift, None, None)
    spread = max(float(logs.std(ddof=1)), chance) * math.sqrt(1.0 + 1.0 / windows)
    reach = normal.t_quantile(1.0 - alpha / 2.0, windows - 1) * spread
    low, high = (max(0.0, math.exp(middle + side * reach) - shift) for side in (-1, 1))
    return Usual(windows, math.exp(middle) - shift, low, high, spread, shift)
