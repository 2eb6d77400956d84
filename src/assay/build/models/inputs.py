"""What models take: rows of mixed columns, described in MLflow's words."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column, is_number, is_text
from assay.errors import InvalidInput

__all__ = ["Classifier", "Column", "Regressor", "matrix", "numbers_only", "object_rows", "signature_of"]

_NUMBERS = ("double", "float", "long", "integer")


class Classifier(Protocol):
    """What a packaged classifier offers: the probability of each of its classes for rows of mixed columns."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """Array (rows, classes)."""
        ...


class Regressor(Protocol):
    """What a packaged estimator of numbers offers."""

    def predict(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """Array (rows,)."""
        ...


class Column:
    """One input column of a model: its name and its MLflow type (`string`, `double` or `long`)."""

    __slots__ = ("is_number", "name", "type")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.type = kind
        self.is_number = kind in _NUMBERS


def matrix(table: pa.Table, columns: Sequence[str]) -> NDArray[np.object_]:
    """Rows x columns as Python values; numbers are floats with NaN for null, text is text with None for null."""
    rows = np.empty((table.num_rows, len(columns)), dtype=object)
    for position, name in enumerate(columns):
        values = column(table, name)
        if not is_text(values.type):
            try:
                values = values.cast(pa.float64())
            except pa.ArrowException as error:
                raise InvalidInput(
                    f"column {name!r} of type {values.type} cannot be read as numbers: {error}",
                    expected="numbers or text as model inputs",
                ) from error
        rows[:, position] = values.to_numpy(zero_copy_only=False)
    return rows


def object_rows(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> NDArray[np.object_]:
    """Rows in the order of the signature as a model takes them: text or None, and floats with NaN for None."""
    values = np.empty((len(rows), len(columns)), dtype=object)
    for position, row in enumerate(rows):
        values[position] = row
    numbers = [position for position, column in enumerate(columns) if column.is_number]
    values[:, numbers] = values[:, numbers].astype(np.float64)
    return values


def signature_of(table: pa.Table, columns: Sequence[str]) -> list[dict[str, object]]:
    """MLflow's description of the input columns of a table."""
    described = []
    for name in columns:
        kind = column(table, name).type
        if is_text(kind):
            mlflow_type = "string"
        elif is_number(kind) or pa.types.is_boolean(kind):
            mlflow_type = "double"  # a whole number may be missing, and only a double can say so
        else:
            raise InvalidInput(
                f"column {name!r} is of type {kind}",
                expected="numbers or text as model inputs",
                hint=_instead(name, kind),
            )
        described.append({"name": name, "type": mlflow_type, "required": True})
    return described


def numbers_only(columns: Sequence[Column], taker: str) -> None:
    """InvalidInput where one of the columns is text, which the `taker` cannot read."""
    text = [one.name for one in columns if not one.is_number]
    if text:
        raise InvalidInput(
            f"{taker} takes numbers only, and column {text[0]!r} is text",
            hint="`assay.train` prepares text columns; or give a pipeline that encodes them",
        )


def _instead(name: str, kind: pa.DataType) -> str:
    if pa.types.is_temporal(kind):
        return f"make numbers of {name!r}, such as its hour or weekday, or leave it out"
    if pa.types.is_null(kind):
        return f"{name!r} has no value at all: leave it out"
    return f"leave {name!r} out, or make numbers or text of it"
