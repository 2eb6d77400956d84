"""Binary classification: what each labelled row adds to the sums, for any number of models."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.stats.grouping import Integers
from assay.stats.sums import FRACTION_BITS, column_name

__all__ = ["Contributions", "binary_columns", "contributions"]

_SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What rows add to sums: `kinds` [n] numbers each row's kind, below `kind_columns.shape[0]`, and kind_columns
    ([kinds, columns]) says to which of the whole-number columns `counted` a row of the kind adds 1; `values` are added
    in fixed point, each [n].
    """

    counted: tuple[str, ...]
    kinds: Integers
    kind_columns: Integers
    values: dict[str, Integers]


def binary_columns(models: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all columns that `contributions` fills, in order."""
    counted, _ = _kind_columns(models)
    return (*counted, *_value_columns(models))


def contributions(
    positive: NDArray[np.bool_], scores: Mapping[str, NDArray[np.float64]], thresholds: Mapping[str, float]
) -> Contributions:
    """Of labelled rows; `scores` in increasing order of models, each in [0, 1]. A model says 1 at its threshold."""
    models = tuple(scores)
    kind = positive.astype(np.int64)
    for model in models:
        kind = kind * 2 + (scores[model] >= thresholds[model])
    counted, kind_columns = _kind_columns(models)
    values: dict[str, Integers] = {}
    losses: dict[tuple[str, str], NDArray[np.float64]] = {}
    for model in models:
        score = scores[model]
        clipped = np.clip(score, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
        log_loss = -np.log(np.where(positive, clipped, 1.0 - clipped))
        squared_error = (score - positive) ** 2
        losses["log_loss", model], losses["squared_error", model] = log_loss, squared_error
        values[column_name("log_loss", model)] = _fixed(log_loss)
        values[column_name("log_loss_squares", model)] = _fixed(log_loss**2)
        values[column_name("squared_error", model)] = _fixed(squared_error)
        values[column_name("squared_error_squares", model)] = _fixed(squared_error**2)
        values[column_name("score", model)] = _fixed(score)
        values[column_name("spread", model)] = _fixed(score * (1.0 - score))
    for first, second in itertools.combinations(models, 2):
        for loss in ("log_loss", "squared_error"):
            difference = losses[loss, first] - losses[loss, second]
            # Models that hardly differ: squares of 1e-4 would round to nothing, and nothing would look like certainty.
            squares = difference**2 * 2.0**FRACTION_BITS
            whole = np.floor(squares)
            values[column_name(f"{loss}_difference_squares", first, second)] = whole.astype(np.int64)
            values[column_name(f"{loss}_difference_squares_rest", first, second)] = _fixed(squares - whole)
    return Contributions(counted, kind, kind_columns, values)


def _fixed(values: NDArray[np.float64]) -> Integers:
    return np.rint(values * 2.0**FRACTION_BITS).astype(np.int64)


def _value_columns(models: tuple[str, ...]) -> tuple[str, ...]:
    quantities = ("log_loss", "log_loss_squares", "squared_error", "squared_error_squares", "score", "spread")
    own = [column_name(quantity, model) for model in models for quantity in quantities]
    pairs = [
        column_name(f"{loss}_difference_squares{part}", first, second)
        for first, second in itertools.combinations(models, 2)
        for loss in ("log_loss", "squared_error")
        for part in ("", "_rest")
    ]
    return (*own, *pairs)


def _kind_columns(models: tuple[str, ...]) -> tuple[tuple[str, ...], Integers]:
    """The whole-number columns, and which kinds of rows count into each; a kind is the bits label, models in order.

    tp2 and fp2 count rows that both models of a pair call positive. With tp, fp and the rows these give all eight
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
        columns[column_name("tp2", first, second)] = positive * both
        columns[column_name("fp2", first, second)] = (1 - positive) * both
    return tuple(columns), np.stack(list(columns.values()), axis=1).astype(np.int64)
