import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from assay.errors import InvalidInput
from assay.stats import (
    OVERALL,
    Comparison,
    Profile,
    Segment,
    bucket_of,
    compare,
    compare_aucs,
    delong,
    estimate,
    rows_needed,
    tango_interval,
)

DIRECTED = ("accuracy", "recall", "precision", "f1", "fpr", "npv", "balanced_accuracy", "auc", "log_loss", "brier")
RATIOS = ("precision", "f1", "npv")


@functools.cache  # the same worlds are judged by many metrics
def drawn(seed: int, n: int = 400, per_unit: int = 1, noise: float = 0.5) -> Profile:
    """Two models equally good by construction, agreeing on most rows."""
    rng = np.random.default_rng([20, seed])
    count = n // per_unit
    truth = rng.normal(size=count)
    label = rng.random(count) < 1 / (1 + np.exp(-2 * truth))
    scores = {model: 1 / (1 + np.exp(-1.5 * (truth + noise * rng.normal(size=count)))) for model in ("new", "old")}
    return Profile.build(
        np.repeat(label, per_unit),
        {model: np.repeat(score, per_unit) for model, score in scores.items()},
        {},
        np.repeat(np.arange(count), per_unit).astype(str),
        {"new": 0.5, "old": 0.5},
    )


def losing(seed: int, n: int, dropped: float) -> tuple[Profile, float]:
    """A candidate that stops selecting some positives, and how much precision that costs: few, one-sided moves."""
    rng = np.random.default_rng([21, seed])
    label = rng.random(n) < 0.8
    lost = label & (rng.random(n) < dropped)
    profile = Profile.build(
        label,
        {"new": np.where(lost, 0.1, 0.9), "old": np.full(n, 0.9)},
        {},
        rng.integers(0, 10**9, n).astype(str),
        {"new": 0.5, "old": 0.5},
    )
    return profile, 0.8 - 0.8 * (1 - dropped) / (0.8 * (1 - dropped) + 0.2)


@pytest.mark.no_cover
@pytest.mark.parametrize("metric", DIRECTED)
def test_equal_models_are_rarely_accused_and_the_interval_covers(metric: str) -> None:
    runs = 300
    found = [compare(drawn(seed), OVERALL, "new", "old", metric, 0.02) for seed in range(runs)]
    accused = np.mean([c.p_worse <= 0.05 for c in found])
    certified_at_zero = np.mean([c.low > 0 for c in found])
    slack = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert accused <= 0.05 + slack
    assert certified_at_zero <= 0.05 + slack
    assert accused >= 0.01  # a test that never rejects is no test


@pytest.mark.no_cover
@pytest.mark.parametrize("metric", ["accuracy", "precision", "auc", "log_loss"])
def test_clustered_rows_do_not_accuse_more_often(metric: str) -> None:
    runs = 300
    found = [compare(drawn(seed, 1000, 5), OVERALL, "new", "old", metric, 0.02, clustered=True) for seed in range(runs)]
    assert np.mean([c.p_worse <= 0.05 for c in found]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert {c.method for c in found} == {"obuchowski" if metric == "auc" else "jackknife"}


@pytest.mark.no_cover
def test_without_clustered_rows_that_hang_together_are_accused_too_often() -> None:
    found = [compare(drawn(seed, 1000, 5), OVERALL, "new", "old", "accuracy", 0.02) for seed in range(200)]
    assert np.mean([c.p_worse <= 0.05 for c in found]) > 0.12


@pytest.mark.no_cover
@pytest.mark.parametrize(("n", "dropped"), [(60, 0.02), (60, 0.15), (200, 0.05), (1000, 0.05)])
def test_precision_is_not_certified_at_the_margin_because_few_rows_moved(n: int, dropped: float) -> None:
    runs = 300
    certified = 0
    for seed in range(runs):
        profile, loss = losing(seed, n, dropped)
        certified += compare(profile, OVERALL, "new", "old", "precision", loss).p_not_worse <= 0.05
    assert certified / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_rates_are_tangos_test_on_the_rows_of_their_denominator() -> None:
    #                 both right, only new, only old
    label = np.array([1] * 40 + [1] * 9 + [1] * 3 + [0] * 50 + [0] * 2 + [0] * 11)
    new = np.array([1] * 40 + [1] * 9 + [0] * 3 + [0] * 50 + [0] * 2 + [1] * 11)
    old = np.array([1] * 40 + [0] * 9 + [1] * 3 + [0] * 50 + [1] * 2 + [0] * 11)
    profile = Profile.build(
        label, {"new": new, "old": old}, {}, [str(i) for i in range(len(label))], {"new": 0.5, "old": 0.5}
    )
    for metric, b, c, n in (("recall", 9, 3, 52), ("fpr", 2, 11, 63), ("accuracy", 11, 14, 115)):
        found = compare(profile, OVERALL, "new", "old", metric, 0.02, alpha=0.025)
        ends = tango_interval(b, c, n)
        assert found.method == "tango"
        assert (found.n, found.delta) == (n, (b - c) / n)
        assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=1e-11)
        assert found.confidence == pytest.approx(0.95)
        assert found.variance_per_row == pytest.approx((b + c) / n)
    fpr = compare(profile, OVERALL, "new", "old", "fpr", 0.02)
    assert fpr.value - fpr.baseline_value == pytest.approx(9 / 63)
    assert fpr.delta == pytest.approx(-9 / 63)


