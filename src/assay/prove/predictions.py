"""What a model says about the rows of a table, whichever way the model is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from assay.build.models.table_model import TableModel
from assay.errors import InvalidInput, nearest
from assay.stats import Task

__all__ = ["Estimator", "Model", "Said", "check_column", "class_names", "describe", "fitted_to", "said_of"]


@runtime_checkable
class Estimator(Protocol):
    """A fitted scikit-learn estimator: it predicts, and knows the names of the columns it was fitted on."""

    feature_names_in_: NDArray[np.object_]

    def predict(self, X: object) -> ArrayLike:
        """A value for each row."""
        ...


Model = TableModel | Estimator | Callable[[pa.Table], ArrayLike] | str | ArrayLike


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a model says: `values` [rows] or [rows, classes], and the names of the classes where the model has them."""

    values: NDArray[np.generic]
    classes: tuple[str, ...] = ()


def said_of(model: Model, data: pa.Table, role: str) -> Said:
    """The answers of a model on the rows of `data`, as it gives them.

    A registered version, a model of `assay.train`, a scikit-learn estimator fitted on named columns, a function of an
    Arrow table, the name of a column of answers, or the answers themselves. InvalidInput, naming the `role`, for
    anything else and for a result of another length.
    """
    classes: tuple[str, ...] = ()
    if isinstance(model, TableModel):
        answers: Any = model.answer_table(data)
        classes = class_names(model.classes)
    elif isinstance(model, str):
        check_column(data.schema, model)
        answers = data.column(model)
    elif isinstance(model, Estimator):
        answers, classes = _of_estimator(model, data), class_names(getattr(model, "classes_", ()))
    elif callable(model):
        answers = model(data)
    else:
        answers = model
    if isinstance(answers, pa.Array | pa.ChunkedArray):
        if pa.types.is_dictionary(answers.type):
            answers = answers.cast(answers.type.value_type)
        answers = answers.to_numpy(zero_copy_only=False) if isinstance(answers, pa.Array) else answers.to_numpy()
    found = np.asarray(answers)
    if found.ndim not in (1, 2) or len(found) != data.num_rows:
        raise InvalidInput(
            f"the {role} gives {'a single value' if not found.ndim else f'values of shape {found.shape}'}"
            f" for {data.num_rows:,} rows",
            expected="one prediction for each row: an array, a column's name, a function of the table, or a model",
        )
    return Said(found, classes)


def fitted_to(said: Said, task: Task, role: str) -> NDArray[np.generic]:
    """The answers in the form the task wants: one score, one number, or a probability of each of its classes."""
    values = said.values
    if task.name != "multiclass":
        if values.ndim == 2 and task.name == "binary" and values.shape[1] == 2:
            return values[:, 1]
        if values.ndim == 2:
            raise InvalidInput(
                f"the {role} gives {values.shape[1]} numbers for each row",
                expected=f"one for the task {task.name}",
                hint="is it task='multiclass'?" if task.name == "binary" else None,
            )
        return values
    if values.ndim == 1:
        return values
    if not task.probabilities:
        names = np.asarray(said.classes or task.classes, dtype=object)
        likeliest: NDArray[np.generic] = names[values.argmax(axis=1)]
        return likeliest
    if not said.classes or said.classes == task.classes:
        return values
    placed = np.zeros((len(values), len(task.classes)))
    for column, name in enumerate(said.classes):
        placed[:, task.classes.index(name)] = values[:, column]
    return placed


def class_names(classes: Sequence[object] | NDArray[np.generic]) -> tuple[str, ...]:
    """Classes as text; whole numbers without a fraction."""
    return tuple(str(int(one)) if isinstance(one, float) and one.is_integer() else str(one) for one in list(classes))


def describe(model: Model) -> str:
    """A name for people: `late/3`, the class of an estimator, the name of a column or a function."""
    if isinstance(model, TableModel):
        return model.name
    if isinstance(model, str):
        return model
    if isinstance(model, Estimator):
        return type(model).__name__
    return getattr(model, "__name__", "predictions")


def check_column(schema: pa.Schema, name: str) -> None:
    """InvalidInput, with the nearest name, where there is no such column."""
    if name not in schema.names:
        close = nearest(name, schema.names)
        raise InvalidInput(
            f"there is no column {name!r}",
            expected=", ".join(schema.names),
            hint=f"did you mean {close!r}?" if close else None,
        )


def _of_estimator(model: Estimator, data: pa.Table) -> object:
    columns = [str(name) for name in model.feature_names_in_]
    for name in columns:
        check_column(data.schema, name)
    try:
        frame: object = data.select(columns).to_pandas()
    except ImportError:
        frame = np.column_stack([data.column(name).to_numpy() for name in columns])
    if hasattr(model, "predict_proba"):
        return model.predict_proba(frame)
    return model.predict(frame)
