import math

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.bandit import best_chances, shares
from assay.stats.effects import Sums, difference


def test_two_variants_are_a_difference_of_normals() -> None:
    first, second = best_chances([0.10, 0.13], [0.02, 0.01])
    expected = normal.cdf(0.03 / math.hypot(0.02, 0.01))
    assert first == pytest.approx([1 - expected, expected], abs=1e-9)
    assert second == pytest.approx([expected, 1 - expected], abs=1e-9)


def test_chances_are_what_draws_show() -> None:
    means, errors = [0.0, 1.0, 2.0, 1.9], [1.0, 0.2, 1.0, 0.05]
    order = np.argsort(np.random.default_rng(1).normal(means, errors, (400_000, 4)), axis=1)
    first, second = best_chances(means, errors)
    for place, found in ((3, first), (2, second)):
        assert found == pytest.approx(np.bincount(order[:, place], minlength=4) / 400_000, abs=0.003)


def test_equal_variants_have_equal_chances() -> None:
    first, second = best_chances([1.0] * 5, [0.3] * 5)
    assert first == pytest.approx([0.2] * 5, abs=1e-9)
    assert second == pytest.approx([0.2] * 5, abs=1e-9)


def test_errors_of_very_different_sizes_are_integrated_too() -> None:
    first, _ = best_chances([0.0, 0.5], [1.0, 1e-7])
    assert first[0] == pytest.approx(normal.upper_tail(0.5), abs=1e-7)


def test_lower_is_better_turns_the_order() -> None:
    """GrowthBook's code takes the wrong two columns here and gives the worst of the three half of the traffic."""
    low = shares([0.0, 1.0, 2.0], [0.1] * 3, floor=0.0, larger_is_better=False)
    assert low == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    assert shares([2.0, 1.0, 0.0], [0.1] * 3, floor=0.0) == pytest.approx(low, abs=1e-9)
    assert shares([0.0, 1.0], [0.1] * 2, floor=0.0, larger_is_better=False) == pytest.approx([1.0, 0.0], abs=1e-6)


def test_shares_add_up_and_keep_their_floor() -> None:
    found = shares([0.0, 0.0, 9.0], [0.1] * 3, floor=0.1)
    assert sum(found) == pytest.approx(1.0)
    assert min(found) == pytest.approx(0.1 + 0.7 * 0.25)
    assert shares([0.0, 9.0], [0.1] * 2, floor=0.5) == [0.5, 0.5]
    assert shares([0.0, 9.0], [0.1] * 2, top_two=True) == pytest.approx([0.5, 0.5])


def test_the_same_evidence_gives_the_same_shares() -> None:
    assert shares([0.1, 0.2, 0.15], [0.05, 0.06, 0.04]) == shares([0.1, 0.2, 0.15], [0.05, 0.06, 0.04])


def draws(seed: int) -> tuple[list[Sums], list[Sums]]:
    """Two days of 9 % and 2 % more; the treatment has 10 % of the good day and half of the bad one. No effect."""
    generator = np.random.default_rng(seed)
    sides: tuple[list[Sums], list[Sums]] = ([], [])
    for level, share in ((0.9, 0.1), (0.2, 0.5)):
        treated = generator.random(2000) < share
        y = (generator.random(2000) < level).astype(float)
        sides[0].append(Sums.of(y[~treated]))
        sides[1].append(Sums.of(y[treated]))
    return sides


def test_phases_of_changing_shares_say_nothing_where_there_is_no_effect() -> None:
    """Within a phase of constant shares the weights of inverse propensities are those of its units."""
    runs = [draws(seed) for seed in range(800)]
    found = [difference(*run) for run in runs]
    estimates = [one.estimate for one in found]
    assert np.mean(estimates) == pytest.approx(0.0, abs=0.005)
    assert np.mean([one.se for one in found]) >= 0.95 * np.std(estimates)
    naive = [difference(run[0][0] + run[0][1], run[1][0] + run[1][1]).estimate for run in runs]
    assert np.mean(naive) < -0.3


@pytest.mark.parametrize(
    ("means", "errors"), [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, 2.0], [1.0, 0.0]), ([1.0, math.nan], [1.0, 1.0])]
)
def test_evidence_that_cannot_be_is_refused(means: list[float], errors: list[float]) -> None:
    with pytest.raises(InvalidInput):
        best_chances(means, errors)


def test_other_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidInput, match="floor"):
        shares([0.0, 1.0], [1.0, 1.0], floor=0.6)
