"""Columns of rows checked and brought to arrays, before anything is counted."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.categories import Categories, Strings, categorise
from assay.stats.grouping import Integers, compress

__all__ = ["cells_of", "labels_of", "scores_of", "thresholds_of"]

_KEY_LIMIT = 2**40  # of combinations numbered before those that occur are numbered anew


def labels_of(values: ArrayLike, n: int) -> NDArray[np.float64]:
    """[n] labels 0, 1 or NaN; InvalidInput for others."""
    label = _floats(values, "labels", n)
    _refuse(~((label == 0) | (label == 1) | np.isnan(label)), label, "labels", "0, 1 or NaN (no label)")
    return label


def scores_of(values: ArrayLike, model: str, n: int) -> NDArray[np.float64]:
    """[n] scores of a model in [0, 1]; InvalidInput for others, NaN included."""
    name = f"scores of {model}"
    array = _floats(values, name, n)
    _refuse(~((array >= 0) & (array <= 1)), array, name, "probabilities, 0 to 1")
    return array


def thresholds_of(models: tuple[str, ...], thresholds: Mapping[str, float]) -> tuple[float, ...]:
    """The thresholds in the order of the models; InvalidInput unless each has one, finite, and none is over."""
    for name, names, others in (("score", models, thresholds), ("threshold", thresholds, models)):
        for model in names:
            if model not in others:
                raise InvalidInput(
                    f"model {model!r} has a {name} but no {'threshold' if name == 'score' else 'score'}",
                    expected="a threshold for each model",
                    hint=nearest(model, list(others)),
                )
    for model in models:
        if not math.isfinite(thresholds[model]):
            raise InvalidInput(f"the threshold of {model!r} is {thresholds[model]!r}", expected="a finite number")
    return tuple(float(thresholds[model]) for model in models)


def cells_of(segments: Mapping[str, Strings], n: int) -> tuple[tuple[tuple[str, ...], ...], Integers]:
    """The combinations of values that occur, in increasing order, and each row's position in them."""
    columns: list[Categories] = []
    key, size = np.zeros(n, dtype=np.int64), 1
    for name, values in segments.items():
        _same_length(name, (len(values),), n)
        columns.append(categorise(values, name))
        size *= max(1, len(columns[-1].values))
        key = key * len(columns[-1].values) + columns[-1].codes
        if size > _KEY_LIMIT:
            distinct, key = compress(key, size)
            size = max(1, len(distinct))
    distinct, row = compress(key, size)
    example = np.zeros(len(distinct), dtype=np.int64)
    example[row] = np.arange(n)
    cells = zip(*([column.values[code] for code in column.codes[example]] for column in columns), strict=True)
    return (tuple(cells) if columns else ((),) * len(distinct)), row


def _floats(values: ArrayLike, name: str, n: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} are not numbers: {error}", expected="numbers") from error
    _same_length(name, array.shape, n)
    return array


def _same_length(name: str, shape: tuple[int, ...], n: int) -> None:
    if shape != (n,):
        raise InvalidInput(f"{name} has shape {shape}, but there are {n} units", expected="one value for each row")


def _refuse(wrong: NDArray[np.bool_], values: NDArray[np.float64], name: str, expected: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise InvalidInput(
            f"{name}: {len(rows)} of {len(values)} values are out of range;"
            f" the first is {values[rows[0]]} in row {rows[0]}",
            expected=expected,
        )
