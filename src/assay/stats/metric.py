"""What a metric is: a number computed from sums, and what an interval for it needs to know."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.stats.sums import Sums

__all__ = ["Metric", "OfModel", "divide", "labelled"]

OfModel = Callable[[Sums, str], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; every function gives [k] numbers for the k rows of the sums, NaN where it is undefined.

    `kind`: "rate" is a share of rows whose number does not depend on the model, "ratio" one whose number does, "mean" a
    mean of a number per row, "area" the area under the ROC curve, "curve" another number of the score histograms, which
    has no interval, "smooth" any other function of the sums.
    `larger_is_better` is None where neither direction is good. `denominator` counts the rows the value rests on; rates,
    ratios and means are numerator/denominator, both linear in the sums. `squares` is the sum of the squares of what
    a mean adds up, `difference_squares` that of the differences between two models on the same rows. `minimum` is the
    smallest denominator (for the area: of each class) an interval is given for. `paired_rows` are those on which being
    right makes the metric, None where it is not a paired proportion. Values lie in `bounds`. What is not `gated` is
    shown, and never decides.
    """

    name: str
    title: str
    larger_is_better: bool | None
    kind: Literal["rate", "ratio", "mean", "area", "smooth", "curve"]
    value: OfModel
    denominator: OfModel
    numerator: OfModel | None = None
    squares: OfModel | None = None
    difference_squares: Callable[[Sums, str, str], NDArray[np.float64]] | None = None
    minimum: int = 1
    paired_rows: Literal["all", "positive", "negative"] | None = None
    bounds: tuple[float, float] = (0.0, 1.0)
    gated: bool = True


def divide(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """[k] quotients, NaN where the denominator is 0."""
    quotient = np.full(len(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def labelled(sums: Sums, _model: str) -> NDArray[np.float64]:
    """[k] rows with a label, whatever the model."""
    return sums.labelled
