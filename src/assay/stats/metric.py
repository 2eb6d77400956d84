"""What a metric is: a number computed from sums, and what an interval for it needs to know."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.stats.sums import Sums

__all__ = ["Metric", "OfModel", "OfPair", "divide", "labelled", "mean_metric", "right_pairs"]

Floats = NDArray[np.float64]
OfModel = Callable[[Sums, str], Floats]
OfPair = Callable[[Sums, str, str], Floats]
Pairs = Callable[[Sums, str, str], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; every function gives [k] numbers for the k rows of the sums, NaN where it is undefined.

    `kind`: "rate" is a share of rows whose number does not depend on the model, "ratio" one whose number does, "mean" a
    mean of a number per row, "area" the area under the ROC curve, "curve" another number of the score histograms, which
    has no interval, "smooth" any other function of the sums.
    `larger_is_better` is None where neither direction is good. `denominator` counts the rows the value rests on; rates,
    ratios and means are numerator/denominator, both linear in the sums. `squares` is the sum of the squares of what
    a mean adds up, `difference_squares` that of the differences between two models on the same rows. `minimum` is the
    smallest denominator (for the area: of each class) an interval is given for. `pairs` counts, for a candidate and a
    baseline, the rows where only the first and where only the second is right; None where it is not a paired
    proportion. Values lie in `bounds`, and `unit` is the one their sums are measured in. What is not `gated` is
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
    difference_squares: OfPair | None = None
    minimum: int = 1
    pairs: Pairs | None = None
    bounds: tuple[float, float] = (0.0, 1.0)
    unit: float = 1.0
    gated: bool = True


def mean_metric(
    quantity: str,
    title: str,
    larger_is_better: bool | None,
    bounds: tuple[float, float],
    *,
    name: str | None = None,
    unit: float = 1.0,
) -> Metric:
    """The mean over labelled rows of a quantity that was summed with its squares and those of its differences."""
    return Metric(
        name or quantity,
        title,
        larger_is_better,
        "mean",
        lambda sums, model: divide(sums.sum(quantity, model), sums.labelled) * unit,
        labelled,
        lambda sums, model: sums.sum(quantity, model) * unit,
        lambda sums, model: sums.sum(f"{quantity}_squares", model) * unit**2,
        lambda sums, first, second: sums.sum(f"{quantity}_difference_squares", first, second) * unit**2,
        minimum=2,
        bounds=bounds,
        unit=unit,
    )


def right_pairs(quantity: str, sums: Sums, candidate: str, baseline: str) -> tuple[Floats, Floats]:
    """[k] rows where only the candidate is right, and only the baseline, from counts of each and of both."""
    both = sums.count(quantity, candidate, baseline)
    return sums.count(quantity, candidate) - both, sums.count(quantity, baseline) - both


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """[k] quotients, NaN where the denominator is 0."""
    quotient = np.full(len(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def labelled(sums: Sums, _model: str) -> Floats:
    """[k] rows with a label, or their weight, whatever the model."""
    return sums.labelled