@pytest.mark.parametrize(("clustered", "method"), [(False, "delong"), (True, "obuchowski")])
def test_an_area_is_compared_by_the_influence_of_its_rows(clustered: bool, method: str) -> None:
    found = compare(drawn(7, n=2000), OVERALL, "new", "old", "auc", 0.02, clustered=clustered)
    assert found.delta == pytest.approx(found.value - found.baseline_value, abs=1e-15)
    assert found.method == method
    assert found.variance_per_row == pytest.approx(found.standard_error**2 * 2000)
    assert rows_needed(found.variance_per_row, 0.02) is not None


def gridded(seed: int, n: int) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
    """Scores that the histogram's bins hold exactly, with ties."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    label = rng.random(n) < 1 / (1 + np.exp(-truth))
    return label, {m: np.round(1 / (1 + np.exp(-(truth + rng.normal(size=n)))) * 512) / 512 for m in ("new", "old")}


def test_areas_of_independent_rows_have_delongs_error() -> None:
    label, scores = gridded(8, 3000)
    profile = Profile.build(label, scores, {}, None, dict.fromkeys(scores, 0.5))
    found = compare(profile, OVERALL, "new", "old", "auc", 0.02)
    expected = compare_aucs(delong(label, scores), "new", "old", 0.9)
    assert found.value == pytest.approx(roc_auc_score(label, scores["new"]), abs=1e-12)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-6)
    # t with about 3,000 degrees of freedom, where DeLong has z
    assert (found.low, found.high) == pytest.approx((expected.interval.low, expected.interval.high), abs=1e-5)
    assert found.high - found.low > expected.interval.high - expected.interval.low
    swapped = compare(profile, OVERALL, "old", "new", "auc", 0.02)
    assert swapped.standard_error == found.standard_error


def test_areas_of_clusters_have_obuchowskis_error() -> None:
    # by hand: V10 and V01 of each row, summed over clusters (Obuchowski 1997), one cluster for each bucket
    label, scores = gridded(9, 600)
    units = np.array([f"u{i}" for i in np.random.default_rng(1).integers(0, 80, 600)])
    found = compare(
        Profile.build(label, scores, {}, units, dict.fromkeys(scores, 0.5), buckets=40),
        OVERALL,
        "new",
        "old",
        "auc",
        0.02,
        clustered=True,
    )
    bucket = bucket_of(units, 40)
    moved = np.zeros(len(label))
    for model, sign in (("new", 1.0), ("old", -1.0)):
        positive, negative = scores[model][label], scores[model][~label]
        wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
        moved[label] += sign * (wins.mean(axis=1) - wins.mean()) / len(positive)
        moved[~label] += sign * (wins.mean(axis=0) - wins.mean()) / len(negative)
    sums = np.bincount(bucket, moved, 40)
    G = len(np.unique(bucket))
    assert found.standard_error == pytest.approx(math.sqrt(G / (G - 1) * (sums**2).sum()), rel=1e-5)


def test_profiles_that_were_added_say_that_areas_were_not_kept() -> None:
    profile = drawn(3, n=1000)
    added = profile + profile
    for clustered in (False, True):
        found = compare(added, OVERALL, "new", "old", "auc", 0.02, clustered=clustered)
        assert (found.method, found.p_worse, found.p_not_worse) == ("not kept", 1.0, 1.0)
        assert math.isnan(found.low)
        assert found.delta == pytest.approx(compare(profile, OVERALL, "new", "old", "auc", 0.02).delta)
    assert estimate(added, OVERALL, "new", "auc").method == "delong"
    clustered_estimate = estimate(added, OVERALL, "new", "auc", clustered=True)
    assert clustered_estimate.method == "not kept"
    assert math.isnan(clustered_estimate.low)


def consistent(c: Comparison, alpha: float) -> bool:
    """The interval leaves out exactly the bounds the tests reject (ends within rounding are not judged)."""
    if math.isnan(c.low):
        return c.p_worse == c.p_not_worse == 1.0
    checks = []
    if abs(c.low + c.margin) > 1e-9:
        checks.append((c.p_not_worse < alpha) == (c.low > -c.margin))
    if abs(c.high + c.harm_at) > 1e-9:
        checks.append((c.p_worse < alpha) == (c.high < -c.harm_at))
    return all(checks)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([20, 60, 300]),
    st.sampled_from([0.0, 0.02, 0.3]),
    st.floats(0, 0.3),
    st.floats(0, 0.1),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_intervals_and_tests_agree_and_swapping_models_mirrors(
    seed: int, n: int, noise: float, margin: float, harm_at: float, alpha: float
) -> None:
    profile = drawn(seed, n=n, noise=noise)
    for metric in DIRECTED:
        for clustered in (False, True):
            found = compare(profile, OVERALL, "new", "old", metric, margin, alpha, harm_at, clustered=clustered)
            back = compare(profile, OVERALL, "old", "new", metric, margin, alpha, harm_at, clustered=clustered)
            assert consistent(found, alpha)
            assert back.method == found.method
            assert back.delta == pytest.approx(-found.delta, abs=1e-12, nan_ok=True)
            if metric not in RATIOS:  # their equivalent counts look from the baseline
                assert back.low == pytest.approx(-found.high, abs=1e-9, nan_ok=True)
            if found.method != "too small":
                assert found.low <= found.delta <= found.high


def test_models_that_never_differ_are_judged_by_their_rows() -> None:
    profile = drawn(1, n=100, noise=0.0)
    few = compare(profile, OVERALL, "new", "old", "accuracy", 0.02)
    assert few.delta == 0.0
    assert few.p_not_worse > 0.05
    assert few.variance_per_row == 1 / 100  # not 0: no disagreement seen does not mean none
    assert compare(profile, OVERALL, "new", "old", "accuracy", 0.02, clustered=True).p_not_worse > 0.05
    assert compare(profile, OVERALL, "new", "old", "precision", 0.02).p_not_worse > 0.05
    same_loss = compare(profile, OVERALL, "new", "old", "log_loss", 0.02)
    assert (same_loss.standard_error, same_loss.p_not_worse, same_loss.p_worse) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("metric", DIRECTED)
def test_too_few_rows_are_no_evidence(metric: str) -> None:
    profile = Profile.build(
        [1, 0] * 4,
        {"new": [0.9] * 8, "old": [0.1, 0.9] * 4},
        {"s": ["a"] * 8},
        [str(i) for i in range(8)],
        {"new": 0.5, "old": 0.5},
    )
    for segment in (OVERALL, Segment((("s", "b"),))):
        found = compare(profile, segment, "new", "old", metric, 0.02)
        assert (found.method, found.p_worse, found.p_not_worse) == ("too small", 1.0, 1.0)
        assert math.isnan(found.low)
        assert math.isnan(found.high)


def test_few_buckets_are_no_evidence_for_the_jackknife_only() -> None:
    rng = np.random.default_rng(9)
    units = [str(i % 5) for i in range(200)]
    scores = {m: rng.random(200) for m in ("new", "old")}
    profile = Profile.build(rng.integers(0, 2, 200), scores, {}, units, dict.fromkeys(scores, 0.5))
    assert compare(profile, OVERALL, "new", "old", "accuracy", 0.02).method == "tango"
    assert compare(profile, OVERALL, "new", "old", "accuracy", 0.02, clustered=True).method == "too small"
    assert compare(profile, OVERALL, "new", "old", "brier", 0.02).method == "paired t"
    for metric in ("brier", "auc", "f1", "balanced_accuracy"):
        assert compare(profile, OVERALL, "new", "old", metric, 0.02, clustered=True).method == "too small"


def test_few_of_a_class_are_no_evidence_for_the_area() -> None:
    rng = np.random.default_rng(10)
    scores = {m: rng.random(200) for m in ("new", "old")}
    profile = Profile.build(np.arange(200) < 9, scores, {}, [str(i) for i in range(200)], dict.fromkeys(scores, 0.5))
    assert compare(profile, OVERALL, "new", "old", "auc", 0.02).method == "too small"


def test_a_real_loss_is_found() -> None:
    rng = np.random.default_rng(11)
    label = rng.integers(0, 2, 2000)
    good = np.where(rng.random(2000) < 0.9, label, 1 - label) * 0.8 + 0.1
    bad = np.where(rng.random(2000) < 0.08, 1 - good, good)
    profile = Profile.build(
        label, {"new": bad, "old": good}, {}, [str(i) for i in range(2000)], {"new": 0.5, "old": 0.5}
    )
    for metric in DIRECTED:
        found = compare(profile, OVERALL, "new", "old", metric, 0.01)
        assert found.p_worse < 0.001, metric
        assert found.p_not_worse > 0.9
        assert found.delta < 0
        assert compare(profile, OVERALL, "old", "new", metric, 0.01).p_not_worse < 0.001


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("new", "old", "prevalence", 0.02), "no better direction"),
        (("new", "old", "ece", 0.02), "nothing is decided by it"),
        (("new", "old", "f2", 0.02), "no metric"),
        (("new", "new", "accuracy", 0.02), "itself"),
        (("new", "older", "accuracy", 0.02), "no model"),
        (("new", "old", "accuracy", -0.02), "margin"),
        (("new", "old", "accuracy", 2.0), "margin"),
        (("new", "old", "accuracy", 0.02, 0.5), "alpha"),
        (("new", "old", "accuracy", 0.02, 0.05, math.nan), "harm_at"),
    ],
)
def test_bad_questions_are_refused(arguments: tuple[str, str, str, float], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        compare(drawn(1), OVERALL, *arguments)
