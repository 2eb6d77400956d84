"""Binary classification: what each labelled row adds to the sums, for any number of models."""

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.stats.arrays import floats_of, refuse
from assay.stats.contributions import Contributions, Kinds, add_exactly, fixed
from assay.stats.grouping import Integers
from assay.stats.sums import column_name
from assay.stats.task import Task

__all__ = ["answers_of", "columns_of", "contributions_of", "labels_of", "log_losses"]

Floats = NDArray[np.float64]

_SMALLEST_PROBABILITY = 1e-15
_LOSSES = ("log_loss", "squared_error")
_OWN = ("log_loss", "log_loss_squares", "squared_error", "squared_error_squares", "score", "spread")


def labels_of(task: Task, values: ArrayLike, n: int) -> Floats:
    """[n] labels 0, 1 or NaN; of weighted rows also between 0 and 1. InvalidInput for others."""
    label = floats_of(values, "labels", n)
    if task.weighted:
        refuse((label < 0) | (label > 1), label, "labels", "0 to 1, or NaN (no label)")
    else:
        refuse(~((label == 0) | (label == 1) | np.isnan(label)), label, "labels", "0, 1 or NaN (no label)")
    return label


def answers_of(_task: Task, values: ArrayLike, model: str, n: int) -> Floats:
    """[n] scores of a model in [0, 1]; InvalidInput for others, NaN included."""
    name = f"scores of {model}"
    array = floats_of(values, name, n)
    refuse(~((array >= 0) & (array <= 1)), array, name, "probabilities, 0 to 1")
    return array


def columns_of(_task: Task, models: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all columns that `contributions_of` fills, in order."""
    names, _ = _kind_columns(models)
    own = [column_name(quantity, model) for model in models for quantity in _OWN]
    pairs = [
        column_name(f"{loss}_difference_squares{part}", first, second)
        for first, second in itertools.combinations(models, 2)
        for loss in _LOSSES
        for part in ("", "_rest")
    ]
    return (*names, *own, *pairs)


def contributions_of(
    _task: Task, label: Floats, scores: Mapping[str, Floats], thresholds: Mapping[str, float]
) -> Contributions:
    """Of labelled rows; `scores` in increasing order of models, each in [0, 1]. A model says 1 at its threshold."""
    models, positive = tuple(scores), label == 1
    kind = positive.astype(np.int64)
    for model in models:
        kind = kind * 2 + (scores[model] >= thresholds[model])
    values: dict[str, Floats] = {}
    losses: dict[tuple[str, str], Floats] = {}
    for model in models:
        score = scores[model]
        log_loss, squared_error = log_losses(positive, score), (score - positive) ** 2
        losses["log_loss", model], losses["squared_error", model] = log_loss, squared_error
        numbers = (log_loss, log_loss**2, squared_error, squared_error**2, score, score * (1.0 - score))
        for quantity, number in zip(_OWN, numbers, strict=True):
            values[column_name(quantity, model)] = fixed(number)
    for first, second in itertools.combinations(models, 2):
        for loss in _LOSSES:
            difference = losses[loss, first] - losses[loss, second]
            add_exactly(values, f"{loss}_difference_squares", (first, second), difference**2)
    names, columns = _kind_columns(models)
    return Contributions([Kinds(names, kind, columns)], values)


def log_losses(positive: NDArray[np.bool_], scores: Floats) -> Floats:
    """[n] −ln of the probability given to what came, in nats; a certainty of 0 counts as 1e-15."""
    clipped = np.clip(scores, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
    losses: Floats = -np.log(np.where(positive, clipped, 1.0 - clipped))
    return losses


def _kind_columns(models: tuple[str, ...]) -> tuple[tuple[str, ...], Integers]:
    """The whole-number columns, and which kinds of rows count into each; a kind is the bits label, models in order.

    tp and fp of a pair count rows that both models call positive. With tp, fp and the rows these give all eight
    counts of (label, first, second), which suffice for every paired comparison of 0/1 answers.
    """
    kinds = np.arange(2 ** (len(models) + 1))
    positive = kinds >> len(models) & 1
    says = {model: kinds >> (len(models) - 1 - place) & 1 for place, model in enumerate(models)}
    columns = {"positive": positive}
    for model in models:
        columns[column_name("tp", model)] = positive * says[model]
        columns[column_name("fp", model)] = (1 - positive) * says[model]
    for first, second in itertools.combinations(models, 2):
        both = says[first] * says[second]
        columns[column_name("tp", first, second)] = positive * both
        columns[column_name("fp", first, second)] = (1 - positive) * both
    return tuple(columns), np.stack(list(columns.values()), axis=1).astype(np.int64)
