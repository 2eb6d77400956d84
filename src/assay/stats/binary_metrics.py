"""The metrics of binary classification, each defined once, over labelled rows."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.stats.metric import Metric, OfModel, divide, labelled, mean_metric, right_pairs
from assay.stats.sums import Sums

__all__ = ["BINARY_METRICS"]

Floats = NDArray[np.float64]


def _tp(sums: Sums, model: str) -> Floats:
    return sums.count("tp", model)


def _fp(sums: Sums, model: str) -> Floats:
    return sums.count("fp", model)


def _positives(sums: Sums, _model: str) -> Floats:
    return sums.count("positive")


def _negatives(sums: Sums, _model: str) -> Floats:
    return sums.labelled - sums.count("positive")


def _fn(sums: Sums, model: str) -> Floats:
    return sums.count("positive") - sums.count("tp", model)


def _tn(sums: Sums, model: str) -> Floats:
    return _negatives(sums, model) - sums.count("fp", model)


def _selected(sums: Sums, model: str) -> Floats:
    return sums.count("tp", model) + sums.count("fp", model)


def _right(sums: Sums, model: str) -> Floats:
    return sums.count("tp", model) + _tn(sums, model)


def _rejected(sums: Sums, model: str) -> Floats:
    return sums.labelled - _selected(sums, model)


def _fraction(
    name: str,
    title: str,
    larger_is_better: bool | None,
    numerator: OfModel,
    denominator: OfModel,
    *,
    kind: Literal["rate", "ratio"] = "rate",
    pairs: Callable[[Sums, str, str], tuple[Floats, Floats]] | None = None,
) -> Metric:
    return Metric(
        name,
        title,
        larger_is_better,
        kind,
        lambda sums, model: divide(numerator(sums, model), denominator(sums, model)),
        denominator,
        numerator,
        pairs=pairs,
    )


def _positive_pairs(sums: Sums, candidate: str, baseline: str) -> tuple[Floats, Floats]:
    return right_pairs("tp", sums, candidate, baseline)


def _negative_pairs(sums: Sums, candidate: str, baseline: str) -> tuple[Floats, Floats]:
    """Right is not to call a negative positive."""
    wrong = right_pairs("fp", sums, candidate, baseline)
    return wrong[1], wrong[0]


def _all_pairs(sums: Sums, candidate: str, baseline: str) -> tuple[Floats, Floats]:
    positive, negative = (part(sums, candidate, baseline) for part in (_positive_pairs, _negative_pairs))
    return positive[0] + negative[0], positive[1] + negative[1]


def _surplus(sums: Sums, model: str) -> Floats:
    return sums.sum("score", model) - _positives(sums, model)


def _area(sums: Sums, model: str) -> Floats:
    """Mann–Whitney: P(score of a positive > score of a negative) + ½ P(equal), equal meaning the same bin."""
    counts = sums.area(model)
    pairs = 2.0 * counts.positives.astype(np.float64) * counts.negatives.astype(np.float64)
    return divide(counts.twice.astype(np.float64), pairs)


def _balanced(sums: Sums, model: str) -> Floats:
    found: Floats = (
        divide(_tp(sums, model), _positives(sums, model)) + divide(_tn(sums, model), _negatives(sums, model))
    ) / 2.0
    return found


def _smaller_class(sums: Sums, model: str) -> Floats:
    return np.minimum(_positives(sums, model), _negatives(sums, model))


BINARY_METRICS = (
    _fraction("accuracy", "Accuracy", True, _right, labelled, pairs=_all_pairs),
    _fraction("recall", "Recall", True, _tp, _positives, pairs=_positive_pairs),
    _fraction("precision", "Precision", True, _tp, _selected, kind="ratio"),
    _fraction(
        "f1",
        "F1 score",
        True,
        _tp,
        lambda sums, model: (_selected(sums, model) + _positives(sums, model)) / 2.0,
        kind="ratio",
    ),
    Metric("balanced_accuracy", "Balanced accuracy", True, "smooth", _balanced, _smaller_class, minimum=2),
    _fraction("fpr", "False positive rate", False, _fp, _negatives, pairs=_negative_pairs),
    _fraction("fnr", "False negative rate", False, _fn, _positives, pairs=_positive_pairs),
    _fraction("specificity", "Specificity", True, _tn, _negatives, pairs=_negative_pairs),
    _fraction("npv", "Negative predictive value", True, _tn, _rejected, kind="ratio"),
    _fraction("selection_rate", "Selection rate", None, _selected, labelled),
    Metric("auc", "Area under the ROC curve", True, "area", _area, labelled, minimum=10),
    Metric(
        "average_precision",
        "Average precision",
        True,
        "curve",
        lambda sums, model: sums.curve(model).average_precision(len(sums.table)),
        _positives,
        gated=False,
    ),
    mean_metric("log_loss", "Log loss", False, (0.0, math.inf)),
    mean_metric("squared_error", "Brier score", False, (0.0, 1.0), name="brier"),
    _fraction("prevalence", "Share of positives", None, _positives, labelled),
    Metric(
        "calibration_in_the_large",
        "Mean score minus share of positives",
        None,
        "mean",
        lambda sums, model: divide(_surplus(sums, model), sums.labelled),
        labelled,
        _surplus,
        minimum=2,
        bounds=(-1.0, 1.0),
    ),
    Metric(
        "ece",
        "Expected calibration error",
        False,
        "curve",
        lambda sums, model: sums.curve(model).calibration_error(len(sums.table)),
        labelled,
        gated=False,
    ),
)
