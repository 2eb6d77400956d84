"""Metrics of a team's own that each row contributes to: a cost, a revenue, a judge's mark."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats import Quantity

__all__ = ["Contribution", "contribution"]

OfRows = Callable[[pa.Table, NDArray[np.generic]], ArrayLike]


@dataclass(frozen=True, slots=True)
class Contribution:
    """A number that each row contributes, whose mean over labelled rows is the metric."""

    quantity: Quantity
    function: OfRows

    def of_rows(self, data: pa.Table, answers: NDArray[np.generic]) -> ArrayLike:
        """[rows] the numbers for a model's answers; InvalidInput for another shape."""
        found = np.asarray(self.function(data, answers), dtype=np.float64)
        if found.shape != (data.num_rows,):
            raise InvalidInput(
                f"the metric {self.quantity.name!r} gives shape {found.shape} for {data.num_rows:,} rows",
                expected="a number for each row",
            )
        return found


def contribution(
    function: OfRows,
    *,
    name: str | None = None,
    title: str | None = None,
    larger_is_better: bool = True,
    scale: float = 1.0,
) -> Contribution:
    """A metric from a function of the rows and a model's answers, such as the money each decision costs.

    `function(table, answers)` gives a number for each row; rows without a label may have NaN. The metric is its mean,
    with an interval by the t distribution, or by the jackknife where rows hang together; models are compared row by
    row. Its sums are kept with the evaluation, so a policy may guard it with `own = true`. `scale` is the unit of its
    sums: give a larger one for numbers above ten thousand. InvalidInput where there is no name.
    """
    known: str = name or str(getattr(function, "__name__", "<lambda>"))
    if not known.isidentifier():
        raise InvalidInput("the metric has no name", expected="name='cost', or a function with a name")
    wording = title or known.replace("_", " ").capitalize()
    return Contribution(Quantity(known, wording, larger_is_better, scale), function)
