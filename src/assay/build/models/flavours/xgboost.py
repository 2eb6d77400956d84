"""XGBoost, kept as universal binary JSON: small, and no code runs when it is loaded."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.flavours.answering import answering
from assay.build.models.flavours.flavour import Given, Kept, Saved, classes_of, library_of, pinned
from assay.build.models.inputs import Classifier, Regressor, numbers_only
from assay.errors import MissingExtra

__all__ = ["FILE", "LOADER", "best_booster", "load", "recognises", "save"]

FILE = "model.ubj"
LOADER = "mlflow.xgboost"


def recognises(estimator: object) -> bool:
    """A model of XGBoost, unless a function of one's own is its objective: the file would not know it."""
    return library_of(estimator) == "xgboost" and not callable(getattr(estimator, "objective", None))


def save(given: Given) -> Saved:
    """The booster, up to the best iteration, with the names of the columns: MLflow's reader compares them."""
    estimator = given.estimator
    import xgboost

    numbers_only(given.columns, "XGBoost")
    booster = xgboost.Booster()
    booster.load_model(best_booster(estimator).save_raw("ubj"))
    booster.feature_names = [one.name for one in given.columns]
    booster.feature_types = None
    known = given.classes or classes_of(estimator)
    return Saved(
        name="xgboost",
        content=bytes(booster.save_raw("ubj")),
        loader={},
        described={
            "data": FILE,
            "model_class": "xgboost.core.Booster",
            "model_format": "ubj",
            "xgb_version": xgboost.__version__,
            "code": None,
        },
        requirements=pinned(["xgboost", "numpy", "scipy"]),
        classes=known or tuple(range(_many(booster))),
    )


def best_booster(estimator: Any) -> Any:
    """The booster of an estimator, or it itself, up to the best iteration."""
    fitted = estimator.get_booster() if hasattr(estimator, "get_booster") else estimator
    best = fitted.attr("best_iteration")
    return fitted if best is None else fitted[: int(best) + 1]


def load(kept: Kept) -> Classifier | Regressor:
    """A classifier where classes are known, a regressor otherwise."""
    try:
        import xgboost
    except ImportError:
        raise MissingExtra("xgboost", "xgboost") from None
    booster = xgboost.Booster()
    booster.load_model(bytearray(kept.content))

    def answer(rows: NDArray[np.object_]) -> NDArray[Any]:
        return np.asarray(booster.inplace_predict(rows.astype(np.float64), validate_features=False))

    return answering(kept, load, answer, booster)


def _many(booster: Any) -> int:
    """The number of classes a bare booster gives probabilities of; 0 for numbers."""
    import json

    learner = json.loads(booster.save_config())["learner"]
    many = int(learner["learner_model_param"]["num_class"])
    return many or (2 if learner["objective"]["name"] == "binary:logistic" else 0)
