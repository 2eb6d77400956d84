import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from assay.errors import InvalidInput
from assay.stats import DeLong, Interval, auc_interval, compare_aucs, delong, delong_from_histogram

Floats = NDArray[np.float64]


def quadratic(labels: Floats, scores: list[Floats]) -> tuple[Floats, Floats]:
    """DeLong et al. 1988 as printed, over all pairs."""
    above, below = [], []
    for column in scores:
        x, y = column[labels == 1][:, None], column[labels == 0][None, :]
        wins = (x > y) + 0.5 * (x == y)
        above.append(wins.mean(axis=1))
        below.append(wins.mean(axis=0))
    V10, V01 = np.array(above), np.array(below)
    n_pos, n_neg = V10.shape[1], V01.shape[1]
    centred10, centred01 = V10 - V10.mean(1, keepdims=True), V01 - V01.mean(1, keepdims=True)
    S10, S01 = centred10 @ centred10.T / (n_pos - 1), centred01 @ centred01.T / (n_neg - 1)
    return V10.mean(axis=1), S10 / n_pos + S01 / n_neg


def rows(seed: int, n: int, levels: int = 0) -> tuple[Floats, dict[str, Floats]]:
    """Labels and two correlated scores; rounded to `levels` distinct ones if given."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.4).astype(np.float64)
    labels[:4] = [0, 1, 0, 1]
    shared = rng.normal(size=n) + labels
    scores = {"a": shared + rng.normal(size=n), "b": shared + 1.5 * rng.normal(size=n)}
    if levels:
        scores = {name: np.clip(np.round(column), 0, levels) for name, column in scores.items()}
    return labels, scores


@given(st.integers(0, 2**32), st.integers(4, 80), st.sampled_from([0, 1, 3]))
def test_areas_and_covariance_are_those_over_all_pairs(seed: int, n: int, levels: int) -> None:
    labels, scores = rows(seed, n, levels)
    found = delong(labels, scores)
    aucs, covariance = quadratic(labels, list(scores.values()))
    np.testing.assert_allclose(found.aucs, aucs, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.covariance, covariance, rtol=0, atol=1e-14)
    for auc, column in zip(found.aucs, scores.values(), strict=True):
        assert auc == pytest.approx(roc_auc_score(labels, column), abs=1e-13)


def test_a_table_small_enough_for_pencil_and_paper() -> None:
    # V10 = (1/2, 1), V01 = (1/2, 1): AUC 3/4, both variances 1/8, S = 1/16 + 1/16
    found = delong([0, 1, 0, 1], {"m": [0.1, 0.2, 0.3, 0.4]})
    assert found.aucs[0] == 0.75
    assert found.covariance[0, 0] == pytest.approx(0.125, abs=1e-15)
    assert (found.positives, found.negatives, found.enough) == (2, 2, False)


def test_rows_without_a_label_are_left_out_and_only_order_counts() -> None:
    labels, scores = rows(1, 60)
    found = delong(labels, scores)
    more = delong(np.append(labels, np.nan), {name: np.exp(np.append(column, 9.0)) for name, column in scores.items()})
    np.testing.assert_array_equal(found.aucs, more.aucs)
    np.testing.assert_array_equal(found.covariance, more.covariance)
    assert (found.positives, found.negatives) == (more.positives, more.negatives)


def test_infinite_scores_are_the_ends_of_the_order() -> None:
    assert delong([0, 1, 0, 1], {"m": [-math.inf, 0.0, 1.0, math.inf]}).aucs[0] == 0.75


def test_turning_the_labels_mirrors_the_areas_and_keeps_the_covariance() -> None:
    labels, scores = rows(2, 50, 3)
    found, turned = delong(labels, scores), delong(1 - labels, scores)
    np.testing.assert_allclose(turned.aucs, 1 - found.aucs, atol=1e-14)
    np.testing.assert_allclose(turned.covariance, found.covariance, atol=1e-14)


def test_the_order_of_the_rows_does_not_matter() -> None:
    labels, scores = rows(3, 90, 3)
    order = np.random.default_rng(0).permutation(90)
    found, shuffled = delong(labels, scores), delong(labels[order], {m: s[order] for m, s in scores.items()})
    np.testing.assert_allclose(shuffled.covariance, found.covariance, atol=1e-15)


@given(st.integers(0, 2**32), st.integers(4, 80))
@settings(max_examples=50)
def test_a_histogram_gives_the_numbers_of_its_rows(seed: int, n: int) -> None:
    labels, scores = rows(seed, n, 4)
    found = delong(labels, scores)
    counts = [np.array([np.bincount(s[labels == y].astype(int), minlength=5) for s in scores.values()]) for y in (1, 0)]
    auc, variance = delong_from_histogram(counts[0], counts[1])
    np.testing.assert_allclose(auc, found.aucs, rtol=0, atol=1e-14)
    np.testing.assert_allclose(variance, np.diag(found.covariance), rtol=0, atol=1e-14)


def test_histograms_are_taken_over_all_leading_axes() -> None:
    rng = np.random.default_rng(5)
    pos, neg = rng.integers(0, 9, (2, 3, 4, 6))
    pos[0, 0], neg[1, 1] = 0, [0, 0, 1, 0, 0, 0]
    auc, variance = delong_from_histogram(pos, neg)
    assert auc.shape == variance.shape == (3, 4)
    assert math.isnan(auc[0, 0])
    assert math.isnan(variance[0, 0])
    assert math.isnan(variance[1, 1])
    for index in np.ndindex(3, 4):
        one_auc, one_variance = delong_from_histogram(pos[index], neg[index])
        np.testing.assert_array_equal(one_auc, auc[index])
        np.testing.assert_array_equal(one_variance, variance[index])


def test_a_class_without_rows_gives_nan_and_a_single_row_no_variance() -> None:
    none = delong([0, 0, math.nan], {"m": [1, 2, 3]})
    assert math.isnan(none.aucs[0])
    assert math.isnan(none.covariance[0, 0])
    assert not none.enough
    assert math.isnan(auc_interval(none, "m").low)
    single = delong([0, 0, 1], {"m": [1, 2, 3], "k": [3, 2, 1]})
    assert single.aucs.tolist() == [1.0, 0.0]
    assert np.isnan(single.covariance).all()
    assert single.covariance.shape == (2, 2)
    compared = compare_aucs(single, "m", "k")
    assert compared.difference == 1.0
    assert math.isnan(compared.p)
    assert math.isnan(compared.interval.low)
    assert not compared.enough


@pytest.mark.parametrize("small", [9, 10])
def test_ten_rows_of_each_class_are_enough(small: int) -> None:
    for labels in ([1] * small + [0] * 50, [0] * small + [1] * 50):
        assert delong(labels, {"m": np.arange(len(labels))}).enough == (small == 10)


def test_the_comparison_is_the_contrast_of_the_covariance() -> None:
    S = np.array([[0.0004, 0.0001], [0.0001, 0.0006]])
    found = compare_aucs(DeLong(("a", "b"), np.array([0.8, 0.74]), S, 100, 200), "a", "b")
    error = math.sqrt(0.0008)
    assert found.difference == pytest.approx(0.06)
    assert found.standard_error == pytest.approx(error)
    assert found.z == pytest.approx(0.06 / error)
    assert found.p == pytest.approx(math.erfc(0.06 / error / math.sqrt(2)))
    assert found.interval.low == pytest.approx(0.06 - 1.959963984540054 * error)
    assert found.interval.high == pytest.approx(0.06 + 1.959963984540054 * error)
    assert found.enough


def test_a_model_does_not_differ_from_itself_or_from_its_monotone_image() -> None:
    labels, scores = rows(6, 100)
    found = delong(labels, {"a": scores["a"], "image": np.exp(scores["a"])})
    for other in ("a", "image"):
        compared = compare_aucs(found, "a", other)
        assert (compared.difference, compared.standard_error, compared.z, compared.p) == (0.0, 0.0, 0.0, 1.0)
        assert compared.interval == Interval(0.0, 0.0)
        assert compared.enough


def test_two_perfect_models_prove_nothing_about_their_difference() -> None:
    labels = np.repeat([0.0, 1.0], 20)
    scores = np.arange(40.0)
    found = delong(labels, {"a": scores, "b": scores + 10 * labels, "c": -scores})
    assert not compare_aucs(found, "a", "b").enough
    opposite = compare_aucs(found, "a", "c")
    assert opposite.difference == 1.0
    assert math.isnan(opposite.z)
    assert math.isnan(opposite.p)
    assert not opposite.enough


def test_a_perfect_area_has_an_interval_of_some_width_and_others_stay_inside() -> None:
    labels = np.repeat([0.0, 1.0], [30, 20])
    found = delong(labels, {"a": np.arange(50.0), "c": -np.arange(50.0)})
    ends, mirrored = auc_interval(found, "a"), auc_interval(found, "c")
    assert round(ends.low, 3) == 0.839
    assert ends.high == 1.0
    assert mirrored.low == 0.0
    assert mirrored.high == pytest.approx(1 - ends.low)
    labels, scores = rows(7, 40)
    near = auc_interval(delong(labels, scores), "a", 0.9999999)
    assert 0.0 < near.low < near.high < 1.0


@pytest.mark.no_cover
@pytest.mark.parametrize(("shift", "n"), [(0.7, 60), (2.2, 60)])
def test_the_interval_covers_and_the_test_errs_as_promised(shift: float, n: int) -> None:
    rng = np.random.default_rng(41)
    runs = 1200
    truth = 0.5 * math.erfc(-shift / 2)  # of two normals a distance `shift` apart
    labels = np.repeat([0.0, 1.0], [n, n // 2])
    covered = rejected = 0
    for _ in range(runs):
        shared = rng.normal(size=len(labels)) * math.sqrt(0.5)
        own = rng.normal(size=(2, len(labels))) * math.sqrt(0.5)
        found = delong(labels, {"a": shared + own[0] + shift * labels, "b": shared + own[1] + shift * labels})
        ends = auc_interval(found, "a")
        covered += ends.low <= truth <= ends.high
        rejected += compare_aucs(found, "a", "b").p <= 0.05
    noise = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert covered / runs >= 0.94 - noise
    assert rejected / runs <= 0.05 + noise + 0.005


def test_wrong_input_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="no model"):
        delong([0, 1], {})
    with pytest.raises(InvalidInput, match="labels"):
        delong([0, 2], {"m": [1, 2]})
    with pytest.raises(InvalidInput, match="'m' in row 1"):
        delong([0, 1], {"m": [1, math.nan]})
    with pytest.raises(InvalidInput, match="shape"):
        delong([0, 1], {"m": [1, 2, 3]})
    found = delong([0, 1, 0, 1], {"candidate": [1, 2, 3, 4]})
    with pytest.raises(InvalidInput, match="candidte"):
        auc_interval(found, "candidte")
    with pytest.raises(InvalidInput, match="confidence"):
        compare_aucs(found, "candidate", "candidate", 1.0)
    with pytest.raises(InvalidInput, match="shape"):
        delong_from_histogram([1, 2], [1, 2, 3])
    with pytest.raises(InvalidInput, match="negative"):
        delong_from_histogram([1, -2], [1, 2])
