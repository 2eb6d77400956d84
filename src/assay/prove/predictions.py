"""What a model says about the rows of a table, whichever way the model is given."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from assay.build.packaging import LoadedModel
from assay.errors import InvalidInput, nearest
from assay.prove.sources import Files

__all__ = ["Estimator", "Model", "check_column", "describe", "predictions"]


@runtime_checkable
class Estimator(Protocol):
    """A fitted scikit-learn estimator: it predicts, and knows the names of the columns it was fitted on."""

    feature_names_in_: NDArray[np.object_]

    def predict(self, X: object) -> ArrayLike:
        """A value for each row."""
        ...


Model = LoadedModel | Estimator | Callable[[pa.Table], ArrayLike] | str | ArrayLike


def predictions(model: Model, data: pa.Table, role: str) -> NDArray[np.generic]:
    """Scores [rows] (or [rows, classes]) of a model on the rows of `data`.

    A registered version, a scikit-learn estimator fitted on named columns, a function of an Arrow table, the name of a
    column of scores, or the scores themselves. InvalidInput, naming the `role`, for anything else and for a result of
    another length.
    """
    if isinstance(model, LoadedModel):
        scores: object = model.predict_table(data)
    elif isinstance(model, str):
        check_column(data, model)
        scores = data.column(model).to_numpy()
    elif isinstance(model, Estimator):
        scores = _of_estimator(model, data)
    elif callable(model):
        scores = model(data)
    else:
        scores = model
    if isinstance(scores, pa.Array | pa.ChunkedArray):
        scores = scores.to_numpy(zero_copy_only=False) if isinstance(scores, pa.Array) else scores.to_numpy()
    found = np.asarray(scores)
    if found.ndim not in (1, 2) or len(found) != data.num_rows:
        raise InvalidInput(
            f"the {role} gives {'a single value' if not found.ndim else f'values of shape {found.shape}'}"
            f" for {data.num_rows:,} rows",
            expected="one prediction for each row: an array, a column's name, a function of the table, or a model",
        )
    if found.ndim == 2 and found.shape[1] == 2:
        found = found[:, 1]
    return found


def describe(model: Model) -> str:
    """A name for people: `late/3`, the class of an estimator, the name of a column or a function."""
    if isinstance(model, LoadedModel):
        return f"{model.version.model}/{model.version.version}"
    if isinstance(model, str):
        return model
    if isinstance(model, Estimator):
        return type(model).__name__
    return getattr(model, "__name__", "predictions")


def check_column(data: pa.Table | Files, name: str) -> None:
    """InvalidInput, with the nearest name, where the table has no such column."""
    names = data.schema.names
    if name not in names:
        close = nearest(name, names)
        raise InvalidInput(
            f"there is no column {name!r}",
            expected=", ".join(names),
            hint=f"did you mean {close!r}?" if close else None,
        )


def _of_estimator(model: Estimator, data: pa.Table) -> object:
    columns = [str(name) for name in model.feature_names_in_]
    for name in columns:
        check_column(data, name)
    try:
        frame: object = data.select(columns).to_pandas()
    except ImportError:
        frame = np.column_stack([data.column(name).to_numpy() for name in columns])
    if hasattr(model, "predict_proba"):
        return model.predict_proba(frame)
    return model.predict(frame)
