import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss, precision_score, recall_score, roc_auc_score

from assay.errors import InvalidInput
from assay.stats.estimation import BINARY_METRICS, Calibrator, estimate_binary
from assay.stats.estimation.expected_binary import ExpectedCells

Floats = NDArray[np.float64]
AS_THEY_ARE = Calibrator.as_they_are()


def _true(metric: str, y: Floats, s: Floats) -> float:
    yes = s >= 0.5
    found: dict[str, Callable[[], Any]] = {
        "accuracy": lambda: float((yes == y).mean()),
        "recall": lambda: recall_score(y, yes),
        "precision": lambda: precision_score(y, yes),
        "fpr": lambda: float(yes[y == 0].mean()),
        "prevalence": lambda: float(y.mean()),
        "brier": lambda: brier_score_loss(y, s),
        "log_loss": lambda: log_loss(y, s),
        "auc": lambda: roc_auc_score(y, s),
    }
    return float(found[metric]())


# --- against brute force ----------------------------------------------------------------------------------------------


def test_the_expected_cells_are_those_of_all_labellings() -> None:
    """Every way to label 8 rows, each with its probability."""
    chance = np.random.default_rng(0)
    s = chance.random(8)
    expected = np.zeros(4)
    for code in range(2**8):
        y = np.array([(code >> place) & 1 for place in range(8)])
        likely = np.where(y == 1, s, 1 - s).prod()
        yes = s >= 0.5
        expected += likely * np.array([(y & yes).sum(), (~y & 1 & yes).sum(), (y & ~yes).sum(), ((1 - y) & ~yes).sum()])
    cells = ExpectedCells.of(s, s >= 0.5)
    assert [cells.tp, cells.fp, cells.fn, cells.tn] == pytest.approx(expected.tolist())
    half = ExpectedCells.of(s[:4], s[:4] >= 0.5) + ExpectedCells.of(s[4:], s[4:] >= 0.5)
    assert [half.tp, half.fp, half.fn, half.tn, half.variance] == pytest.approx(
        [cells.tp, cells.fp, cells.fn, cells.tn, cells.variance]
    )


@pytest.mark.parametrize("metric", ["accuracy", "prevalence", "brier", "log_loss"])
def test_linear_metrics_and_their_errors_are_exact(metric: str) -> None:
    s = np.random.default_rng(1).random(8)
    mean = square = 0.0
    for code in range(2**8):
        y = np.array([(code >> place) & 1 for place in range(8)], dtype=float)
        likely = float(np.where(y == 1, s, 1 - s).prod())
        value = _linear(metric, y, s)
        mean, square = mean + likely * value, square + likely * value**2
    found = estimate_binary(AS_THEY_ARE, s, metric)
    assert found.value == pytest.approx(mean)
    assert found.error == pytest.approx(math.sqrt(square - mean**2))


def _linear(metric: str, y: Floats, s: Floats) -> float:
    if metric == "log_loss":
        return float(-(y * np.log(s) + (1 - y) * np.log(1 - s)).mean())
    found = {"accuracy": ((s >= 0.5) == y).mean(), "prevalence": y.mean(), "brier": ((y - s) ** 2).mean()}
    return float(found[metric])


def test_the_area_counts_pairs_of_different_rows_with_ties_half() -> None:
    s = np.random.default_rng(2).integers(1, 8, 40) / 8
    won = pairs = 0.0
    for i in range(40):
        for j in range(40):
            if i != j:
                weight = s[i] * (1 - s[j])
                pairs += weight
                won += weight * (1.0 if s[i] > s[j] else 0.5 if s[i] == s[j] else 0.0)
    assert estimate_binary(AS_THEY_ARE, s, "auc").value == pytest.approx(won / pairs)


def test_accuracy_has_the_error_of_the_specification() -> None:
    s = np.random.default_rng(3).random(1000)
    found = estimate_binary(AS_THEY_ARE, s, "accuracy")
    assert found.error == pytest.approx(math.sqrt((s * (1 - s)).sum()) / 1000)


# --- against simulation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", BINARY_METRICS)
def test_value_and_error_are_those_of_labels_that_are_drawn(metric: str) -> None:
    chance = np.random.default_rng(4)
    s = chance.beta(1.5, 2.5, 1500)
    true = [_true(metric, (chance.random(1500) < s).astype(float), s) for _ in range(250)]
    found = estimate_binary(AS_THEY_ARE, s, metric)
    assert found.value == pytest.approx(np.mean(true), abs=4 * float(np.std(true)) / math.sqrt(250) + 2e-4)
    assert found.error == pytest.approx(np.std(true, ddof=1), rel=0.2)


def _shifted(chance: np.random.Generator, rows: int, middle: float) -> tuple[Floats, Floats, Floats]:
    """Inputs around a middle, the chance of a label, and the scores of a model that is not calibrated."""
    x = chance.normal(middle, 1.0, rows)
    return x, 1 / (1 + np.exp(-(0.9 * x - 0.6))), 1 / (1 + np.exp(-(1.8 * x - 0.2)))


