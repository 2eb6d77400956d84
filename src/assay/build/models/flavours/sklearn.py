"""scikit-learn, and whatever else can be pickled: pipelines with other libraries inside, classes of one's own."""

import io
import pickle
from typing import cast

from assay.build.models.flavours.answering import KeptClassifier, KeptRegressor
from assay.build.models.flavours.flavour import Given, Kept, Saved, classes_of, pinned
from assay.build.models.inputs import Classifier, Regressor
from assay.errors import InvalidInput, MissingExtra

__all__ = ["FILE", "LOADER", "load", "recognises", "save"]

FILE = "model.pkl"
LOADER = "mlflow.sklearn"
_ALWAYS = ("sklearn", "numpy", "scipy")
_EXTRAS = {"catboost", "lightgbm", "torch", "xgboost"}


def recognises(estimator: object) -> bool:
    """Anything with `predict` or `predict_proba`."""
    return hasattr(estimator, "predict") or hasattr(estimator, "predict_proba")


def save(given: Given) -> Saved:
    """A pickle; required is what it names."""
    estimator = given.estimator
    into = io.BytesIO()
    pickler = _Noting(into)
    try:
        pickler.dump(estimator)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InvalidInput(
            f"the estimator cannot be pickled: {error}", expected="an object of a class at the top of a module"
        ) from error
    requirements = pinned([*_ALWAYS, *pickler.modules])
    return Saved(
        name="sklearn",
        content=into.getvalue(),
        loader={
            "model_path": FILE,
            "predict_fn": "predict_proba" if hasattr(estimator, "predict_proba") else "predict",
        },
        described={
            "pickled_model": FILE,
            "serialization_format": "pickle",
            "sklearn_version": requirements[0].partition("==")[2],
            "code": None,
        },
        requirements=requirements,
        classes=given.classes or classes_of(estimator),
    )


def load(kept: Kept) -> Classifier | Regressor:
    """What was pickled."""
    try:
        found = pickle.loads(kept.content)  # noqa: S301 - its hash was checked
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _EXTRAS:
            raise MissingExtra(missing, missing) from None
        raise InvalidInput(
            f"the model needs the module {error.name}, which is not here",
            hint="install what the requirements.txt of the version lists",
        ) from error
    return cast(Classifier | Regressor, found)


class _Noting(pickle.Pickler):
    """Notes the top-level modules of all that it pickles."""

    def __init__(self, into: io.BytesIO) -> None:
        super().__init__(into, protocol=5)
        self.modules: dict[str, None] = {}

    def persistent_id(self, value: object) -> None:
        """Called for every object; None: it is pickled as usual."""
        module = getattr(value, "__module__", None)
        if isinstance(module, str):
            self.modules[module.partition(".")[0]] = None
        if isinstance(value, KeptClassifier | KeptRegressor):  # such as inside thresholds by group
            self.modules[value.library] = None
