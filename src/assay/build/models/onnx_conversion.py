"""Models of scikit-learn as ONNX graphs, with the proof that they say the same."""

from typing import Any

import numpy as np

from assay.build.models.flavours import onnx as flavour
from assay.build.models.flavours.flavour import Given, Kept, library_of
from assay.build.models.table_model import TableModel
from assay.errors import InvalidInput, MissingExtra, Refused
from assay.record import tables

__all__ = ["ConvertedModel", "to_onnx"]

_TOLERANCE = 1e-4  # graphs compute in single precision


class ConvertedModel(TableModel):
    """A graph that answers as the model it was made of: `rows` were compared, and differ by `difference` at most."""

    def __init__(self, original: TableModel, graph: Any) -> None:
        saved = flavour.save(Given(graph, original.columns, original.classes))
        answering = flavour.load(Kept(saved.content, original.columns, saved.classes))
        super().__init__(f"{original.name} in ONNX", graph, original.columns, saved.classes, answering)
        self.rows = 0
        self.difference = 0.0


def to_onnx(model: TableModel, example: object, *, tolerance: float = _TOLERANCE) -> ConvertedModel:
    """A model of `assay.train` or `assay.load_model` as an ONNX graph, compared with it on all rows of the example.

    The graph takes a vector for each column under its name, and gives a vector of numbers, or one for each class.
    Missing text is the empty text. The difference is that of probabilities, and that of numbers in units of the largest
    answer. InvalidInput for what skl2onnx cannot convert; Refused where a row differs by more than the tolerance.
    """
    data = tables.as_table(example)
    if not data.num_rows:
        raise InvalidInput("the example has no rows to compare on", expected="rows such as the model was trained on")
    expected = model.answer_table(data)
    converted = ConvertedModel(model, _graph(model))
    answers = converted.answer_table(data)
    gaps = np.abs(answers - expected)
    if expected.ndim == 1:
        gaps = gaps / max(float(np.abs(expected).max()), 1e-300)
    gaps = gaps.reshape(len(gaps), -1).max(axis=1)
    converted.rows, converted.difference = len(gaps), float(gaps.max())
    if not converted.difference <= tolerance:
        raise Refused(
            f"the graph differs from {model.name} by {converted.difference:.2g} in row {int(gaps.argmax())}",
            expected=f"at most {tolerance:g}; {int((gaps > tolerance).sum()):,} of {len(gaps):,} rows differ by more",
            hint="trees may part where a number is at a threshold: round the inputs, or allow more by tolerance=",
        )
    return converted


def _graph(model: TableModel) -> Any:
    """The graph of skl2onnx, with vectors in and out: MLflow's reader feeds and reads nothing else."""
    try:
        import skl2onnx
        from onnx import TensorProto, helper
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    except ImportError as error:
        raise MissingExtra("onnx", error.name or "skl2onnx") from None
    if library_of(model.estimator) != "sklearn":
        raise InvalidInput(
            f"a {type(model.estimator).__name__} is not converted to ONNX",
            expected="a model of scikit-learn",
            hint="the library's own export gives a graph that `package_model` takes",
        )
    kinds = [FloatTensorType([None, 1]) if one.is_number else StringTensorType([None, 1]) for one in model.columns]
    initial = [(f"column_{place}", kind) for place, kind in enumerate(kinds)]
    options = {"zipmap": False} if model.classes else None
    try:
        proto = skl2onnx.convert_sklearn(model.estimator, initial_types=initial, options=options)
    except Exception as error:  # whatever its converters raise, it says what they cannot
        reason = str(error).strip().partition("\n")[0][:200]
        raise InvalidInput(f"skl2onnx cannot convert {model.name}: {reason}") from error
    graph = proto.graph
    text = TensorProto.STRING
    nodes = [
        helper.make_node("Reshape", [one.name, "as_column"], [f"column_{place}"])
        for place, one in enumerate(model.columns)
    ]
    inputs = [
        helper.make_tensor_value_info(one.name, TensorProto.FLOAT if one.is_number else text, [None])
        for one in model.columns
    ]
    graph.initializer.append(helper.make_tensor("as_column", TensorProto.INT64, [2], [-1, 1]))
    graph.initializer.append(helper.make_tensor("as_vector", TensorProto.INT64, [1], [-1]))
    said = graph.output[-1].name
    names = [f"probability of {one}" for one in model.classes] or ["prediction"]
    parts = [f"part_{place}" for place in range(len(names))]
    newer = any(one.domain == "" and one.version >= 18 for one in proto.opset_import)  # since then it must be said
    split = helper.make_node("Split", [said], parts, axis=1)
    if newer:
        split.attribute.append(helper.make_attribute("num_outputs", len(parts)))
    after = [split] if len(parts) > 1 else []
    sources = parts if len(parts) > 1 else [said]
    after += [
        helper.make_node("Reshape", [source, "as_vector"], [name]) for source, name in zip(sources, names, strict=True)
    ]
    body = [*nodes, *graph.node, *after]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in names]
    whole = helper.make_graph(body, "assay", inputs, outputs, list(graph.initializer))
    return helper.make_model(whole, opset_imports=list(proto.opset_import), ir_version=proto.ir_version)
