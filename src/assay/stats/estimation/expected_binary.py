"""A binary model's metrics from calibrated probabilities alone: labels are taken as drawn from them (CBPE).

Every expectation is a sum over rows of something times p or 1 − p, so cells add up over parts and segments for free.
The interval is for the metric that the labels will show: the chance of these labels, each with variance p(1 − p), and
the calibrator's own error. Labels are taken to be independent given the scores.
"""

import math
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput, nearest
from assay.stats import normal
from assay.stats.estimation.calibrator import Calibrator

__all__ = ["BINARY_METRICS", "Expectation", "ExpectedCells", "estimate_binary"]

Floats = NDArray[np.float64]
BinaryMetric = Literal["accuracy", "recall", "precision", "fpr", "prevalence", "brier", "log_loss", "auc"]
BINARY_METRICS: tuple[BinaryMetric, ...] = (
    "accuracy",
    "recall",
    "precision",
    "fpr",
    "prevalence",
    "brier",
    "log_loss",
    "auc",
)
_LEAST = 1e-15  # of a score inside a logarithm, as in the log loss of labels


class Expectation(msgspec.Struct, frozen=True):
    """An expected metric of `n` rows with its two-sided interval. `error` is the standard error, made of the chance of
    the labels and of the calibrator. NaN throughout where the metric is not defined.
    """

    value: float
    low: float
    high: float
    error: float
    n: int


class ExpectedCells(msgspec.Struct, frozen=True):
    """The expected confusion matrix; the sum of two is that of all their rows. `variance` is Σp(1 − p)."""

    tp: float = 0.0
    fp: float = 0.0
    fn: float = 0.0
    tn: float = 0.0
    variance: float = 0.0

    def __add__(self, other: "ExpectedCells") -> "ExpectedCells":
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return ExpectedCells(*(a + b for a, b in pairs))

    @classmethod
    def of(cls, probabilities: Floats, says_yes: NDArray[np.bool_]) -> "ExpectedCells":
        """Of rows with calibrated probabilities, and whether the model says 1."""
        p, yes = probabilities, says_yes
        tp, fn = float(p[yes].sum()), float(p[~yes].sum())
        return cls(tp, float(yes.sum()) - tp, fn, float((~yes).sum()) - fn, float((p * (1 - p)).sum()))

    @property
    def accuracy(self) -> float:
        """The expected share of right answers; its standard error is √Σp(1 − p)/n."""
        return (self.tp + self.tn) / (self.tp + self.fp + self.fn + self.tn)


def estimate_binary(
    calibrator: Calibrator,
    scores: ArrayLike,
    metric: str,
    *,
    threshold: float = 0.5,
    confidence: float = 0.95,
) -> Expectation:
    """The metric that labels of these rows will show, if labels are still what scores say they are.

    Rates that are ratios of sums (recall, precision) and the area by the delta method; everything else exactly.
    InvalidInput for another metric, and scores outside [0, 1].
    """
    if metric not in BINARY_METRICS:
        raise InvalidInput(
            f"{metric} cannot be estimated without labels",
            expected=", ".join(BINARY_METRICS),
            hint=nearest(metric, list(BINARY_METRICS)),
        )
    s = np.asarray(scores, dtype=np.float64)
    if not ((s >= 0.0) & (s <= 1.0)).all():
        raise InvalidInput("scores outside [0, 1]", expected="probabilities")
    if not len(s):
        return Expectation(math.nan, math.nan, math.nan, math.nan, 0)
    p = calibrator.probabilities(s)
    value, gradient = _BY_METRIC[metric](p, s, s >= threshold)
    if math.isnan(value):
        return Expectation(math.nan, math.nan, math.nan, math.nan, len(s))
    variance = float((gradient**2 * p * (1.0 - p)).sum())
    if calibrator.shares:
        by_step = np.bincount(calibrator.step_of(s), weights=gradient, minlength=len(calibrator.shares))
        variance += float((by_step**2 * calibrator.variances).sum())
    error = math.sqrt(variance)
    half = normal.critical_value(confidence) * error
    low, high = max(0.0, value - half), value + half
    return Expectation(value, low, high if metric == "log_loss" else min(1.0, high), error, len(s))


