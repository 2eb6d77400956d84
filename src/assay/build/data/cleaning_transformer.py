"""A cleaning as a step of scikit-learn's pipelines. Imported where one is made: scikit-learn takes a second."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from assay.build.data.cleaner import Cleaner
from assay.build.data.cleaning import Cleaning
from assay.build.data.cleaning_rows import RowCleaner
from assay.build.data.cleaning_rules import DropMissing, DropRepeated
from assay.errors import InvalidInput

_FEW_ROWS = 256  # value by value is faster up to about here

__all__ = ["CleaningTransformer"]


class CleaningTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A cleaning as a transformer of scikit-learn: fitted on what `fit` is given, so on each fold's training rows.

    `columns` name those of arrays of objects. A `Cleaner` may stand for the cleaning: it was fitted before, and stays.
    Tables and frames come out as the same kind, arrays of objects as such (see `Cleaner.transform`). A pipeline cannot
    drop rows: InvalidInput for a cleaning that does.
    """

    def __init__(self, cleaning: Cleaning | Cleaner, columns: Sequence[str] | None = None) -> None:
        self.cleaning = cleaning
        self.columns = columns

    def fit(self, X: Any, y: object = None) -> "CleaningTransformer":  # noqa: ARG002 - scikit-learn's signature
        """Learn from these rows; a cleaning that was fitted before stays as it is."""
        if isinstance(self.cleaning, Cleaner):
            self.cleaner_ = self.cleaning.only(self.columns or list(self.cleaning.inputs))
        else:
            if any(isinstance(rule, DropMissing | DropRepeated) for rule in self.cleaning.rules):
                raise InvalidInput(
                    "a step of a pipeline cannot drop rows",
                    hint="cleaning.fit(rows).transformer(), which learned without the rows that are dropped",
                )
            self.cleaner_ = self.cleaning.fit(_as_table(X, self.columns))
        self._rows: RowCleaner | None = None
        self.n_features_in_ = len(self.cleaner_.inputs)
        return self

    def transform(self, X: Any) -> Any:
        """Clean these rows."""
        if isinstance(X, np.ndarray) and len(X) <= _FEW_ROWS and X.ndim == 2 and X.shape[1] == self.n_features_in_:
            if self._rows is None:
                self._rows = RowCleaner(self.cleaner_)
            cleaned = self._rows(X) if self._rows.ready else None
            if cleaned is not None:
                return cleaned
        return self.cleaner_.transform(X)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_rows": None}  # made again where it is loaded

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002 - as above
        """The columns that come out."""
        return np.array(self.cleaner_.outputs, dtype=object)


def _as_table(X: Any, columns: Sequence[str] | None) -> object:
    if not isinstance(X, np.ndarray):
        return X
    if columns is None or len(columns) != X.shape[1]:
        raise InvalidInput(
            f"the array has {X.shape[1]} columns without names", hint="cleaning.transformer(columns=[...])"
        )
    try:
        arrays = [pa.array(X[:, position].tolist(), from_pandas=True) for position in range(X.shape[1])]
    except (pa.ArrowException, TypeError) as error:
        raise InvalidInput(f"a column of the array mixes kinds: {error}", expected="numbers or text") from error
    return pa.table(arrays, names=list(columns))
