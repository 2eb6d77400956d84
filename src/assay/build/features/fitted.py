"""Features that learn from training rows: how often a value occurs, the mean label of its rows, parts of a text.

Each is fitted on training rows alone. Where it learns from the label, training rows get what the *other* rows say
(cross-fitting): a row that answered for itself would look far better than any new one can.
"""

from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import column
from assay.build.data.split_hashes import positions_of
from assay.errors import InvalidInput

__all__ = ["MOST_CLASSES", "Fitted", "Frequency", "TargetMean", "TextParts"]

Floats = NDArray[np.float64]
MOST_CLASSES = 20  # numbers of more values are no classes
_FOLDS = 5


class Fitted(Protocol):
    """A feature that is fitted. `fit` returns itself; `values` are columns by the end of their name, "" for one."""

    column: str
    needs_label: bool

    def fit(self, table: pa.Table, labels: pa.ChunkedArray | None) -> "Fitted":
        """Learn from training rows."""
        ...

    def values(self, table: pa.Table) -> dict[str, Floats]:
        """[rows] numbers by suffix."""
        ...

    def cross_fitted(self, table: pa.Table, labels: pa.ChunkedArray | None, seed: int) -> dict[str, Floats]:
        """`fit`, and the values of the training rows as a model may learn from them."""
        ...


class Frequency:
    """The share of training rows that have the value; 0 for one that none has, and null counts as a value."""

    needs_label = False

    def __init__(self, column: str) -> None:
        self.column = column
        self._shares: dict[str, float] = {}

    def fit(self, table: pa.Table, labels: pa.ChunkedArray | None) -> "Frequency":  # noqa: ARG002 - it needs none
        """Count."""
        counted = pc.value_counts(_texts(table, self.column).combine_chunks())
        values, counts = counted.field("values").to_pylist(), counted.field("counts").to_numpy()
        self._shares = dict(zip(values, (counts / table.num_rows).tolist(), strict=True))
        return self

    def values(self, table: pa.Table) -> dict[str, Floats]:
        """[rows] shares."""
        encoded = _texts(table, self.column).combine_chunks().dictionary_encode()
        shares = np.array([self._shares.get(value, 0.0) for value in encoded.dictionary.to_pylist()])
        return {"": shares[encoded.indices.to_numpy()] if len(encoded) else np.zeros(0)}

    def cross_fitted(self, table: pa.Table, labels: pa.ChunkedArray | None, seed: int) -> dict[str, Floats]:  # noqa: ARG002
        """As `values`: it does not learn from the label."""
        return self.fit(table, labels).values(table)

    def __repr__(self) -> str:
        return f"frequency({self.column})"


class TargetMean:
    """The mean label of the training rows that have the value, drawn towards the mean of all by scikit-learn's
    TargetEncoder (empirical Bayes); of several classes one column for each. A value that no row has gets the mean.
    """

    needs_label = True

    def __init__(self, column: str) -> None:
        self.column = column
        self._encoder: Any = None

    def fit(self, table: pa.Table, labels: pa.ChunkedArray | None) -> "TargetMean":
        """Learn the means. InvalidInput without labels."""
        self._encoder = self._fitted(self._rows(table), self._labels(labels))
        return self

    def values(self, table: pa.Table) -> dict[str, Floats]:
        """[rows] means."""
        return self._named(self._encoder.transform(self._rows(table)))

    def cross_fitted(self, table: pa.Table, labels: pa.ChunkedArray | None, seed: int) -> dict[str, Floats]:
        """`fit`; each fifth of the rows gets what the others say."""
        self.fit(table, labels)
        rows, known = self._rows(table), self._labels(labels)
        folds = (positions_of(len(rows), "target mean", seed) * _FOLDS).astype(int)
        found = self._encoder.transform(rows)
        for fold in range(_FOLDS):
            inside = folds == fold
            if inside.any() and len(np.unique(known[~inside])) > 1:
                one = self._fitted(rows[~inside], known[~inside])
                answers = one.transform(rows[inside])
                if answers.shape[1] == found.shape[1]:
                    found[inside] = answers
        return self._named(found)

    def __repr__(self) -> str:
        return f"target_mean({self.column})"

    def _fitted(self, rows: NDArray[np.object_], labels: NDArray[Any]) -> Any:
        from sklearn.preprocessing import TargetEncoder

        # Left to itself it takes whole numbers for classes, however many there are.
        classes = len(np.unique(labels))
        is_number = labels.dtype.kind in "iuf" and classes > MOST_CLASSES
        kind = "continuous" if is_number else "binary" if classes == 2 else "multiclass"
        return TargetEncoder(target_type=kind).fit(rows, labels)

    def _rows(self, table: pa.Table) -> NDArray[np.object_]:
        texts: NDArray[np.object_] = _texts(table, self.column).to_numpy().astype(object)
        return texts.reshape(-1, 1)

    def _labels(self, labels: pa.ChunkedArray | None) -> NDArray[Any]:
        if labels is None or labels.null_count:
            raise InvalidInput(f"{self!r} learns from the label", expected="label= of rows that all have one")
        found: NDArray[Any] = (labels.cast(pa.int8()) if pa.types.is_boolean(labels.type) else labels).to_numpy()
        return found

    def _named(self, found: Floats) -> dict[str, Floats]:
        if found.shape[1] == 1:
            return {"": found[:, 0]}
        return {f"_{place}": found[:, place] for place in range(found.shape[1])}


class TextParts:
    """A text as a few numbers: TF-IDF of its words, then a truncated singular value decomposition."""

    needs_label = False

    def __init__(self, column: str, parts: int = 8) -> None:
        self.column = column
        self.parts = parts
        self._model: Any = None

    def fit(self, table: pa.Table, labels: pa.ChunkedArray | None) -> "TextParts":  # noqa: ARG002
        """Learn the words and the parts. InvalidInput for texts without words that occur twice."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline

        words = TfidfVectorizer(min_df=2, max_features=5000, sublinear_tf=True)
        texts = _texts(table, self.column, "").to_pylist()
        try:
            found = len(words.fit(texts).vocabulary_)
        except ValueError as error:
            raise InvalidInput(f"{self.column!r} has no words that occur in two rows", expected="texts") from error
        self._model = make_pipeline(words, TruncatedSVD(min(self.parts, max(found - 1, 1)), random_state=0))
        self._model.fit(texts)
        return self

    def values(self, table: pa.Table) -> dict[str, Floats]:
        """[rows] numbers of each part."""
        found = self._model.transform(_texts(table, self.column, "").to_pylist())
        return {f"_{place}": found[:, place] for place in range(found.shape[1])}

    def cross_fitted(self, table: pa.Table, labels: pa.ChunkedArray | None, seed: int) -> dict[str, Floats]:  # noqa: ARG002
        """As `values`: it does not learn from the label."""
        return self.fit(table, labels).values(table)

    def __repr__(self) -> str:
        return f"text_parts({self.column}, {self.parts})"


def _texts(table: pa.Table, name: str, missing: str = "missing") -> pa.ChunkedArray:
    return pc.fill_null(column(table, name).cast(pa.string()), missing)
