"""What each row costs a model, in the loss that its task is searched and ordered by."""

import numpy as np
from numpy.typing import NDArray

from assay.stats.binary import log_losses
from assay.stats.rows import Rows

__all__ = ["row_losses"]

Floats = NDArray[np.float64]


def row_losses(rows: Rows, model: str) -> Floats:
    """[labelled rows] the loss of a model; smaller is better.

    Binary: log loss. Multiclass: 1 for a wrong class, with probabilities what the right one lacks to 1. Regression and
    quantile: the absolute error, in the label's unit. Ranking and scores: minus the first quantity.
    """
    task = rows.task
    if task.name == "binary":
        return log_losses(rows.positive, rows.scores[model])
    if task.name == "multiclass":
        answer, truth = rows.scores[model], rows.label.astype(np.int64)
        if answer.ndim > 1:
            lacking: Floats = 1.0 - answer[np.arange(len(truth)), truth]
            return lacking
        wrong: Floats = (answer.astype(np.int64) != truth).astype(np.float64)
        return wrong
    if task.name in ("regression", "quantile"):
        off: Floats = np.abs(rows.scores[model] - rows.label) * task.scale
        return off
    first = task.quantities[0]
    lost: Floats = -rows.quantities[first.name][model] * first.scale
    return lost
