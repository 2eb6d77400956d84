"""How good answers are before their labels are there, by the task of the model.

Of probabilities by what they were worth: on labelled answers before, weighted by how much such rows come now (PAPE),
else on the hold-out of the version (CBPE). Of numbers by a model of what rows like these cost (DLE).
"""

from collections.abc import Callable, Mapping

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Window
from assay.operate.monitors.kinds.answers import Answers, HoldOut
from assay.operate.monitors.kinds.labelled import Labelled, labelled_before
from assay.operate.monitors.profiles import input_columns, window_table
from assay.record.store import Store
from assay.stats import OVERALL
from assay.stats.estimation import (
    BINARY_METRICS,
    LOSS_METRICS,
    Calibrator,
    Expectation,
    LossModel,
    density_ratio,
    effective_rows,
    estimate_binary,
    estimate_classes,
)
from assay.stats.histogram import bin_edges
from assay.stats.table_numbers import as_numbers

__all__ = ["CONFIDENCE", "FEWEST_LABELLED", "Estimator", "calibrator_of", "checked_metric", "estimator_of"]

CONFIDENCE = 0.95
FEWEST_LABELLED = 500  # of answers before, also after weighting: below that the hold-out says more
_METRICS: Mapping[str, tuple[str, ...]] = {
    "binary": BINARY_METRICS,
    "multiclass": ("accuracy",),
    "regression": LOSS_METRICS,
}
_DEFAULT: Mapping[str, str] = {"binary": "auc", "multiclass": "accuracy", "regression": "mae"}

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Estimator(msgspec.Struct, frozen=True):
    """`of` rows of the window by mask. `basis` says what it was learned from; `is_fitted` whether it was at all."""

    of: Callable[[Mask], Expectation]
    basis: str
    is_fitted: bool = True


def checked_metric(monitor: Monitor, task: str) -> str:
    """The metric that is estimated. InvalidInput for a task or a metric of which nothing is known without labels."""
    if task not in _METRICS:
        raise InvalidInput(
            f"estimates of a {task} model", where=f"monitor {monitor.name}", expected=", ".join(_METRICS)
        )
    name = monitor.definition.metric or _DEFAULT[task]
    if name not in _METRICS[task]:
        raise InvalidInput(
            f"{name} of a {task} model cannot be estimated without labels",
            where=f"monitor {monitor.name}",
            expected=", ".join(_METRICS[task]),
            hint=nearest(name, list(_METRICS[task])),
        )
    return name


def estimator_of(
    store: Store, monitor: Monitor, window: Window, answers: Answers, hold_out: HoldOut | None, metric: str
) -> Estimator | None:
    """What estimates the metric; None for numbers while too few labels are there to learn from.

    InvalidInput for answers that are no probabilities.
    """
    before = labelled_before(store, monitor, window)
    if answers.task.name == "regression":
        if len(before.labels) < FEWEST_LABELLED:
            return None
        old, new = _inputs(store, monitor, before, answers)
        model = LossModel.fit(old, before.rows["output"].to_numpy(), before.labels, metric)
        return Estimator(
            lambda mask: model.estimate(new[mask], answers.outputs[mask], confidence=CONFIDENCE),
            f"what {len(before.labels):,} labelled answers before cost",
        )
    weights = _weights(store, monitor, before, answers)
    if answers.task.name == "multiclass":
        return _of_classes(before, weights, answers)
    if ((answers.outputs < 0.0) | (answers.outputs > 1.0)).any():
        raise InvalidInput("answers outside [0, 1]", expected="a binary model's probabilities")
    if weights is not None and len(np.unique(before.labels)) == 2:
        calibrator = Calibrator.fit(before.rows["output"].to_numpy(), before.labels, weights)
        basis = _weighted(before)
    else:
        calibrator = calibrator_of(hold_out) if hold_out else Calibrator.as_they_are()
        basis = "the hold-out" if hold_out else "the model's own word"
    return Estimator(
        lambda mask: estimate_binary(
            calibrator, answers.outputs[mask], metric, threshold=answers.threshold, confidence=CONFIDENCE
        ),
        basis,
        is_fitted=bool(calibrator.shares),
    )


def calibrator_of(hold_out: HoldOut) -> Calibrator:
    """What scores were worth on the hold-out, by isotonic regression over the bins of its profile."""
    histogram = hold_out.profile.histograms[hold_out.model]
    whole = histogram.only(hold_out.profile.segments.index(OVERALL))
    unit = whole.unit
    return Calibrator.of_counts(bin_edges(whole.bin), whole.positives / unit, whole.negatives / unit)


def _of_classes(before: Labelled, weights: Floats | None, answers: Answers) -> Estimator:
    said = _probabilities(answers.table, len(answers.task.classes))
    calibrators = [Calibrator.as_they_are()] * said.shape[1]
    if weights is not None:
        old = _probabilities(before.rows, said.shape[1])
        calibrators = [
            Calibrator.fit(old[:, place], (before.labels == place).astype(np.float64), weights)
            for place in range(said.shape[1])
        ]
    return Estimator(
        lambda mask: estimate_classes(calibrators, said[mask], confidence=CONFIDENCE),
        "the model's own word" if weights is None else _weighted(before),
        is_fitted=weights is not None,
    )


def _probabilities(rows: pa.Table, classes: int) -> Floats:
    """[rows, classes]; InvalidInput where an answer has none."""
    scores = rows["scores"].combine_chunks()
    if scores.null_count or len(scores.flatten()) != classes * len(scores):
        raise InvalidInput("answers without the probabilities of their classes", expected="a model that gives them")
    found: Floats = scores.flatten().to_numpy().reshape(len(scores), classes)
    return found


def _weights(store: Store, monitor: Monitor, before: Labelled, answers: Answers) -> Floats | None:
    """How much each labelled row counts; None where too few are like those that come now."""
    if len(before.labels) < FEWEST_LABELLED:
        return None
    old, new = _inputs(store, monitor, before, answers)
    if not old.shape[1]:
        return np.ones(len(old))
    weights = density_ratio(old, new)
    return weights if effective_rows(weights) >= FEWEST_LABELLED / 2 else None


def _inputs(store: Store, monitor: Monitor, before: Labelled, answers: Answers) -> tuple[Floats, Floats]:
    """[rows, inputs] as numbers, of the labelled rows and of the window's."""
    columns = input_columns(store, monitor, answers.table)
    names = [one.name for one in columns]
    if not names:
        return np.empty((len(before.labels), 0)), np.empty((answers.rows, 0))
    (old, new), _ = as_numbers([window_table(one, columns) for one in (before.rows, answers.table)], names)
    return old, new


def _weighted(before: Labelled) -> str:
    return f"{len(before.labels):,} labelled answers before, weighted by how such rows come now"
