"""All segments at once: the same bits as each alone, and right against brute force on the rows."""

import math
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference

from assay.stats import OVERALL, Columns, Profile, Task, compare, compare_all, estimate_all, metrics_of

BINARY = metrics_of(Task("binary"))
THRESHOLDS = {"new": 0.5, "old": 0.4}
GATED = [name for name, metric in BINARY.items() if metric.larger_is_better is not None and metric.gated]


def rows_of(seed: int, n: int, grid: int = 64) -> dict[str, Any]:
    """Rows with ties, missing labels, unequal segments and units of several rows."""
    rng = np.random.default_rng([41, seed])
    score = rng.beta(1.2, 1.8, n)
    label = (rng.random(n) < score).astype(np.float64)
    label[rng.random(n) < 0.1] = math.nan
    return {
        "labels": label,
        "scores": {
            name: np.round(np.clip(score + rng.normal(0, 0.15, n), 0, 1) * grid) / grid for name in ("new", "old")
        },
        "segments": {
            "a": rng.choice(["p", "q", "r"], n, p=[0.7, 0.29, 0.01]),
            "b": rng.choice(["x", "ü"], n),
        },
        "units": np.array([f"unit {owner}" for owner in rng.integers(0, max(n // 3, 1), n)], dtype=object),
    }


def taken(rows: dict[str, Any], chosen: NDArray[Any]) -> dict[str, Any]:
    """Some of the rows, in the order chosen."""
    return {
        "labels": rows["labels"][chosen],
        "scores": {name: values[chosen] for name, values in rows["scores"].items()},
        "segments": {name: values[chosen] for name, values in rows["segments"].items()},
        "units": rows["units"][chosen],
    }


def built(rows: dict[str, Any]) -> Profile:
    return Profile.build(**rows, thresholds=THRESHOLDS)


def inside(rows: dict[str, Any], conditions: tuple[tuple[str, str], ...]) -> NDArray[np.bool_]:
    found = np.ones(len(rows["labels"]), dtype=bool)
    for name, value in conditions:
        found &= rows["segments"][name] == value
    return found


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 30, 300]), st.booleans())
def test_all_segments_at_once_are_the_same_bits_as_each_alone(seed: int, n: int, clustered: bool) -> None:
    rows = rows_of(seed, n)
    profile = built(rows)
    alone = [built(taken(rows, inside(rows, segment.conditions))) for segment in profile.segments]
    for name in BINARY:
        everywhere = estimate_all(profile, "new", name, clustered=clustered)
        for place, part in enumerate(alone):
            own = estimate_all(part, "new", name, clustered=clustered).at(0)
            np.testing.assert_equal(asdict(everywhere.at(place)), asdict(own), err_msg=name)
    for name in GATED:
        compared = compare_all(profile, "new", "old", name, 0.02, harm_at=0.01, clustered=clustered)
        for place, part in enumerate(alone):
            single = compare_all(part, "new", "old", name, 0.02, harm_at=0.01, clustered=clustered).at(0)
            np.testing.assert_equal(asdict(compared.at(place)) | {"segment": 0}, asdict(single) | {"segment": 0})


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False), st.sampled_from([1, 7, 200]))
def test_neither_order_nor_shards_change_a_bit(seed: int, random: Any, n: int) -> None:
    rows = rows_of(seed, n)
    order = list(range(n))
    random.shuffle(order)
    whole, shuffled = built(rows), taken(rows, np.array(order))
    cuts = [0, *sorted(random.randint(0, n) for _ in range(3)), n]
    shards = [taken(shuffled, np.arange(low, high)) for low, high in pairwise(cuts)]
    streamed = Profile.stream(lambda: [Columns(**shard) for shard in shards], THRESHOLDS)
    assert streamed.to_bytes() == whole.to_bytes() == built(shuffled).to_bytes()
    added = sum((built(shard) for shard in shards[1:]), built(shards[0]))
    assert added.to_bytes() == whole.without_influence().to_bytes()


