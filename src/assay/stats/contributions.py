"""What rows add to sums, whatever the task: counts of kinds of rows, and numbers in fixed point."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from assay.stats.grouping import Integers
from assay.stats.sums import FRACTION_BITS, column_name
from assay.stats.task import Quantity

__all__ = ["Contributions", "Kinds", "add_exactly", "add_mean", "fixed", "mean_columns", "quantity_columns"]

Floats = NDArray[np.float64]

_ONE = 2.0**FRACTION_BITS


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """Rows told apart by kind: `of_rows` [n] is below len(columns), and columns ([kinds, names], 0 or 1) says into
    which of the whole-number columns `names` a row of the kind counts.
    """

    names: tuple[str, ...]
    of_rows: Integers
    columns: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What labelled rows add: each of the `kinds` its counts, then each of `values`, [n] whole numbers."""

    kinds: Sequence[Kinds]
    values: dict[str, Floats]

    def names(self) -> tuple[str, ...]:
        """All columns, in the order of the table."""
        return (*(name for one in self.kinds for name in one.names), *self.values)


def fixed(values: Floats) -> Floats:
    """[n] whole numbers of fixed-point units."""
    rounded: Floats = np.rint(values * _ONE)
    return rounded


def add_exactly(values: dict[str, Floats], quantity: str, models: tuple[str, ...], numbers: Floats) -> None:
    """Add a quantity in two columns, the second for what is below the unit of the first.

    Models that hardly differ: squares of 1e-4 would round to nothing, and nothing would look like certainty.
    """
    units = numbers * _ONE
    whole = np.floor(units)
    values[column_name(quantity, *models)] = whole
    values[column_name(f"{quantity}_rest", *models)] = fixed(units - whole)


def add_mean(values: dict[str, Floats], quantity: str, numbers: Mapping[str, Floats]) -> None:
    """Add what the mean of a quantity by model needs: sums, sums of squares, and squares of each pair's differences."""
    for model, own in numbers.items():
        values[column_name(quantity, model)] = fixed(own)
        add_exactly(values, f"{quantity}_squares", (model,), own**2)
    for first, second in combinations(numbers, 2):
        add_exactly(values, f"{quantity}_difference_squares", (first, second), (numbers[first] - numbers[second]) ** 2)


def mean_columns(quantity: str, models: Sequence[str]) -> Iterator[str]:
    """The columns that `add_mean` fills, in order."""
    for model in models:
        yield column_name(quantity, model)
        yield column_name(f"{quantity}_squares", model)
        yield column_name(f"{quantity}_squares_rest", model)
    for first, second in combinations(models, 2):
        yield column_name(f"{quantity}_difference_squares", first, second)
        yield column_name(f"{quantity}_difference_squares_rest", first, second)


def quantity_columns(quantities: Sequence[Quantity], models: Sequence[str]) -> tuple[str, ...]:
    """The columns of quantities that rows bring along."""
    return tuple(name for one in quantities for name in mean_columns(one.name, models))
