"""Named sums over rows: what every metric is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.grouping import Integers

__all__ = ["FRACTION_BITS", "AreaCounts", "ScoreCounts", "Sums", "column_name"]

FRACTION_BITS = 24  # of the fixed-point sums


@dataclass(frozen=True, slots=True)
class AreaCounts:
    """What the area under the ROC curve is made of, per group; exact whole numbers, or float64 of weighted rows.

    `twice` is Σ over pairs of a positive and a negative: 2 where the positive has the higher bin, 1 for a tie.
    The area is twice/(2·positives·negatives).
    """

    twice: Integers | NDArray[np.float64]
    positives: Integers | NDArray[np.float64]
    negatives: Integers | NDArray[np.float64]


class ScoreCounts(Protocol):
    """Score histograms of whole segments, from which curves are made (`histogram.Histogram` is one)."""

    def average_precision(self, groups: int) -> NDArray[np.float64]:
        """[groups] the area under the steps of precision over recall."""
        ...

    def calibration_error(self, groups: int) -> NDArray[np.float64]:
        """[groups] the expected calibration error."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums over rows, [k] of each quantity; k runs over segments, or over pairs of a segment and a bucket.

    `columns` says which column of `table` ([k, width] int64, exact) holds a quantity: its name, or name/model, or
    name/first/second with the models in increasing order. `areas` and `curves` by model are there for whole segments
    only. `weighted`: rows count by their sample weight, in fixed point.
    """

    columns: Mapping[str, int]
    table: Integers
    areas: Mapping[str, AreaCounts] = field(default_factory=dict)
    curves: Mapping[str, ScoreCounts] = field(default_factory=dict)
    weighted: bool = False

    def count(self, quantity: str, *models: str) -> NDArray[np.float64]:
        """[k] rows, or the sum of their weights; InvalidInput, with the nearest name, for what was not summed."""
        found = self.table[:, self._column(quantity, models)].astype(np.float64)
        return found / 2.0**FRACTION_BITS if self.weighted else found

    def sum(self, quantity: str, *models: str) -> NDArray[np.float64]:
        """[k] a sum of numbers, which were added in fixed point; InvalidInput as for `count`."""
        total: NDArray[np.float64] = self.table[:, self._column(quantity, models)] / 2.0**FRACTION_BITS
        rest = self.columns.get(column_name(f"{quantity}_rest", *models))
        if rest is not None:
            total = total + self.table[:, rest] / 2.0**FRACTION_BITS / 2.0**FRACTION_BITS
        return total

    def n(self, quantity: Literal["rows", "unlabelled"]) -> NDArray[np.float64]:
        """[k] a number of rows, whatever they weigh."""
        return self.table[:, self.columns[quantity]].astype(np.float64)

    def area(self, model: str) -> AreaCounts:
        """What the area of a model is made of; InvalidInput, with the nearest name, for a model that has none."""
        self._check_scored(model, self.areas)
        return self.areas[model]

    def curve(self, model: str) -> ScoreCounts:
        """The score histograms of a model; InvalidInput as for `area`."""
        self._check_scored(model, self.curves)
        return self.curves[model]

    @property
    def labelled(self) -> NDArray[np.float64]:
        """[k] rows with a label, or the sum of their weights."""
        return self.sum("weight") if self.weighted else self.n("rows") - self.n("unlabelled")

    @property
    def rows_per_weight(self) -> NDArray[np.float64]:
        """[k] what turns a sum of weights into as many rows as carry the same information; 1 without weights.

        Kish's effective sample size (1965), (Σw)²/Σw², is this times Σw.
        """
        if not self.weighted:
            return np.ones(len(self.table))
        squares = self.sum("weight_squares")
        return np.divide(self.sum("weight"), squares, out=np.zeros(len(squares)), where=squares > 0)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def _check_scored(self, model: str, known: Mapping[str, object]) -> None:
        if model not in known:
            raise InvalidInput(
                f"the profile has no model {model!r} with scores",
                expected=f"one of {', '.join(known) or 'none'}",
                hint=nearest(model, list(known)),
            )

    def _column(self, quantity: str, models: tuple[str, ...]) -> int:
        name = column_name(quantity, *models)
        if name in self.columns:
            return self.columns[name]
        known = sorted({part for column in self.columns for part in column.split("/")[1:]})
        for model in models:
            if model not in known:
                raise InvalidInput(
                    f"the profile has no model {model!r}",
                    expected=f"one of {', '.join(known) or 'none'}",
                    hint=nearest(model, known),
                )
        raise InvalidInput(
            f"the profile has no sum {name!r}", expected="a sum of its task", hint=nearest(name, list(self.columns))
        )


def column_name(quantity: str, *models: str) -> str:
    """The name under which a quantity of models is summed; a pair has one, whatever its order."""
    return "/".join([quantity, *sorted(models)])
