"""Columns that are broken, whatever their distribution: gone, constant, of another type, or in another unit."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.models.learned import LearnedColumn
from assay.stats.drift import ColumnProfile, Numbers
from assay.stats.drift.number_column import starts_of

__all__ = ["broken", "factor_between"]

_LEAST_ROWS = 30
_SHARES = np.linspace(0.05, 0.95, 19)
_STEADY = 0.05  # how much an unknown factor may differ from quantile to quantile, in logarithms
_LEAST_UNKNOWN = 5.0
_LEAST_APART = 0.15
_NEARER = 0.4  # rescaled, of the distance as it is
_LEAST_DISTINCT = 5
_UNITS = {
    1.609344: "as from miles to kilometres",
    0.3048: "as from feet to metres",
    2.54: "as from inches to centimetres",
    0.45359237: "as from pounds to kilograms",
    1.8: "as from Celsius to Fahrenheit, without the 32",
    60.0: "as from minutes to seconds",
    3600.0: "as from hours to seconds",
    24.0: "as from days to hours",
    100.0: "as from a share to per cent",
    1000.0: "as from thousands to units",
    1024.0: "as from kibibytes to bytes",
    1_000_000.0: "as from millions to units",
}


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
    if isinstance(before, Numbers):
        values = read.drop_null().to_numpy(zero_copy_only=False)
        found = factor_between(before, np.asarray(values, dtype=np.float64))
        if found is not None:
            factor, unit = found
            said = f"{factor:.3g} times" if factor > 1 else f"1/{1 / factor:.3g} of"
            return f"{name} has changed its unit: values are {said} those of training" + (f", {unit}" if unit else "")
    return None


def factor_between(before: Numbers, values: NDArray[np.float64]) -> tuple[float, str | None] | None:
    """The factor that all values were multiplied by since training, and the change of units that has it.

    None where nothing was. A known factor is believed where the values divided by it are far nearer to training than as
    they are (Kolmogorov-Smirnov); any other only from 5 on, where all quantiles have it: a price may double by itself.
    """
    values = values[np.isfinite(values)]
    if len(values) < _LEAST_ROWS or before.present < _LEAST_ROWS:
        return None
    old = np.array([before.quantile(float(share)) for share in _SHARES])
    if len(np.unique(old)) < _LEAST_DISTINCT:
        return None
    apart = _apart(before, values)
    if apart < _LEAST_APART:
        return None
    known = list(_UNITS.items())
    known += [(1.0 / factor, _reversed(said)) for factor, said in _UNITS.items()]
    rescaled, factor, unit = min((_apart(before, values / factor), factor, said) for factor, said in known)
    if rescaled <= _NEARER * apart:
        return factor, unit
    new = np.quantile(values, _SHARES)
    usable = (old * new > 0) & np.isfinite(old)
    if usable.sum() < len(_SHARES) // 2:
        return None
    logs = np.log(new[usable] / old[usable])
    middle = float(np.median(logs))
    steady = float(np.median(np.abs(logs - middle))) <= _STEADY + 2.0 / math.sqrt(len(values))
    return (math.exp(middle), None) if steady and abs(middle) >= math.log(_LEAST_UNKNOWN) else None


def _apart(before: Numbers, values: NDArray[np.float64]) -> float:
    """Kolmogorov and Smirnov's distance of a sample from a profile, whose bins are 0.2 % wide."""
    places = starts_of(before.kind, before.bins)
    ends = np.where(places > 0, places * (1.0 + 2.0**-9), places)
    below = np.searchsorted(np.sort(values), ends, side="right") / len(values)
    return float(np.abs(below - np.cumsum(before.counts) / before.present).max())


def _varied(learned: LearnedColumn) -> bool:
    if learned.categories is not None:
        return len(learned.categories) > 1
    return learned.low != learned.high


def _likely(rows: int) -> float:
    """The share in training from which on so many equal rows are no wonder: once in a thousand windows."""
    return math.exp(math.log(0.001) / rows)


def _reversed(said: str) -> str:
    if ", " in said:
        return "as from Fahrenheit to Celsius, without the 32"
    words = said.removeprefix("as from ").split(" to ")
    return f"as from {words[1]} to {words[0]}"
