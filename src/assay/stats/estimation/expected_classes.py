"""A multiclass model's metrics from its calibrated probabilities alone, as `expected_binary` for two classes."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.estimation.calibrator import Calibrator
from assay.stats.estimation.expected_binary import Expectation

__all__ = ["CLASS_METRICS", "calibrated_classes", "estimate_classes", "expected_confusion"]

Floats = NDArray[np.float64]
ClassMetric = Literal["accuracy", "log_loss", "brier"]
CLASS_METRICS: tuple[ClassMetric, ...] = ("accuracy", "log_loss", "brier")
_LEAST = 1e-15


def calibrated_classes(calibrators: list[Calibrator], probabilities: ArrayLike) -> Floats:
    """[n, classes]: each class by its own calibrator, one against the rest, then made to add up to 1.

    Rows whose classes all come out as 0 keep what the model said.
    """
    p = _checked(probabilities, len(calibrators))
    found = np.stack([one.probabilities(p[:, k]) for k, one in enumerate(calibrators)], axis=1)
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, found / np.where(total > 0.0, total, 1.0), p)


def expected_confusion(calibrated: Floats, answers: NDArray[np.int64]) -> Floats:
    """[classes, classes] the expected rows of each true class (first) that were answered as each class; adds up."""
    classes = calibrated.shape[1]
    return np.stack([np.bincount(answers, weights=calibrated[:, k], minlength=classes) for k in range(classes)])


def estimate_classes(
    calibrators: list[Calibrator], probabilities: ArrayLike, metric: str, *, confidence: float = 0.95
) -> Expectation:
    """The metric that labels will show; the answer of a row is its most probable class, by what the model says.

    The error is that of labels drawn from the calibrated probabilities; of the calibrators' own error it has none.
    InvalidInput for another metric and for probabilities of another shape.
    """
    said = _checked(probabilities, len(calibrators))
    p = calibrated_classes(calibrators, said)
    n = len(p)
    if metric == "accuracy":
        cost = np.zeros_like(said)
        cost[np.arange(n), said.argmax(axis=1)] = 1.0
    elif metric == "log_loss":
        cost = -np.log(np.clip(said, _LEAST, 1.0))
    elif metric == "brier":
        cost = (said**2).sum(axis=1, keepdims=True) - 2.0 * said + 1.0
    else:
        raise InvalidInput(f"{metric} cannot be estimated without labels", expected=", ".join(CLASS_METRICS))
    if not n:
        return Expectation(math.nan, math.nan, math.nan, math.nan, 0)
    mean = (p * cost).sum(axis=1)
    variance = (p * cost**2).sum(axis=1) - mean**2
    value, error = float(mean.mean()), math.sqrt(float(np.maximum(variance, 0.0).sum())) / n
    half = normal.critical_value(confidence) * error
    most = 1.0 if metric == "accuracy" else math.inf
    return Expectation(value, max(0.0, value - half), min(most, value + half), error, n)


def _checked(probabilities: ArrayLike, classes: int) -> Floats:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != classes or not ((p >= 0.0) & (p <= 1.0)).all():
        raise InvalidInput(f"probabilities of shape {p.shape}", expected=f"[rows, {classes}] numbers in [0, 1]")
    return p
