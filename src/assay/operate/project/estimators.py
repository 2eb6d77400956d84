"""Estimators by name, for projects without code of their own."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from assay.build.steps.step import step
from assay.build.training.train import train
from assay.errors import InvalidInput, nearest
from assay.operate.project.code import check_param
from assay.operate.project.settings import ProjectFile

__all__ = ["ESTIMATORS", "train_by_name"]

# by name: for classes, for numbers
ESTIMATORS = {
    "gradient_boosting": (
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.ensemble.HistGradientBoostingRegressor",
    ),
    "linear": ("sklearn.linear_model.LogisticRegression", "sklearn.linear_model.Ridge"),
    "random_forest": ("sklearn.ensemble.RandomForestClassifier", "sklearn.ensemble.RandomForestRegressor"),
}


def train_by_name(
    project: ProjectFile, table: pa.Table, features: Sequence[str], params: Mapping[str, object]
) -> object:
    """The estimator that `[model] estimator` names, with [params], fitted.

    InvalidInput for an unknown name or param; the nearest is said.
    """
    name = str(project.model.estimator)
    for_numbers = project.model.task == "regression"
    path = ESTIMATORS[name][for_numbers] if name in ESTIMATORS else name
    estimator = _class_of(project, path)
    takes = estimator().get_params() if hasattr(estimator, "get_params") else {}
    for key in params:
        check_param(key, list(takes) or None, estimator.__name__, project.where("params", key))
    given = {**({"random_state": project.split.seed} if "random_state" in takes else {}), **params}
    return train_estimator(table, path, dict(given), list(features), project.data.label)


@step
def train_estimator(
    table: pa.Table, estimator: str, params: dict[str, object], features: list[str], label: str
) -> object:
    """A fitted estimator of a class by its path."""
    module, _, name = estimator.rpartition(".")
    made = getattr(importlib.import_module(module), name)(**params)
    return train(made, table, label=label, features=features)


def _class_of(project: ProjectFile, path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        close = nearest(path, list(ESTIMATORS))
        raise InvalidInput(
            f"there is no estimator {path!r}",
            where=project.where("model", "estimator"),
            expected=f"{', '.join(ESTIMATORS)}, or the path of a class such as lightgbm.LGBMClassifier",
            hint=f"did you mean {close!r}?" if close else None,
        ) from error
