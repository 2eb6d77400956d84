"""The sequential harm test: has a metric become worse than it may truly have been at the reference?

One observation a window: the metric of its rows once their labels are in. Rows of a window share weather and luck;
windows are far more independent. An alarm is proof that the risk is above the upper bound of the source plus a
tolerance, after Podkopaev and Ramdas (2022); whenever the fall began, good windows before it do not hide it for long
(`stats.late_rise`). One may look after every window; the probability that it ever alarms without cause is at most
alpha, half of it spent on the source's bound, half on the test.
"""

import math
import sys
from collections.abc import Sequence

import msgspec
import numpy as np

from assay.operate.monitors.kinds.promised import Reference
from assay.stats import BettingTest, Metric, rise_evidence
from assay.stats.normal import critical_value

__all__ = ["Evidence", "Harm", "Observed", "harm_after", "harm_of", "limit_of"]

_LARGEST_LOG = math.log(sys.float_info.max)
_CAP = 4.0  # times the limit: larger losses count as that in the early half, which makes it slower and never wrong
_CONFIDENCE = 0.95  # of the interval of a window's metric


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


class Observed(msgspec.Struct, frozen=True):
    """The metric of a window, with the interval that its rows alone give; None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def error(self) -> float:
        """The standard error by chance; 0 where none is known."""
        if self.low is None or self.high is None or not math.isfinite(self.high - self.low):
            return 0.0
        return (self.high - self.low) / (2.0 * critical_value(_CONFIDENCE))


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


def harm_after(harm: Harm, windows: Sequence[Observed]) -> Evidence:
    """The evidence after windows, in the order in which they came.

    Half of the capital bets from the first window on, knowing of losses only how good they can be: a great fall right
    after a promotion is proven in a few windows, whatever its distribution. The other half is that of `rise_evidence`,
    which needs some windows first and sees falls that begin late. Both are tests by betting, so their mean is one.
    """
    losses = [harm.loss(one.value) for one in windows]
    late = rise_evidence(losses, [one.error for one in windows], harm.limit_loss).tolist()
    early, largest = BettingTest(1.0 / _CAP), 0.0
    for loss, log in zip(losses, late, strict=True):
        early.update(min(1.0, loss / (_CAP * harm.limit_loss)))
        largest = max(largest, float(np.logaddexp(early.log_e, log)) - math.log(2.0))
    mean = math.fsum(one.value for one in windows) / len(windows) if windows else None
    return Evidence(len(windows), mean, math.exp(min(largest, _LARGEST_LOG)))
