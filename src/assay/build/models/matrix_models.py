"""Classifiers that take rows of mixed columns, whatever the estimator inside takes; all can be pickled and packaged."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.models.inputs import Classifier, Regressor, matrix

__all__ = ["AfterPreparation", "FrameModel", "GroupThresholds", "MatrixModel", "ScoreColumn", "group_key"]

Rows = NDArray[np.object_]
Floats = NDArray[np.float64]


class MatrixModel:
    """A classifier with the names of its columns: a function of an Arrow table, under a name for people.

    `assay.package_model(store, model, this.classifier, table, this.columns, run=run)` registers it.
    """

    def __init__(self, classifier: Classifier, columns: Sequence[str], name: str) -> None:
        self.classifier = classifier
        self.columns = list(columns)
        self.__name__ = name

    def __call__(self, table: pa.Table) -> Floats:
        """[rows] scores."""
        return self.classifier.predict_proba(matrix(table, self.columns))[:, 1]


class FrameModel:
    """An estimator that was fitted on a frame of named columns."""

    def __init__(self, estimator: Classifier | Regressor, columns: Sequence[str]) -> None:
        self.estimator = estimator
        self.columns = list(columns)

    def predict_proba(self, X: Rows) -> Floats:
        """Array (rows, classes)."""
        return np.asarray(cast(Classifier, self.estimator).predict_proba(self._frame(X)))

    def predict(self, X: Rows) -> Floats:
        """Array (rows,)."""
        return np.asarray(cast(Regressor, self.estimator).predict(self._frame(X)))

    def _frame(self, X: Rows) -> Any:
        try:
            import pandas as pd
        except ImportError:
            return np.asarray(X, dtype=np.float64).astype(object)
        return pd.DataFrame(X, columns=self.columns).infer_objects()


class AfterPreparation:
    """An estimator of one's own behind a fitted transformer; scikit-learn's Pipeline takes those of its kind only."""

    def __init__(self, preparation: Any, estimator: Any) -> None:
        self.preparation = preparation
        self.estimator = estimator

    def fit(self, X: Rows, y: NDArray[Any]) -> None:
        """Fit both."""
        self.estimator.fit(self.preparation.fit_transform(X), y)

    def predict(self, X: Rows) -> NDArray[Any]:
        """Array (rows,)."""
        return np.asarray(self.estimator.predict(self.preparation.transform(X)))


class ScoreColumn:
    """Its only column is the score that somebody else gives."""

    def predict_proba(self, X: Rows) -> Floats:
        """Array (rows, 2)."""
        return _two_columns(X[:, 0].astype(np.float64))


class GroupThresholds:
    """A classifier with a threshold for each group.

    Scores are stretched within each group, on both sides of its threshold, so that this threshold lands on the common
    one: rows keep their order within a group, and who asks for the common threshold gets the group's. The group's
    columns stand at `places` of the rows; a group that is not among the `thresholds` (by `group_key`) keeps its scores.
    The first `inputs` columns are those of the classifier inside. All thresholds are inside (0, 1).
    """

    def __init__(
        self,
        base: Classifier,
        inputs: int,
        places: Sequence[int],
        threshold: float,
        thresholds: Mapping[tuple[str, ...], float],
    ) -> None:
        self.base = base
        self.inputs = inputs
        self.places = list(places)
        self.threshold = threshold
        self.thresholds = dict(thresholds)

    def predict_proba(self, X: Rows) -> Floats:
        """Array (rows, 2)."""
        rows = np.asarray(X, dtype=object)
        keys = [group_key(row) for row in rows[:, self.places].tolist()]
        own = np.array([self.thresholds.get(key, self.threshold) for key in keys], dtype=np.float64)
        return _two_columns(_stretched(self.base.predict_proba(rows[:, : self.inputs])[:, 1], own, self.threshold))


def group_key(values: Sequence[object]) -> tuple[str, ...]:
    """What tells groups apart in a row of a matrix: text as it is, whole numbers without a point, `missing`."""
    return tuple(_text(value) for value in values)


def _text(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "missing"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _stretched(scores: Floats, own: Floats, common: float) -> Floats:
    below = np.minimum(scores * (common / own), np.nextafter(common, 0.0))  # rounding must not carry a row across
    above = common + (scores - own) * ((1.0 - common) / (1.0 - own))
    changed = np.clip(np.where(scores >= own, np.maximum(above, common), below), 0.0, 1.0)
    found: Floats = np.where(own == common, scores, changed)
    return found


def _two_columns(positive: Floats) -> Floats:
    return np.column_stack([1.0 - positive, positive])