def by_hand(name: str, y: NDArray[np.float64], score: NDArray[np.float64], threshold: float) -> float:
    """The metric from rows, by scikit-learn where it has it; NaN where it is not defined."""
    says, classes = score >= threshold, len(np.unique(y))
    tp, fp = float((says * y).sum()), float((says * (1 - y)).sum())
    fn, tn = float(y.sum()) - tp, float((1 - y).sum()) - fp
    clipped = np.clip(score, 1e-15, 1 - 1e-15)

    def share(part: float, whole: float) -> float:
        return part / whole if whole else math.nan

    values = {
        "accuracy": share(tp + tn, len(y)),
        "recall": share(tp, tp + fn),
        "precision": share(tp, tp + fp),
        "f1": share(2 * tp, 2 * tp + fp + fn),
        "balanced_accuracy": (share(tp, tp + fn) + share(tn, tn + fp)) / 2,
        "fpr": share(fp, fp + tn),
        "fnr": share(fn, tp + fn),
        "specificity": share(tn, fp + tn),
        "npv": share(tn, tn + fn),
        "selection_rate": share(tp + fp, len(y)),
        "prevalence": share(tp + fn, len(y)),
    }
    if name in values:
        return values[name]
    if not len(y):
        return math.nan
    if name == "auc":
        return float(reference.roc_auc_score(y, score)) if classes == 2 else math.nan
    if name == "log_loss":
        return float(reference.log_loss(y, clipped, labels=[0, 1]))
    if name == "brier":
        return float(np.mean((score - y) ** 2))
    if name == "calibration_in_the_large":
        return float(score.mean() - y.mean())
    if name == "average_precision":
        return float(reference.average_precision_score(y, score)) if y.any() else math.nan
    if name == "ece":
        tenth = np.minimum((score * 10).astype(int), 9)
        return float(sum(abs((score - y)[tenth == place].sum()) for place in range(10)) / len(y))
    raise AssertionError(name)


@pytest.mark.parametrize("seed", range(4))
def test_every_metric_of_every_segment_is_that_of_its_rows(seed: int) -> None:
    rows = rows_of(seed, 500)
    profile = built(rows)
    known = ~np.isnan(rows["labels"])
    for name in BINARY:
        found = estimate_all(profile, "old", name)
        for place, segment in enumerate(profile.segments):
            part = inside(rows, segment.conditions) & known
            expected = by_hand(name, rows["labels"][part], rows["scores"]["old"][part], 0.4)
            assert found.value[place] == pytest.approx(expected, abs=1e-3 if name == "ece" else 1e-6, nan_ok=True), (
                name,
                segment.name,
            )


def test_numbers_per_row_have_the_paired_t_of_their_rows() -> None:
    rows = rows_of(5, 400)
    part = ~np.isnan(rows["labels"])
    y = rows["labels"][part]
    difference = (rows["scores"]["old"][part] - y) ** 2 - (rows["scores"]["new"][part] - y) ** 2
    found = compare(built(rows), OVERALL, "new", "old", "brier", 0.02)
    assert found.method == "paired t"
    assert found.delta == pytest.approx(difference.mean(), abs=1e-7)
    assert found.standard_error == pytest.approx(difference.std(ddof=1) / math.sqrt(len(y)), rel=1e-5)


def test_the_delta_method_is_the_spread_of_the_rows_influences() -> None:
    rows = rows_of(6, 800)
    part = ~np.isnan(rows["labels"])
    y = rows["labels"][part]
    moved = np.zeros(len(y))
    for model, sign in (("new", 1.0), ("old", -1.0)):
        says = rows["scores"][model][part] >= THRESHOLDS[model]
        value, denominator = float((says * y).sum() / says.sum()), float(says.sum())
        moved += sign * says * (y - value) / denominator
    found = compare(built(rows), OVERALL, "new", "old", "precision", 0.02)
    assert found.method == "delta"
    assert found.standard_error == pytest.approx(math.sqrt((moved**2).sum()), rel=1e-9)


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_of_small_segments_cover_too(clustered: bool) -> None:
    """Many small segments of one profile are many repetitions; rows of a unit share everything."""
    rng = np.random.default_rng(7)
    segments, units, per_unit = 400, 60, 3 if clustered else 1
    score = np.repeat(rng.beta(2, 2, segments * units), per_unit)
    label = np.repeat(rng.random(segments * units), per_unit) < score
    noisy = np.repeat(np.clip(rng.normal(0, 0.1, segments * units), -0.1, 0.1), per_unit)
    names = np.repeat([f"{i:03d}" for i in range(segments)], units * per_unit)
    owners = np.repeat(np.arange(segments * units), per_unit).astype(str)
    other = np.clip(score + noisy, 0, 1)
    profile = Profile.build(
        label, {"new": score, "old": other}, {"s": names}, owners, {"new": 0.5, "old": 0.5}, cross=1
    )
    for name in ("accuracy", "auc", "brier", "f1"):
        found = estimate_all(profile, "new", name, clustered=clustered)
        covered = np.mean((found.low <= found.value[0]) & (found.value[0] <= found.high))
        assert covered >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / segments) - 0.015, (name, covered)
        both = compare_all(profile, "new", "old", name, 0.02, 0.05, clustered=clustered)
        caught = np.mean((both.low <= both.delta[0]) & (both.delta[0] <= both.high))
        assert caught >= 0.9 - 3 * math.sqrt(0.9 * 0.1 / segments) - 0.015, (name, caught)
