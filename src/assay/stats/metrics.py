"""The metrics of binary classification, each defined once, over the sums of a `State`.

All are over labelled rows. A value is an array over the state's leading axis, NaN where it is undefined.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.grouping import Integers
from assay.stats.state import Given, State

__all__ = ["METRICS", "Metric", "metric_named"]

_PAIRS_PER_PRODUCT = 2  # of a positive and a negative: AreaCounts counts ties as 1 and wins as 2


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    `kind`: "rate" has a denominator that does not depend on the model, "ratio" one that does, "mean" is a mean
    over rows, "area" the area under the ROC curve. `larger_is_better` is None where neither direction is good.
    `denominator` counts the rows the value rests on; `numerator` is None but for rates and ratios. `minimum` is
    the smallest denominator (for the area: of each class) an interval is given for. `paired_rows` are those on
    which being right makes the metric, None where it is not a paired proportion. Values lie in `bounds`.
    """

    name: str
    title: str
    larger_is_better: bool | None
    kind: Literal["rate", "ratio", "mean", "area"]
    value: Callable[[State, str], NDArray[np.float64]]
    denominator: Callable[[State, str], Integers]
    numerator: Callable[[State, str], Integers] | None = None
    minimum: int = 1
    paired_rows: Given | None = None
    bounds: tuple[float, float] = (0.0, 1.0)


def metric_named(name: str) -> Metric:
    """The metric of that name; InvalidInput with the nearest spelling where there is none."""
    if name not in METRICS:
        raise InvalidInput(
            f"there is no metric {name!r}",
            expected=f"one of {', '.join(METRICS)}",
            hint=nearest(name, list(METRICS)),
        )
    return METRICS[name]


def _divide(numerator: NDArray[np.generic], denominator: Integers) -> NDArray[np.float64]:
    quotient = np.full(len(denominator), math.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def _fraction(
    name: str,
    title: str,
    larger_is_better: bool | None,
    numerator: Callable[[State, str], Integers],
    denominator: Callable[[State, str], Integers],
    *,
    kind: Literal["rate", "ratio"] = "rate",
    paired_rows: Given | None = None,
) -> Metric:
    return Metric(
        name,
        title,
        larger_is_better,
        kind,
        lambda state, model: _divide(numerator(state, model), denominator(state, model)),
        denominator,
        numerator,
        paired_rows=paired_rows,
    )


def _mean(
    name: str,
    title: str,
    larger_is_better: bool | None,
    total: Callable[[State, str], NDArray[np.float64]],
    bounds: tuple[float, float],
) -> Metric:
    return Metric(
        name,
        title,
        larger_is_better,
        "mean",
        lambda state, model: _divide(total(state, model), _labelled(state, model)),
        _labelled,
        minimum=2,
        bounds=bounds,
    )


def _labelled(state: State, _model: str) -> Integers:
    return state.n


def _positives(state: State, model: str) -> Integers:
    counts = state.confusion(model)
    return counts.tp + counts.fn


def _negatives(state: State, model: str) -> Integers:
    counts = state.confusion(model)
    return counts.fp + counts.tn


def _selected(state: State, model: str) -> Integers:
    counts = state.confusion(model)
    return counts.tp + counts.fp


def _right(state: State, model: str) -> Integers:
    counts = state.confusion(model)
    return counts.tp + counts.tn


def _area(state: State, model: str) -> NDArray[np.float64]:
    """Mann–Whitney: P(score of a positive > score of a negative) + ½ P(equal), equal meaning the same bin."""
    counts = state.area(model)
    return _divide(counts.twice, _PAIRS_PER_PRODUCT * counts.positives * counts.negatives)


def _excess(state: State, model: str) -> NDArray[np.float64]:
    return state.sums(model).score - _positives(state, model)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _fraction("accuracy", "Accuracy", True, _right, _labelled, paired_rows="all"),
        _fraction(
            "recall",
            "Recall",
            True,
            lambda state, model: state.confusion(model).tp,
            _positives,
            paired_rows="positive",
        ),
        _fraction(
            "precision",
            "Precision",
            True,
            lambda state, model: state.confusion(model).tp,
            _selected,
            kind="ratio",
        ),
        _fraction(
            "fpr",
            "False positive rate",
            False,
            lambda state, model: state.confusion(model).fp,
            _negatives,
            paired_rows="negative",
        ),
        _fraction("selection_rate", "Selection rate", None, _selected, _labelled),
        Metric("auc", "Area under the ROC curve", True, "area", _area, _labelled, minimum=10),
        _mean("log_loss", "Log loss", False, lambda state, model: state.sums(model).log_loss, (0.0, math.inf)),
        _mean("brier", "Brier score", False, lambda state, model: state.sums(model).squared_error, (0.0, 1.0)),
        _fraction("prevalence", "Share of positives", None, _positives, _labelled),
        _mean("calibration_in_the_large", "Mean score minus share of positives", None, _excess, (-1.0, 1.0)),
    )
}
