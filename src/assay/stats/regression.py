"""Regression and quantile regression: what each labelled row adds, and the metrics that follow.

Labels and predictions are summed in units of the task's scale, so that squares of large numbers fit.
"""

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats.arrays import floats_of, refuse
from assay.stats.contributions import Contributions, Kinds, add_exactly, add_mean, fixed, mean_columns
from assay.stats.metric import Metric, divide, labelled, mean_metric
from assay.stats.sums import Sums, column_name
from assay.stats.task import Task, within_scale

__all__ = ["answers_of", "columns_of", "contributions_of", "labels_of", "metrics_of"]

Floats = NDArray[np.float64]

_LARGEST_SHARE = 1e6  # of the label, that an error counts as: a label near 0 must not hide all others


def labels_of(task: Task, values: ArrayLike, n: int) -> Floats:
    """[n] labels, NaN where there is none yet; InvalidInput for infinite ones and those too large for the scale."""
    label = floats_of(values, "labels", n)
    refuse(np.isinf(label), label, "labels", "finite numbers, or NaN (no label)")
    return _scaled(task, label, "labels")


def answers_of(task: Task, values: ArrayLike, model: str, n: int) -> Floats:
    """[n] predictions of a model; InvalidInput for others, NaN included."""
    name = f"predictions of {model}"
    array = floats_of(values, name, n)
    refuse(~np.isfinite(array), array, name, "finite numbers")
    return _scaled(task, array, name)


def columns_of(task: Task, models: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all columns that `contributions_of` fills, in order."""
    names = [*_kind_columns(models)[0]]
    names += [name for loss in _losses(task) for name in mean_columns(loss, models)]
    names += [column_name("error", model) for model in models]
    names += [column_name("percentage", model) for model in models]
    return (*names, "label", "label_squares", "label_squares_rest")


def contributions_of(
    task: Task, label: Floats, answers: Mapping[str, Floats], _thresholds: Mapping[str, float]
) -> Contributions:
    """Of labelled rows; `answers` in increasing order of models, all in units of the scale."""
    models = tuple(answers)
    names, columns = _kind_columns(models)
    kind = (label != 0).astype(np.int64)
    for model in models:
        kind = kind * 2 + (label <= answers[model])
    values: dict[str, Floats] = {}
    errors = {model: answers[model] - label for model in models}
    losses = {
        "absolute": {model: np.abs(error) for model, error in errors.items()},
        "squared": {model: error**2 for model, error in errors.items()},
        "pinball": {model: _pinball(task.level, error) for model, error in errors.items()},
    }
    for loss in _losses(task):
        add_mean(values, loss, losses[loss])
    for model, error in errors.items():
        values[column_name("error", model)] = fixed(error)
    for model, error in errors.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(label != 0, np.abs(error / label), 0.0)
        values[column_name("percentage", model)] = fixed(np.minimum(share, _LARGEST_SHARE))
    values["label"] = fixed(label)
    add_exactly(values, "label_squares", (), label**2)
    return Contributions([Kinds(names, kind, columns)], values)


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """Errors in the unit of the label; of a quantile also the pinball loss and how many labels it covers."""
    scale = task.scale
    errors = (
        mean_metric("absolute", "Mean absolute error", False, (0.0, math.inf), name="mae", unit=scale),
        mean_metric("squared", "Mean squared error", False, (0.0, math.inf), name="mse", unit=scale**2),
        Metric(
            "rmse",
            "Root mean squared error",
            False,
            "smooth",
            lambda sums, model: np.sqrt(divide(sums.sum("squared", model), sums.labelled)) * scale,
            labelled,
            minimum=2,
            bounds=(0.0, math.inf),
        ),
        Metric("r2", "R²", True, "smooth", _explained, labelled, minimum=2, bounds=(-math.inf, 1.0)),
        Metric(
            "mape",
            "Mean absolute percentage error",
            False,
            "smooth",
            lambda sums, model: divide(sums.sum("percentage", model), sums.count("nonzero")),
            lambda sums, _: sums.count("nonzero"),
            minimum=2,
            bounds=(0.0, math.inf),
        ),
        Metric(
            "bias",
            "Mean error (prediction minus label)",
            None,
            "smooth",
            lambda sums, model: divide(sums.sum("error", model), sums.labelled) * scale,
            labelled,
            minimum=2,
            bounds=(-math.inf, math.inf),
        ),
    )
    if task.name == "regression":
        return errors
    covered = Metric(
        "coverage",
        f"Share of labels at or below the prediction (wanted: {task.level:g})",
        None,
        "rate",
        lambda sums, model: divide(sums.count("covered", model), sums.labelled),
        labelled,
        lambda sums, model: sums.count("covered", model),
    )
    pinball = mean_metric("pinball", "Pinball loss", False, (0.0, math.inf), unit=scale)
    return (pinball, covered, *(one for one in errors if one.name in ("mae", "bias")))


def _scaled(task: Task, values: Floats, name: str) -> Floats:
    largest = float(np.nanmax(np.abs(values), initial=0.0)) if len(values) else 0.0
    if not within_scale(largest, task.scale):
        raise InvalidInput(
            f"{name} of up to {largest:.3g} are too large for sums in units of {task.scale:g}",
            hint=f"give the task a scale of about {largest:.1g}",
        )
    return values / task.scale


def _losses(task: Task) -> tuple[str, ...]:
    return ("absolute", "squared") if task.name == "regression" else ("absolute", "squared", "pinball")


def _pinball(level: float, error: Floats) -> Floats:
    """ρ(y − ŷ) = level·(y − ŷ) above the prediction, (1 − level)·(ŷ − y) below (Koenker and Bassett 1978)."""
    loss: Floats = np.maximum(-level * error, (1.0 - level) * error)
    return loss


def _kind_columns(models: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """A kind is whether the label differs from 0, then for each model whether its prediction covers the label."""
    kinds = np.arange(2 ** (len(models) + 1))
    columns = {"nonzero": kinds >> len(models)}
    covers = {model: kinds >> (len(models) - 1 - place) & 1 for place, model in enumerate(models)}
    for model in models:
        columns[column_name("covered", model)] = covers[model]
    for first, second in combinations(models, 2):
        columns[column_name("covered", first, second)] = covers[first] * covers[second]
    return tuple(columns), np.stack(list(columns.values()), axis=1).astype(np.int64)


def _explained(sums: Sums, model: str) -> Floats:
    """1 − Σ(y − ŷ)²/Σ(y − ȳ)²."""
    spread = sums.sum("label_squares") - divide(sums.sum("label") ** 2, sums.labelled)
    return 1.0 - divide(sums.sum("squared", model), np.where(spread > 0, spread, 0.0))
