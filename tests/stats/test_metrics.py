import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as reference

from assay.errors import InvalidInput
from assay.stats import Profile, Segment, Sums, Task, metric_named, metrics_of

BINARY = metrics_of(Task("binary"))


def value(name: str, label: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    profile = Profile.build(label, {"m": score}, {}, None, {"m": 0.5})
    return float(BINARY[name].value(profile.totals(), "m")[0])


def sums_of(profile: Profile, *conditions: tuple[str, str]) -> Sums:
    """The sums of one segment."""
    place = profile.position(Segment(conditions))
    assert place is not None
    return Sums(profile.totals().columns, profile.totals().table[[place]])


def calibration_error(label: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """The expected calibration error in ten equal bins, from rows."""
    tenth = np.minimum((score * 10).astype(int), 9)
    gaps = [abs((score[tenth == place] - label[tenth == place]).sum()) for place in range(10)]
    return float(sum(gaps) / len(label))


@pytest.mark.parametrize("grid", [8, 256, None])  # None: scores that bins do not hold exactly
def test_every_metric_agrees_with_sklearn(grid: int | None) -> None:
    rng = np.random.default_rng(12)
    n = 4000
    score = rng.integers(0, grid + 1, n) / grid if grid else rng.beta(1.5, 4, n)
    label = (rng.random(n) < 0.15 + 0.7 * score).astype(float)
    predicted = score >= 0.5
    matrix = reference.confusion_matrix(label, predicted)
    expected = {
        "accuracy": reference.accuracy_score(label, predicted),
        "recall": reference.recall_score(label, predicted),
        "precision": reference.precision_score(label, predicted),
        "fpr": matrix[0, 1] / matrix[0].sum(),
        "fnr": matrix[1, 0] / matrix[1].sum(),
        "specificity": matrix[0, 0] / matrix[0].sum(),
        "npv": matrix[0, 0] / matrix[:, 0].sum(),
        "f1": reference.f1_score(label, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(label, predicted),
        "selection_rate": predicted.mean(),
        "average_precision": reference.average_precision_score(label, score),
        "ece": calibration_error(label, score),
        "auc": reference.roc_auc_score(label, score),
        "log_loss": reference.log_loss(label, np.clip(score, 1e-15, 1 - 1e-15)),
        "brier": reference.brier_score_loss(label, score),
        "prevalence": label.mean(),
        "calibration_in_the_large": score.mean() - label.mean(),
    }
    assert set(expected) == set(BINARY)
    for name, right in expected.items():
        binned = {"auc": 1e-4, "average_precision": 1e-3, "ece": 1e-3}.get(name, 1e-7)
        tolerance = binned if grid is None or name == "ece" else 1e-7
        assert value(name, label, score) == pytest.approx(right, abs=tolerance), name


def test_the_area_of_ties_counts_half() -> None:
    assert value("auc", np.array([0.0, 1.0]), np.array([0.3, 0.3])) == 0.5
    assert value("auc", np.array([0.0, 1.0, 1.0]), np.array([0.3, 0.3, 0.6])) == 0.75


def test_compas_rates_are_those_published() -> None:
    # validation.md V10: TN, FP, FN, TP by group; FPR and FNR in per cent
    groups = {
        "Black": (990, 805, 532, 1369, 44.85, 27.99),
        "White": (1139, 349, 461, 505, 23.45, 47.72),
        "all": (2681, 1282, 1216, 2035, 32.35, 37.40),
    }
    label, score, group = [], [], []
    for name, (tn, fp, fn, tp, _, _) in groups.items():
        label += [0] * (tn + fp) + [1] * (fn + tp)
        score += [0.1] * tn + [0.9] * fp + [0.1] * fn + [0.9] * tp
        group += [name] * (tn + fp + fn + tp)
    profile = Profile.build(label, {"m": score}, {"group": group}, [str(i) for i in range(len(label))], {"m": 0.5})
    for name, (*_, fpr, fnr) in groups.items():
        sums = sums_of(profile, ("group", name))
        assert round(100 * BINARY["fpr"].value(sums, "m")[0], 2) == fpr
        assert round(100 * BINARY["fnr"].value(sums, "m")[0], 2) == fnr


def test_fairlearns_example_comes_out() -> None:
    # validation.md V11
    truth, predicted = [1, 1, 1, 1, 1, 0, 0, 1, 1, 0], [0, 1, 1, 1, 1, 0, 0, 0, 1, 1]
    profile = Profile.build(
        truth, {"m": predicted}, {"sex": ["F"] * 5 + ["M"] * 5}, [str(i) for i in range(10)], {"m": 0.5}
    )
    by_sex = [sums_of(profile, ("sex", sex)) for sex in "FM"]
    assert [BINARY["accuracy"].value(sums, "m")[0] for sums in by_sex] == [0.8, 0.6]
    assert [BINARY["selection_rate"].value(sums, "m")[0] for sums in by_sex] == [0.8, 0.4]


def test_an_undefined_value_is_nan() -> None:
    profile = Profile.build([1, 1], {"m": [0.1, 0.2]}, {}, ["1", "2"], {"m": 0.5})
    for name in ("precision", "fpr", "auc", "balanced_accuracy", "specificity"):
        assert np.isnan(BINARY[name].value(profile.totals(), "m")).all()


def test_rates_are_their_numerator_over_their_denominator() -> None:
    profile = Profile.build([1, 0, 1], {"m": [0.1, 0.9, 0.8]}, {}, ["1", "2", "3"], {"m": 0.5})
    sums = profile.totals()
    for metric in BINARY.values():
        if metric.numerator is not None:
            expected = metric.numerator(sums, "m") / metric.denominator(sums, "m")
            np.testing.assert_array_equal(metric.value(sums, "m"), expected)


def test_each_metric_knows_its_own_name_and_direction() -> None:
    assert all(name == metric.name for name, metric in BINARY.items())
    smaller = {name for name, metric in BINARY.items() if metric.larger_is_better is False}
    neither = {name for name, metric in BINARY.items() if metric.larger_is_better is None}
    assert smaller == {"fpr", "fnr", "log_loss", "brier", "ece"}
    assert {name for name, metric in BINARY.items() if not metric.gated} == {"average_precision", "ece"}
    assert neither == {"selection_rate", "prevalence", "calibration_in_the_large"}


def test_a_misspelt_metric_is_refused_with_the_nearest() -> None:
    assert metric_named("auc").title == "Area under the ROC curve"
    with pytest.raises(InvalidInput, match="accuracy"):
        metric_named("acuracy")
