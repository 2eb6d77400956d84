"""The trees of XGBoost, read from its own JSON. XGBoost computes in single precision, and so does the form."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled.features import Feature
from assay.build.models.compiled.linear import Link
from assay.build.models.compiled.tree_nodes import Tree, Trees, as_categories, member
from assay.errors import InvalidInput

__all__ = ["trees_of"]

Floats = NDArray[np.float64]
_LINKS: dict[str, Link] = {
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "reg:expectileerror": "identity",
    "count:poisson": "exponential",
    "reg:gamma": "exponential",
    "reg:tweedie": "exponential",
    "binary:logistic": "logistic",
    "multi:softprob": "softmax",
}


def trees_of(booster: Any, features: list[Feature]) -> Trees:
    """All trees of a booster. InvalidInput for what is not compiled, with the reason."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective, kind = learner["objective"]["name"], learner["gradient_booster"]["name"]
    if kind != "gbtree":
        raise InvalidInput(f"XGBoost with booster={kind!r} is not compiled", expected="gbtree")
    link = _LINKS.get(objective)
    if link is None:
        ranking = f"a ranking of XGBoost ({objective}) is not compiled"
        raise InvalidInput(
            ranking if objective.startswith("rank:") else f"XGBoost with the objective {objective!r} is not compiled"
        )
    settings, model = learner["learner_model_param"], learner["gradient_booster"]["model"]
    targets = max(1, int(settings["num_class"]))
    if int(settings["num_target"]) > 1 or any(int(one["tree_param"]["size_leaf_vector"]) > 1 for one in model["trees"]):
        raise InvalidInput("XGBoost of several outputs is not compiled")
    if any(one.text and one.table is None for one in features):
        raise InvalidInput("XGBoost is given text")
    base = np.broadcast_to(_margin(settings["base_score"], link), targets).astype(np.float64)
    made = Trees(_prepared(model["trees"], features), base, link, "single")
    for tree, target in zip(model["trees"], model["tree_info"], strict=True):
        made.trees.append(_tree(tree, made, int(target)))
    return made


def _margin(written: str, link: Link) -> NDArray[np.float32]:
    """The base score as what sums begin with: it is written as an answer is."""
    said = json.loads(written.lower())
    score = np.atleast_1d(np.asarray(said, dtype=np.float32))
    if link == "logistic":
        odds = np.float32(1) / score - np.float32(1)
        return (-np.log(odds.astype(np.float64))).astype(np.float32)
    return np.log(score.astype(np.float64)).astype(np.float32) if link == "exponential" else score


def _prepared(trees: Sequence[dict[str, Any]], given: list[Feature]) -> list[Feature]:
    """Columns of categories as what looks them up."""
    sets: dict[int, set[int]] = {}
    numbers: set[int] = set()
    for tree in trees:
        for node, (place, by_set, left) in enumerate(
            zip(tree["split_indices"], tree["split_type"], tree["left_children"], strict=True)
        ):
            if left >= 0 and by_set:
                sets.setdefault(place, set()).update(_set(tree, node))
            elif left >= 0:
                numbers.add(place)
    features = list(given)
    for place, categories in sets.items():
        if place in numbers:
            raise InvalidInput(f"column {given[place].source} is read in two ways by XGBoost")
        features[place] = as_categories(given[place], categories, "single")
    return features


def _set(tree: dict[str, Any], node: int) -> list[int]:
    number = tree["categories_nodes"].index(node)
    start = tree["categories_segments"][number]
    found: list[int] = tree["categories"][start : start + tree["categories_sizes"][number]]
    return found


def _tree(tree: dict[str, Any], made: Trees, target: int) -> Tree:
    left = np.array(tree["left_children"], dtype=np.int64)
    inner = left >= 0
    written = np.array(tree["split_conditions"], dtype=np.float32)  # of a leaf, what it adds
    feature = np.where(inner, np.array(tree["split_indices"], dtype=np.int64), -1)
    # A row goes left where its number is less: at most the number before, as it is of single precision too.
    split = np.nextafter(written, np.float32(-np.inf)).astype(np.float64)
    for node in np.flatnonzero(inner & (np.array(tree["split_type"]) != 0)).tolist():
        feature[node] = member(
            made, int(feature[node]), _not_in(_set(tree, node), missing_left=bool(tree["default_left"][node]))
        )
        split[node] = 0.5
    return Tree(
        feature=feature,
        split=np.where(inner, split, 0.0),
        left=left,
        right=np.array(tree["right_children"], dtype=np.int64),
        missing_left=np.array(tree["default_left"]).astype(bool),
        value=np.where(inner, 0.0, written.astype(np.float64)),
        target=target,
    )


def _not_in(categories: Sequence[int], *, missing_left: bool) -> Callable[[Floats], NDArray[np.bool_]]:
    """Which values are in no such set; those are left, and so is what is no category."""

    def said(values: Floats) -> NDArray[np.bool_]:
        rounded = values.astype(np.float32).astype(np.float64)
        return np.where(np.isnan(rounded), missing_left, ~np.isin(np.floor(rounded), categories))

    return said
