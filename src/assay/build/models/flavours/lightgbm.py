"""LightGBM, kept as its own text: readable, and no code runs when it is loaded."""

from typing import Any

import numpy as np

from assay.build.models.flavours.answering import answering
from assay.build.models.flavours.flavour import Given, Kept, Saved, classes_of, library_of, pinned
from assay.build.models.inputs import Classifier, Regressor, numbers_only
from assay.errors import InvalidInput, MissingExtra

__all__ = ["FILE", "LOADER", "load", "recognises", "save"]

FILE = "model.lgb"
LOADER = "mlflow.lightgbm"


def recognises(estimator: object) -> bool:
    """A model of LightGBM, unless a function of one's own is its objective: its text would not know it."""
    return library_of(estimator) == "lightgbm" and not callable(getattr(estimator, "objective", None))


def save(given: Given) -> Saved:
    """The text of the trees, up to the best iteration."""
    estimator = given.estimator
    numbers_only(given.columns, "LightGBM")
    booster = getattr(estimator, "booster_", estimator)
    if booster.pandas_categorical:
        raise InvalidInput(
            "LightGBM was fitted on categories of pandas, which are not kept",
            hint="`assay.train` prepares text columns; or give a pipeline that encodes them",
        )
    text = booster.model_to_string()
    known = given.classes or classes_of(estimator)
    if not known and "objective=binary" in text:
        known = (0, 1)
    return Saved(
        name="lightgbm",
        content=text.encode(),
        loader={},
        described={"data": FILE, "model_class": "lightgbm.basic.Booster", "lgb_version": _version(), "code": None},
        requirements=pinned(["lightgbm", "numpy", "scipy", "sklearn"]),
        classes=known or tuple(range(_many(booster))),
    )


def load(kept: Kept) -> Classifier | Regressor:
    """A classifier where classes are known, a regressor otherwise."""
    try:
        import lightgbm
    except ImportError:
        raise MissingExtra("lightgbm", "lightgbm") from None
    booster = lightgbm.Booster(model_str=kept.content.decode())

    return answering(kept, load, lambda rows: np.asarray(booster.predict(rows.astype(np.float64))), booster)


def _many(booster: Any) -> int:
    trees: int = booster.num_model_per_iteration()
    return trees if trees > 1 else 0


def _version() -> str:
    import lightgbm

    return str(lightgbm.__version__)
