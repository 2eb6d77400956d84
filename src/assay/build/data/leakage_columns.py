"""Columns that tell the label by themselves, measured on rows they were not fitted on."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column, is_number
from assay.build.data.finding import Finding, share_text
from assay.build.data.split_hashes import positions_of
from assay.stats.delong import auc_interval, delong
from assay.stats.intervals import wilson

__all__ = ["STOP", "Target", "area_left", "left_over", "telling", "variance_left"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_CONFIDENCE = 0.998  # two-sided: one false alarm in 1,000 columns that are exactly at the bound
_WARN, STOP = 1e-2, 1e-3  # what is left of the error: 1 - AUC, errors or variance
_MISSING_WARN, _MISSING_STOP = 0.1, 0.01  # that a value is missing says far less, as a rule
_BINS = 1024
_FEWEST = 20  # rows in a bin
_MOST_CLASSES = 20  # whole numbers of more values are numbers
_EQUAL = 0.999  # of numbers, for a copy
_WRONG = 0.01  # of the errors the most frequent class makes, for another spelling
_ENOUGH = 50  # rows of each class that are separated without a fault: by a feature of AUC .99 that never happens


class Target:
    """The label of the rows that have one: `codes` of its `classes`, or `numbers` where there are many.

    `rows` are their places in the table. `second` says which of them belong to the second of two folds.
    """

    def __init__(self, table: pa.Table, label: str) -> None:
        self.name = label
        values = column(table, label)
        self.rows: Codes = np.flatnonzero(values.is_valid().to_numpy())
        self.second: NDArray[np.bool_] = positions_of(len(self.rows), "leakage", 0) < 0.5
        present = values.drop_null()
        encoded = present.combine_chunks().dictionary_encode()
        self.classes: list[object] = encoded.dictionary.to_pylist()
        self.is_number = is_number(values.type) and len(self.classes) > _MOST_CLASSES
        self.codes: Codes = encoded.indices.to_numpy().astype(np.int64)
        self.numbers: Floats = present.cast(pa.float64()).to_numpy() if self.is_number else np.zeros(0)


def telling(table: pa.Table, label: str, features: Sequence[str]) -> list[Finding]:
    """The columns that tell the label, each at most once; none where the label has one value only."""
    target = Target(table, label)
    if len(target.classes) < 2:
        return []
    found = []
    for name in features:
        values = column(table, name).take(pa.array(target.rows))
        if values.null_count == len(values) or pa.types.is_nested(values.type):
            continue
        one = (
            _another_spelling(values, name, target)
            or _missing(values, name, target)
            or _predictor(values, name, target)
        )
        if one is not None:
            found.append(one)
    return found


def left_over(target: Target, codes: Codes) -> float:
    """What is left of the label's error when each row is answered by what rows of its code in the other fold say.

    1 - AUC of two classes, the share of errors of several, the share of variance of numbers; each at the upper end of
    its interval, 1 where nothing is told.
    """
    if target.is_number:
        return variance_left(target.numbers, _means(codes, target.numbers, target.second))
    if len(target.classes) == 2:
        return area_left(target.codes, _means(codes, target.codes.astype(np.float64), target.second))
    return _errors_left(target, codes)


def _another_spelling(values: pa.ChunkedArray, name: str, target: Target) -> Finding | None:
    """The label itself, or one value for each of its values."""
    codes, count = _categories(values)
    of = len(codes)
    if target.is_number:
        if not (is_number(values.type) or pa.types.is_boolean(values.type)):
            return None
        equal = int((_numbers(values) == target.numbers).sum())
        if equal < _EQUAL * of:
            return None
        return Finding("label", "stop", f"{name} is {target.name} in {share_text(equal, of)}", equal, of, [name])
    if count > 2 * len(target.classes):
        return None
    pairs = np.zeros((count, len(target.classes)), dtype=np.int64)
    np.add.at(pairs, (codes, target.codes), 1)
    best = pairs.argmax(axis=1)
    right = int(pairs.max(axis=1).sum())
    named = len(np.unique(best[pairs.sum(axis=1) > 0]))
    chance = pairs.sum(axis=0).max() / of
    if of < _FEWEST or named < len(target.classes) or of - right > _WRONG * of * (1 - chance):
        return None
    sentence = f"{name} says {target.name} in {share_text(right, of)}: each of its values stands for one label"
    return Finding("label", "stop", sentence, right, of, [name])


def _missing(values: pa.ChunkedArray, name: str, target: Target) -> Finding | None:
    """Where the column is missing tells the label."""
    absent = ~values.is_valid().to_numpy()
    if target.is_number or not absent.any():
        return None
    left = left_over(target, absent.astype(np.int64))
    if left > _MISSING_WARN:
        return None
    rows = int(absent.sum())
    usual = target.classes[int(np.bincount(target.codes[absent]).argmax())]
    sentence = (
        f"{name} is missing in {share_text(rows, len(absent))}, and that tells {target.name}"
        f" (mostly {usual!r} there): is it filled in only afterwards?"
    )
    return Finding("missing", "stop" if left <= _MISSING_STOP else "warn", sentence, rows, len(absent), [name])


def _predictor(values: pa.ChunkedArray, name: str, target: Target) -> Finding | None:
    codes, count = _categories(values)
    numeric = not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type))
    if numeric and count > _BINS:
        codes = _bins(_numbers(values))
    if _at_best(target, codes) > 2 * _WARN:
        return None
    left = left_over(target, codes)
    if numeric and not target.is_number and len(target.classes) == 2:
        numbers = _numbers(values)
        known = ~np.isnan(numbers)
        if known.all():
            left = min(left, area_left(target.codes, numbers), area_left(target.codes, -numbers))
    if target.is_number and numeric:
        left = min(left, _ranks_left(_numbers(values), target.numbers))
    if left > _WARN:
        return None
    of = len(codes)
    sentence = f"{name} alone tells {target.name} nearly perfectly: {_said(target, left)}; is it known beforehand?"
    return Finding("column", "stop" if left <= STOP else "warn", sentence, of, of, [name])


def _said(target: Target, left: float) -> str:
    if target.is_number:
        return f"at least {1 - left:.2%} of its variance"
    if len(target.classes) == 2:
        return f"an area under the ROC curve of at least {1 - left:.4f}"
    return f"at most {left:.2%} of the errors are left"


def _at_best(target: Target, codes: Codes) -> float:
    """`left_over` as if rows might answer for themselves: never above it but for chance, and quick."""
    counts = np.bincount(codes)
    if target.is_number:
        means = np.bincount(codes, target.numbers) / np.maximum(counts, 1)
        return float(((target.numbers - means[codes]) ** 2).mean() / max(target.numbers.var(), 1e-300))
    if len(target.classes) == 2:
        positive = np.bincount(codes, target.codes)
        order = np.argsort(positive / np.maximum(counts, 1), kind="stable")
        p, n = positive[order], (counts - positive)[order]
        below = np.cumsum(n) - n / 2.0
        return float(1.0 - (p * below).sum() / max(p.sum() * n.sum(), 1.0))
    pairs = np.bincount(codes * len(target.classes) + target.codes, minlength=len(counts) * len(target.classes))
    right = pairs.reshape(len(counts), -1).max(axis=1).sum()
    return float((len(codes) - right) / max(len(codes) - np.bincount(target.codes).max(), 1))


def _means(codes: Codes, values: Floats, second: NDArray[np.bool_]) -> Floats:
    """[rows] the mean of the rows of the same code in the other fold, drawn a little towards the mean of all."""
    found = np.empty(len(codes))
    size = int(codes.max()) + 1
    for fold in (second, ~second):
        sums = np.bincount(codes[~fold], values[~fold], minlength=size)
        counts = np.bincount(codes[~fold], minlength=size)
        overall = values[~fold].mean() if (~fold).any() else 0.0
        found[fold] = ((sums + 0.01 * overall) / (counts + 0.01))[codes[fold]]
    return found


def area_left(labels: Codes, scores: Floats) -> float:
    """1 - AUC of scores of two classes, at the upper end of its interval; 1 where there are too few rows."""
    areas = delong(labels.astype(np.float64), {"column": scores})
    if not areas.enough:
        return 1.0
    if areas.aucs[0] == 1.0 and min(areas.positives, areas.negatives) >= _ENOUGH:
        return 0.0
    return 1.0 - auc_interval(areas, "column", _CONFIDENCE).low


def _errors_left(target: Target, codes: Codes) -> float:
    of, classes, size = len(codes), len(target.classes), int(codes.max()) + 1
    if size * classes > 50_000_000:  # a table of counts that large is of identifiers on both sides
        return 1.0
    wrong = 0
    for fold in (target.second, ~target.second):
        pairs = np.bincount(codes[~fold] * classes + target.codes[~fold], minlength=size * classes)
        wrong += int((pairs.reshape(size, classes).argmax(axis=1)[codes[fold]] != target.codes[fold]).sum())
    usual = of - int(np.bincount(target.codes).max())
    return wilson(wrong, of, _CONFIDENCE).high * of / max(usual, 1)


def variance_left(numbers: Floats, answers: Floats) -> float:
    """The share of variance that answers leave, at the upper end of its interval."""
    squares = (numbers - answers) ** 2
    above = 3.1 * squares.std() / np.sqrt(len(squares))
    return float((squares.mean() + above) / max(numbers.var(), 1e-300))


def _ranks_left(values: Floats, numbers: Floats) -> float:
    """What is left of the variance of ranks, which a curve that only rises or falls takes all."""
    known = ~np.isnan(values)
    if known.sum() < _FEWEST or known.mean() < 0.5:
        return 1.0
    from scipy.stats import spearmanr

    rho = float(spearmanr(values[known], numbers[known]).statistic)
    return 1.0 if np.isnan(rho) else 1.0 - rho * rho


def _categories(values: pa.ChunkedArray) -> tuple[Codes, int]:
    """[rows] a number for each different value, null being one, and how many there are."""
    encoded = values.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)


def _numbers(values: pa.ChunkedArray) -> Floats:
    """[rows] as floats, null as NaN; times in their own unit."""
    if pa.types.is_temporal(values.type):
        values = values.cast(pa.int32() if values.type.bit_width == 32 else pa.int64())
    found: Floats = values.cast(pa.float64()).to_numpy()
    return found


def _bins(numbers: Floats) -> Codes:
    """[rows] the bin of each number, bins of as many rows each; NaN has one of its own."""
    known = ~np.isnan(numbers)
    count = int(min(_BINS, max(known.sum() // _FEWEST, 2)))
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, count + 1)[1:-1]))
    codes = np.searchsorted(edges, numbers, side="right")
    codes[~known] = len(edges) + 1
    return codes.astype(np.int64)
