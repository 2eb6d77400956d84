"""Columns that are broken, whatever their distribution: gone, constant, of another type, or in another unit."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.models.learned import LearnedColumn
from assay.stats.drift import QUANTILES, ChangedUnit, ColumnProfile, Numbers, changed_unit

__all__ = ["broken"]

_LEAST_ROWS = 30


def broken(
    name: str, learned: LearnedColumn, before: ColumnProfile | None, given: pa.Array, read: pa.Array
) -> str | None:
    """What is wrong with the column, in words; None where nothing is. `given` as it came, `read` as the model has it.

    Needs 30 rows.
    """
    rows, there = len(given), len(given) - given.null_count
    if rows < _LEAST_ROWS:
        return None
    if not there:
        return None if learned.missing == learned.rows else f"{name} is missing in all {rows:,} rows"
    if read.null_count - given.null_count > there / 2:
        example = next(one for one, kept in zip(given.to_pylist(), read.to_pylist(), strict=True) if kept is None
                       and one is not None)  # fmt: skip
        return f"{name} has changed its type: numbers in training, text such as {example!r} now"
    if there >= _LEAST_ROWS and pc.count_distinct(given).as_py() == 1 and _varied(learned):
        (value,) = pc.unique(given.drop_null()).to_pylist()
        shown = f"{value:g}" if isinstance(value, float) else repr(value)
        usual = learned.categories.get(str(value), 0) / learned.rows if learned.categories else None
        if usual is None or usual < _likely(there):
            return f"{name} is constant, {shown} in all {there:,} rows"
    found = _unit(before, read) if isinstance(before, Numbers) else None
    return None if found is None else f"{name} has changed its unit: values are {found.words}"


def _unit(before: Numbers, read: pa.Array) -> ChangedUnit | None:
    values = np.asarray(read.drop_null().to_numpy(zero_copy_only=False), dtype=np.float64)
    values = values[np.isfinite(values)]
    rows = min(len(values), before.present)
    if not rows:
        return None
    return changed_unit([before.quantile(share) for share in QUANTILES], np.quantile(values, QUANTILES), rows)


def _varied(learned: LearnedColumn) -> bool:
    if learned.categories is not None:
        return len(learned.categories) > 1
    return learned.low != learned.high


def _likely(rows: int) -> float:
    """The share in training from which on so many equal rows are no wonder: once in a thousand windows."""
    return math.exp(math.log(0.001) / rows)
