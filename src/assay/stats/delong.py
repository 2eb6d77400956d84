"""Areas under ROC curves with DeLong's covariance, from rows or from score histograms."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput, nearest
from assay.stats import binary, normal
from assay.stats.intervals import Interval, wilson
from assay.stats.task import BINARY

__all__ = ["AucDifference", "DeLong", "auc_interval", "compare_aucs", "delong", "delong_from_histogram"]

_MINIMUM_CLASS = 10  # positives and negatives below which the normal approximation is not to be trusted


@dataclass(frozen=True, slots=True)
class DeLong:
    """The areas of `models` on the same rows and how they vary together.

    `aucs` [models], in [0, 1]; NaN where a class has no row. `covariance` [models, models]; NaN where a class has
    fewer than 2 rows. `positives` and `negatives` count the labelled rows.
    """

    models: tuple[str, ...]
    aucs: NDArray[np.float64]
    covariance: NDArray[np.float64]
    positives: int
    negatives: int

    @property
    def enough(self) -> bool:
        """At least 10 positives and 10 negatives; below that the numbers carry no verdict."""
        return min(self.positives, self.negatives) >= _MINIMUM_CLASS


@dataclass(frozen=True, slots=True)
class AucDifference:
    """Area of the first model minus that of the second, with the evidence; larger is better for the first.

    `z` = difference/standard error, `p` two-sided. With a standard error of 0 the data show no variation, and z
    and p are 0 and 1 for equal areas, else NaN. `enough` is False where a class has fewer than 10 rows, or where
    the standard error is 0 although the models order the rows differently: then no verdict should rest on it.
    """

    difference: float
    standard_error: float
    z: float
    p: float
    interval: Interval
    enough: bool


def delong(labels: ArrayLike, scores: Mapping[str, ArrayLike]) -> DeLong:
    """The areas of several models on the same [n] rows, and their covariance, in O(n log n) per model.

    `labels` are 0, 1 or NaN (no label: the row is left out); `scores` gives each model's [n] numbers, of any
    scale, since only their order counts; infinite ones are allowed. A tie of a positive and a negative counts ½.

    DeLong, DeLong & Clarke-Pearson 1988 (Biometrics 44:837) by midranks (Sun & Xu 2014): with T the midranks of
    all rows and T⁺, T⁻ those within a class, V10 = (T − T⁺)/n₋ for positives, V01 = 1 − (T − T⁻)/n₊ for
    negatives, AUC = mean V10, S = cov(V10)/n₊ + cov(V01)/n₋. Assumes independent rows; not for rows that hang
    together within units, and not for AUCs of different rows (those are independent: add the variances).

    InvalidInput for no model, other labels, NaN scores or another length.
    """
    if not scores:
        raise InvalidInput("no model has scores", expected="at least one model")
    n = len(np.asarray(labels))
    label = binary.labels_of(BINARY, labels, n)
    positive, negative = label == 1, label == 0
    columns = [_numbers(values, model, n) for model, values in scores.items()]
    n_pos, n_neg = int(positive.sum()), int(negative.sum())
    shape = (len(columns), len(columns))
    if not n_pos or not n_neg:
        return DeLong(tuple(scores), np.full(len(columns), np.nan), np.full(shape, np.nan), n_pos, n_neg)
    above = np.stack([_share_below(column[positive], column[negative]) for column in columns])
    below = np.stack([1.0 - _share_below(column[negative], column[positive]) for column in columns])
    if min(n_pos, n_neg) < 2:
        covariance = np.full(shape, np.nan)
    else:
        covariance = (np.cov(above) / n_pos + np.cov(below) / n_neg).reshape(shape)
    return DeLong(tuple(scores), above.mean(axis=1), covariance, n_pos, n_neg)


def auc_interval(areas: DeLong, model: str, confidence: float = 0.95) -> Interval:
    """The interval of one model's area, inside [0, 1]; NaN where it has no standard error.

    logit(A) ± z·s.e./(A(1 − A)), carried back (Pepe 2003, section 5.2): unlike A ± z·s.e. it stays below 1 and
    covers well near it. For A = 0 or 1, where the standard error is 0, Wilson's interval as if the smaller class
    were the rows. InvalidInput for a model without scores.
    """
    position = _position(areas, model)
    value, variance = float(areas.aucs[position]), float(areas.covariance[position, position])
    z = normal.critical_value(confidence)
    if math.isnan(value) or math.isnan(variance):
        return Interval(math.nan, math.nan)
    if value in (0.0, 1.0):
        rows = min(areas.positives, areas.negatives)
        return wilson(value * rows, rows, confidence)
    odds = value / (1.0 - value)
    factor = math.exp(min(z * math.sqrt(max(0.0, variance)) / (value * (1.0 - value)), 700.0))
    return Interval(odds / (odds + factor), odds * factor / (1.0 + odds * factor))


def compare_aucs(areas: DeLong, first: str, second: str, confidence: float = 0.95) -> AucDifference:
    """The difference of two models' areas on the same rows: A₁ − A₂ ± z·√(LᵀSL), L = (1, −1).

    DeLong et al. 1988. Everything is NaN where the areas are. Not for nested models fitted on these very rows:
    under no improvement z is then not normal (Demler et al. 2012). InvalidInput for a model without scores.
    """
    i, j = _position(areas, first), _position(areas, second)
    z_value = normal.critical_value(confidence)
    difference = float(areas.aucs[i] - areas.aucs[j])
    S = areas.covariance
    variance = float(S[i, i] + S[j, j] - 2.0 * S[i, j])
    if math.isnan(variance):
        return AucDifference(difference, math.nan, math.nan, math.nan, Interval(math.nan, math.nan), False)
    # Models that order the rows alike leave rounding behind, which must not become a tiny standard error.
    scale = float(S[i, i] + S[j, j])
    error = math.sqrt(variance) if variance > 1e-13 * scale else 0.0
    half = z_value * error
    interval = Interval(max(-1.0, difference - half), min(1.0, difference + half))
    if error > 0.0:
        z = difference / error
        return AucDifference(difference, error, z, 2.0 * normal.upper_tail(abs(z)), interval, areas.enough)
    equal = abs(difference) <= 1e-13
    # Equal areas without any variation in either are both 0 or both 1: that says nothing about their difference.
    alike = equal and (scale > 0.0 or i == j)
    return AucDifference(
        difference, 0.0, 0.0 if equal else math.nan, 1.0 if equal else math.nan, interval, areas.enough and alike
    )


def delong_from_histogram(
    positives: ArrayLike, negatives: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The area and its variance from counts per score bin, [..., bins] to ([...], [...]), without loops.

    Bins increase with the score along the last axis. Exactly `delong` on scores rounded to their bins: rows of
    one bin tie, V10 = (negatives below + ½ negatives beside)/n₋ is shared by a bin's positives. NaN for an area
    without one of the classes and for a variance without 2 rows of each. Finer bins than the score's own spread
    are needed for the area to be that of the rows; two models' covariance cannot be had from their histograms.

    InvalidInput for negative or infinite counts or for shapes that differ.
    """
    pos, neg = np.asarray(positives, dtype=np.float64), np.asarray(negatives, dtype=np.float64)
    if pos.shape != neg.shape or pos.ndim == 0:
        raise InvalidInput(
            f"positives have shape {pos.shape} and negatives {neg.shape}", expected="the same shape, [..., bins]"
        )
    if not (np.isfinite(pos).all() and np.isfinite(neg).all() and (pos >= 0).all() and (neg >= 0).all()):
        raise InvalidInput("a count of the histogram is negative, NaN or infinite", expected="counts, 0 or more")
    n_pos, n_neg = pos.sum(axis=-1, keepdims=True), neg.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        above = (np.cumsum(neg, axis=-1) - neg / 2.0) / n_neg
        below = 1.0 - (np.cumsum(pos, axis=-1) - pos / 2.0) / n_pos
        auc = (pos * above).sum(axis=-1, keepdims=True) / n_pos
        variance = _variance_of_mean(pos, above - auc, n_pos) + _variance_of_mean(neg, below - auc, n_neg)
    return auc[..., 0], np.where((n_pos >= 2) & (n_neg >= 2), variance, np.nan)[..., 0]


def _variance_of_mean(
    counts: NDArray[np.float64], deviations: NDArray[np.float64], n: NDArray[np.float64]
) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = (counts * deviations**2).sum(axis=-1, keepdims=True)
    return squares / (n - 1.0) / n


def _share_below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each value the share of `others` below it, a tie counting ½: the difference of its two midranks."""
    ordered = np.sort(others)
    twice = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    share: NDArray[np.float64] = twice / (2.0 * len(others))
    return share


def _numbers(values: ArrayLike, model: str, n: int) -> NDArray[np.float64]:
    column = np.asarray(values, dtype=np.float64)
    if column.shape != (n,):
        raise InvalidInput(f"the scores of {model!r} have shape {column.shape}", expected=f"({n},), as the labels")
    missing = np.flatnonzero(np.isnan(column))
    if len(missing):
        raise InvalidInput(f"the score of {model!r} in row {missing[0]} is NaN", expected="a number in every row")
    return column


def _position(areas: DeLong, model: str) -> int:
    if model not in areas.models:
        raise InvalidInput(
            f"no scores of a model {model!r}",
            expected=", ".join(map(repr, areas.models)),
            hint=nearest(model, list(areas.models)),
        )
    return areas.models.index(model)
