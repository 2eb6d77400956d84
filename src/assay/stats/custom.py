"""Metrics of a team's own: functions of what a profile sums, with an interval like any other."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.metric import Metric, labelled
from assay.stats.sums import Sums, column_name

__all__ = ["ModelSums", "metric"]

Floats = NDArray[np.float64]


class ModelSums:
    """The sums of one model over labelled rows, each [k] float64; k runs over segments, or segments without a bucket.

    `n` rows. Binary: `positives` of them are 1; `tp`, `fp`, `fn`, `tn` at the threshold; `selected` = tp + fp; sums of
    `log_loss` (nats), `squared_error` and `score`. Multiclass: `right`. Regression, in units of the task's scale: sums
    of `absolute`, `squared` and `error` (prediction minus label), of `label` and `label_squares`; quantile also
    `pinball` and `covered`. Any task: the sum of each quantity by its name. Of weighted rows all are weighted.
    """

    def __init__(self, sums: Sums, model: str) -> None:
        self._sums, self._model = sums, model
        self.n = sums.labelled

    def __getattr__(self, name: str) -> Floats:
        derived = _DERIVED.get(name)
        if derived is not None and "positive" in self._sums:
            return derived(self)
        sums = self._sums
        for owners in ((self._model,), ()):
            if column_name(name, *owners) in sums:
                return sums.count(name, *owners) if name in _COUNTS else sums.sum(name, *owners)
        known = sorted({"n", *_DERIVED, *(column.partition("/")[0] for column in sums.columns)})
        raise AttributeError(f"the profile has no sum {name!r}; is {nearest(name, known)!r} meant?")


_COUNTS = {"positive", "tp", "fp", "right", "covered", "nonzero"}
_DERIVED: dict[str, Callable[[ModelSums], Floats]] = {
    "positives": lambda sums: sums.positive,
    "fn": lambda sums: sums.positive - sums.tp,
    "tn": lambda sums: sums.n - sums.positive - sums.fp,
    "selected": lambda sums: sums.tp + sums.fp,
}


def metric(
    function: Callable[[ModelSums], Floats],
    *,
    name: str | None = None,
    title: str | None = None,
    larger_is_better: bool = True,
) -> Metric:
    """A metric from a function of `ModelSums`, such as `lambda sums: (5 * sums.fn + sums.fp) / sums.n`.

    The function works on arrays, element by element; a division by 0 is undefined there. Its interval, and that of a
    difference between models, is the jackknife's over buckets of units, so it should be smooth: a small change of the
    sums changes it little. The name is the function's. It is shown, and a policy cannot guard it, because a recorded
    verdict must be computable without the function. InvalidInput where there is no name, or the result has another
    shape.
    """
    known: str = name or str(getattr(function, "__name__", "<lambda>"))
    if not known.isidentifier():
        raise InvalidInput("the metric has no name", expected="name='cost', or a function with a name")

    def value(sums: Sums, model: str) -> Floats:
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(function(ModelSums(sums, model)), dtype=np.float64)
        except AttributeError as error:
            raise InvalidInput(f"the metric {known!r} cannot be computed: {error}") from error
        if found.shape != sums.labelled.shape:
            raise InvalidInput(
                f"the metric {known!r} gives shape {found.shape} for {len(sums.table)} sums",
                expected="a number for each",
            )
        return np.where(np.isfinite(found), found, np.nan)

    return Metric(
        known,
        title or known.replace("_", " ").capitalize(),
        larger_is_better,
        "smooth",
        value,
        labelled,
        minimum=2,
        bounds=(-math.inf, math.inf),
    )
