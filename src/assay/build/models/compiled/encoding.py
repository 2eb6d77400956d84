"""From rows as people send them to numbers: some columns are numbers already, others are looked up in tables."""

import math
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Encoder", "NumberColumn", "Rounding", "Step", "Table", "stepped"]

Floats = NDArray[np.float64]
Step = tuple[str, float, float]  # what is done to a number, with up to two numbers of its own
Rounding = Literal["exact", "cut", "single"]
_SOME = 8  # rows, up to which a loop is faster than arrays


class NumberColumn(msgspec.Struct, frozen=True):
    """A column at `place` of the rows, and what is done to its numbers before the model sees them."""

    place: int
    steps: tuple[Step, ...] = ()


class Table(msgspec.Struct, frozen=True):
    """What each value of the column at `place` stands for: a vector of floats for each of `keys`, then one for no
    value, then one for a value that is not among them; little-endian, one after the other. The last two are not to be
    used where the model refuses such values.

    Numbers are looked up as they are; or whole ones are, of numbers with the rest `cut` off, or first rounded to
    `single` precision and then down.
    """

    place: int
    keys: list[str | float]
    vectors: bytes
    refuses_missing: bool = False
    refuses_unknown: bool = False
    rounding: Rounding = "exact"


class Encoder:
    """Columns of numbers and codes out of rows: lists of tuples with None for no value, or arrays with NaN."""

    def __init__(self, numbers: Sequence[NumberColumn], tables: Sequence[Table]) -> None:
        self._places = [one.place for one in numbers]
        self._stepped = [(column, one.steps) for column, one in enumerate(numbers) if one.steps]
        self._as_they_are = not tables and self._places == list(range(len(self._places)))
        self._pick: Any = itemgetter(*self._places) if len(self._places) > 1 else None
        self.vectors: list[Floats] = [
            np.frombuffer(one.vectors, dtype="<f8").reshape(len(one.keys) + 2, -1) for one in tables
        ]
        self._indices: list[tuple[int, dict[Any, int], int, int, Callable[[float], int] | None]] = []
        for one in tables:
            index: dict[Any, int] = {key: code for code, key in enumerate(one.keys)}
            count = len(index)
            missing = -1 if one.refuses_missing else count
            unknown = -1 if one.refuses_unknown else count + 1
            self._indices.append((one.place, index, missing, unknown, _WHOLE[one.rounding]))

    def numbers(self, rows: Any) -> Floats:
        """[rows, number columns]."""
        if not self._places:
            found = np.empty((len(rows), 0))
        elif isinstance(rows, np.ndarray):
            found = rows[:, slice(len(self._places)) if self._as_they_are else self._places].astype(np.float64)
        elif self._as_they_are:
            width = len(self._places)
            found = np.array(rows, dtype=np.float64)
            found = found if found.shape[1] == width else found[:, :width]
        elif self._pick is not None:
            found = np.array([self._pick(row) for row in rows], dtype=np.float64)
        else:
            found = np.array([[row[place] for place in self._places] for row in rows], dtype=np.float64)
        for column, steps in self._stepped:
            found[:, column] = stepped(found[:, column], steps)
        return found

    def codes(self, rows: Any) -> list[list[int]]:
        """For each table the position of the vector of each row. ValueError for a value that the model refuses."""
        found = []
        for place, index, missing, unknown, whole in self._indices:
            values = rows[:, place].tolist() if isinstance(rows, np.ndarray) else [row[place] for row in rows]
            if whole is not None:
                values = [value if value is None or _is_nan(value) else whole(value) for value in values]
            codes = [
                index.get(value, unknown) if value is not None and not _is_nan(value) else missing for value in values
            ]
            if -1 in codes:
                raise ValueError(f"the model refuses {values[codes.index(-1)]!r} in column {place}")
            found.append(codes)
        return found

    def matrix(self, rows: Any) -> Floats:
        """[rows, width]: the numbers, then the vectors of all tables."""
        numbers = self.numbers(rows)
        if not self.vectors:
            return numbers
        codes = self.codes(rows)
        width = len(self._places)
        whole = np.empty((len(numbers), width + sum(one.shape[1] for one in self.vectors)))
        whole[:, :width] = numbers
        for vectors, found in zip(self.vectors, codes, strict=True):
            end = width + vectors.shape[1]
            if len(found) <= _SOME:
                for row, code in enumerate(found):
                    whole[row, width:end] = vectors[code]
            else:
                whole[:, width:end] = vectors[found]
            width = end
        return whole


def stepped(values: Floats, steps: Sequence[Step]) -> Floats:
    """Numbers after the steps, in their order."""
    for name, first, second in steps:
        if name == "fill":
            values = np.where(np.isnan(values), first, values)
        elif name == "gap":
            values = np.isnan(values).astype(np.float64)
        elif name == "hide":
            values = np.where(np.abs(values) <= first, np.nan, values)
        elif name == "clip":
            values = np.clip(values, first, second)
        elif name == "subtract":
            values = values - first
        elif name == "divide":
            values = values / first
        elif name == "multiply":
            values = values * first
        else:
            values = values + first
    return values


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


_FAR = 2**31


def _cut(value: float) -> int:
    return math.trunc(value) if abs(value) < _FAR else -_FAR


def _down(value: float) -> int:
    return math.floor(np.float32(value)) if abs(value) < _FAR else -_FAR


_WHOLE: dict[Rounding, Callable[[float], int] | None] = {"exact": None, "cut": _cut, "single": _down}
