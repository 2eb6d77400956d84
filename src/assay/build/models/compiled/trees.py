"""An ensemble of trees as an ONNX graph in double precision: splits are compared as the library compares them.

In single precision a number beside a split would be rounded to the other side of it, so that a converted model answers
otherwise for some rows. Where a library itself rounds to single precision, or adds up in it, the graph does so too.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled.encoding import Encoder, NumberColumn, Step, Table
from assay.build.models.compiled.features import Feature
from assay.build.models.compiled.linear import Link, linked
from assay.build.models.compiled.single_links import linked_single
from assay.build.models.compiled.tree_nodes import Tree, Trees
from assay.errors import InvalidInput, MissingExtra

__all__ = ["TreesForm", "TreesModel", "trees_form"]

Floats = NDArray[np.float64]
_LARGEST = float(np.finfo(np.float32).max) + 2.0**102  # what is less than this is rounded to a finite number
_AT_ONCE = 1024  # rows: the sets of categories take up to some thousand numbers each


class TreesForm(msgspec.Struct, frozen=True):
    """The graph, and how rows become its matrix; the rest as in `Trees`.

    `splits` are those by number, and the categories that are numbers: column and threshold.
    """

    numbers: list[NumberColumn]
    tables: list[Table]
    graph: bytes
    link: Link
    splits: list[tuple[int, float]]
    refuses_missing: bool = False
    refuses_large: bool = False
    single: bool = False
    scale: float = 1.0


def trees_form(trees: Trees) -> TreesForm:
    """The form of an ensemble. InvalidInput for what cannot be compiled, MissingExtra without ONNX."""
    used = {int(one) for tree in trees.trees for one in tree.feature[tree.left >= 0]}
    if trees.refuses_missing or trees.refuses_large:  # also in columns that no tree asks for
        used |= {place for place, one in enumerate(trees.features) if one.table is None}
    numbers = [place for place in sorted(used) if trees.features[place].table is None]
    coded = [place for place in sorted(used) if trees.features[place].table is not None]
    sources = list(dict.fromkeys(trees.features[place].source for place in coded))
    by_source = [[place for place in coded if trees.features[place].source == source] for source in sources]
    order = [*numbers, *(place for group in by_source for place in group)]
    position = {place: column for column, place in enumerate(order)}
    splits = {split for tree in trees.trees for split in _by_number(tree, trees.features)}
    splits |= {split for place in coded for split in _categories(trees.features[place])}
    return TreesForm(
        numbers=[NumberColumn(trees.features[place].source, trees.features[place].steps) for place in numbers],
        tables=[_table([trees.features[place] for place in group]) for group in by_source] if order else [_nothing()],
        graph=_graph(trees, position),
        link=trees.link,
        splits=sorted(splits),
        refuses_missing=trees.refuses_missing,
        refuses_large=trees.refuses_large,
        single=trees.precision == "single",
        scale=trees.scale,
    )


def _by_number(tree: Tree, features: list[Feature]) -> Iterator[tuple[int, float]]:
    for place, split, left in zip(tree.feature.tolist(), tree.split.tolist(), tree.left.tolist(), strict=True):
        if left >= 0 and features[place].table is None:
            raw = _before(split, features[place].steps)
            if math.isfinite(raw):
                yield features[place].source, raw


def _before(split: float, steps: Iterable[Step]) -> float:
    """The number that the steps make a split of, nearly; NaN where there is none."""
    for name, first, _ in reversed(list(steps)):
        if name == "subtract":
            split += first
        elif name == "add":
            split -= first
        elif name == "divide":
            split *= first
        elif name == "multiply":
            split = split / first if first else math.nan
        elif name == "gap":
            return math.nan
    return split


def _categories(feature: Feature) -> Iterator[tuple[int, float]]:
    """Numbers where a category begins or ends."""
    if feature.rounding != "exact":
        for key in [-1.0, *(feature.table or {})]:
            yield feature.source, float(key)
            yield feature.source, float(key) + 1.0


class TreesModel:
    """Computes the form. ValueError for a value that the model refuses, MissingExtra without ONNX Runtime."""

    def __init__(self, form: TreesForm) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtra("onnx", "onnxruntime") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(form.graph, options, providers=["CPUExecutionProvider"])
        self._encoder = Encoder(form.numbers, form.tables)
        self._link = form.link
        self._refuses_missing = form.refuses_missing
        self._refuses_large = form.refuses_large
        self._linked: Callable[[Any, Link], Floats] = linked_single if form.single else linked
        self._scale = form.scale

    def predict(self, rows: Any) -> Floats:
        """[rows] numbers, or [rows, classes]."""
        if len(rows) > _AT_ONCE:
            parts = [self.predict(rows[start : start + _AT_ONCE]) for start in range(0, len(rows), _AT_ONCE)]
            return np.concatenate(parts)
        matrix = self._encoder.matrix(rows)
        if self._refuses_missing and np.isnan(matrix).any():
            raise ValueError("the model refuses a missing number")
        if self._refuses_large and (np.abs(matrix) > _LARGEST).any():
            raise ValueError("the model refuses a number that is too large for single precision")
        (raw,) = self._session.run(None, {"rows": matrix})
        return self._linked(raw if self._scale == 1.0 else raw * self._scale, self._link)


def _nothing() -> Table:
    """A column of zeros, for trees that ask nothing."""
    return Table(0, [], np.zeros(2, dtype="<f8").tobytes())


def _table(group: list[Feature]) -> Table:
    """What each value of a column stands for in all features that are made of it."""
    keys = list(group[0].table or {})
    if any(list(one.table or {}) != keys for one in group):
        raise InvalidInput(f"column {group[0].source} is encoded twice, by different values")
    columns = [[*(one.table or {}).values(), one.missing or 0.0, one.unknown or 0.0] for one in group]
    content = np.ascontiguousarray(np.array(columns, dtype="<f8").T).tobytes()
    missing, unknown = (any(getattr(one, name) is None for one in group) for name in ("missing", "unknown"))
    return Table(group[0].source, keys, content, missing, unknown, group[0].rounding)


def _graph(trees: Trees, position: dict[int, int]) -> bytes:
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise MissingExtra("onnx", error.name or "onnx") from None

    def tensor(name: str, values: Any, kind: Any) -> Any:
        return numpy_helper.from_array(np.asarray(values, dtype=kind), name)

    # The base comes first, as a tree of one leaf, and the divisor last: then sums are added up in the library's order,
    # and not a bit differs.
    bases = [_leaf(value, target) for target, value in enumerate(trees.base.tolist()) if value]
    arrays = _arrays([*bases, *trees.trees], position)
    rows = {"double": "rows", "rounded": "rounded", "single": "single"}[trees.precision]
    kind, element = (np.float32, TensorProto.FLOAT) if rows == "single" else (np.float64, TensorProto.DOUBLE)
    nodes = []
    if rows != "rows":
        nodes.append(helper.make_node("Cast", ["rows"], ["single"], to=TensorProto.FLOAT))
    if rows == "rounded":
        nodes.append(helper.make_node("Cast", ["single"], ["rounded"], to=TensorProto.DOUBLE))
    nodes += [
        helper.make_node(
            "TreeEnsemble",
            [rows],
            ["leaves"],
            domain="ai.onnx.ml",
            n_targets=len(trees.base),
            aggregate_function=1,  # the sum
            post_transform=0,
            tree_roots=arrays["roots"],
            nodes_featureids=arrays["feature"],
            nodes_modes=tensor("modes", np.zeros(len(arrays["feature"])), np.uint8),  # at most
            nodes_splits=tensor("splits", arrays["split"], kind),
            nodes_truenodeids=arrays["left"],
            nodes_trueleafs=arrays["left_is_leaf"],
            nodes_falsenodeids=arrays["right"],
            nodes_falseleafs=arrays["right_is_leaf"],
            nodes_missing_value_tracks_true=arrays["missing_left"],
            leaf_targetids=arrays["target"],
            leaf_weights=tensor("leaves", arrays["value"], kind),
        ),
        helper.make_node("Div", ["leaves", "divisor"], ["raw"]),
    ]
    if trees.divisor == 1:
        nodes.pop()
        nodes[-1].output[0] = "raw"
    graph = helper.make_graph(
        nodes,
        "assay",
        [helper.make_tensor_value_info("rows", TensorProto.DOUBLE, [None, max(1, len(position))])],
        [helper.make_tensor_value_info("raw", element, [None, len(trees.base)])],
        [tensor("divisor", [trees.divisor], kind)] if trees.divisor != 1 else [],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return content


def _leaf(value: float, target: int) -> Tree:
    none = np.array([-1])
    return Tree(none, np.zeros(1), none, none, np.zeros(1, dtype=bool), np.array([value]), target)


def _arrays(trees: list[Tree], position: dict[int, int]) -> dict[str, list[Any]]:
    """All trees in a row: inner nodes and leaves are counted apart."""
    made: dict[str, list[Any]] = {
        name: []
        for name in (
            *("roots", "feature", "split", "left", "left_is_leaf", "right", "right_is_leaf", "missing_left"),
            *("target", "value"),
        )
    }
    for tree in trees:
        inner = tree.left >= 0
        first_node, first_leaf = len(made["feature"]), len(made["value"])
        made["roots"].append(first_node)
        if not inner.any():  # nothing was split: both sides of any split are the only leaf
            for name, value in {"feature": 0, "split": 0.0, "missing_left": 1}.items():
                made[name].append(value)
            for side in ("left", "right"):
                made[side].append(first_leaf)
                made[f"{side}_is_leaf"].append(1)
        else:
            number = np.where(inner, np.cumsum(inner) - 1 + first_node, np.cumsum(~inner) - 1 + first_leaf)
            made["feature"] += [position[one] for one in tree.feature[inner].tolist()]
            made["split"] += tree.split[inner].tolist()
            made["missing_left"] += tree.missing_left[inner].astype(int).tolist()
            for side, children in (("left", tree.left[inner]), ("right", tree.right[inner])):
                made[side] += number[children].tolist()
                made[f"{side}_is_leaf"] += (~inner[children]).astype(int).tolist()
        leaves = tree.value[~inner].tolist()
        made["value"] += leaves
        made["target"] += [tree.target] * len(leaves)
    return made
