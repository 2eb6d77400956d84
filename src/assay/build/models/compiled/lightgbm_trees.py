"""The trees of LightGBM, read from its own text; LightGBM itself computes in double precision too.

A number within 1e-35 of zero is zero to LightGBM. What a gap is depends on the column: not a number, or zero as well,
or nothing special where training had none, and then no value counts as zero.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled.features import Feature
from assay.build.models.compiled.linear import Link
from assay.build.models.compiled.tree_nodes import Tree, Trees, as_categories, member
from assay.errors import InvalidInput

__all__ = ["trees_of"]

Floats = NDArray[np.float64]
_ZERO = float(np.float32(1e-35))
_BELOW_ZERO = float(np.nextafter(-_ZERO, -np.inf))
_CATEGORIES, _DEFAULT_LEFT, _GAPS = 1, 2, 12  # bits of a decision_type
_NO_GAPS, _ZERO_IS_A_GAP = 0, 4
_LINKS: dict[str, Link] = {
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "poisson": "exponential",
    "gamma": "exponential",
    "tweedie": "exponential",
    "binary": "logistic",
    "multiclass": "softmax",
    "multiclassova": "each",
}


def trees_of(booster: Any, features: list[Feature]) -> Trees:
    """The trees up to the best iteration. InvalidInput for what is not compiled, with the reason."""
    head, *rest = str(booster.model_to_string()).partition("\nend of trees")[0].split("\n\nTree=")
    said = _read(head)
    objective, *words = said.get("objective", "custom").split()
    settings = dict(word.split(":") for word in words if ":" in word)
    link = _LINKS.get(objective)
    if link is None:
        raise InvalidInput(_reason(objective))
    if "sqrt" in words:
        raise InvalidInput("LightGBM with reg_sqrt is not compiled: it answers with squares")
    if any(one.text and one.table is None for one in features):
        raise InvalidInput("LightGBM is given text")
    trees = [_read(one) for one in rest]
    if any(one.get("is_linear") == "1" for one in trees):
        raise InvalidInput("LightGBM with linear_tree is not compiled: its leaves are sums of columns")
    targets = int(said["num_tree_per_iteration"])
    made = Trees(
        _prepared(trees, features), np.zeros(targets), link, "double", scale=float(settings.get("sigmoid", 1.0))
    )
    if "average_output" in said:
        made.divisor = max(1, len(trees) // targets)
    for number, one in enumerate(trees):
        made.trees.append(_tree(one, made, number % targets))
    return made


def _reason(objective: str) -> str:
    if objective in ("lambdarank", "rank_xendcg"):
        return f"a ranking of LightGBM ({objective}) is not compiled"
    if objective in ("custom", "none"):
        return "LightGBM with an objective of one's own is not compiled"
    return f"LightGBM with the objective {objective!r} is not compiled"


def _read(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


def _numbers(tree: dict[str, str], name: str, kind: Any = np.int64) -> NDArray[Any]:
    return np.array(tree.get(name, "").split(), dtype=kind)


def _prepared(trees: list[dict[str, str]], given: list[Feature]) -> list[Feature]:
    """Columns of categories as what looks them up, and zeros hidden where they are gaps."""
    sets: dict[int, set[int]] = {}
    gaps: dict[int, set[int]] = {}
    for tree in trees:
        for place, kind, split in zip(
            _numbers(tree, "split_feature").tolist(),
            _numbers(tree, "decision_type").tolist(),
            _numbers(tree, "threshold", np.float64).tolist(),
            strict=True,
        ):
            if kind & _CATEGORIES:
                sets.setdefault(place, set()).update(np.flatnonzero(_bits(tree, int(split))).tolist())
            else:
                gaps.setdefault(place, set()).add(kind & _GAPS)
    features = list(given)
    for place, kinds in gaps.items():
        if place in sets or (len(kinds) > 1 and _ZERO_IS_A_GAP in kinds):
            raise InvalidInput(f"column {given[place].source} is read in two ways by LightGBM")
        if kinds == {_ZERO_IS_A_GAP}:
            features[place] = given[place].after(("hide", _ZERO, 0.0))
    for place, categories in sets.items():
        features[place] = as_categories(given[place], categories, "cut")
    return features


def _bits(tree: dict[str, str], number: int) -> NDArray[np.bool_]:
    """Which categories the set of that number has."""
    bounds = _numbers(tree, "cat_boundaries")
    words = _numbers(tree, "cat_threshold", np.uint32)[bounds[number] : bounds[number + 1]]
    return np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little").astype(bool)


def _tree(tree: dict[str, str], made: Trees, target: int) -> Tree:
    """Inner nodes first, then leaves, which LightGBM counts down from -1."""
    leaves = _numbers(tree, "leaf_value", np.float64)
    kinds = _numbers(tree, "decision_type")
    splits = _numbers(tree, "threshold", np.float64)
    features = _numbers(tree, "split_feature")
    by_number = (kinds & _CATEGORIES) == 0
    # Both ways the same rows go left, and no number has to be looked at first.
    near = np.where(np.abs(splits) <= _ZERO, np.where(splits < 0, _BELOW_ZERO, _ZERO), splits)
    missing_left = np.where((kinds & _GAPS) == _NO_GAPS, splits >= 0, (kinds & _DEFAULT_LEFT) != 0)
    for node in np.flatnonzero(~by_number).tolist():
        goes_left = _in(_bits(tree, int(splits[node])))
        features[node] = member(made, int(features[node]), goes_left)
        near[node] = 0.5
    inner, count = len(splits), len(leaves)
    none = np.full(count, -1)
    sides = [
        np.concatenate([np.where(side >= 0, side, inner - 1 - side), none])
        for side in (_numbers(tree, "left_child"), _numbers(tree, "right_child"))
    ]
    return Tree(
        feature=np.concatenate([features, none]),
        split=np.concatenate([near, np.zeros(count)]),
        left=sides[0],
        right=sides[1],
        missing_left=np.concatenate([missing_left, np.zeros(count, dtype=bool)]),
        value=np.concatenate([np.zeros(inner), leaves]),
        target=target,
    )


def _in(bits: NDArray[np.bool_]) -> Callable[[Floats], NDArray[np.bool_]]:
    """Which values are in a set, with what is behind the point cut off; no value and those below zero never are."""

    def said(values: Floats) -> NDArray[np.bool_]:
        whole = np.trunc(np.where(np.isfinite(values), values, -1.0))
        known = (whole >= 0) & (whole < len(bits))
        return known & bits[np.where(known, whole, 0).astype(np.int64)]

    return said
