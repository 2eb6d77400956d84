"""Classes, weights towards new rows, losses of numbers, and the back-test of all of them."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats.estimation import (
    Calibrator,
    LossModel,
    back_test,
    density_ratio,
    effective_rows,
    estimate_binary,
    estimate_classes,
)
from assay.stats.estimation.expected_classes import calibrated_classes

Floats = NDArray[np.float64]
AS_THEY_ARE = Calibrator.as_they_are()


# --- classes ----------------------------------------------------------------------------------------------------------


def test_the_accuracy_of_classes_is_that_of_labels_that_are_drawn() -> None:
    chance = np.random.default_rng(0)
    p = chance.dirichlet([1.0, 1.5, 2.0], 800)
    true = []
    for _ in range(300):
        y = (chance.random((800, 1)) > p.cumsum(axis=1)).sum(axis=1)
        true.append((p.argmax(axis=1) == y).mean())
    found = estimate_classes([AS_THEY_ARE] * 3, p)
    assert found.value == pytest.approx(np.mean(true), abs=4 * float(np.std(true)) / math.sqrt(300))
    assert found.error == pytest.approx(np.std(true, ddof=1), rel=0.15)


def test_two_classes_are_the_binary_case() -> None:
    chance = np.random.default_rng(1)
    s, reference = chance.random(400), chance.random(3000)
    y = (chance.random(3000) < reference**2).astype(float)
    for fitted in (None, Calibrator.fit(reference, y)):
        both = (
            [AS_THEY_ARE] * 2
            if fitted is None
            else [Calibrator.fit(1 - reference, 1 - y), Calibrator.fit(reference, y)]
        )
        two = estimate_classes(both, np.stack([1 - s, s], axis=1))
        one = estimate_binary(fitted or AS_THEY_ARE, s, "accuracy")
        assert two.value == pytest.approx(one.value, abs=0.01)
        assert two.error == pytest.approx(one.error, rel=0.1)


def test_calibrators_of_few_rows_widen_the_interval_of_classes() -> None:
    chance = np.random.default_rng(2)
    p = chance.dirichlet([1, 1, 1], 1000)
    y = (chance.random((1000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    few, many = ([Calibrator.fit(p[:n, k], (y[:n] == k).astype(float)) for k in range(3)] for n in (100, 1000))
    assert (
        estimate_classes(few, p).error > estimate_classes(many, p).error > estimate_classes([AS_THEY_ARE] * 3, p).error
    )


def test_calibrated_classes_add_up_to_one() -> None:
    chance = np.random.default_rng(3)
    p = chance.dirichlet([1, 1, 1], 500)
    y = chance.integers(0, 3, 500)
    fitted = [Calibrator.fit(p[:, k], (y == k).astype(float)) for k in range(3)]
    assert calibrated_classes(fitted, p).sum(axis=1) == pytest.approx(np.ones(500))
    with pytest.raises(InvalidInput, match="probabilities of shape"):
        calibrated_classes(fitted, p[:, :2])


# --- weights ----------------------------------------------------------------------------------------------------------


def _world(chance: np.random.Generator, rows: int, middle: float) -> tuple[Floats, Floats, Floats]:
    """A model that sees one of two inputs: what its scores are worth depends on the other."""
    x = np.stack([chance.normal(0, 1, rows), chance.normal(middle, 1, rows)], axis=1)
    y = (chance.random(rows) < 1 / (1 + np.exp(-(x[:, 0] + 1.2 * x[:, 1])))).astype(float)
    return x, 1 / (1 + np.exp(-x[:, 0])), y


def test_weights_mend_a_calibration_that_depends_on_what_moved() -> None:
    chance = np.random.default_rng(4)
    off_plain, off_weighted = [], []
    for seed in range(4):
        x, s, y = _world(chance, 4000, 0.0)
        new_x, new_s, new_y = _world(chance, 2000, 1.0)
        true = float(new_y.mean())
        plain = estimate_binary(Calibrator.fit(s, y), new_s, "prevalence").value
        weights = density_ratio(x, new_x, seed=seed)
        weighted = estimate_binary(Calibrator.fit(s, y, weights), new_s, "prevalence").value
        off_plain.append(abs(plain - true))
        off_weighted.append(abs(weighted - true))
    assert np.mean(off_weighted) < 0.6 * np.mean(off_plain)


def test_rows_that_are_alike_weigh_alike() -> None:
    chance = np.random.default_rng(5)
    same = density_ratio(chance.normal(size=(2000, 2)), chance.normal(size=(2000, 2)))
    moved = density_ratio(chance.normal(size=(2000, 2)), chance.normal(1.5, 1, size=(2000, 2)))
    assert same.mean() == pytest.approx(1)
    assert effective_rows(same) > 1200
    assert effective_rows(moved) < 0.5 * effective_rows(same)
    with pytest.raises(InvalidInput, match="the same columns, 50 rows or more"):
        density_ratio(np.zeros((10, 2)), np.zeros((100, 2)))


# --- losses -----------------------------------------------------------------------------------------------------------


def _numbers(chance: np.random.Generator, rows: int, middle: float) -> tuple[Floats, Floats, Floats]:
    """Noise grows with the input, so that a shift of it moves the loss."""
    x = chance.normal(middle, 1, (rows, 1))
    truth = 10 * x[:, 0] + chance.normal(0, 1 + 2 / (1 + np.exp(-2 * x[:, 0])), rows)
    return x, 10 * x[:, 0], truth


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_the_loss_of_numbers_is_known_before_their_labels(metric: str) -> None:
    chance = np.random.default_rng(6)
    inside, runs = 0, 6
    for seed in range(runs):
        model = LossModel.fit(*_numbers(chance, 3000, 0.0), metric, seed=seed)
        x, said, truth = _numbers(chance, 800, 0.6)
        off = np.abs(said - truth)
        true = float(off.mean()) if metric == "mae" else math.sqrt(float((off**2).mean()))
        found = model.estimate(x, said)
        assert found.value == pytest.approx(true, rel=0.15)
        inside += found.low <= true <= found.high
    assert inside >= runs - 2


def test_a_changed_world_is_not_seen_by_the_loss_model() -> None:
    chance = np.random.default_rng(7)
    model = LossModel.fit(*_numbers(chance, 3000, 0.0))
    x, said, truth = _numbers(chance, 800, 0.0)
    found = model.estimate(x, said)
    assert not found.low <= float(np.abs(said - truth - 5).mean()) <= found.high


def test_few_rows_teach_no_loss() -> None:
    with pytest.raises(InvalidInput, match="50 rows with 50 labels"):
        LossModel.fit(np.zeros((50, 1)), np.zeros(50), np.zeros(50))
    with pytest.raises(InvalidInput, match="mape cannot be estimated"):
        LossModel.fit(np.zeros((500, 1)), np.zeros(500), np.zeros(500), "mape")


# --- the back-test ----------------------------------------------------------------------------------------------------


def test_intervals_that_miss_are_proven_to_fail() -> None:
    found = back_test([False] * 12)
    assert (found.verdict, found.covered, found.share) == ("fails", 0, 0.0)
    assert found.p <= 0.05


def test_intervals_that_hold_what_they_promise_hold() -> None:
    assert back_test([True] * 10).verdict == "holds"
    assert back_test([True] * 4).verdict == "unknown"
    assert back_test([]).verdict == "unknown"
    assert math.isnan(back_test([]).share)


def test_good_intervals_are_seldom_called_bad_however_often_one_looks() -> None:
    chance = np.random.default_rng(8)
    wrong = sum(back_test((chance.random(80) < 0.8).tolist()).verdict == "fails" for _ in range(300))
    assert wrong / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_a_tolerance_above_the_promise_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is tolerated"):
        back_test([True], confidence=0.9, tolerated=0.95)
