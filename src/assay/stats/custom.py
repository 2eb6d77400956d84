"""Metrics of a team's own: functions of what a profile sums, with an interval like any other."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats.metric import Metric, labelled
from assay.stats.sums import Sums

__all__ = ["ModelSums", "metric"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelSums:
    """The sums of one model over labelled rows, each [k] float64; k runs over segments, or segments without a bucket.

    `n` rows, of which `positives` are 1; `tp`, `fp`, `fn`, `tn` at the threshold; `selected` = tp + fp; sums of
    `log_loss` (nats), `squared_error` and `score`.
    """

    n: Floats
    positives: Floats
    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats
    selected: Floats
    log_loss: Floats
    squared_error: Floats
    score: Floats


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
        tp, fp = sums.count("tp", model), sums.count("fp", model)
        positives, n = sums.count("positive"), sums.labelled
        given = ModelSums(
            n,
            positives,
            tp,
            fp,
            positives - tp,
            n - positives - fp,
            tp + fp,
            sums.sum("log_loss", model),
            sums.sum("squared_error", model),
            sums.sum("score", model),
        )
        with np.errstate(all="ignore"):
            found = np.asarray(function(given), dtype=np.float64)
        if found.shape != n.shape:
            raise InvalidInput(
                f"the metric {known!r} gives shape {found.shape} for {len(n)} sums", expected="a number for each"
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
