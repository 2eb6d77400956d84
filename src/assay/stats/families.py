"""Each task's own part: how its labels and answers are read, what rows add, and which metrics follow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.stats import binary, binary_metrics, multiclass, regression
from assay.stats.contributions import Contributions, add_mean, quantity_columns
from assay.stats.metric import Metric, mean_metric
from assay.stats.task import Quantity, Task

__all__ = ["answers_of", "columns_of", "contributions_of", "labels_of", "metrics_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Family:
    labels: Callable[[Task, ArrayLike, int], Floats]
    answers: Callable[[Task, ArrayLike, str, int], Floats]
    columns: Callable[[Task, tuple[str, ...]], tuple[str, ...]]
    contributions: Callable[[Task, Floats, Mapping[str, Floats], Mapping[str, float]], Contributions]
    metrics: Callable[[Task], tuple[Metric, ...]]


_MULTICLASS = _Family(
    multiclass.labels_of,
    multiclass.answers_of,
    multiclass.columns_of,
    multiclass.contributions_of,
    multiclass.metrics_of,
)
_REGRESSION = _Family(
    regression.labels_of,
    regression.answers_of,
    regression.columns_of,
    regression.contributions_of,
    regression.metrics_of,
)
_FAMILIES = {
    "binary": _Family(
        binary.labels_of,
        binary.answers_of,
        binary.columns_of,
        binary.contributions_of,
        lambda _: binary_metrics.BINARY_METRICS,
    ),
    "multiclass": _MULTICLASS,
    "regression": _REGRESSION,
    "quantile": _REGRESSION,
}


def labels_of(task: Task, values: ArrayLike, n: int) -> Floats:
    """[n] labels as numbers, NaN where there is none; InvalidInput for others. Scored rows have none."""
    return _FAMILIES[task.name].labels(task, values, n) if task.name in _FAMILIES else np.zeros(n)


def answers_of(task: Task, values: ArrayLike, model: str, n: int) -> Floats:
    """[n], or [n, classes], what a model says; InvalidInput for others."""
    return _FAMILIES[task.name].answers(task, values, model, n)


def columns_of(task: Task, models: tuple[str, ...]) -> tuple[str, ...]:
    """All columns that `contributions_of` fills, in order."""
    own = _FAMILIES[task.name].columns(task, models) if task.name in _FAMILIES else ()
    return (*own, *quantity_columns(task.quantities, models))


def contributions_of(
    task: Task,
    label: Floats,
    answers: Mapping[str, Floats],
    thresholds: Mapping[str, float],
    quantities: Mapping[str, Mapping[str, Floats]],
) -> Contributions:
    """What labelled rows add to the sums of the task; quantities by name and model in the unit of their scale."""
    found = Contributions([], {})
    if task.name in _FAMILIES:
        found = _FAMILIES[task.name].contributions(task, label, answers, thresholds)
    for one in task.quantities:
        add_mean(found.values, one.name, quantities[one.name])
    return found


@lru_cache(maxsize=64)
def metrics_of(task: Task) -> Mapping[str, Metric]:
    """The task's metrics by name: its own, then the means of its quantities."""
    own = _FAMILIES[task.name].metrics(task) if task.name in _FAMILIES else ()
    means = (_mean_of(one) for one in task.quantities)
    return {metric.name: metric for metric in (*own, *means)}


def _mean_of(one: Quantity) -> Metric:
    low = -np.inf if one.low is None else one.low
    high = np.inf if one.high is None else one.high
    return mean_metric(one.name, one.title, one.larger_is_better, (low, high), unit=one.scale)
