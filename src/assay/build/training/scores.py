"""A few numbers about what a model says on rows whose label is known; evaluations say more."""

import numpy as np
from numpy.typing import NDArray

from assay.build.training.labels import Labels

__all__ = ["scores_of"]


def scores_of(answers: NDArray[np.float64], labels: Labels) -> dict[str, float]:
    """Accuracy and log loss of classes, AUC where there are two; MAE, RMSE and R2 of numbers."""
    from sklearn import metrics

    truth = labels.values
    if labels.task == "regression":
        return {
            "mae": float(metrics.mean_absolute_error(truth, answers)),
            "rmse": float(metrics.root_mean_squared_error(truth, answers)),
            "r2": float(metrics.r2_score(truth, answers)),
        }
    codes = range(len(labels.classes))
    likely = answers / answers.sum(axis=1, keepdims=True)  # single precision adds up to nearly 1
    found = {
        "accuracy": float((answers.argmax(axis=1) == truth).mean()),
        "log_loss": float(metrics.log_loss(truth, likely, labels=list(codes))),
    }
    if len(labels.classes) == 2 and len(np.unique(truth)) == 2:
        found["auc"] = float(metrics.roc_auc_score(truth, answers[:, 1]))
    return found
