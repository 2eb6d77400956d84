"""Metrics of a team's own: the same numbers and intervals as Assay's where they say the same."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import ModelSums, Profile, compare_all, estimate_all, metric


def profile() -> Profile:
    generator = np.random.default_rng(1)
    label = generator.integers(0, 2, 3000).astype(float)
    scores = {name: np.clip(0.4 * label + generator.random(3000) * 0.6, 0, 1) for name in ("a", "b")}
    segments = {"s": generator.choice(["x", "y"], 3000).astype(object)}
    return Profile.build(label, scores, segments, None, dict.fromkeys(scores, 0.5))


def my_recall(sums: ModelSums) -> NDArray[np.float64]:
    return sums.tp / sums.positives


def test_a_metric_of_sums_is_estimated_and_compared_as_assays_own() -> None:
    made, mine = profile(), metric(my_recall)
    ours, theirs = (estimate_all(made, "a", one, clustered=True) for one in ("recall", mine))
    np.testing.assert_allclose(theirs.value, ours.value)
    np.testing.assert_allclose(theirs.standard_error, ours.standard_error)
    beside = compare_all(made, "a", "b", mine, 0.01)
    assert beside.metric == "my_recall"
    np.testing.assert_allclose(beside.delta, compare_all(made, "a", "b", "recall", 0.01).delta)
    assert set(beside.method) == {"jackknife"}


def test_all_sums_are_there() -> None:
    made = profile()

    def brier(sums: ModelSums) -> NDArray[np.float64]:
        np.testing.assert_array_equal(sums.tp + sums.fn, sums.positives)
        np.testing.assert_array_equal(sums.tp + sums.fp + sums.fn + sums.tn, sums.n)
        np.testing.assert_array_equal(sums.tp + sums.fp, sums.selected)
        assert (sums.score > 0).all()
        assert (sums.log_loss > 0).all()
        return sums.squared_error / sums.n

    found = estimate_all(made, "a", metric(brier, name="mine", larger_is_better=False))
    np.testing.assert_allclose(found.value, estimate_all(made, "a", "brier").value)
    (worse,) = {one.larger_is_better for one in [metric(brier, larger_is_better=False)]}
    assert worse is False


def test_a_division_by_zero_is_undefined() -> None:
    found = estimate_all(profile(), "a", metric(lambda sums: sums.tp / (sums.n - sums.n), name="never"))
    assert np.isnan(found.value).all()
    assert set(found.method) == {"too small"}
    assert math.isnan(found.low[0])


def test_what_is_no_metric_is_told() -> None:
    with pytest.raises(InvalidInput, match="the metric has no name"):
        metric(lambda sums: sums.tp)
    with pytest.raises(InvalidInput, match=r"the metric 'total' gives shape \(\) for"):
        estimate_all(profile(), "a", metric(lambda sums: sums.tp.sum(), name="total"))
