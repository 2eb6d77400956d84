"""How much more often rows like these come now than they did: weights that turn the reference into the new rows.

A classifier tells reference rows from new ones; its odds are the density ratio (PAPE: Białek, Kivimäki, Kuberski and
Perrakis, arXiv 2401.08348). A calibrator fitted with them is calibrated where the new rows are.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput

__all__ = ["density_ratio", "effective_rows"]

Floats = NDArray[np.float64]
_FOLDS = 3
_MOST = 20.0  # of a weight, in means: what is rarer in the reference says too little to be counted so often
_FEWEST = 50


def density_ratio(reference: ArrayLike, current: ArrayLike, *, seed: int = 0) -> Floats:
    """[reference rows] weights of mean 1 from inputs [rows, columns] as numbers, NaN where there is none.

    Gradient-boosted trees, out of fold, so that no row has a part in its own weight. Where the two are alike, weights
    are near 1. InvalidInput for fewer than 50 rows of either and columns that differ.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    old, new = (np.asarray(values, dtype=np.float64) for values in (reference, current))
    if old.ndim != 2 or new.ndim != 2 or old.shape[1] != new.shape[1] or min(len(old), len(new)) < _FEWEST:
        raise InvalidInput(
            f"inputs of shape {old.shape} and {new.shape}", expected=f"the same columns, {_FEWEST} rows or more of each"
        )
    is_new = np.concatenate([np.zeros(len(old)), np.ones(len(new))])
    model = HistGradientBoostingClassifier(
        max_iter=25, learning_rate=0.2, max_leaf_nodes=15, min_samples_leaf=40, l2_regularization=1.0, random_state=seed
    )
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    found = cross_val_predict(model, np.concatenate([old, new]), is_new, cv=folds, method="predict_proba")
    chance = np.clip(found[: len(old), 1], 1e-6, 1 - 1e-6)
    weights = chance / (1 - chance) * len(old) / len(new)
    weights = np.minimum(weights / weights.mean(), _MOST)
    result: Floats = weights / weights.mean()
    return result


def effective_rows(weights: Floats) -> float:
    """How many equal rows carry as much: (Σw)²/Σw² (Kish). Few of many rows say that the new rows are elsewhere."""
    return float(weights.sum() ** 2 / (weights**2).sum())
