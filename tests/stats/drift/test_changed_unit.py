import numpy as np
import pytest
from numpy.typing import NDArray

from assay.stats.drift import QUANTILES, ChangedUnit, changed_unit

Floats = NDArray[np.float64]


def found(before: Floats, now: Floats) -> ChangedUnit | None:
    return changed_unit(np.quantile(before, QUANTILES), np.quantile(now, QUANTILES), min(len(before), len(now)))


def winds(seed: int, rows: int) -> Floats:
    return np.random.default_rng(seed).gamma(2.0, 4.0, rows)


@pytest.mark.parametrize(
    ("slope", "start", "words"),
    [
        (1.609344, 0.0, "as from miles to kilometres"),
        (1 / 1.609344, 0.0, "as from kilometres to miles"),
        (1.8, 32.0, "as from degrees Celsius to Fahrenheit"),
        (1 / 1.8, -32.0 / 1.8, "as from Fahrenheit to degrees Celsius"),
        (1.0, 273.15, "as from degrees Celsius to Kelvin"),
        (1 / 60, 0.0, "as from minutes to hours"),
        (41.0, 0.0, " times what they were"),
        (1 / 41.0, 0.0, " of what they were"),
    ],
)
@pytest.mark.parametrize("rows", [300, 20_000])
def test_the_unit_is_named_both_ways(slope: float, start: float, words: str, rows: int) -> None:
    one = found(winds(1, 20_000), slope * winds(2, rows) + start)
    assert one is not None
    assert words in one.words


@pytest.mark.parametrize("rows", [100, 300, 5000])
def test_what_only_moved_or_grew_is_in_the_unit_it_was(rows: int) -> None:
    for seed in range(100):
        chance = np.random.default_rng([3, seed])
        before = chance.normal(12, 6, 4000)
        for now in (
            chance.normal(12, 6, rows),
            chance.normal(20, 6, rows),
            1.3 * chance.normal(12, 6, rows),
            chance.normal(12, 12, rows),
        ):
            assert found(before, now) is None, (seed, rows)


def test_a_price_may_double_or_rise_fivefold_by_itself() -> None:
    for factor in (2.0, 5.0, 1 / 5.0):
        assert found(winds(4, 5000), factor * winds(5, 5000)) is None


def test_few_rows_and_few_different_values_say_nothing() -> None:
    assert found(winds(6, 5000), 60.0 * winds(7, 99)) is None
    codes = np.random.default_rng(8).integers(0, 4, 5000).astype(float)
    assert found(codes, 60.0 * codes) is None
    assert changed_unit([np.nan] * 19, [np.nan] * 19, 1000) is None


@pytest.mark.parametrize(("before", "now"), [(1609.0, 1800.0), (2200.0, 2540.0)])
def test_large_numbers_that_grew_by_some_hundreds_are_no_kelvins(before: float, now: float) -> None:
    chance = np.random.default_rng(0)
    assert found(chance.normal(before, 0.2 * before, 300), chance.normal(now, 0.2 * now, 300)) is None
