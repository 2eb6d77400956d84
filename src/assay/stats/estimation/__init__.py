"""How good a model is on rows whose labels nobody knows yet, from what it says of itself and what its reference showed.

    calibrator = Calibrator.fit(reference_scores, reference_labels)   # or Calibrator.as_they_are()
    estimated = estimate_binary(calibrator, scores, "auc")            # a value with its interval

Of classes by the expected cells of the confusion matrix (CBPE), weighted towards the new rows where a `density_ratio`
is given (PAPE); of numbers by a model of the loss (`LossModel`, DLE). All of them hold under covariate shift only: if
what the inputs say about the label has changed, they go on saying what was true before, without any sign of it.
Therefore `BackTest`: how often the label that came lay in the interval that was given is itself a figure to watch.
"""

from assay.stats.estimation.back_test import BackTest, back_test
from assay.stats.estimation.calibrator import Calibrator
from assay.stats.estimation.expected_binary import (
    BINARY_METRICS,
    Expectation,
    estimate_binary,
)
from assay.stats.estimation.expected_classes import estimate_classes
from assay.stats.estimation.loss_model import LOSS_METRICS, LossModel
from assay.stats.estimation.shift_weights import density_ratio, effective_rows

__all__ = [
    "BINARY_METRICS",
    "LOSS_METRICS",
    "BackTest",
    "Calibrator",
    "Expectation",
    "LossModel",
    "back_test",
    "density_ratio",
    "effective_rows",
    "estimate_binary",
    "estimate_classes",
]
