"""Sums of columns that are the label: `casual + registered` are the bikers, whoever counts them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column, is_number
from assay.build.data.finding import Finding
from assay.build.data.leakage_columns import STOP, Target, area_left, variance_left

__all__ = ["summing"]

Floats = NDArray[np.float64]

_FEWEST = 50  # rows with a value in every column
_PRESENT = 0.5  # of the rows, for a column to be tried
_MOST = 6  # columns of a sum that a person recognises


def summing(table: pa.Table, label: str, features: Sequence[str]) -> list[Finding]:
    """The fewest numeric columns whose weighted sum is the label, if there are any.

    Weights are fitted on one half of the rows and tried on the other. For numbers, less than .1 % of the variance may
    be left; for two classes, an area under the ROC curve above .999. Rows count where all the columns are there;
    columns that are missing in more than half of the rows are not tried. Several classes are not looked at.
    """
    target = Target(table, label)
    if not target.is_number and len(target.classes) != 2:
        return []
    names, rows, X = _complete(table.take(pa.array(target.rows)), features)
    y = target.numbers[rows] if target.is_number else target.codes[rows].astype(np.float64)
    if len(names) < 2 or len(y) < max(_FEWEST, 5 * len(names)) or np.ptp(y) == 0:
        return []
    second = target.second[rows]
    if _left(X, y, second, is_number=target.is_number) > STOP:
        return []
    chosen = _fewest(X, y, second, is_number=target.is_number)
    weights = _weights(X[:, chosen], y)
    order = np.argsort(chosen)
    columns = [names[chosen[place]] for place in order]
    left = _left(X[:, chosen], y, second, is_number=target.is_number)
    if target.is_number:
        text = " + ".join(_term(float(weights[place]), names[chosen[place]]) for place in order)
        sentence = (
            f"{label} is {text.replace('+ -', '- ')}: {1 - left:.4%} of its variance in rows it was not fitted on"
        )
        severity = "stop"
    else:
        sentence = (
            f"{', '.join(columns)} together tell {label} nearly perfectly: an area under the ROC curve of at least"
            f" {1 - left:.4f}"
        )
        severity = "warn"
    return [Finding("sum", severity, sentence, len(y), table.num_rows, columns)]  # type: ignore[arg-type] # one of two


def _complete(table: pa.Table, features: Sequence[str]) -> tuple[list[str], NDArray[np.int64], Floats]:
    """The columns of numbers, the rows where all are there, and their values."""
    names, columns = [], []
    for name in features:
        values = column(table, name)
        if is_number(values.type) or pa.types.is_boolean(values.type):
            numbers = values.cast(pa.float64()).to_numpy().copy()
            numbers[~np.isfinite(numbers)] = np.nan
            if np.isnan(numbers).mean() <= 1 - _PRESENT:
                names.append(name)
                columns.append(numbers)
    X = np.column_stack(columns) if columns else np.zeros((table.num_rows, 0))
    rows = np.flatnonzero(~np.isnan(X).any(axis=1))
    X = X[rows]
    varies = np.flatnonzero(np.ptp(X, axis=0) > 0) if len(rows) else np.zeros(0, dtype=np.int64)
    return [names[place] for place in varies], rows, X[:, varies]


def _fewest(X: Floats, y: Floats, second: NDArray[np.bool_], *, is_number: bool) -> list[int]:
    """Columns one after the other, each time the one that takes most of what is left; then those not needed go."""
    chosen: list[int] = []
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    rest = y - y.mean()
    while len(chosen) < X.shape[1]:
        fit = np.abs(scaled.T @ rest)
        fit[chosen] = -1.0
        chosen.append(int(fit.argmax()))
        rest = y - _answers(X[:, chosen], _weights(X[:, chosen], y), y)
        if _left(X[:, chosen], y, second, is_number=is_number) <= STOP:
            break
    for one in list(chosen):
        others = [place for place in chosen if place != one]
        if others and _left(X[:, others], y, second, is_number=is_number) <= STOP:
            chosen = others
    return chosen


def _left(X: Floats, y: Floats, second: NDArray[np.bool_], *, is_number: bool) -> float:
    """What is left of the label on the second half, with weights of the first."""
    if min(second.sum(), (~second).sum()) < 2:
        return 1.0
    weights = _weights(X[~second], y[~second])
    answers = X[second] @ weights + (y[~second].mean() - X[~second].mean(axis=0) @ weights)
    if is_number:
        return variance_left(y[second], answers)
    return area_left(y[second].astype(np.int64), answers)


def _weights(X: Floats, y: Floats) -> Floats:
    scale = X.std(axis=0)
    scale[scale == 0] = 1.0
    centred = (X - X.mean(axis=0)) / scale
    found: Floats = np.linalg.lstsq(centred.T @ centred, centred.T @ (y - y.mean()), rcond=1e-12)[0] / scale
    return found


def _answers(X: Floats, weights: Floats, y: Floats) -> Floats:
    found: Floats = (X - X.mean(axis=0)) @ weights + y.mean()
    return found


def _term(weight: float, name: str) -> str:
    whole = round(weight)
    if whole and abs(weight - whole) < 1e-4 * abs(whole):
        return name if whole == 1 else f"-{name}" if whole == -1 else f"{whole} {name}"
    return f"{weight:.3g} {name}"
