"""What is loaded from a library's own form, as a classifier or a regressor for rows of mixed columns."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.flavours.flavour import Kept
from assay.build.models.inputs import Classifier, Regressor

__all__ = ["KeptClassifier", "KeptRegressor", "answering"]

Rows = NDArray[np.object_]
Floats = NDArray[np.float64]


class KeptRegressor:
    """`answer` gives [rows] numbers. It is pickled as the content it was loaded from; `library` has to be there, whose
    own model is the `booster`.
    """

    def __init__(
        self, kept: Kept, load: Callable[[Kept], Any], answer: Callable[[Rows], NDArray[Any]], booster: Any = None
    ) -> None:
        self.library = load.__module__.rpartition(".")[2]
        self.booster = booster
        self._kept, self._load, self._answer = kept, load, answer

    def __reduce__(self) -> tuple[Any, ...]:
        return self._load, (self._kept,)

    def predict(self, X: Rows) -> Floats:
        """Array (rows,)."""
        return self._answer(X).astype(np.float64, copy=False)


class KeptClassifier:
    """`answer` gives [rows] probabilities of the second of two classes, or [rows, classes]; the rest as above."""

    def __init__(
        self, kept: Kept, load: Callable[[Kept], Any], answer: Callable[[Rows], NDArray[Any]], booster: Any = None
    ) -> None:
        self.library = load.__module__.rpartition(".")[2]
        self.booster = booster
        self.classes_ = tuple(kept.classes)
        self._kept, self._load, self._answer = kept, load, answer

    def __reduce__(self) -> tuple[Any, ...]:
        return self._load, (self._kept,)

    def predict_proba(self, X: Rows) -> Floats:
        """Array (rows, classes)."""
        said = self._answer(X)
        both = np.column_stack([1 - said, said]) if said.ndim == 1 else said  # in the library's own precision
        return both.astype(np.float64, copy=False)


def answering(
    kept: Kept, load: Callable[[Kept], Any], answer: Callable[[Rows], NDArray[Any]], booster: Any = None
) -> Classifier | Regressor:
    """A classifier where classes are known, a regressor otherwise."""
    return (KeptClassifier if kept.classes else KeptRegressor)(kept, load, answer, booster)
