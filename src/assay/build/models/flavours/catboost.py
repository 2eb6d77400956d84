"""CatBoost, kept in its own binary form: text columns are its own affair, and no code runs when it is loaded."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.build.models.flavours.answering import answering
from assay.build.models.flavours.flavour import Given, Kept, Saved, classes_of, library_of, pinned
from assay.build.models.inputs import Classifier, Regressor
from assay.build.models.matrix_models import group_key
from assay.errors import MissingExtra

__all__ = ["FILE", "LOADER", "load", "recognises", "save", "texts"]

FILE = "model.cb"
LOADER = "mlflow.catboost"
_PLAIN = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor")


def recognises(estimator: object) -> bool:
    """One of CatBoost's own classes."""
    return library_of(estimator) == "catboost" and type(estimator).__name__ in _PLAIN


def save(given: Given) -> Saved:
    """The file that `save_model` writes."""
    estimator = given.estimator
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / FILE
        estimator.save_model(str(path), format="cbm")
        content = path.read_bytes()
    return Saved(
        name="catboost",
        content=content,
        loader={"data": FILE},
        described={
            "model_type": type(estimator).__name__,
            "save_format": "cbm",
            "data": FILE,
            "catboost_version": _version(),
            "code": None,
        },
        requirements=pinned(["catboost", "numpy", "scipy"]),
        classes=given.classes or classes_of(estimator),
    )


def load(kept: Kept) -> Classifier | Regressor:
    """A classifier where classes are known, a regressor otherwise."""
    try:
        import catboost
    except ImportError:
        raise MissingExtra("catboost", "catboost") from None
    model = (catboost.CatBoostClassifier if kept.classes else catboost.CatBoostRegressor)()
    model.load_model(blob=kept.content)
    ask = model.predict_proba if kept.classes else model.predict
    places: Sequence[int] = model.get_cat_feature_indices()
    return answering(kept, load, lambda rows: np.asarray(ask(texts(rows, places))))


def texts(rows: NDArray[np.object_], places: Sequence[int]) -> NDArray[np.object_]:
    """The rows with text at the places of categories: CatBoost refuses missing ones, which become `missing`."""
    ready = np.array(rows, dtype=object)
    for place in places:
        ready[:, place] = group_key(ready[:, place].tolist())
    return ready


def _version() -> str:
    import catboost

    return str(catboost.__version__)
