"""Can a classifier tell the current rows from the reference? A test for drift of columns together.

Columns may each look as they did while they no longer go together. A classifier that sees both samples and guesses
right on rows that it did not learn from proves a difference, and the columns that it needs for it name the culprits
(Lopez-Paz & Oquab 2017, ICLR).
"""

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.delong import delong
from assay.stats.intervals import Interval
from assay.stats.table_numbers import as_numbers

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TwoSamples", "two_sample_test"]

Floats = NDArray[np.float64]

_FEWEST = 50  # rows of a sample


class TwoSamples(msgspec.Struct, frozen=True):
    """How well current rows are told from reference rows: `auc`, out of fold, .5 where not at all.

    `interval` at the confidence asked for and `p` ("they cannot be told apart", one-sided) by DeLong's variance within
    folds. `importances` by column, falling: by how much the area falls when the column is shuffled; 0 where it does
    not.
    """

    auc: float
    interval: Interval
    p: float
    importances: dict[str, float]
    reference_rows: int
    current_rows: int

    @property
    def words(self) -> str:
        """For people."""
        ends = f"area {self.auc:.2f}, {self.interval.low:.2f} to {self.interval.high:.2f}"
        if self.interval.low <= 0.5:
            return f"a classifier cannot tell the current rows from the reference ({ends})"
        names = [name for name, fall in self.importances.items() if fall > 0.0][:3]
        said = f"a classifier tells the current rows from the reference ({ends})"
        return said + (f", mostly by {', '.join(names)}" if names else "")


def two_sample_test(
    reference: "pa.Table",
    current: "pa.Table",
    *,
    columns: "list[str] | None" = None,
    most_rows: int = 10_000,
    folds: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
) -> TwoSamples:
    """Train a gradient-boosted classifier to tell two tables apart, and measure it on rows it has not seen.

    `columns` (all of the reference) may be numbers, booleans, times or text; null is a value. `most_rows` of each table
    are drawn at random. The area is the mean of the folds' areas, because scores of different models do not compare;
    its variance is the mean of DeLong's times 1/k + 1/(k − 1) for k folds, not 1/k, because each model learned from the
    other folds (Nadeau & Bengio 2003, Machine Learning 52:239). For rows that are independent; a time or an id that
    only goes on tells any two windows apart and is to be left out.

    InvalidInput for a table with fewer than 50 rows and for columns that are not in both.
    """
    from sklearn.model_selection import StratifiedKFold

    names = list(reference.column_names if columns is None else columns)
    for name in names:
        if name not in reference.column_names or name not in current.column_names:
            raise InvalidInput(f"column {name!r} is not in both tables", expected="columns of both tables")
    generator = np.random.default_rng(seed)
    parts = [_drawn(table.select(names), most_rows, generator) for table in (reference, current)]
    if min(part.num_rows for part in parts) < _FEWEST:
        raise InvalidInput(
            f"there are {parts[0].num_rows} reference and {parts[1].num_rows} current rows",
            expected=f"at least {_FEWEST} of each",
        )
    matrices, categorical = as_numbers(parts, names)
    X = np.concatenate(matrices)
    y = np.repeat([0, 1], [part.num_rows for part in parts])
    areas, variances = [], []
    falls = np.zeros(len(names))
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(X, y):
        model = _classifier(categorical, seed)
        model.fit(X[train], y[train])
        area, variance = _area(y[test], model.predict_proba(X[test])[:, 1])
        areas.append(area)
        variances.append(variance)
        for place in range(len(names)):
            shuffled = X[test].copy()
            generator.shuffle(shuffled[:, place])
            falls[place] += (area - _area(y[test], model.predict_proba(shuffled)[:, 1])[0]) / folds
    auc, error = float(np.mean(areas)), math.sqrt(float(np.mean(variances)) * (1.0 / folds + 1.0 / (folds - 1.0)))
    half = normal.critical_value(confidence) * error
    # Folds that are told apart without a mistake have no variance.
    p = normal.upper_tail((auc - 0.5) / error) if error else float(auc <= 0.5)
    falls = np.maximum(falls, 0.0)
    order = np.argsort(-falls, kind="stable").tolist()
    return TwoSamples(
        auc,
        Interval(max(0.0, auc - half), min(1.0, auc + half)),
        p,
        {names[place]: float(falls[place]) for place in order},
        parts[0].num_rows,
        parts[1].num_rows,
    )


def _classifier(categorical: list[int], seed: int):  # type: ignore[no-untyped-def]  # scikit-learn has no types
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=15, learning_rate=0.1, categorical_features=categorical or None, random_state=seed
    )


def _area(labels: NDArray[np.int64], scores: Floats) -> tuple[float, float]:
    found = delong(labels, {"classifier": scores})
    return float(found.aucs[0]), float(found.covariance[0, 0])


def _drawn(table: "pa.Table", most: int, generator: np.random.Generator) -> "pa.Table":
    if table.num_rows <= most:
        return table
    return table.take(np.sort(generator.choice(table.num_rows, most, replace=False)))
