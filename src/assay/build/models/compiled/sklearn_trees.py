"""The trees of scikit-learn's ensembles."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled.features import Feature, prepared_features
from assay.build.models.compiled.linear import Link
from assay.build.models.compiled.tree_nodes import Tree, Trees, member
from assay.errors import InvalidInput

__all__ = ["is_tree", "trees_of"]

Floats = NDArray[np.float64]
_NAMES = ("DecisionTree", "RandomForest", "ExtraTree", "ExtraTrees", "GradientBoosting", "HistGradientBoosting")


def is_tree(name: str) -> bool:
    """Whether an estimator of scikit-learn of this name is made of trees."""
    return name.removesuffix("Classifier").removesuffix("Regressor") in _NAMES


def trees_of(estimator: Any, features: list[Feature]) -> Trees:
    """The trees of a fitted ensemble, of which `is_tree` is true. InvalidInput for what is not compiled."""
    name = type(estimator).__name__
    kind = name.removesuffix("Classifier").removesuffix("Regressor")
    if kind == "HistGradientBoosting":
        return _histograms(estimator, features)
    if any(one.text and one.table is None for one in features):
        raise InvalidInput(f"a {name} is given text")
    if kind == "GradientBoosting":
        return _boosted(estimator, features)
    forest = [estimator] if kind in ("DecisionTree", "ExtraTree") else list(estimator.estimators_)
    if estimator.n_outputs_ != 1:
        raise InvalidInput(f"a {name} of {estimator.n_outputs_} outputs is not compiled")
    classes = int(estimator.n_classes_) if name.endswith("Classifier") else 0
    targets = 1 if classes <= 2 else classes
    made = Trees(features, np.zeros(targets), "shares" if classes else "identity", "rounded", refuses_large=True)
    for single in forest:
        values = single.tree_.value[:, 0, :]
        shares = values / values.sum(axis=1, keepdims=True) if classes else values
        for target in range(targets):
            column = 1 if classes == 2 else target
            made.trees.append(_plain(single.tree_, shares[:, min(column, classes - 1 if classes else 0)], target))
    made.divisor = len(forest)
    return made


def _plain(tree: Any, value: Floats, target: int) -> Tree:
    gaps = getattr(tree, "missing_go_to_left", None)
    return Tree(
        feature=np.asarray(tree.feature, dtype=np.int64),
        split=np.asarray(tree.threshold, dtype=np.float64),
        left=np.asarray(tree.children_left, dtype=np.int64),
        right=np.asarray(tree.children_right, dtype=np.int64),
        missing_left=np.zeros(tree.node_count, dtype=bool) if gaps is None else np.asarray(gaps).astype(bool),
        value=np.asarray(value, dtype=np.float64),
        target=target,
    )


def _boosted(estimator: Any, features: list[Feature]) -> Trees:
    start = estimator.init_
    if start != "zero" and not type(start).__name__.startswith("Dummy"):
        raise InvalidInput(f"a GradientBoosting that starts from a {type(start).__name__} is not compiled")
    blank = np.zeros((1, estimator.n_features_in_), dtype=np.float32)
    base = np.asarray(estimator._raw_predict_init(blank), dtype=np.float64)[0]
    classes = len(getattr(estimator, "classes_", ()))
    if classes and estimator.loss != "log_loss":
        raise InvalidInput(f"a GradientBoostingClassifier with loss={estimator.loss!r} is not compiled")
    link: Link = "identity" if not classes else "logistic" if classes == 2 else "softmax"
    made = Trees(features, base, link, "rounded", refuses_missing=True, refuses_large=True)
    for stage in estimator.estimators_:
        for target, single in enumerate(stage):
            made.trees.append(_plain(single.tree_, single.tree_.value[:, 0, 0] * estimator.learning_rate, target))
    return made


def _histograms(estimator: Any, given: list[Feature]) -> Trees:
    if any(one.text and one.table is None for one in given) and estimator._preprocessor is None:
        raise InvalidInput("a HistGradientBoosting is given text")
    features = prepared_features(estimator._preprocessor, given)
    base = np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel()
    loss = type(estimator._loss).__name__
    links: dict[str, Link] = {"HalfBinomialLoss": "logistic", "HalfMultinomialLoss": "softmax"}
    exponential = loss in ("HalfPoissonLoss", "HalfGammaLoss", "HalfTweedieLoss")
    made = Trees(features, base, links.get(loss, "exponential" if exponential else "identity"), "double")
    known, places = estimator._bin_mapper.make_known_categories_bitsets()
    for stage in estimator._predictors:
        for target, predictor in enumerate(stage):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            tree = Tree(
                feature=nodes["feature_idx"].astype(np.int64),
                split=nodes["num_threshold"].astype(np.float64),
                left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
                missing_left=nodes["missing_go_to_left"].astype(bool),
                value=nodes["value"].astype(np.float64),
                target=target,
            )
            for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf).tolist():
                place = int(tree.feature[node])
                left = _bits(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
                right = _bits(known[places[place]]) & ~left
                tree.feature[node] = member(made, place, _goes_left(left, right, bool(tree.missing_left[node])))
                tree.split[node] = 0.5
            made.trees.append(tree)
    return made


def _goes_left(
    left: NDArray[np.bool_], right: NDArray[np.bool_], missing_left: bool
) -> Callable[[Floats], NDArray[np.bool_]]:
    """Which codes go left: those of one set do, those of the other do not, and others go where missing values go."""

    def said(values: Floats) -> NDArray[np.bool_]:
        known = np.isfinite(values) & (values >= 0)
        codes = np.where(known, values, 0).astype(np.uint8)
        return np.where(known & left[codes], True, np.where(known & right[codes], False, missing_left))

    return said


def _bits(words: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """[256] which bits are set."""
    return np.unpackbits(np.ascontiguousarray(words, dtype="<u4").view(np.uint8), bitorder="little").astype(bool)
