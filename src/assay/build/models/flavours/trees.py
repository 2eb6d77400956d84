"""Boosted trees of numbers as classifiers and regressors, whichever library computes them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TreeClassifier", "TreeRegressor"]

Floats = NDArray[np.float64]


class TreeRegressor:
    """`answer` takes floats with NaN for missing."""

    def __init__(self, answer: Callable[[Floats], NDArray[Any]]) -> None:
        self._answer = answer

    def predict(self, X: NDArray[np.object_]) -> Floats:
        """Array (rows,)."""
        return self._answer(np.asarray(X, dtype=np.float64)).astype(np.float64, copy=False)


class TreeClassifier:
    """`answer` gives [rows] probabilities of the second of two classes, or [rows, classes] for more."""

    def __init__(self, answer: Callable[[Floats], NDArray[Any]], classes: Sequence[object]) -> None:
        self._answer = answer
        self.classes_ = tuple(classes)

    def predict_proba(self, X: NDArray[np.object_]) -> Floats:
        """Array (rows, classes)."""
        said = self._answer(np.asarray(X, dtype=np.float64))
        both = np.column_stack([1 - said, said]) if said.ndim == 1 else said  # in the library's own precision
        return both.astype(np.float64, copy=False)
