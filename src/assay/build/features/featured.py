"""Models that take rows as they come and make their features themselves: packaged, they serve what training saw."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column, is_text
from assay.build.features.declared import Features

__all__ = ["FeaturedClassifier", "FeaturedRegressor"]


class FeaturedRegressor:
    """An estimator behind features. `inputs` are the columns of a request, `columns` those the estimator reads.

    `assay.package_model(store, model, this, table, this.inputs, run=run)` registers it: requests then bring the raw
    columns. Columns that are numbers in `example` come as numbers, all others as text: a feature of a time casts it, as
    in `hour("when"::timestamp)`. The estimator gets a matrix of floats, so `columns` are numbers.
    """

    def __init__(
        self, features: Features, estimator: Any, example: pa.Table, inputs: Sequence[str], columns: Sequence[str]
    ) -> None:
        self.features = features
        self.estimator = estimator
        self.inputs = list(inputs)
        self.columns = list(columns)
        self.kinds = [pa.string() if is_text(column(example, name).type) else pa.float64() for name in inputs]

    def matrix(self, table: pa.Table) -> NDArray[np.float64]:
        """[rows, columns] what the estimator reads, of rows without features."""
        made = self.features.apply(table)
        values = [column(made, name).cast(pa.float64()).to_numpy() for name in self.columns]
        return np.column_stack(values)

    def predict(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """[rows] predictions for rows of the inputs."""
        return np.asarray(self.estimator.predict(self.matrix(self._table(X))))

    def _table(self, X: NDArray[np.object_]) -> pa.Table:
        arrays = [pa.array(X[:, place].tolist(), kind, from_pandas=True) for place, kind in enumerate(self.kinds)]
        return pa.table(dict(zip(self.inputs, arrays, strict=True)))


class FeaturedClassifier(FeaturedRegressor):
    """The same for an estimator with probabilities."""

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes, in the order of the probabilities."""
        return np.asarray(self.estimator.classes_)

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """[rows, classes] probabilities for rows of the inputs."""
        return np.asarray(self.estimator.predict_proba(self.matrix(self._table(X))))
