"""The last value as a prediction: what came last for this entity, or last of all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.build.models.matrix_models import group_key

__all__ = ["LastClass", "LastNumber"]

Rows = NDArray[np.object_]


class LastNumber:
    """Says the last number that it was fitted on, of rows with the same values at `places`; new ones get that of all.

    Rows are given in the order of time. Without places all rows get the last of all.
    """

    def __init__(self, places: Sequence[int]) -> None:
        self.places = list(places)

    def fit(self, X: Rows, y: NDArray[np.float64]) -> None:
        """[rows, columns] and the numbers that came."""
        numbers = np.asarray(y, dtype=np.float64).tolist()
        keys = [group_key(row) for row in X[:, self.places].tolist()]
        self.last_ = dict(zip(keys, numbers, strict=True))  # later ones replace earlier ones
        self.overall_ = numbers[-1]

    def predict(self, X: Rows) -> NDArray[np.float64]:
        """Array (rows,)."""
        keys = [group_key(row) for row in np.asarray(X, dtype=object)[:, self.places].tolist()]
        return np.array([self.last_.get(key, self.overall_) for key in keys], dtype=np.float64)


class LastClass:
    """The same for classes; it is as sure of the last one as can be."""

    def __init__(self, places: Sequence[int]) -> None:
        self._codes = LastNumber(places)

    def fit(self, X: Rows, y: NDArray[np.generic]) -> None:
        """[rows, columns] and the classes that came."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._codes.fit(X, codes.astype(np.float64))

    def predict_proba(self, X: Rows) -> NDArray[np.float64]:
        """Array (rows, classes) of 0 and 1."""
        sure: NDArray[np.float64] = np.eye(len(self.classes_))[self._codes.predict(X).astype(np.int64)]
        return sure

    def predict(self, X: Rows) -> NDArray[np.generic]:
        """Array (rows,)."""
        found: NDArray[np.generic] = self.classes_[self._codes.predict(X).astype(np.int64)]
        return found
