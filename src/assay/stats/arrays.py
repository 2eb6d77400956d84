"""Users' columns of numbers brought to arrays, or refused with the first value that is wrong."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput

__all__ = ["finite", "floats_of", "refuse", "same_length"]


def floats_of(values: ArrayLike, name: str, n: int) -> NDArray[np.float64]:
    """[n] numbers; InvalidInput for what are none, and for another length."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} are not numbers: {error}", expected="numbers") from error
    same_length(name, array.shape, n)
    return array


def finite(value: float) -> float | None:
    """The number as a float, None for NaN and infinity, which JSON has no form for."""
    return float(value) if math.isfinite(value) else None


def same_length(name: str, shape: tuple[int, ...], n: int) -> None:
    """InvalidInput unless there is one value for each of n rows."""
    if shape != (n,):
        raise InvalidInput(f"{name} has shape {shape}, but there are {n} units", expected="one value for each row")


def refuse(wrong: NDArray[np.bool_], values: NDArray[np.float64], name: str, expected: str) -> None:
    """InvalidInput, with how many values are `wrong` and the first, where there are any."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise InvalidInput(
            f"{name}: {len(rows)} of {len(values)} values are out of range;"
            f" the first is {values[rows[0]]} in row {rows[0]}",
            expected=expected,
        )
