"""How much an input bears on the answers: what of their variance it explains, in the rows of one window."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.models.inputs import Column
from assay.operate.monitors.profiles import ANSWER, window_table

__all__ = ["bearing"]

_LEAST_ROWS = 30
_LEAST = 0.01  # a column that bears on nothing still ranks by how far it moved


def bearing(rows: pa.Table, columns: Sequence[Column]) -> dict[str, float]:
    """By input, from 0.01 to 1: |Spearman's correlation| with the answer, or the correlation ratio η of categories.

    1 for every input where there are too few rows, or all answers are the same, to tell.
    """
    table = window_table(rows, list(columns))
    answers = np.asarray(table[ANSWER].to_numpy(), dtype=np.float64)
    if len(answers) < _LEAST_ROWS or np.ptp(answers) == 0:
        return {one.name: 1.0 for one in columns}
    ranked = _ranks(answers)
    found = {}
    for one in columns:
        column = table[one.name].combine_chunks()
        if one.is_number:
            values = column.to_numpy(zero_copy_only=False).astype(np.float64)
            known = np.isfinite(values)
            share = _correlation(_ranks(values[known]), ranked[known]) if known.sum() >= _LEAST_ROWS else 0.0
        else:
            share = _ratio(column, ranked)
        found[one.name] = max(_LEAST, share)
    return found


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Midranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2.0)[inverse], dtype=np.float64)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return abs(float(np.corrcoef(x, y)[0, 1]))


def _ratio(column: pa.Array, y: NDArray[np.float64]) -> float:
    """η with as many degrees of freedom taken out as chance would fill."""
    encoded = column.dictionary_encode(null_encoding="encode").indices.to_numpy()
    counts = np.bincount(encoded)
    n, k = len(y), int(np.count_nonzero(counts))
    if k < 2 or k >= n:
        return 0.0
    sums = np.bincount(encoded, weights=y)
    total = float(((y - y.mean()) ** 2).sum())
    between = float((sums[counts > 0] ** 2 / counts[counts > 0]).sum() - n * y.mean() ** 2)
    if total <= 0:
        return 0.0
    adjusted = 1.0 - (total - between) / (n - k) * (n - 1) / total
    return math.sqrt(max(0.0, adjusted))
