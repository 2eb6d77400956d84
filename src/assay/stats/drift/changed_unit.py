"""Whether the same quantity is written in another unit: its quantiles then lie on a line that is no accident."""

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["QUANTILES", "ChangedUnit", "changed_unit"]

Floats = NDArray[np.float64]

QUANTILES: tuple[float, ...] = tuple(np.linspace(0.05, 0.95, 19).tolist())
_FEW = 100  # rows below which quantiles say too little of a shape
_BENT = 0.01  # of the new quantiles' variance, what the line may leave, and more in few rows
_NEAR = 0.03  # of what the unit moves and of the values, how far they may be from where the unit puts them
_NOISE = 0.06  # more in few rows, up to that: below 300 of them a change of unit may be missed
_APART = 0.2  # of what the unit moves: else they moved by themselves, and hardly as far as the unit would move them
_FAR = 9.5  # a factor that no known unit has: a price may double by itself
# What a number of the first unit is in the second: slope and start of the line.
_UNITS = {
    ("miles", "kilometres"): (1.609344, 0.0),
    ("metres", "feet"): (3.28084, 0.0),
    ("inches", "centimetres"): (2.54, 0.0),
    ("kilograms", "pounds"): (2.204623, 0.0),
    ("knots", "kilometres per hour"): (1.852, 0.0),
    ("metres per second", "kilometres per hour"): (3.6, 0.0),
    ("gallons", "litres"): (3.785412, 0.0),
    ("degrees Celsius", "Fahrenheit"): (1.8, 32.0),
    ("degrees Celsius", "Kelvin"): (1.0, 273.15),
    ("weeks", "days"): (7.0, 0.0),
    ("days", "hours"): (24.0, 0.0),
    ("hours", "minutes"): (60.0, 0.0),
    ("hours", "seconds"): (3600.0, 0.0),
    ("shares", "per cent"): (100.0, 0.0),
    ("thousands", "units"): (1000.0, 0.0),
    ("kibibytes", "bytes"): (1024.0, 0.0),
    ("millions", "units"): (1_000_000.0, 0.0),
}


class ChangedUnit(msgspec.Struct, frozen=True):
    """Values are `factor` times what they were; `before` and `now` are the units that would explain it, if known."""

    factor: float
    before: str | None = None
    now: str | None = None

    @property
    def words(self) -> str:
        """For people."""
        if self.before is not None:
            return f"as from {self.before} to {self.now}"
        said = f"{self.factor:.3g} times" if self.factor > 1 else f"1/{1 / self.factor:.3g} of"
        return f"{said} what they were"


def changed_unit(before: ArrayLike, now: ArrayLike, rows: int) -> ChangedUnit | None:
    """What changed the unit of a column, from its values' `QUANTILES` before and now; None where nothing did.

    `rows` is the smaller number of values that quantiles are of. A known unit is believed where values are where it
    puts them, as nearly as quantiles of so many rows tell; any other factor only from 9.5 on, with the same zero. None
    for fewer than 100 rows, and for values of which few differ: they have no shape.
    """
    then, today = np.asarray(before, dtype=np.float64), np.asarray(now, dtype=np.float64)
    most = 2 * len(QUANTILES) // 3
    if rows < _FEW or min(len(np.unique(then)), len(np.unique(today))) < most:
        return None
    if not (np.isfinite(then).all() and np.isfinite(today).all()):
        return None
    slope, start = np.polyfit(then, today, 1)
    left = np.square(today - (slope * then + start)).sum() / np.square(today - today.mean()).sum()
    if slope <= 0 or left > _BENT + 3.0 / rows:
        return None
    found = min(
        (
            (far, factor, unit)
            for unit, line in _UNITS.items()
            for far, factor, unit in (
                (_far(then, today, *line), line[0], unit),
                (_far(today, then, *line), 1.0 / line[0], unit[::-1]),
            )
        ),
    )
    if found[0] < _NEAR + min(_NOISE, 1.0 / math.sqrt(rows)):
        return ChangedUnit(found[1], *found[2])
    same_zero = abs(start) <= _NEAR * slope * float(np.abs(then).max())
    return ChangedUnit(float(slope)) if same_zero and max(slope, 1.0 / slope) >= _FAR else None


def _far(before: Floats, after: Floats, slope: float, start: float) -> float:
    """How far values are from where a unit puts them, in means of what it moves and of the values themselves.

    Infinite where that is a fifth or more of what the unit moves.
    """
    expected = slope * before + start
    moved = float(np.abs(expected - before).mean())
    far = float(np.abs(after - expected).mean())
    size = (moved + float(np.abs(after).mean())) / 2.0
    return far / size if far < _APART * moved else math.inf