# Each gives the expected metric, and [n] by how much it moves where a label goes from 0 to 1.


def _accuracy(p: Floats, _: Floats, yes: NDArray[np.bool_]) -> tuple[float, Floats]:
    return ExpectedCells.of(p, yes).accuracy, np.where(yes, 1.0, -1.0) / len(p)


def _recall(p: Floats, _: Floats, yes: NDArray[np.bool_]) -> tuple[float, Floats]:
    cells = ExpectedCells.of(p, yes)
    return _ratio(cells.tp, cells.tp + cells.fn, yes.astype(np.float64), np.ones(len(p)))


def _precision(p: Floats, _: Floats, yes: NDArray[np.bool_]) -> tuple[float, Floats]:
    return _ratio(float(p[yes].sum()), float(yes.sum()), yes.astype(np.float64), np.zeros(len(p)))


def _fpr(p: Floats, _: Floats, yes: NDArray[np.bool_]) -> tuple[float, Floats]:
    cells = ExpectedCells.of(p, yes)
    return _ratio(cells.fp, cells.fp + cells.tn, -yes.astype(np.float64), -np.ones(len(p)))


def _prevalence(p: Floats, _: Floats, __: NDArray[np.bool_]) -> tuple[float, Floats]:
    return float(p.mean()), np.full(len(p), 1.0 / len(p))


def _brier(p: Floats, s: Floats, _: NDArray[np.bool_]) -> tuple[float, Floats]:
    return float((p * (1 - s) ** 2 + (1 - p) * s**2).mean()), (1.0 - 2.0 * s) / len(p)


def _log_loss(p: Floats, s: Floats, _: NDArray[np.bool_]) -> tuple[float, Floats]:
    if_one, if_zero = -np.log(np.clip(s, _LEAST, 1.0)), -np.log(np.clip(1.0 - s, _LEAST, 1.0))
    return float((p * if_one + (1 - p) * if_zero).mean()), (if_one - if_zero) / len(p)


def _auc(p: Floats, s: Floats, _: NDArray[np.bool_]) -> tuple[float, Floats]:
    """Σ pᵢ(1 − pⱼ)[sᵢ > sⱼ] over i ≠ j, ties half, by the pairs that are of different labels.

    A row is no pair with itself: Σpᵢ(1 − pᵢ) is left out of both.
    """
    _, place = np.unique(s, return_inverse=True)
    ones, zeros = np.bincount(place, weights=p), np.bincount(place, weights=1.0 - p)
    zeros_below = (np.cumsum(zeros) - zeros / 2.0)[place]  # of each row, with half of those that tie
    ones_above = (ones.sum() - np.cumsum(ones) + ones / 2.0)[place]
    positives, negatives = float(p.sum()), float((1 - p).sum())
    itself = float((p * (1 - p)).sum())
    pairs = positives * negatives - itself
    if pairs <= 0.0:
        return math.nan, np.zeros(len(p))
    won = float((p * zeros_below).sum()) - itself / 2.0
    value = won / pairs
    gained = (zeros_below - (1 - p) / 2.0) - (ones_above - p / 2.0)
    more_pairs = negatives - positives - (1.0 - 2.0 * p)
    return value, (gained - value * more_pairs) / pairs


def _ratio(top: float, bottom: float, of_top: Floats, of_bottom: Floats) -> tuple[float, Floats]:
    if bottom <= 0.0:
        return math.nan, of_top
    return top / bottom, (of_top - top / bottom * of_bottom) / bottom


_BY_METRIC = {
    "accuracy": _accuracy,
    "recall": _recall,
    "precision": _precision,
    "fpr": _fpr,
    "prevalence": _prevalence,
    "brier": _brier,
    "log_loss": _log_loss,
    "auc": _auc,
}
