"""The sequential harm test: has a metric become worse than it may truly have been at the reference?

One observation a window: the metric of its rows once their labels are in, as a loss of 0 or more. Rows of a window
share weather and luck; windows are far more independent. The test bets against "the mean is at most the limit"
(Waudby-Smith and Ramdas 2023), after Podkopaev and Ramdas (2022): an alarm is proof that the risk is above the upper
bound of the source plus a tolerance. One may look after every window; the probability that it ever alarms without cause
is at most alpha, half of it spent on the source's bound, half on the test.
"""

import math
import sys
from collections.abc import Iterable

import msgspec

from assay.operate.monitors.kinds.promised import Reference
from assay.stats import BettingTest, Metric

__all__ = ["Evidence", "Harm", "harm_after", "harm_of", "limit_of"]

_LARGEST_LOG = math.log(sys.float_info.max)
_CAP = 4.0  # times the limit: larger losses count as that, which makes the test slower and never wrong


class Harm(msgspec.Struct, frozen=True):
    """What is tested: the worst mean of the metric that is no harm, and how values become losses from 0 up."""

    limit: float
    larger_is_better: bool
    best: float

    @property
    def limit_loss(self) -> float:
        """The limit as a loss."""
        return self.loss(self.limit)

    def loss(self, value: float) -> float:
        """How far the value is from the best possible."""
        return self.best - value if self.larger_is_better else value - self.best

    def is_worse(self, value: float) -> bool:
        """Whether a value is beyond the limit."""
        return self.loss(value) > self.limit_loss


class Evidence(msgspec.Struct, frozen=True):
    """Where the test stands after `windows`. `e_value` is the largest evidence against "not worse" that there was."""

    windows: int
    mean: float | None
    e_value: float

    @property
    def p(self) -> float:
        """The P-value of "not worse", valid at every look."""
        return min(1.0, 1.0 / self.e_value)


def limit_of(reference: Reference, metric: Metric, tolerance: float) -> float:
    """The worst mean that is no harm: the worst that the reference may truly be, less the tolerance."""
    return reference.worst - tolerance if metric.larger_is_better else reference.worst + tolerance


def harm_of(reference: Reference, metric: Metric, tolerance: float) -> Harm | None:
    """The test of a metric; None where it has no best value, no direction, or where nothing could be worse."""
    if metric.larger_is_better is None:
        return None
    best = metric.bounds[1] if metric.larger_is_better else metric.bounds[0]
    worst = metric.bounds[0] if metric.larger_is_better else metric.bounds[1]
    harm = Harm(limit_of(reference, metric, tolerance), metric.larger_is_better, best)
    if not math.isfinite(best) or not 0.0 < harm.limit_loss < abs(best - worst):
        return None
    return harm


def harm_after(harm: Harm, values: Iterable[float]) -> Evidence:
    """The evidence after the values of windows, in the order in which they came."""
    test = BettingTest(1.0 / _CAP)
    seen = []
    for value in values:
        test.update(min(1.0, harm.loss(value) / (_CAP * harm.limit_loss)))
        seen.append(value)
    mean = math.fsum(seen) / len(seen) if seen else None
    return Evidence(len(seen), mean, math.exp(min(test.log_largest, _LARGEST_LOG)))
