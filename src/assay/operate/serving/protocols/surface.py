"""What an endpoint looks like as tensors. It is made once for the variants of a routing table.

Each column of the signature is a tensor [-1], one value for each row; so is each key by which features are looked up,
and the looked up columns may be left out. Where all columns are numbers, one tensor [-1, columns] says the same, under
any name that no column has. The tensors `assay_unit` and `assay_id` tell the units and the ids of rows.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.inputs import Column
from assay.errors import InvalidInput, nearest
from assay.operate.routing.table import LoadedVariant
from assay.operate.serving.engine import Answered
from assay.operate.serving.protocols.tensors import Tensor, TensorSpec

__all__ = ["IDS", "UNITS", "VARIANT", "Rows", "Surface"]

IDS = "assay_id"
UNITS = "assay_unit"
VARIANT = "assay_variant"
_SHOWN = 100  # characters of somebody else's text in a message
_COLUMN_TYPES = {"double": "FP64", "float": "FP32", "long": "INT64", "integer": "INT32"}
_KEY_TYPES = {str: "BYTES", bytes: "BYTES", bool: "BOOL", date: "BYTES"}  # whole numbers are INT64


class Rows(msgspec.Struct, frozen=True):
    """Rows out of tensors, as the engine takes them: `columns` or a `matrix`."""

    columns: Mapping[str, Sequence[Any] | NDArray[Any]] | None
    matrix: NDArray[np.float64] | None
    ids: list[str] | None
    units: list[str | None] | None


class Surface:
    """The tensors that variants take and give; the first of them says what is required and what comes out."""

    def __init__(self, variants: Sequence[LoadedVariant]) -> None:
        model, lookup = variants[0].model, variants[0].lookup
        looked_up = lookup.looked_up if lookup else frozenset()
        keys = lookup.keys if lookup else ()
        self.columns = [column.name for column in model.columns]
        self.required = [name for name in self.columns if name not in looked_up]
        self._numbers = {one.name for variant in variants for one in variant.model.columns if one.is_number}
        self._texts = {one.name for variant in variants for one in variant.model.columns if not one.is_number}
        inputs = {
            one.name: TensorSpec(one.name, _datatype(one), (-1,)) for one in model.columns if one.name not in looked_up
        }
        for key in keys:
            inputs.setdefault(key.name, TensorSpec(key.name, _KEY_TYPES.get(key.type, "INT64"), (-1,)))
        self._keys = {key.name for key in keys}
        self.inputs = tuple(inputs.values())
        self.datatypes = {
            **{one.name: _datatype(one) for variant in variants for one in variant.model.columns},
            **{one.name: one.datatype for one in self.inputs},
        }
        self.matrix: TensorSpec | None = None
        if not self._texts and lookup is None and len(self.columns) > 1:
            name = "input"
            while name in self._numbers:
                name += "_"
            self.matrix = TensorSpec(name, "FP64", (-1, len(self.columns)))
        self.classes = tuple(str(one) for one in model.classes)
        self.output = self._output(variants[0])
        self.outputs = (self.output, TensorSpec(IDS, "BYTES", (-1,)))

    def _output(self, variant: LoadedVariant) -> TensorSpec:
        if len(self.classes) > 2:
            return TensorSpec("probabilities", "FP64", (-1, len(self.classes)))
        return TensorSpec("probability" if variant.model.gives_probabilities else "prediction", "FP64", (-1,))

    def rows(self, tensors: Sequence[Tensor]) -> Rows:
        """The rows that tensors hold. InvalidInput for shapes and datatypes that cannot be those of their columns."""
        given: dict[str, Tensor] = {}
        for one in tensors:
            if given.setdefault(one.name, one) is not one:
                raise InvalidInput(f"there are two inputs {one.name[:_SHOWN]!r}")
        ids, units = self._beside(given.pop(IDS, None)), self._beside(given.pop(UNITS, None))
        if ids is not None and None in ids:
            raise InvalidInput(f"row {ids.index(None)}: the id is null")
        if not given:
            raise InvalidInput("there is no input", expected=", ".join(one.name for one in self.inputs))
        if self.matrix is not None and len(given) == 1:
            (only,) = given.values()
            if only.name not in self._numbers and len(only.shape) == 2:
                return Rows(None, self._as_matrix(only), ids, units)  # type: ignore[arg-type] # no None among ids
        return Rows({name: self._column(one) for name, one in given.items()}, None, ids, units)  # type: ignore[arg-type]

    def _as_matrix(self, tensor: Tensor) -> NDArray[np.float64]:
        if tensor.shape[1] != len(self.columns) or tensor.datatype == "BYTES":
            raise InvalidInput(
                f"input {tensor.name[:_SHOWN]!r} is {tensor.datatype} of the shape {list(tensor.shape)}",
                expected=f"numbers of the shape [rows, {len(self.columns)}]: {', '.join(self.columns)}",
            )
        return np.array(tensor.values, np.float64).reshape(tensor.shape)

    def _column(self, tensor: Tensor) -> Sequence[Any] | NDArray[Any]:
        """Its values, one for each row; [n, 1] is as good as [n]. Names that no column has are left to the engine."""
        name, values = tensor.name, tensor.values
        if not (len(tensor.shape) == 1 or (len(tensor.shape) == 2 and tensor.shape[1] == 1)):
            raise InvalidInput(
                f"input {name[:_SHOWN]!r} has the shape {list(tensor.shape)}", expected="[rows] or [rows, 1]"
            )
        if name in self._numbers and name not in self._keys:
            if tensor.datatype == "BYTES":
                raise InvalidInput(f"input {name!r} is BYTES", expected="a datatype of numbers, such as FP64")
            return np.array(values, np.float64) if tensor.datatype == "BOOL" else values
        if name in self._texts and tensor.datatype != "BYTES":
            raise InvalidInput(f"input {name!r} is {tensor.datatype}", expected="BYTES, for text")
        return values

    def as_numbers(self, name: str, values: Sequence[Any]) -> Sequence[Any]:
        """A column with 0 and 1 for False and True where it is of numbers."""
        if (
            name not in self._numbers
            or name in self._keys
            or not any(value is True or value is False for value in values)
        ):
            return values
        return [float(value) if isinstance(value, bool) else value for value in values]

    def _beside(self, tensor: Tensor | None) -> list[str | None] | None:
        if tensor is None:
            return None
        if tensor.datatype != "BYTES":
            raise InvalidInput(f"input {tensor.name!r} is {tensor.datatype}", expected="BYTES, for text")
        return list(tensor.values)

    def chosen(self, names: Sequence[str] | None) -> list[str]:
        """The outputs asked for; all of them where none is named. InvalidInput for one that there is not."""
        there = [one.name for one in self.outputs]
        for name in names or ():
            if name not in there:
                close = nearest(name[:_SHOWN], there)
                raise InvalidInput(
                    f"there is no output {name[:_SHOWN]!r}",
                    expected=", ".join(there),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        return list(names) if names else there

    def answer(self, name: str, answered: Answered) -> tuple[TensorSpec, list[Any]]:
        """An output with its shape, and its values flat, row by row."""
        count = len(answered.ids)
        if name == IDS:
            return TensorSpec(IDS, "BYTES", (count,)), answered.ids
        if answered.scores is None:
            return TensorSpec(self.output.name, "FP64", (count,)), answered.outputs
        width = len(answered.scores[0])
        return TensorSpec("probabilities", "FP64", (count, width)), [one for row in answered.scores for one in row]


def _datatype(column: Column) -> str:
    return _COLUMN_TYPES.get(column.type, "BYTES")
