"""Honest cross-validation of columns: what a small model loses on rows, groups and times it was not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import column, is_number, is_text
from assay.build.data.split_hashes import numbers_of
from assay.build.data.split_times import Moments
from assay.build.features.fitted import MOST_CLASSES
from assay.errors import InvalidInput
from assay.stats.clustered import MeanEstimate, clustered_ratio, paired_t

__all__ = ["Folds", "Outcome", "base_columns", "codes_matrix", "fit_scorer", "losses_of", "make_folds", "mean_gain"]

Floats = NDArray[np.float64]
Task = Literal["binary", "multiclass", "regression"]

MOST_CATEGORIES = 255  # what a boosted tree of scikit-learn splits by category
_DAY_US = 86_400_000_000
_FEWEST_DAYS = 30  # for days to be the units of an interval


class Outcome:
    """The label as a model takes it: whole numbers of `classes`, or numbers."""

    def __init__(self, table: pa.Table, label: str) -> None:
        values = column(table, label)
        if values.null_count:
            raise InvalidInput(f"{values.null_count:,} rows have no {label!r}", expected="labelled rows")
        encoded = values.combine_chunks().dictionary_encode()
        self.classes = encoded.dictionary.to_pylist()
        if len(self.classes) < 2:
            raise InvalidInput(f"every label in {label!r} is {self.classes[0]!r}", expected="several labels")
        number = is_number(values.type) and len(self.classes) > MOST_CLASSES
        if not number and len(self.classes) > MOST_CLASSES:
            raise InvalidInput(f"{label!r} has {len(self.classes):,} classes", expected=f"at most {MOST_CLASSES}")
        self.task: Task = "regression" if number else "binary" if len(self.classes) == 2 else "multiclass"
        self.values: Floats = (
            values.cast(pa.float64()).to_numpy() if number else encoded.indices.to_numpy().astype(np.float64)
        )
        self.column = pa.chunked_array([pa.array(self.values if number else self.values.astype(np.int64))])
        self.loss = "squared error" if number else "log loss"


@dataclass(frozen=True)
class Folds:
    """Pairs of training and test rows; `units` [rows] say which rows hang together, None where none do."""

    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
    units: NDArray[np.int64] | None
    kind: str


def make_folds(table: pa.Table, count: int, *, group: Sequence[str], time: str | None, seed: int) -> Folds:
    """Folds by groups; else by time, each tested on what comes after its training rows; else by rows."""
    if count < 2:
        raise InvalidInput(f"{count} folds", expected="2 or more")
    if time is not None and not group:
        moments = Moments(table, time)
        if not moments.known.all():
            raise InvalidInput(f"{int((~moments.known).sum()):,} rows have no {time!r}", expected="a time in every row")
        cuts = moments.cuts([place / (count + 1) for place in range(1, count + 1)])
        block = np.searchsorted(cuts, moments.values, side="right")
        pairs = [(np.flatnonzero(block < fold), np.flatnonzero(block == fold)) for fold in range(1, count + 1)]
        days = (moments.values // _DAY_US).astype(np.int64) if moments.is_time else moments.values.astype(np.int64)
        enough = len(np.unique(days)) >= _FEWEST_DAYS
        return _checked(Folds(pairs, days if enough else None, f"later rows of {time}"))
    numbers = numbers_of(table, group, "fold", seed)
    block = (numbers * count).astype(np.int64)
    pairs = [(np.flatnonzero(block != fold), np.flatnonzero(block == fold)) for fold in range(count)]
    units = np.unique(numbers, return_inverse=True)[1] if group else None
    return _checked(Folds(pairs, units, f"other groups of {' and '.join(group)}" if group else "other rows"))


def _checked(folds: Folds) -> Folds:
    if not all(len(train) and len(test) for train, test in folds.pairs):
        raise InvalidInput("a fold has no rows", expected="more rows, groups or moments", hint="fewer folds")
    return folds


def base_columns(table: pa.Table, features: Sequence[str]) -> list[str]:
    """The columns a small model reads as they are: numbers, truths, and text of at most 255 values."""
    return [name for name in features if _is_read(column(table, name))]


def _is_read(values: pa.ChunkedArray) -> bool:
    if is_text(values.type):
        return bool(pc.count_distinct(values, mode="all").as_py() <= MOST_CATEGORIES)
    return is_number(values.type) or bool(pa.types.is_boolean(values.type))


def codes_matrix(table: pa.Table, names: Sequence[str]) -> tuple[Floats, list[bool]]:
    """[rows, names] numbers as they are and text as codes, NaN where nothing is; and which columns are categories."""
    X = np.empty((table.num_rows, len(names)))
    categories = []
    for place, name in enumerate(names):
        values = column(table, name)
        categories.append(is_text(values.type))
        if is_text(values.type):
            encoded = values.combine_chunks().dictionary_encode()
            codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.float64)
            X[:, place] = codes
        else:
            X[:, place] = values.cast(pa.float64()).to_numpy()
    X[~np.isfinite(X)] = np.nan
    return X, categories


def fit_scorer(X: Floats, y: Floats, task: Task, categories: Sequence[bool], seed: int) -> Any:
    """A small boosted tree, always the same one for the same numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    model = kind(
        max_iter=50,
        max_leaf_nodes=15,
        early_stopping=False,
        categorical_features=list(categories) if any(categories) else None,
        random_state=seed,
    )
    # One thread: on a few thousand rows several wait for each other longer than they work.
    with threadpool_limits(1):
        return model.fit(X, y if task == "regression" else y.astype(np.int64))


def losses_of(model: Any, X: Floats, y: Floats, task: Task) -> Floats:
    """[rows] squared errors, or log losses; a class the model never saw counts as improbable as it can."""
    if task == "regression":
        found: Floats = (model.predict(X) - y) ** 2
        return found
    likely = model.predict_proba(X)
    place = {label: position for position, label in enumerate(model.classes_.tolist())}
    at = np.array([place.get(int(label), -1) for label in y])
    picked = np.where(at >= 0, likely[np.arange(len(y)), at], 0.0)
    logs: Floats = -np.log(np.maximum(picked, 1e-6))
    return logs


def mean_gain(differences: Floats, units: NDArray[np.int64] | None) -> MeanEstimate:
    """The mean of paired differences of losses, rows of one unit hanging together."""
    if units is None:
        return paired_t(len(differences), float(differences.sum()), float((differences**2).sum()))
    _, codes = np.unique(units, return_inverse=True)
    return clustered_ratio(np.bincount(codes, differences), np.bincount(codes).astype(np.float64))
