"""Named sums over rows: what every metric is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.grouping import Integers

__all__ = ["FRACTION_BITS", "AreaCounts", "ScoreCounts", "Sums", "column_name"]

FRACTION_BITS = 24  # of the fixed-point sums


@dataclass(frozen=True, slots=True)
class AreaCounts:
    """What the area under the ROC curve is made of, per group; all int64, exact.

    `twice` is Σ over pairs of a positive and a negative: 2 where the positive has the higher bin, 1 for a tie.
    The area is twice/(2·positives·negatives).
    """

    twice: Integers
    positives: Integers
    negatives: Integers


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
    only. `scale` is the unit of the label (regression): sums of values are in it, sums of squares in its square.
    """

    columns: Mapping[str, int]
    table: Integers
    areas: Mapping[str, AreaCounts] = field(default_factory=dict)
    curves: Mapping[str, ScoreCounts] = field(default_factory=dict)
    scale: float = 1.0

    def count(self, quantity: str, *models: str) -> NDArray[np.float64]:
        """[k] a whole number of rows; InvalidInput, with the nearest name, for what was not summed."""
        return self.table[:, self._column(quantity, models)].astype(np.float64)

    def sum(self, quantity: str, *models: str) -> NDArray[np.float64]:
        """[k] a sum of numbers, which were added in fixed point; InvalidInput as for `count`."""
        total: NDArray[np.float64] = self.table[:, self._column(quantity, models)] / 2.0**FRACTION_BITS
        return total

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
        """[k] rows with a label."""
        return self.count("rows") - self.count("unlabelled")

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
