"""ONNX: a graph that ONNX Runtime computes, wherever it came from; no code runs when it is loaded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.flavours.answering import answering
from assay.build.models.flavours.flavour import Given, Kept, Saved, library_of, pinned
from assay.build.models.inputs import Classifier, Column, Regressor
from assay.errors import InvalidInput, MissingExtra

__all__ = ["FILE", "LOADER", "load", "recognises", "save"]

FILE = "model.onnx"
LOADER = "mlflow.onnx"
_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(string)": object,
}
_FLOATS = ("tensor(float)", "tensor(double)")


def recognises(estimator: object) -> bool:
    """A graph in memory, as `onnx.load` gives it."""
    return library_of(estimator) == "onnx" and type(estimator).__name__ == "ModelProto"


def save(given: Given) -> Saved:
    """The graph. Its inputs are one tensor of all columns, or one for each column under the column's name."""
    import onnx

    content = given.estimator.SerializeToString()
    graph = _Graph(content, given.columns)
    blank = np.empty((1, len(given.columns)), dtype=object)
    blank[0] = [0.0 if one.is_number else "" for one in given.columns]
    try:
        said = graph.answers(blank)
    except Exception as error:  # ONNX Runtime has a dozen kinds, and each says what it cannot
        reason = str(error).strip().partition("\n")[0][:200]
        raise InvalidInput(
            f"the ONNX graph cannot answer for a row of {len(given.columns)} columns: {reason}",
            expected="a tensor of all columns as input, or one for each under its name",
        ) from error
    classes = (given.classes or tuple(range(said.shape[1]))) if said.ndim == 2 else ()
    return Saved(
        name="onnx",
        content=content,
        loader={"data": FILE},
        described={
            "data": FILE,
            "onnx_version": onnx.__version__,
            "providers": ["CPUExecutionProvider"],
            "code": None,
        },
        requirements=pinned(["onnx", "onnxruntime", "numpy"]),
        classes=classes,
    )


def load(kept: Kept) -> Classifier | Regressor:
    """A classifier where the graph gives several numbers for a row, a regressor where it gives one."""
    return answering(kept, load, _Graph(kept.content, kept.columns).answers)


class _Graph:
    """A session for rows of the columns. Its numbers are taken from the outputs that are floats."""

    def __init__(self, content: bytes, columns: Sequence[Column]) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtra("onnx", "onnxruntime") from None
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # requests need the cores more
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._inputs = [(one.name, _TYPES.get(one.type), len(one.shape)) for one in self._session.get_inputs()]
        self._outputs = [one.name for one in self._session.get_outputs() if one.type in _FLOATS]
        names = [one.name for one in columns]
        # One input for several columns is a tensor of all of them.
        whole = len(self._inputs) == 1 and (len(names) > 1 or self._inputs[0][0] not in names)
        self._places = None if whole else [names.index(one[0]) if one[0] in names else -1 for one in self._inputs]
        self._check(names)

    def answers(self, rows: NDArray[np.object_]) -> NDArray[np.float64]:
        """[rows] numbers, or [rows, classes]."""
        if self._places is None:
            ((name, kind, _),) = self._inputs
            feed = {name: _typed(rows, kind)}
        else:
            feed = {
                name: _typed(rows[:, place], kind).reshape((-1, 1) if rank == 2 else (-1,))
                for place, (name, kind, rank) in zip(self._places, self._inputs, strict=True)
            }
        said = self._session.run(self._outputs, feed)
        found = np.asarray(said[0] if len(said) == 1 else np.column_stack(said), dtype=np.float64)
        return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found

    def _check(self, names: Sequence[str]) -> None:
        strange = [name for name, kind, _ in self._inputs if kind is None]
        if strange:
            raise InvalidInput(f"input {strange[0]!r} of the ONNX graph is of a type that tables do not have")
        for place, (name, _, _) in zip(self._places or (), self._inputs, strict=False):
            if place < 0:
                raise InvalidInput(
                    f"input {name!r} of the ONNX graph is no column of the model", expected=", ".join(names)
                )
        if not self._outputs:
            raise InvalidInput(
                "the ONNX graph gives no tensor of floats",
                hint="convert classifiers with options={'zipmap': False}, so that probabilities come as a tensor",
            )


def _typed(values: NDArray[np.object_], kind: Any) -> NDArray[Any]:
    if kind is object:
        missing = np.frompyfunc(lambda value: value is None, 1, 1)(values).astype(bool)
        return np.where(missing, "", values)  # there is no missing text in ONNX
    return values.astype(kind)
