import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import rise_evidence

Floats = NDArray[np.float64]
LEVEL = math.log(40.0)  # alpha = .025


def first_call(values: Floats, limit: float) -> float:
    """Which window, counted from 0, calls; infinity where none does."""
    found = np.flatnonzero(rise_evidence(values, np.zeros(len(values)), limit) >= LEVEL)
    return float(found[0]) if len(found) else math.inf


@pytest.mark.parametrize("shape", ["normal", "long tails", "storms"])
def test_at_the_limit_it_calls_no_more_often_than_alpha(shape: str) -> None:
    chance = np.random.default_rng(1)
    drawn: dict[str, Callable[[], Floats]] = {
        "normal": lambda: chance.normal(size=80),
        "long tails": lambda: chance.standard_t(3, size=80) / math.sqrt(3.0),
        "storms": lambda: chance.exponential(size=80) - 1.0,
    }
    runs = 400
    called = sum(first_call(drawn[shape](), 0.0) < math.inf for _ in range(runs))
    assert called / runs <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / runs)


def test_windows_that_resemble_the_one_before_do_not_call_while_they_are_better_than_the_limit() -> None:
    chance = np.random.default_rng(2)
    called = 0
    for _ in range(200):
        noise = chance.normal(size=80)
        for place in range(1, 80):
            noise[place] = 0.5 * noise[place - 1] + math.sqrt(0.75) * noise[place]
        called += first_call(noise - 1.0, 0.0) < math.inf
    assert called <= 2


@pytest.mark.parametrize(("good", "at_most"), [(0, 12), (20, 12), (60, 14), (300, 16)])
def test_good_windows_before_a_fall_hardly_hide_it(good: int, at_most: int) -> None:
    """From 1.5 standard deviations better than the limit to 2 worse."""
    chance = np.random.default_rng([3, good])
    delays = []
    for _ in range(40):
        values = np.concatenate([chance.normal(-1.5, 1.0, good), chance.normal(2.0, 1.0, 40)])
        delays.append(first_call(values, 0.0) - good + 1)
    assert min(delays) > 0, "not before it fell"
    assert float(np.median(delays)) <= at_most


def test_one_window_proves_nothing_however_bad() -> None:
    calm = np.random.default_rng(4).normal(-1.0, 1.0, 30)
    assert first_call(np.append(calm, 1e6), 0.0) == math.inf
    assert first_call(np.concatenate([calm, np.full(8, 1e6)]), 0.0) > 31


def test_only_distances_from_the_limit_matter_not_their_unit() -> None:
    values = np.random.default_rng(5).normal(0.4, 1.0, 60)
    expected = rise_evidence(values, np.zeros(60), 0.0)
    found = rise_evidence(7.0 + 1000.0 * values, np.zeros(60), 7.0)
    assert found == pytest.approx(expected, abs=1e-9)
    assert expected[:5].tolist() == [0.0] * 5, "there is nothing to bet by"


def test_a_window_of_few_rows_says_less() -> None:
    values = np.concatenate([np.random.default_rng(6).normal(-1.0, 0.1, 20), np.full(10, 1.0)])
    sure, unsure = (rise_evidence(values, np.full(30, error), 0.0)[-1] for error in (0.0, 2.0))
    assert sure > LEVEL > unsure


def test_windows_that_never_move_are_no_evidence() -> None:
    assert rise_evidence(np.ones(20), np.zeros(20), 0.5).max() <= 0.0
    assert rise_evidence([], [], 0.5).tolist() == []


@pytest.mark.parametrize(("values", "errors"), [([1.0], []), ([math.nan], [0.0]), ([1.0], [-1.0]), ([1.0], [math.inf])])
def test_what_is_no_number_is_refused(values: list[float], errors: list[float]) -> None:
    with pytest.raises(InvalidInput):
        rise_evidence(values, errors, 0.0)
