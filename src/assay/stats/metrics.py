"""The metrics of binary classification, each defined once, over labelled rows."""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.metric import Metric, OfModel, divide, labelled
from assay.stats.sums import FRACTION_BITS, Sums

__all__ = ["METRICS", "Metric", "metric_named"]


def metric_named(name: str | Metric, task: str = "binary") -> Metric:
    """The metric of that name, or the one given; InvalidInput with the nearest spelling where the task has none."""
    if isinstance(name, Metric):
        return name
    if task not in METRICS:
        raise InvalidInput(f"there is no task {task!r}", expected=f"one of {', '.join(METRICS)}")
    if name not in METRICS[task]:
        raise InvalidInput(
            f"there is no metric {name!r}",
            expected=f"one of {', '.join(METRICS[task])}",
            hint=nearest(name, list(METRICS[task])),
        )
    return METRICS[task][name]


def _tp(sums: Sums, model: str) -> NDArray[np.float64]:
    return sums.count("tp", model)


def _fp(sums: Sums, model: str) -> NDArray[np.float64]:
    return sums.count("fp", model)


def _positives(sums: Sums, _model: str) -> NDArray[np.float64]:
    return sums.count("positive")


def _negatives(sums: Sums, _model: str) -> NDArray[np.float64]:
    return sums.labelled - sums.count("positive")


def _fn(sums: Sums, model: str) -> NDArray[np.float64]:
    return sums.count("positive") - sums.count("tp", model)


def _tn(sums: Sums, model: str) -> NDArray[np.float64]:
    return _negatives(sums, model) - sums.count("fp", model)


def _selected(sums: Sums, model: str) -> NDArray[np.float64]:
    return sums.count("tp", model) + sums.count("fp", model)


def _right(sums: Sums, model: str) -> NDArray[np.float64]:
    return sums.count("tp", model) + _tn(sums, model)


def _rejected(sums: Sums, model: str) -> NDArray[np.float64]:
    return sums.labelled - _selected(sums, model)


def _fraction(
    name: str,
    title: str,
    larger_is_better: bool | None,
    numerator: OfModel,
    denominator: OfModel,
    *,
    kind: Literal["rate", "ratio"] = "rate",
    paired_rows: Literal["all", "positive", "negative"] | None = None,
) -> Metric:
    return Metric(
        name,
        title,
        larger_is_better,
        kind,
        lambda sums, model: divide(numerator(sums, model), denominator(sums, model)),
        denominator,
        numerator,
        paired_rows=paired_rows,
    )


def _mean(
    name: str,
    title: str,
    larger_is_better: bool | None,
    total: OfModel,
    bounds: tuple[float, float],
    quantity: str | None = None,
) -> Metric:
    squares: OfModel | None = None
    differences: Callable[[Sums, str, str], NDArray[np.float64]] | None = None
    if quantity is not None:
        squares = lambda sums, model: sums.sum(f"{quantity}_squares", model)  # noqa: E731
        differences = partial(_difference_squares, quantity)
    return Metric(
        name,
        title,
        larger_is_better,
        "mean",
        lambda sums, model: divide(total(sums, model), sums.labelled),
        labelled,
        total,
        squares,
        differences,
        minimum=2,
        bounds=bounds,
    )


def _difference_squares(quantity: str, sums: Sums, first: str, second: str) -> NDArray[np.float64]:
    """Σ (a − b)² over rows; the rest holds what is below the fixed point's unit, in units of its square."""
    rest = sums.sum(f"{quantity}_difference_squares_rest", first, second)
    return sums.sum(f"{quantity}_difference_squares", first, second) + rest / 2.0**FRACTION_BITS


def _area(sums: Sums, model: str) -> NDArray[np.float64]:
    """Mann–Whitney: P(score of a positive > score of a negative) + ½ P(equal), equal meaning the same bin."""
    counts = sums.area(model)
    pairs = 2.0 * counts.positives.astype(np.float64) * counts.negatives.astype(np.float64)
    return divide(counts.twice.astype(np.float64), pairs)


def _balanced(sums: Sums, model: str) -> NDArray[np.float64]:
    found: NDArray[np.float64] = (
        divide(_tp(sums, model), _positives(sums, model)) + divide(_tn(sums, model), _negatives(sums, model))
    ) / 2.0
    return found


def _smaller_class(sums: Sums, model: str) -> NDArray[np.float64]:
    return np.minimum(_positives(sums, model), _negatives(sums, model))


_BINARY = (
    _fraction("accuracy", "Accuracy", True, _right, labelled, paired_rows="all"),
    _fraction("recall", "Recall", True, _tp, _positives, paired_rows="positive"),
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
    _fraction("fpr", "False positive rate", False, _fp, _negatives, paired_rows="negative"),
    _fraction("fnr", "False negative rate", False, _fn, _positives, paired_rows="positive"),
    _fraction("specificity", "Specificity", True, _tn, _negatives, paired_rows="negative"),
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
    _mean(
        "log_loss",
        "Log loss",
        False,
        lambda sums, model: sums.sum("log_loss", model),
        (0.0, math.inf),
        "log_loss",
    ),
    _mean(
        "brier",
        "Brier score",
        False,
        lambda sums, model: sums.sum("squared_error", model),
        (0.0, 1.0),
        "squared_error",
    ),
    _fraction("prevalence", "Share of positives", None, _positives, labelled),
    _mean(
        "calibration_in_the_large",
        "Mean score minus share of positives",
        None,
        lambda sums, model: sums.sum("score", model) - _positives(sums, model),
        (-1.0, 1.0),
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
METRICS: dict[str, dict[str, Metric]] = {"binary": {metric.name: metric for metric in _BINARY}}
