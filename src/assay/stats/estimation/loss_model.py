"""The loss of a model of numbers on rows without labels, by a model of the loss (DLE).

Trees learn from labelled reference rows what a row like this costs; the mean over new rows is the estimate. Its error
has two parts: the new rows' own losses scatter around what is expected, and the trees were learned from few rows, which
the folds show: each of them is asked about the new rows.
"""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.estimation.expected_binary import Expectation

__all__ = ["LOSS_METRICS", "LossModel"]

Floats = NDArray[np.float64]
LossMetric = Literal["mae", "mse", "rmse"]
LOSS_METRICS: tuple[LossMetric, ...] = ("mae", "mse", "rmse")
_FOLDS = 5
_FEWEST = 100


class LossModel:
    """Learned by `fit`; `estimate` is asked about new rows."""

    def __init__(self, models: list[Any], scatter: Any, metric: str, bias: float, bias_error: float) -> None:
        self._models, self._scatter, self.metric = models, scatter, metric
        self._bias, self._bias_error = bias, bias_error

    @classmethod
    def fit(
        cls, inputs: ArrayLike, predictions: ArrayLike, labels: ArrayLike, metric: str = "mae", *, seed: int = 0
    ) -> "LossModel":
        """From inputs [rows, columns] as numbers (NaN where there is none), and what was predicted and came of it.

        Out of fold, so that a residual is one of a row that its trees have not seen. InvalidInput for another metric,
        fewer than 100 rows, and lengths that differ.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.model_selection import KFold

        if metric not in LOSS_METRICS:
            raise InvalidInput(f"{metric} cannot be estimated without labels", expected=", ".join(LOSS_METRICS))
        x = _with(inputs, predictions)
        y = np.asarray(labels, dtype=np.float64)
        if len(y) != len(x) or len(y) < _FEWEST:
            raise InvalidInput(f"{len(x)} rows with {len(y)} labels", expected=f"as many, {_FEWEST} or more")
        off = np.abs(x[:, -1] - y)
        loss = off if metric == "mae" else off**2

        def trees() -> Any:
            return HistGradientBoostingRegressor(
                max_iter=80, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=40, random_state=seed
            )

        models, expected = [], np.empty(len(loss))
        for train, test in KFold(_FOLDS, shuffle=True, random_state=seed).split(x):
            model = trees().fit(x[train], loss[train])
            expected[test] = model.predict(x[test])
            models.append(model)
        residual = loss - expected
        scatter = trees().fit(x, residual**2)
        return cls(models, scatter, metric, float(residual.mean()), float(residual.std(ddof=1)) / math.sqrt(len(y)))

    def estimate(self, inputs: ArrayLike, predictions: ArrayLike, *, confidence: float = 0.95) -> Expectation:
        """The metric that labels of these rows will show, with its interval; the root of the mean's ends for rmse."""
        x = _with(inputs, predictions)
        if not len(x):
            return Expectation(math.nan, math.nan, math.nan, math.nan, 0)
        means = np.array([float(model.predict(x).mean()) for model in self._models])
        value = max(0.0, float(means.mean()) + self._bias)
        own = float(np.maximum(self._scatter.predict(x), 0.0).mean()) / len(x)
        learned = float(means.var(ddof=1))  # folds share rows and agree more than independent fits, hence not / folds
        error = math.sqrt(own + learned + self._bias_error**2)
        half = normal.t_quantile((1.0 + confidence) / 2.0, 30.0) * error
        low, high = max(0.0, value - half), value + half
        if self.metric == "rmse":
            root = math.sqrt(value)
            return Expectation(root, math.sqrt(low), math.sqrt(high), error / (2 * root) if root else error, len(x))
        return Expectation(value, low, high, error, len(x))


def _with(inputs: ArrayLike, predictions: ArrayLike) -> Floats:
    """The inputs with the prediction as the last column."""
    x, p = np.asarray(inputs, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if x.ndim != 2 or len(x) != len(p):
        raise InvalidInput(f"inputs of shape {x.shape} and {len(p)} predictions", expected="a row for each prediction")
    return np.concatenate([x, p[:, None]], axis=1)
