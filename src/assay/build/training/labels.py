"""The label of a training: which rows have one, what the classes are, and whether something can be learned from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import column, is_number, is_text
from assay.errors import InvalidInput, nearest

__all__ = ["Labels", "TrainingTask", "labels_like", "labels_of"]

TrainingTask = Literal["binary", "multiclass", "regression"]
_FEWEST = 2  # rows of a class: with one, nothing can be held out of it


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """`values` of the rows that are `kept`: numbers, or for classes 0, 1, ... in the order of `classes`."""

    task: TrainingTask
    values: NDArray[Any]
    classes: tuple[object, ...]
    kept: NDArray[np.bool_]

    @property
    def left_out(self) -> int:
        """Rows without a label."""
        return int(len(self.kept) - self.kept.sum())

    @property
    def named(self) -> NDArray[Any]:
        """The labels as the classes they stand for; numbers as they are."""
        return np.asarray(self.classes)[self.values] if self.classes else self.values


def labels_of(table: pa.Table, label: str, *, classes: bool, positive: object = None) -> Labels:
    """The label column for an estimator that tells `classes` apart, or one of numbers.

    Booleans are 0 and 1, and so is a column with `positive`: 1 where it has that value. InvalidInput for a column that
    is not there, without values, with the same value everywhere, with a class of a single row, or of another kind.
    """
    present, kept = _present(table, label)
    if not classes:
        numbers = _numbers(label, present)
        if numbers.min() == numbers.max():
            raise _constant(label, numbers[0].item())
        return Labels("regression", numbers, (), kept)
    values = _class_values(label, present)
    distinct = sorted(pc.unique(values).to_pylist())
    if len(distinct) == 1:
        raise _constant(label, distinct[0])
    if positive is not None:
        _known(label, positive, distinct)
        values, distinct = _is(values, positive), [0, 1]
    codes = _codes(values, distinct)
    _enough(label, distinct, codes)
    return Labels("binary" if distinct == [0, 1] else "multiclass", codes, tuple(distinct), kept)


def labels_like(
    task: TrainingTask, classes: Sequence[object], table: pa.Table, label: str, positive: object = None
) -> Labels:
    """The labels of other rows in the classes of a training; InvalidInput for a class that it does not know."""
    present, kept = _present(table, label)
    if task == "regression":
        return Labels("regression", _numbers(label, present), (), kept)
    values = _class_values(label, present)
    if positive is not None:
        values = _is(values, positive)
    strange = set(pc.unique(values).to_pylist()) - set(classes)
    if strange:
        raise InvalidInput(
            f"the training knows no class {sorted(strange)[0]!r} of the label column {label!r}",
            expected=", ".join(repr(one) for one in classes[:10]),
        )
    return Labels(task, _codes(values, classes), tuple(classes), kept)


def _present(table: pa.Table, label: str) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    values = column(table, label)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    present = values.drop_null()
    if not len(present):
        raise InvalidInput(f"no row has a label in column {label!r}", expected="rows whose outcome is known")
    return present, np.asarray(values.is_valid().to_numpy(), dtype=bool)


def _numbers(label: str, values: pa.ChunkedArray) -> NDArray[np.float64]:
    if not is_number(values.type):
        raise InvalidInput(
            f"the label column {label!r} is of type {values.type}, and the estimator predicts numbers",
            hint="give a classifier, or a label of numbers",
        )
    numbers: NDArray[np.float64] = values.cast(pa.float64()).to_numpy()
    if not np.isfinite(numbers).all():
        raise InvalidInput(f"the label column {label!r} has infinite values", hint="make them missing")
    return numbers


def _class_values(label: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text, or whole numbers: booleans are 0 and 1."""
    if pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        numbers = values.cast(pa.float64()).to_numpy()
        if not (numbers == np.round(numbers)).all():
            raise InvalidInput(
                f"the label column {label!r} has numbers with fractions, and the estimator tells classes apart",
                hint="give a regressor, or make classes of it",
            )
        return pa.chunked_array([pa.array(numbers.astype(np.int64))])
    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8())
    if is_text(values.type):
        return values.cast(pa.large_string())
    if not pa.types.is_integer(values.type):
        raise InvalidInput(
            f"the label column {label!r} is of type {values.type}", expected="text, whole numbers or booleans"
        )
    return values


def _is(values: pa.ChunkedArray, positive: object) -> pa.ChunkedArray:
    wanted = int(positive) if isinstance(positive, bool) else positive
    return pc.equal(values, pa.scalar(wanted, values.type)).cast(pa.int8())


def _codes(values: pa.ChunkedArray, classes: Sequence[object]) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = pc.index_in(values, value_set=pa.array(classes, values.type)).to_numpy().astype(np.int64)
    return codes


def _enough(label: str, distinct: Sequence[object], codes: NDArray[np.int64]) -> None:
    counts = np.bincount(codes, minlength=len(distinct))
    few = [one for one, count in zip(distinct, counts, strict=True) if count < _FEWEST]
    if few:
        raise InvalidInput(
            f"class {few[0]!r} of the label column {label!r} has a single row",
            expected=f"{_FEWEST} rows or more of each class; {len(few)} of {len(distinct)} have fewer",
            hint="join rare classes, or leave their rows out; is it a number to predict? then give a regressor",
        )


def _known(label: str, positive: object, distinct: Sequence[object]) -> None:
    if positive in distinct:
        return
    close = nearest(str(positive), [str(one) for one in distinct])
    raise InvalidInput(
        f"no row of the label column {label!r} has the value {positive!r}",
        expected=", ".join(repr(one) for one in distinct[:10]),
        hint=f"did you mean {close!r}?" if close else None,
    )


def _constant(label: str, value: object) -> InvalidInput:
    return InvalidInput(
        f"the label column {label!r} is {value!r} in every row, so nothing can be learned from it",
        expected="at least two different values",
        hint="look at how the rows were chosen, and whether it is the right column",
    )
