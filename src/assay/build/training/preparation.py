"""How the columns of a table are made ready for an estimator: as part of the model, so serving does the same.

| estimator | text | numbers |
|---|---|---|
| LightGBM, XGBoost, HistGradientBoosting | a number for each value, in order | as they are, with gaps |
| CatBoost | its own affair | as they are, with gaps |
| a Pipeline | its own affair, by the names of the columns | its own affair |
| any other | a column for each value, at most 50 | the median for gaps, then mean 0 and variance 1 |

Text that is missing, and text that the training did not see, is none of the known values. (Missing is not a value of
its own, because it comes as None here and as NaN from pandas.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.models.flavours.catboost import texts
from assay.build.models.flavours.flavour import library_of
from assay.build.models.inputs import Column, matrix
from assay.build.models.matrix_models import AfterPreparation
from assay.errors import InvalidInput

__all__ = ["Prepare", "Prepared", "prepared"]

Prepare = Literal["auto", "none"]
Rows = NDArray[np.object_]
_MOST_CATEGORIES = 50
# On 110,000 flights three times as fast, with the same answers.
_SPARSE = ("LogisticRegression", "SGDClassifier", "SGDRegressor")
_HISTOGRAMS = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An estimator that has not been fitted yet, the rows it is to be fitted on, and what is done to columns."""

    estimator: Any
    rows: Any
    words: str


def prepared(estimator: Any, table: pa.Table, columns: Sequence[Column], prepare: Prepare) -> Prepared:
    """A copy of the estimator, with a preparation before it where it needs one.

    InvalidInput for an unknown `prepare`; for `none` the estimator gets text as text, and numbers as floats with NaN.
    """
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline

    if prepare not in ("auto", "none"):
        raise InvalidInput(f"prepare={prepare!r}", expected="auto | none")
    fresh = clone(estimator, safe=False)
    names = [one.name for one in columns]
    if isinstance(fresh, Pipeline):
        return Prepared(fresh, _frame(table, names), "by the pipeline")
    rows = matrix(table, names)
    text = [place for place, one in enumerate(columns) if not one.is_number]
    if prepare == "none":
        return Prepared(fresh, rows, "none")
    if library_of(fresh) == "catboost":
        if text and fresh.get_params().get("cat_features") is None:
            fresh.set_params(cat_features=text)
        return Prepared(fresh, texts(rows, text), "by CatBoost" if text else "none")
    if library_of(fresh) in ("lightgbm", "xgboost") or type(fresh).__name__ in _HISTOGRAMS:
        if not text:
            return Prepared(fresh, rows.astype(np.float64), "none")
        return Prepared(_pipeline(_ordinal(text, columns, rows), fresh), rows, "text as ordinals")
    sparse = type(fresh).__name__ in _SPARSE
    words = "text one-hot, numbers filled and scaled" if text else "numbers filled and scaled"
    return Prepared(_pipeline(_one_hot(text, columns, rows, sparse=sparse), fresh), rows, words)


def _frame(table: pa.Table, names: list[str]) -> Any:
    rows = matrix(table, names)
    try:
        import pandas as pd
    except ImportError:
        return rows
    return pd.DataFrame(rows, columns=names).infer_objects()


def _pipeline(transformers: list[tuple[str, Any, list[int]]], estimator: Any) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    transformer = ColumnTransformer(transformers)
    if not hasattr(estimator, "__sklearn_tags__"):
        return AfterPreparation(transformer, estimator)
    return Pipeline([("prepare", transformer), ("model", estimator)])


def _ordinal(text: list[int], columns: Sequence[Column], rows: Rows) -> list[tuple[str, Any, list[int]]]:
    from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

    encode = OrdinalEncoder(categories=_known(rows, text), handle_unknown="use_encoded_value", unknown_value=-1)
    floats = FunctionTransformer(np.asarray, kw_args={"dtype": np.float64})
    return [part for part in [("text", encode, text), ("numbers", floats, _others(text, columns))] if part[2]]


def _one_hot(
    text: list[int], columns: Sequence[Column], rows: Rows, *, sparse: bool
) -> list[tuple[str, Any, list[int]]]:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encode = OneHotEncoder(
        categories=_known(rows, text),
        handle_unknown="ignore",
        max_categories=_MOST_CATEGORIES,
        sparse_output=sparse,
    )
    fill = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    parts = [("text", encode, text), ("numbers", fill, _others(text, columns))]
    return [part for part in parts if part[2]]


def _known(rows: Rows, text: list[int]) -> list[Rows]:
    """The values of each text column."""
    return [np.array(sorted(set(rows[:, place].tolist()) - {None}), dtype=object) for place in text]


def _others(text: list[int], columns: Sequence[Column]) -> list[int]:
    return [place for place in range(len(columns)) if place not in text]
