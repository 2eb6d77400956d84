"""Every task: its metrics are scikit-learn's, segment by segment and weighted, and its sums merge exactly."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference

from assay.errors import InvalidInput
from assay.stats import (
    RANKING,
    SCORES,
    Columns,
    Profile,
    Quantity,
    Segment,
    Task,
    compare_all,
    estimate_all,
    metrics_of,
)
from assay.stats.families import columns_of

CLASSES = ("cat", "dog", "eel")
COST = Quantity("cost", "Cost", False, scale=4.0)
TASKS = {
    "binary": Task("binary", quantities=(COST,)),
    "answers": Task("multiclass", classes=CLASSES),
    "probabilities": Task("multiclass", classes=CLASSES, probabilities=True, quantities=(COST,)),
    "regression": Task("regression", scale=64.0, quantities=(COST,)),
    "quantile": Task("quantile", scale=64.0, level=0.8),
    "ranking": RANKING,
    "scores": SCORES,
}


def rows_of(name: str, seed: int, n: int, *, weighted: bool = False) -> tuple[Task, Columns]:
    """Rows with ties, missing labels and unequal segments."""
    rng = np.random.default_rng([7, seed])
    task = TASKS[name]
    signal = rng.normal(size=n)
    noisy = {model: signal + rng.normal(0, spread, n) for model, spread in (("new", 0.6), ("old", 0.9))}
    missing = rng.random(n) < 0.1
    label: Any = np.zeros(n)
    answers: dict[str, Any] = {}
    if name == "binary":
        label = np.where(missing, np.nan, signal > 0.3)
        answers = {model: np.round(1 / (1 + np.exp(-2 * one)) * 32) / 32 for model, one in noisy.items()}
    elif task.name == "multiclass":
        codes = {model: np.digitize(one, [-0.5, 0.7]) for model, one in noisy.items()}
        truth = np.array(CLASSES, dtype=object)[np.digitize(signal, [-0.5, 0.7])]
        label = truth.copy()
        label[missing] = None
        answers = {model: np.array(CLASSES, dtype=object)[one] for model, one in codes.items()}
        if task.probabilities:
            answers = {model: (np.eye(3)[one] * 3 + rng.dirichlet([1, 1, 1], n)) / 4 for model, one in codes.items()}
    elif task.name in ("regression", "quantile"):
        label = np.where(missing, np.nan, np.round(signal * 50))
        answers = {model: np.round(one * 50) for model, one in noisy.items()}
    quantities = {one.name: {model: rng.integers(0, 5, n) / 4.0 for model in ("new", "old")} for one in task.quantities}
    for own in quantities.values():
        if task.name in ("ranking", "scores"):
            own["new"] = np.where(missing, np.nan, own["new"])
    segments = {"a": rng.choice(["p", "q"], n, p=[0.8, 0.2]), "b": rng.choice(["x", "ü"], n)}
    units = np.array([f"unit {owner}" for owner in rng.integers(0, max(n // 2, 1), n)], dtype=object)
    weights = np.round(rng.gamma(2, 1, n) * 16) / 16 if weighted else None
    columns = Columns(label, answers, segments, units, weights, quantities)
    return _changed(task, weighted=weighted), columns


def _changed(task: Task, **changes: Any) -> Task:
    import msgspec

    return msgspec.structs.replace(task, **changes)


def built(task: Task, columns: Columns, **more: Any) -> Profile:
    thresholds = {"new": 0.5, "old": 0.5} if task.has_scores else {}
    return Profile.stream(lambda: [columns], thresholds, task=task, **more)


def taken(columns: Columns, chosen: NDArray[Any]) -> Columns:
    return Columns(
        np.asarray(columns.labels)[chosen],
        {model: np.asarray(one)[chosen] for model, one in columns.scores.items()},
        {name: np.asarray(one)[chosen] for name, one in columns.segments.items()},
        np.asarray(columns.units)[chosen],
        None if columns.weights is None else np.asarray(columns.weights)[chosen],
        {name: {m: np.asarray(v)[chosen] for m, v in own.items()} for name, own in (columns.quantities or {}).items()},
    )


@pytest.mark.parametrize("name", TASKS)
def test_the_columns_of_a_task_are_those_its_rows_fill(name: str) -> None:
    from assay.stats.families import contributions_of
    from assay.stats.rows import rows_of as checked

    for weighted in (False, True):
        task, columns = rows_of(name, 1, 50, weighted=weighted)
        rows = checked(columns, {"new": 0.5, "old": 0.5} if task.has_scores else {}, 10, 0, 2, task)
        filled = contributions_of(task, rows.label, rows.scores, {"new": 0.5, "old": 0.5}, rows.quantities)
        assert filled.names() == columns_of(task, rows.models)


@settings(max_examples=8)
@pytest.mark.parametrize("name", TASKS)
@given(seed=st.integers(0, 10**6), n=st.sampled_from([2, 40]), weighted=st.booleans())
def test_neither_order_nor_shards_nor_storing_change_a_bit(name: str, seed: int, n: int, weighted: bool) -> None:
    task, columns = rows_of(name, seed, n, weighted=weighted)
    whole = built(task, columns).to_bytes()
    order = np.random.default_rng(seed).permutation(n)
    parts = [taken(columns, order[: n // 3]), taken(columns, order[n // 3 :])]
    thresholds = {"new": 0.5, "old": 0.5} if task.has_scores else {}
    assert Profile.stream(lambda: parts, thresholds, task=task).to_bytes() == whole
    assert Profile.from_bytes(whole).to_bytes() == whole
    added = built(task, parts[0]) + built(task, parts[1])
    assert added == built(task, columns).without_influence()
    assert Profile.total(built(task, part) for part in parts) == added
    assert Profile.total([built(task, columns)]) == added


def _by_hand(task: Task, columns: Columns, chosen: NDArray[np.bool_], model: str) -> dict[str, float]:
    label, answer = np.asarray(columns.labels)[chosen], np.asarray(columns.scores[model])[chosen]
    weight = None if columns.weights is None else np.asarray(columns.weights)[chosen]
    if task.name == "multiclass":
        label = label.astype(str)
        says = np.array(CLASSES)[answer.argmax(axis=1)] if answer.ndim > 1 else answer.astype(str)
        common = {"zero_division": 0, "sample_weight": weight}
        found = {
            "accuracy": reference.accuracy_score(label, says, sample_weight=weight),
            "macro_f1": reference.f1_score(label, says, average="macro", **common),
            "weighted_f1": reference.f1_score(label, says, average="weighted", **common),
            "macro_recall": reference.recall_score(label, says, average="macro", **common),
            "macro_precision": reference.precision_score(label, says, average="macro", **common),
            "kappa": reference.cohen_kappa_score(label, says, sample_weight=weight),
        }
        for one in CLASSES:
            found[f"recall:{one}"] = reference.recall_score(label == one, says == one, **common)
            found[f"precision:{one}"] = reference.precision_score(label == one, says == one, **common)
            found[f"f1:{one}"] = reference.f1_score(label == one, says == one, **common)
        if answer.ndim > 1:
            found["log_loss"] = reference.log_loss(label, answer, labels=list(CLASSES), sample_weight=weight)
        return found
    label, answer = label.astype(float), answer.astype(float)
    mean = {"sample_weight": weight}
    found = {
        "mae": reference.mean_absolute_error(label, answer, **mean),
        "mse": reference.mean_squared_error(label, answer, **mean),
        "rmse": reference.root_mean_squared_error(label, answer, **mean),
        "r2": reference.r2_score(label, answer, **mean),
        "bias": float(np.average(answer - label, weights=weight)),
        "pinball": reference.mean_pinball_loss(label, answer, alpha=task.level, **mean),
        "coverage": float(np.average(label <= answer, weights=weight)),
    }
    nonzero = label != 0
    own = None if weight is None else weight[nonzero]
    share = reference.mean_absolute_percentage_error(label[nonzero], answer[nonzero], sample_weight=own)
    return {**found, "mape": share}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["answers", "probabilities", "regression", "quantile"])
def test_every_metric_agrees_with_sklearn_on_every_segment(name: str, weighted: bool) -> None:
    task, columns = rows_of(name, 3, 400, weighted=weighted)
    profile = built(task, columns)
    known = np.array([value is not None and value == value for value in np.asarray(columns.labels)])
    for place, segment in enumerate(profile.segments):
        inside = known.copy()
        for column, value in segment.conditions:
            inside &= np.asarray(columns.segments[column]) == value
        expected = _by_hand(task, columns, inside, "new")
        for metric in metrics_of(task).values():
            if metric.name in expected:
                got = metric.value(profile.totals(), "new")[place]
                assert got == pytest.approx(expected[metric.name], rel=1e-5, abs=1e-5), (metric.name, segment)


@pytest.mark.parametrize("weighted", [False, True])
def test_weighted_rows_of_a_binary_model_agree_with_sklearn(weighted: bool) -> None:
    task, columns = rows_of("binary", 5, 500, weighted=weighted)
    profile = built(task, columns)
    known = ~np.isnan(np.asarray(columns.labels, dtype=float))
    label, score = np.asarray(columns.labels, dtype=float)[known], np.asarray(columns.scores["new"])[known]
    weight = None if columns.weights is None else np.asarray(columns.weights)[known]
    says = score >= 0.5
    common = {"sample_weight": weight}
    expected = {
        "accuracy": reference.accuracy_score(label, says, **common),
        "recall": reference.recall_score(label, says, **common),
        "precision": reference.precision_score(label, says, **common),
        "f1": reference.f1_score(label, says, **common),
        "auc": reference.roc_auc_score(label, score, **common),
        "average_precision": reference.average_precision_score(label, score, **common),
        "brier": reference.brier_score_loss(label, score, **common),
        "log_loss": reference.log_loss(label, np.clip(score, 1e-15, 1 - 1e-15), **common),
        "balanced_accuracy": reference.balanced_accuracy_score(label, says, **common),
    }
    for name, right in expected.items():
        assert metrics_of(task)[name].value(profile.totals(), "new")[0] == pytest.approx(right, abs=1e-6), name


def test_weighted_areas_are_those_published() -> None:
    # validation.md V13 and V14: labels between 0 and 1 make two of a row
    task = Task("binary", weighted=True)
    for labels, scores, weights, expected in (
        ([0, 1, 0], [1.0, 0.7, 0.5], [0.5, 0.7, 0.9], 0.64286),
        ([0, 0.6, 0.8], [0.0, 0.7, 1.0], [1, 1, 1], 0.8571428),
    ):
        profile = Profile.build(labels, {"m": scores}, {}, ["1", "2", "3"], {"m": 0.5}, task=task, weights=weights)
        assert metrics_of(task)["auc"].value(profile.totals(), "m")[0] == pytest.approx(
            expected, abs=5e-7 if expected > 0.8 else 5e-6
        )


@pytest.mark.parametrize("name", TASKS)
def test_equal_weights_change_no_value_and_only_widen_intervals_of_rates(name: str) -> None:
    task, columns = rows_of(name, 9, 600)
    heavy = _changed(task, weighted=True)
    plain, same = built(task, columns), built(heavy, replace(columns, weights=np.full(600, 2.0)))
    for metric in metrics_of(task).values():
        first, second = (estimate_all(profile, "new", metric.name, clustered=True) for profile in (plain, same))
        np.testing.assert_allclose(first.value, second.value, rtol=1e-6, atol=1e-7, err_msg=metric.name)
        np.testing.assert_allclose(first.low, second.low, rtol=1e-5, atol=1e-6, err_msg=metric.name)
        np.testing.assert_array_equal(first.n, second.n)
        if metric.larger_is_better is not None and metric.gated:
            one, two = (compare_all(p, "new", "old", metric.name, 0.02, clustered=True) for p in (plain, same))
            np.testing.assert_allclose(one.p_worse, two.p_worse, rtol=1e-4, atol=1e-6, err_msg=metric.name)
            np.testing.assert_allclose(one.low, two.low, rtol=1e-4, atol=1e-5, err_msg=metric.name)


@pytest.mark.parametrize("name", ["answers", "regression", "scores"])
def test_paired_tests_of_means_and_of_being_right_are_the_usual_ones(name: str) -> None:
    from scipy import stats as scipy_stats

    from assay.stats import tango_p_worse

    task, columns = rows_of(name, 11, 500)
    profile = built(task, columns)
    if name == "answers":
        found = compare_all(profile, "new", "old", "accuracy", 0.01).at(0)
        known = np.array([value is not None for value in np.asarray(columns.labels)])
        right = {m: (np.asarray(a) == np.asarray(columns.labels))[known] for m, a in columns.scores.items()}
        b, c = int((right["new"] & ~right["old"]).sum()), int((~right["new"] & right["old"]).sum())
        assert found.method == "tango"
        assert found.p_worse == pytest.approx(tango_p_worse(b, c, int(known.sum()), 0.0))
        return
    metric, sign = ("mae", -1.0) if name == "regression" else ("score", 1.0)
    if name == "regression":
        label = np.asarray(columns.labels, dtype=float)
        loss = {m: np.abs(np.asarray(a) - label)[~np.isnan(label)] for m, a in columns.scores.items()}
    else:
        assert columns.quantities is not None
        marks = {m: np.asarray(v) for m, v in columns.quantities["score"].items()}
        known = ~np.isnan(marks["new"])
        loss = {m: v[known] for m, v in marks.items()}
    found = compare_all(profile, "new", "old", metric, 0.01).at(0)
    expected = scipy_stats.ttest_rel(sign * loss["new"], sign * loss["old"], alternative="less")
    assert found.method == "paired t"
    assert found.p_worse == pytest.approx(expected.pvalue, rel=1e-5)


def test_wrong_rows_are_refused_with_what_is_wrong() -> None:
    task = Task("multiclass", classes=CLASSES)
    with pytest.raises(InvalidInput, match="'cta' is none of the classes"):
        Profile.build(["cta", "dog"], {"m": ["dog", "dog"]}, {}, None, task=task)
    with pytest.raises(InvalidInput, match="missing in some rows"):
        Profile.build(["cat", "dog"], {"m": np.array(["dog", None], dtype=object)}, {}, None, task=task)
    likely = _changed(task, probabilities=True)
    with pytest.raises(InvalidInput, match="shape"):
        Profile.build(["cat"], {"m": [[0.5, 0.5]]}, {}, None, task=likely)
    with pytest.raises(InvalidInput, match="add up to 1"):
        Profile.build(["cat"], {"m": [[0.5, 0.5, 0.5]]}, {}, None, task=likely)
    numbers = Task("regression")
    with pytest.raises(InvalidInput, match="finite"):
        Profile.build([1.0], {"m": [np.nan]}, {}, None, task=numbers)
    with pytest.raises(InvalidInput, match="scale of about"):
        Profile.build([1e9], {"m": [1.0]}, {}, None, task=numbers)
    weighted = Task("regression", weighted=True)
    with pytest.raises(InvalidInput, match="no weights"):
        Profile.build([1.0], {"m": [1.0]}, {}, None, task=weighted)
    with pytest.raises(InvalidInput, match="task does not"):
        Profile.build([1.0], {"m": [1.0]}, {}, None, task=numbers, weights=[1.0])
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(InvalidInput, match="weights: 1 of 1"):
            Profile.build([1.0], {"m": [1.0]}, {}, None, task=weighted, weights=[wrong])
    for bad in (Task("multiclass", classes=("a",)), Task("quantile", level=1.0), Task("regression", scale=0.0)):
        with pytest.raises(InvalidInput):
            Profile.build([], {}, {}, None, task=bad)


def test_profiles_of_different_tasks_are_not_added() -> None:
    first, second = (
        Profile.build([1.0], {"m": [1.0]}, {}, ["1"], task=Task("regression", scale=scale)) for scale in (1.0, 2.0)
    )
    with pytest.raises(InvalidInput, match="different task"):
        _ = first + second
    with pytest.raises(InvalidInput, match="no profiles"):
        Profile.total([])


def test_a_quantity_that_is_missing_where_a_label_is_given_is_refused() -> None:
    task = Task("regression", quantities=(COST,))
    with pytest.raises(InvalidInput, match="cost of m"):
        Profile.build([1.0], {"m": [1.0]}, {}, ["1"], task=task, quantities={"cost": {"m": [np.nan]}})
    profile = Profile.build([np.nan], {"m": [1.0]}, {}, ["1"], task=task, quantities={"cost": {"m": [np.nan]}})
    assert profile.n_labelled == 0
    with pytest.raises(InvalidInput, match="no 'cost'"):
        Profile.build([1.0], {"m": [1.0]}, {}, ["1"], task=task)


def test_scored_texts_without_a_score_count_as_unlabelled_in_their_segment() -> None:
    given = {"score": {"new": [1.0, np.nan, 3.0], "old": [1.0, 2.0, 2.0]}}
    profile = Profile.build(np.zeros(3), {}, {"t": ["a", "b", "b"]}, None, task=SCORES, quantities=given)
    totals = profile.totals()
    place = profile.position(Segment((("t", "b"),)))
    assert place is not None
    assert (profile.n_labelled, int(totals.n("unlabelled")[place])) == (2, 1)
    assert estimate_all(profile, "new", "score").value[0] == 2.0
