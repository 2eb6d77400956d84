import math

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.stats import OVERALL, Profile, compare, compare_aucs, delong, estimate_all
from assay.stats.areas import delong_variances
from assay.stats.histogram import Histogram

GRID = 256  # scores that the histogram's bins hold exactly


def scored(seed: int, n: int, shift: float) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
    """Two models of which the second moves every `shift`-th row by one step of the grid."""
    rng = np.random.default_rng([51, seed])
    truth = rng.normal(size=n)
    label = rng.random(n) < 1 / (1 + np.exp(-truth - 0.5))
    score = np.round(1 / (1 + np.exp(-truth - rng.normal(size=n))) * (GRID - 2)) / GRID
    moved = score + (rng.random(n) < shift) / GRID
    return label, {"new": moved, "old": score}


def test_variances_from_histograms_are_delongs() -> None:
    label, scores = scored(1, 500, 0.3)
    group = np.arange(500) % 3
    histogram = Histogram.count(group, 3, scores["new"], label)
    for place in range(3):
        part = group == place
        rows = delong(label[part], {"new": scores["new"][part]})
        assert delong_variances(histogram, 3)[place] == pytest.approx(rows.covariance[0, 0], rel=1e-12)


@pytest.mark.parametrize("shift", [1.0, 0.3, 0.01, 0.002])
def test_models_that_hardly_differ_still_have_delongs_error(shift: float) -> None:
    label, scores = scored(2, 4000, shift)
    found = compare(
        Profile.build(label, scores, {}, None, dict.fromkeys(scores, 0.5)), OVERALL, "new", "old", "auc", 0.01
    )
    expected = compare_aucs(delong(label, scores), "new", "old", 0.9)
    assert found.delta == pytest.approx(expected.difference, abs=1e-12)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-3)


@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("metric", ["log_loss", "brier"])
def test_losses_that_hardly_differ_still_have_the_error_of_the_t_test(metric: str, noise: float) -> None:
    rng = np.random.default_rng(3)
    score = rng.uniform(0.2, 0.8, 5000)
    label = (rng.random(5000) < score).astype(float)
    scores = {"new": score + noise * rng.normal(size=5000), "old": score}
    found = compare(
        Profile.build(label, scores, {}, None, dict.fromkeys(scores, 0.5)), OVERALL, "new", "old", metric, 0.01
    )

    def loss(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (values - label) ** 2 if metric == "brier" else -np.log(np.where(label == 1, values, 1 - values))

    difference = loss(scores["old"]) - loss(scores["new"])
    # losses are kept to 2**-24, differences of 1e-6 therefore to a few per cent
    assert found.standard_error == pytest.approx(
        difference.std(ddof=1) / math.sqrt(5000), rel=1e-3 if noise > 1e-6 else 0.05
    )


def test_rounding_alone_proves_no_harm() -> None:
    rng = np.random.default_rng(4)
    accused = 0
    for _ in range(100):
        score = rng.uniform(0.2, 0.8, 200)
        label = rng.integers(0, 2, 200)
        scores = {"new": score + 1e-10 * rng.normal(size=200), "old": score}
        profile = Profile.build(label, scores, {}, None, dict.fromkeys(scores, 0.5))
        accused += compare(profile, OVERALL, "new", "old", "log_loss", 0.01).p_worse <= 0.05
    assert accused <= 5 + 3 * math.sqrt(100 * 0.05 * 0.95)


def test_areas_of_clusters_cover_where_delong_does_not() -> None:
    rng = np.random.default_rng(5)
    segments, units, per_unit = 300, 60, 6
    truth = rng.normal(size=(segments, units))
    label = rng.random((segments, units)) < 1 / (1 + np.exp(-truth))
    score = 1 / (1 + np.exp(-truth - rng.normal(size=(segments, units))))
    names = np.repeat([f"{place:03d}" for place in range(segments)], units * per_unit)
    owners = np.repeat(np.arange(segments * units), per_unit).astype(str)
    profile = Profile.build(
        np.repeat(label.reshape(-1), per_unit),
        {"m": np.repeat(score.reshape(-1), per_unit)},
        {"s": names},
        owners,
        {"m": 0.5},
        cross=1,
    )
    right = profile.totals().area("m")
    truth_value = right.twice[0] / (2.0 * right.positives[0] * right.negatives[0])
    covered = {}
    for clustered in (False, True):
        found = estimate_all(profile, "m", "auc", clustered=clustered)
        covered[clustered] = np.mean((found.low <= truth_value) & (truth_value <= found.high))
    assert covered[True] >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / segments) - 0.01
    assert covered[False] < 0.75
