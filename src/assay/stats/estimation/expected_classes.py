"""The accuracy of a multiclass model from its calibrated probabilities alone, as `expected_binary` for two classes."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.estimation.calibrator import Calibrator
from assay.stats.estimation.expected_binary import Expectation

__all__ = ["calibrated_classes", "estimate_classes"]

Floats = NDArray[np.float64]


def calibrated_classes(calibrators: Sequence[Calibrator], probabilities: ArrayLike) -> Floats:
    """[n, classes]: each class by its own calibrator, one against the rest, then made to add up to 1.

    Rows whose classes all come out as 0 keep what the model said.
    """
    p = _checked(probabilities, len(calibrators))
    found = np.stack([one.probabilities(p[:, k]) for k, one in enumerate(calibrators)], axis=1)
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, found / np.where(total > 0.0, total, 1.0), p)


def estimate_classes(
    calibrators: Sequence[Calibrator], probabilities: ArrayLike, *, confidence: float = 0.95
) -> Expectation:
    """The accuracy that labels will show; the answer of a row is its most probable class, by what the model says.

    The error is that of labels drawn from the calibrated probabilities, and of the calibrators' steps. InvalidInput for
    probabilities of another shape.
    """
    said = _checked(probabilities, len(calibrators))
    n = len(said)
    if not n:
        return Expectation(math.nan, math.nan, math.nan, math.nan, 0)
    answer = said.argmax(axis=1)
    p = calibrated_classes(calibrators, said)[np.arange(n), answer]
    variance = float((p * (1.0 - p)).sum())
    for k, one in enumerate(calibrators):
        if one.shares:
            by_step = np.bincount(one.step_of(said[answer == k, k]), minlength=len(one.shares))
            variance += float((by_step**2 * one.variances).sum())
    value, error = float(p.mean()), math.sqrt(variance) / n
    half = normal.critical_value(confidence) * error
    return Expectation(value, max(0.0, value - half), min(1.0, value + half), error, n)


def _checked(probabilities: ArrayLike, classes: int) -> Floats:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != classes or not ((p >= 0.0) & (p <= 1.0)).all():
        raise InvalidInput(f"probabilities of shape {p.shape}", expected=f"[rows, {classes}] numbers in [0, 1]")
    return p