@pytest.mark.parametrize("metric", ["accuracy", "auc", "log_loss", "recall"])
def test_intervals_hold_the_truth_under_covariate_shift(metric: str) -> None:
    chance = np.random.default_rng(5)
    inside, runs = 0, 150
    for _ in range(runs):
        _, p, s = _shifted(chance, 3000, 0.0)
        calibrator = Calibrator.fit(s, (chance.random(3000) < p).astype(float))
        _, p, s = _shifted(chance, 1000, 0.5)
        y = (chance.random(1000) < p).astype(float)
        found = estimate_binary(calibrator, s, metric)
        inside += found.low <= _true(metric, y, s) <= found.high
    assert inside / runs >= 0.9, "the promise is 0.95; isotonic steps cost a little"


def test_the_calibrators_own_error_is_in_the_interval() -> None:
    chance = np.random.default_rng(6)
    _, p, s = _shifted(chance, 300, 0.0)
    few = Calibrator.fit(s, (chance.random(300) < p).astype(float))
    _, p, s = _shifted(chance, 30_000, 0.0)
    many = Calibrator.fit(s, (chance.random(30_000) < p).astype(float))
    _, _, s = _shifted(chance, 5000, 0.3)
    errors = [estimate_binary(one, s, "accuracy").error for one in (few, many, AS_THEY_ARE)]
    assert errors[0] > 2 * errors[1] > 1.5 * errors[2]


def test_under_concept_drift_the_estimate_is_wrong_and_does_not_know_it() -> None:
    chance = np.random.default_rng(7)
    _, p, s = _shifted(chance, 4000, 0.0)
    calibrator = Calibrator.fit(s, (chance.random(4000) < p).astype(float))
    inside = 0
    for _ in range(40):
        x, _, s = _shifted(chance, 1000, 0.0)
        y = (chance.random(1000) < 1 / (1 + np.exp(-(0.1 * x + 0.6)))).astype(float)  # another world, the same inputs
        found = estimate_binary(calibrator, s, "accuracy")
        inside += found.low <= _true("accuracy", y, s) <= found.high
    assert inside == 0


# --- borders ---------------------------------------------------------------------------------------------


def test_the_order_of_rows_changes_nothing() -> None:
    s = np.random.default_rng(9).random(300)
    one, other = (estimate_binary(AS_THEY_ARE, each, "auc") for each in (s, s[::-1]))
    assert (one.value, one.error) == pytest.approx((other.value, other.error))


def test_what_is_not_defined_is_nan() -> None:
    assert math.isnan(estimate_binary(AS_THEY_ARE, [0.1, 0.2], "precision").value), "nothing is answered with yes"
    assert math.isnan(estimate_binary(AS_THEY_ARE, [], "auc").value)
    assert math.isnan(estimate_binary(AS_THEY_ARE, [1.0, 1.0], "auc").value)


def test_other_metrics_and_scores_are_refused() -> None:
    with pytest.raises(InvalidInput, match="ece cannot be estimated without labels"):
        estimate_binary(AS_THEY_ARE, [0.5], "ece")
    with pytest.raises(InvalidInput, match="scores outside"):
        estimate_binary(AS_THEY_ARE, [1.5], "auc")


# --- the calibrator ---------------------------------------------------------------------------------------------------


def test_isotonic_steps_are_the_means_of_what_they_pool() -> None:
    fitted = Calibrator.fit([0.1, 0.2, 0.3, 0.4, 0.5], [0, 1, 0, 1, 1])
    assert fitted.starts == (0.1, 0.2, 0.4)
    assert fitted.shares == pytest.approx((0.0, 0.5, 1.0))
    assert fitted.rows == pytest.approx((1, 2, 2))
    assert fitted.probabilities([0.0, 0.1, 0.25, 0.39, 0.9]).tolist() == pytest.approx([0, 0, 0.5, 0.5, 1])
    counted = Calibrator.of_counts([0.1, 0.2, 0.3, 0.4, 0.5], [0, 1, 0, 1, 1], [1, 0, 1, 0, 0])
    assert counted == fitted


def test_rows_of_weight_nought_do_not_count() -> None:
    chance = np.random.default_rng(10)
    s, y = chance.random(60), (chance.random(60) < 0.4).astype(float)
    kept = np.arange(60) < 40
    assert Calibrator.fit(s, y, kept.astype(float)) == Calibrator.fit(s[kept], y[kept])


@pytest.mark.parametrize(
    ("scores", "labels", "weights"),
    [([], [], None), ([0.5], [2.0], None), ([1.5], [1.0], None), ([0.5], [1.0], [0.0]), ([0.5], [1.0, 0.0], None)],
)
def test_rows_that_teach_nothing_are_refused(
    scores: list[float], labels: list[float], weights: list[float] | None
) -> None:
    with pytest.raises(InvalidInput):
        Calibrator.fit(scores, labels, weights)
