"""Training with weights that make group and label independent of each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput

__all__ = ["fit_reweighed", "reweighing"]


def reweighing(groups: Sequence[object], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n] w = P(group)·P(label)/P(group, label) of each row (Kamiran and Calders 2012, Knowl Inf Syst 33:1).

    Under these weights every group has the same share of positives, and the weights add up to n. `labels` are 0 or 1.
    """
    distinct = {group: code for code, group in enumerate(sorted(set(groups), key=str))}
    codes = np.array([distinct[group] for group in groups], dtype=np.int64)
    label = np.asarray(labels).astype(np.int64)
    together = np.bincount(codes * 2 + label, minlength=2 * len(distinct)).reshape(-1, 2).astype(np.float64)
    alone = np.outer(together.sum(axis=1), together.sum(axis=0)) / max(1, len(codes))
    weights: NDArray[np.float64] = (alone / np.maximum(together, 1.0))[codes, label]
    return weights


def fit_reweighed(estimator: Any, X: object, labels: NDArray[np.float64], groups: Sequence[object]) -> Any:
    """A clone of a scikit-learn estimator, fitted with the weights of `reweighing`; a pipeline gives them to its last
    step. InvalidInput for what cannot be cloned and for an estimator that takes no weights.
    """
    from sklearn.base import clone
    from sklearn.utils.validation import has_fit_parameter

    try:
        fresh = clone(estimator)
    except TypeError as error:
        raise InvalidInput(
            f"{type(estimator).__name__} cannot be trained again", expected="a scikit-learn estimator"
        ) from error
    steps = getattr(fresh, "steps", None)
    name, last = steps[-1] if steps else ("", fresh)
    if not has_fit_parameter(last, "sample_weight"):
        raise InvalidInput(
            f"{type(last).__name__} takes no weights, so it cannot be trained with them",
            expected="an estimator whose fit has sample_weight",
        )
    weights = reweighing(groups, labels)
    fitted = fresh.fit(X, labels.astype(np.int64), **{f"{name}__sample_weight" if steps else "sample_weight": weights})
    if not hasattr(fitted, "predict_proba"):
        raise InvalidInput(f"{type(last).__name__} gives no probabilities", expected="predict_proba")
    return fitted
