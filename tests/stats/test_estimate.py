import functools
import math

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats import OVERALL, Profile, Segment, Task, estimate, metrics_of, wilson

BINARY = metrics_of(Task("binary"))


@functools.cache  # the same worlds are estimated by many metrics
def drawn(seed: int, n: int = 300, per_unit: int = 1, units: int | None = None) -> Profile:
    """Scores that are right; rows of one unit share what their label depends on."""
    rng = np.random.default_rng([19, seed])
    count = n // per_unit
    score = np.repeat(rng.beta(1, 2, count), per_unit)
    label = np.repeat(rng.random(count), per_unit) < score
    owner = np.repeat(np.arange(count), per_unit) % (units or count)
    return Profile.build(label, {"m": score}, {}, owner.astype(str), {"m": 0.5})


def truth(name: str) -> float:
    """The metric on very many rows."""
    large = drawn(0, n=400_000)
    return float(BINARY[name].value(large.totals(), "m")[0])


@pytest.mark.no_cover
@pytest.mark.parametrize("name", sorted(name for name, one in BINARY.items() if one.gated))
def test_the_interval_covers_the_truth_as_often_as_promised(name: str) -> None:
    right, runs = truth(name), 400
    found = [estimate(drawn(seed), OVERALL, "m", name) for seed in range(1, runs + 1)]
    covered = np.mean([e.low <= right <= e.high for e in found])
    # 3 Monte-Carlo s.e. on both sides, and 1 % for the normal approximation of skewed losses
    assert abs(covered - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / runs) + 0.01
    assert all(e.low <= e.value <= e.high for e in found)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["accuracy", "recall", "auc", "log_loss", "calibration_in_the_large"])
def test_rows_that_hang_together_are_covered_where_clustered_is_asked_for(name: str) -> None:
    right, runs = truth(name), 300
    found = [estimate(drawn(seed, 600, 5), OVERALL, "m", name, clustered=True) for seed in range(1, runs + 1)]
    covered = np.mean([e.low <= right <= e.high for e in found])
    assert covered >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / runs) - 0.01
    assert {e.method for e in found} == {"obuchowski" if name == "auc" else "jackknife"}


@pytest.mark.no_cover
def test_wilson_alone_misses_rows_that_hang_together() -> None:
    right = truth("accuracy")
    found = [estimate(drawn(seed, 600, 5), OVERALL, "m", "accuracy") for seed in range(1, 201)]
    assert np.mean([e.low <= right <= e.high for e in found]) < 0.75


def test_rates_have_wilsons_interval() -> None:
    profile = Profile.build(
        [1] * 20 + [0] * 5, {"m": [0.9] * 20 + [0.1] * 5}, {}, [str(i) for i in range(25)], {"m": 0.5}
    )
    found = estimate(profile, OVERALL, "m", "recall")
    assert (found.value, found.n, found.method, found.standard_error) == (1.0, 20, "wilson", None)
    assert (found.low, found.high) == (wilson(20, 20).low, 1.0)


def test_a_clustered_rate_is_never_surer_than_wilson() -> None:
    profile = Profile.build([1] * 40, {"m": [0.9] * 40}, {}, [str(i) for i in range(40)], {"m": 0.5})
    found = estimate(profile, OVERALL, "m", "accuracy", clustered=True)
    assert 0.9 < found.low <= wilson(40, 40).low
    assert found.high == 1.0
    assert found.standard_error == 0.0


def test_a_perfect_area_has_an_interval_of_disjoint_pairs() -> None:
    profile = Profile.build(
        [1] * 12 + [0] * 30, {"m": [0.9] * 12 + [0.1] * 30}, {}, [str(i) for i in range(42)], {"m": 0.5}
    )
    found = estimate(profile, OVERALL, "m", "auc")
    assert (found.value, found.method) == (1.0, "separated")
    assert (found.low, found.high) == (wilson(12, 12).low, 1.0)


def test_calibration_uses_the_error_right_scores_would_have() -> None:
    rng = np.random.default_rng(4)
    score = rng.random(500)
    profile = Profile.build(rng.random(500) < score, {"m": score}, {}, [str(i) for i in range(500)], {"m": 0.5})
    found = estimate(profile, OVERALL, "m", "calibration_in_the_large")
    assert found.standard_error == pytest.approx(math.sqrt((score * (1 - score)).sum()) / 500, rel=1e-6)
    assert found.method == "calibration"


@pytest.mark.parametrize("positives", [9, 10])
def test_an_area_needs_ten_of_each_class(positives: int) -> None:
    rng = np.random.default_rng(5)
    label = np.arange(60) < positives
    profile = Profile.build(label, {"m": rng.random(60)}, {}, [str(i) for i in range(60)], {"m": 0.5})
    found = estimate(profile, OVERALL, "m", "auc")
    assert (found.method == "too small") == (positives < 10)
    assert math.isfinite(found.value)


def test_too_few_rows_are_said_to_be_too_few() -> None:
    one_unit = Profile.build([1, 0, 1], {"m": [0.2, 0.3, 0.4]}, {"s": ["a"] * 3}, ["u"] * 3, {"m": 0.5})
    one_row = Profile.build([1], {"m": [0.2]}, {}, None, {"m": 0.5})
    assert estimate(one_unit, OVERALL, "m", "log_loss").method == "t"
    for found in (
        estimate(one_unit, OVERALL, "m", "log_loss", clustered=True),
        estimate(one_row, OVERALL, "m", "log_loss"),
    ):
        assert (found.method, found.n in (1, 3)) == ("too small", True)
        assert math.isfinite(found.value)
        assert math.isnan(found.low)
    nobody = Segment((("s", "b"),))
    for name in BINARY:
        found = estimate(one_unit, nobody, "m", name)
        assert (found.method, found.n) == ("too small", 0)
        assert math.isnan(found.value)
        assert math.isnan(found.high)


def test_bad_questions_are_refused() -> None:
    profile = drawn(1)
    with pytest.raises(InvalidInput, match="metric"):
        estimate(profile, OVERALL, "m", "f2")
    with pytest.raises(InvalidInput, match="model"):
        estimate(profile, OVERALL, "k", "auc")
    with pytest.raises(InvalidInput, match="confidence"):
        estimate(profile, OVERALL, "m", "auc", 95)
