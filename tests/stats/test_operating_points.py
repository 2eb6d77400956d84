"""Other thresholds by group: counts from histograms beside a count of the rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import POINT_RATES, OperatingPoints, Profile, operating_points, wilson
from assay.stats.histogram import bin_edges, bin_of

GROUPS = ["a", "b"]


def rows(seed: int, n: int = 500) -> tuple[Any, Any, Any]:
    generator = np.random.default_rng(seed)
    group = generator.choice(np.array(GROUPS, dtype=object), n, p=[0.7, 0.3])
    label = (generator.random(n) < 0.3).astype(float)
    score = np.round(np.clip(generator.beta(2, 5, n) + 0.2 * label, 0, 1), 3)
    return label, score, group


def profile_of(label: Any, score: Any, group: Any, threshold: float = 0.5) -> Profile:
    return Profile.build(label, {"m": score}, {"group": group}, None, {"m": threshold}, influence=False)


def points_of(profile: Profile, thresholds: Any = None, points: int = 19) -> OperatingPoints:
    return operating_points(profile, "m", [1, 2], thresholds, points=points)


def points_of_places(profile: Profile, places: list[int]) -> OperatingPoints:
    return operating_points(profile, "m", places)


def test_a_count_of_the_rows_gives_the_same() -> None:
    label, score, group = rows(1)
    found = points_of(profile_of(label, score, group), [0.1, 0.3, 0.62])
    for g, name in enumerate(GROUPS):
        mine = group == name
        for t, threshold in enumerate(found.thresholds):
            selected = mine & (score >= threshold)
            tp, positives = int((label[selected] == 1).sum()), int(label[mine].sum())
            fp, negatives = int(selected.sum()) - tp, int(mine.sum()) - positives
            assert (found.tp[g, t], found.fp[g, t]) == (tp, fp)
            expected = {
                "selection_rate": (tp + fp, positives + negatives),
                "recall": (tp, positives),
                "fpr": (fp, negatives),
                "precision": (tp, tp + fp),
                "accuracy": (tp + negatives - fp, positives + negatives),
            }
            for metric, (successes, n) in expected.items():
                value, low, high = (float(part[g, t]) for part in found.rate(metric))
                if n:
                    interval = wilson(successes, n)
                    assert (value, low, high) == (successes / n, interval.low, interval.high)
                else:
                    assert np.isnan([value, low, high]).all()


def test_given_thresholds_become_the_edges_of_their_bins() -> None:
    found = points_of(profile_of(*rows(2)), [0.3, 0.7])
    assert found.thresholds[1] == 0.5, "that of the profile is among them, exactly"
    assert found.own == 1
    assert list(found.thresholds[[0, 2]]) == list(bin_edges(bin_of(np.array([0.3, 0.7]))))
    assert (np.array([0.3, 0.7]) / found.thresholds[[0, 2]] < 1.002).all()


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 40))
def test_the_profiles_own_threshold_has_its_rates_and_counts_never_grow(seed: int, own: float, points: int) -> None:
    profile = profile_of(*rows(seed, 80), threshold=own)
    found = points_of(profile, points=points)
    assert found.own is not None
    assert found.thresholds[found.own] == own
    totals = profile.totals()
    assert list(found.tp[:, found.own]) == list(totals.count("tp", "m")[1:3])
    assert list(found.fp[:, found.own]) == list(totals.count("fp", "m")[1:3])
    assert (np.diff(found.thresholds) > 0).all()
    assert (np.diff(found.tp) <= 0).all()
    assert (np.diff(found.fp) <= 0).all()
    assert (np.diff(found.rate("selection_rate")[0]) <= 0).all()


def test_the_grid_selects_equal_steps_of_all_rows() -> None:
    label, score, group = rows(3, 20_000)
    found = points_of(profile_of(label, score / 1000, group, threshold=2.0), points=9)
    assert found.own is None, "no score reaches 2"
    shares = (found.tp + found.fp).sum(axis=0) / 20_000
    assert np.allclose(shares, np.arange(9, 0, -1) / 10, atol=0.01)


def test_no_groups_and_no_rows_give_nothing() -> None:
    assert points_of_places(profile_of(*rows(5)), []).tp.shape[0] == 0
    nothing = profile_of(np.zeros(0), np.zeros(0), np.zeros(0, dtype=object))
    assert points_of_places(nothing, []).thresholds.tolist() == [0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "n"}, "no model 'n'"),
        ({"thresholds": [0.2, 1.2]}, "the threshold 1.2 is outside"),
        ({"thresholds": [float("nan")]}, "the threshold nan is outside"),
        ({"points": 0}, "a grid of 0 points"),
    ],
)
def test_what_cannot_be_asked_is_told(change: dict[str, Any], message: str) -> None:
    options: dict[str, Any] = {"model": "m", "thresholds": None, "points": 5, **change}
    with pytest.raises(InvalidInput, match=message):
        operating_points(profile_of(*rows(4)), options["model"], [1], options["thresholds"], points=options["points"])
    assert POINT_RATES
