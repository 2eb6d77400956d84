import math

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats.staleness import Decay, decay_of, retraining_interval

DAY = 86_400.0


def test_the_best_interval_is_the_cheapest_of_all() -> None:
    decay = Decay(0.001 / DAY, 0.0005 / DAY, 0.002 / DAY, 5)
    value, cost = 3.0, 50_000.0
    found = retraining_interval(decay, cost, value)
    assert found.best_s is not None

    def spent(every: float) -> float:
        return cost / every + decay.per_second * value * every / 2

    assert found.cost_per_second == pytest.approx(spent(found.best_s))
    assert all(spent(found.best_s * times) > spent(found.best_s) for times in (0.5, 0.9, 1.1, 2))
    for times, costs in ((2, 1.25), (0.5, 1.25), (1.5, 1.0833), (1 / 1.5, 1.0833)):  # check E1 of economics.md
        assert spent(times * found.best_s) == pytest.approx(costs * spent(found.best_s), rel=1e-4)
    # the loss accumulated since the last training then equals the cost of one
    assert decay.per_second * value * found.best_s**2 / 2 == pytest.approx(cost)


def test_a_candidate_that_is_refused_half_the_time_costs_twice() -> None:
    decay = Decay(1e-9, 1e-9, 1e-9, 3)
    once, twice = (retraining_interval(decay, 10, 1, success=success).best_s for success in (1.0, 0.5))
    assert once is not None
    assert twice == pytest.approx(once * math.sqrt(2))


def test_what_does_not_decay_is_never_worth_a_training() -> None:
    found = retraining_interval(Decay(-1e-9, -2e-9, 1e-10, 4), 10, 1)
    assert found.best_s is None
    assert found.longest_s is None
    assert found.cost_per_second is None
    assert found.shortest_s is not None


def test_the_slope_is_that_of_weighted_least_squares() -> None:
    decay = decay_of([DAY, 2 * DAY, 4 * DAY], [0.01, 0.02, 0.04], [0.001, 0.002, 0.001])
    assert decay.per_second == pytest.approx(0.01 / DAY)
    information = sum((age * DAY / error) ** 2 for age, error in ((1, 0.001), (2, 0.002), (4, 0.001)))
    assert decay.high - decay.per_second == pytest.approx(4.302653 / math.sqrt(information), rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_the_interval_covers_also_where_errors_are_too_small(scale: float) -> None:
    """Errors said to be right, or a third of what they are: 95 percent of the intervals hold the slope, or more."""
    random = np.random.default_rng(7)
    ages, true, error, covered = np.arange(1, 13) * DAY, 0.002 / DAY, 0.004, 0
    for _ in range(1000):
        gaps = true * ages + random.normal(0, error * scale, len(ages))
        found = decay_of(ages.tolist(), gaps.tolist(), [error] * len(ages))
        covered += found.low <= true <= found.high
    assert covered >= 930


@pytest.mark.parametrize(
    ("ages", "gaps", "errors"),
    [([1.0], [1.0], [1.0]), ([1, 2], [1, math.nan], [1, 1]), ([0, 1], [1, 1], [1, 1]), ([1, 2], [1, 1], [1, 0])],
)
def test_what_gives_no_slope_is_refused(ages: list[float], gaps: list[float], errors: list[float]) -> None:
    with pytest.raises(InvalidInput):
        decay_of(ages, gaps, errors)


@pytest.mark.parametrize(("cost", "value", "success"), [(0, 1, 1), (1, -1, 1), (1, 1, 0), (1, 1, 1.1)])
def test_costs_that_cannot_be_are_refused(cost: float, value: float, success: float) -> None:
    with pytest.raises(InvalidInput):
        retraining_interval(Decay(1.0, 0.5, 2.0, 3), cost, value, success=success)
