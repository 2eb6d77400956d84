"""Pooled segments: nearer to the truth than raw ones, untouched where errors are tiny, all alike where noise is all."""

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import OVERALL, Segment, pool

SINGLE = [Segment((("origin", f"o{i}"),)) for i in range(20)]
CROSSED = [Segment((("carrier", f"c{i}"), ("origin", f"o{j}"))) for i in range(12) for j in range(3)]


def additive(generator: np.random.Generator, spread: float) -> NDArray[np.float64]:
    """True values of `CROSSED`: overall, a carrier's and an origin's effect, and something of their own."""
    carriers, origins = generator.normal(0, 0.05, 12), generator.normal(0, 0.05, 3)
    return np.asarray(0.8 + (carriers[:, None] + origins[None, :]).ravel() + generator.normal(0, spread, 36))


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.06])
def test_pooled_values_are_nearer_to_the_truth_than_raw_ones(spread: float) -> None:
    generator = np.random.default_rng(5)
    raw, pooled, covered = [], [], []
    for _ in range(200):
        truth = additive(generator, spread)
        error = generator.uniform(0.02, 0.12, 36)
        seen = truth + generator.normal(0, error)
        found = pool(CROSSED, seen, error)
        raw.append(np.mean((seen - truth) ** 2))
        pooled.append(np.mean((found.value - truth) ** 2))
        covered.append(np.mean(np.abs(found.value - truth) <= 1.96 * found.standard_error))
    assert np.mean(pooled) < (0.5 if spread < 0.05 else 0.8) * np.mean(raw)
    assert np.mean(covered) > 0.9, "what is said of their uncertainty holds about"


def test_tiny_errors_leave_the_values_alone() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.1, 20)
    found = pool(SINGLE, values, np.full(20, 1e-6))
    np.testing.assert_allclose(found.value, values, atol=1e-9)
    np.testing.assert_allclose(found.weight, 1.0, atol=1e-6)
    np.testing.assert_allclose(found.standard_error, 1e-6, rtol=1e-3)


def test_noise_that_explains_everything_makes_all_alike() -> None:
    values = np.linspace(0.79, 0.81, 20)
    found = pool(SINGLE, values, np.full(20, 0.1))
    np.testing.assert_allclose(found.value, 0.8, atol=1e-12)
    np.testing.assert_array_equal(found.weight, 0.0)
    np.testing.assert_allclose(found.standard_error, 0.1 / 20**0.5)


def test_crosses_go_to_the_sum_of_the_effects_of_their_columns() -> None:
    truth = additive(np.random.default_rng(3), 0.0)
    found = pool(CROSSED, truth, np.full(36, 0.05))
    np.testing.assert_allclose(found.value, truth, atol=1e-12)
    np.testing.assert_array_equal(found.weight, 0.0)


def test_a_segment_without_an_error_has_the_value_of_the_model_and_its_uncertainty() -> None:
    values, errors = np.random.default_rng(1).normal(0.8, 0.1, 20), np.full(20, 0.02)
    errors[4] = np.nan
    found = pool(SINGLE, values, errors)
    assert found.weight[4] == 0.0
    assert abs(found.value[4] - np.delete(values, 4).mean()) < 0.01
    assert found.standard_error[4] > 2 * found.standard_error[5]


def test_a_value_that_is_undefined_stays_so_and_disturbs_no_other() -> None:
    values, errors = np.random.default_rng(1).normal(0.8, 0.1, 20), np.full(20, 0.1)
    some = values.copy()
    some[3] = np.nan
    found = pool(SINGLE, some, errors)
    assert np.isnan(found.value[3])
    without = pool([s for i, s in enumerate(SINGLE) if i != 3], np.delete(values, 3), np.delete(errors, 3))
    np.testing.assert_array_equal(np.delete(found.value, 3), without.value)


def test_too_few_segments_are_not_pooled() -> None:
    found = pool([OVERALL, *SINGLE[:3]], [0.8, 0.7, 0.9, 0.8], [0.01, 0.1, 0.1, 0.1])
    np.testing.assert_array_equal(found.value, [0.8, 0.7, 0.9, 0.8])
    np.testing.assert_array_equal(found.weight, 1.0)
    assert len(pool([], [], []).value) == 0


def test_kinds_of_segments_are_pooled_apart_and_the_order_does_not_matter() -> None:
    generator = np.random.default_rng(7)
    segments = [*SINGLE, *CROSSED]
    values, errors = generator.normal(0.8, 0.1, 56), generator.uniform(0.02, 0.2, 56)
    found = pool(segments, values, errors)
    np.testing.assert_array_equal(found.value[:20], pool(SINGLE, values[:20], errors[:20]).value)
    again = pool(segments, values, errors)
    np.testing.assert_array_equal(again.value, found.value)
    order = generator.permutation(56)
    shuffled = pool([segments[i] for i in order], values[order], errors[order])
    np.testing.assert_allclose(shuffled.value, found.value[order], rtol=1e-12)


@pytest.mark.parametrize(("values", "errors"), [([1.0], [0.1, 0.1]), ([1.0, 2.0], [0.1, 0.0]), ([1.0, 2.0], [-1, 1])])
def test_bad_errors_are_refused(values: list[float], errors: list[float]) -> None:
    with pytest.raises(InvalidInput):
        pool(SINGLE[:2], values, errors)


def test_columns_that_tell_each_other_are_pooled_too() -> None:
    """A city lies in one country: the effects of both cannot be told apart, and their sums can."""
    places = [Segment((("country", f"k{i // 5}"), ("city", f"c{i}"))) for i in range(15)]
    generator = np.random.default_rng(4)
    values = generator.normal(0.8, 0.1, 15)
    found = pool(places, values, np.full(15, 0.1))
    np.testing.assert_array_equal(found.value, values)
    np.testing.assert_array_equal(found.weight, 1.0)
    pairs = [Segment((("a", f"a{i}"), ("b", f"b{j}"))) for i in range(8) for j in range(6) if (i < 4) == (j < 3)]
    truth = generator.normal(0.8, 0.05, len(pairs))
    islands = pool(pairs, truth, np.full(len(pairs), 0.05))
    assert np.all(np.isfinite(islands.value))
    assert np.var(islands.value) < np.var(truth)
