import math

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.stats.jackknife import Jackknife, jackknife, sum_of_segments

FIRST = np.zeros(1, dtype=np.int64)


def alone(value: float, without: list[float] | NDArray[np.float64], occupied: NDArray[np.bool_]) -> Jackknife:
    return jackknife(np.array([value]), np.asarray(without, dtype=float), occupied, FIRST)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    x = np.random.default_rng(1).normal(size=50)
    found = alone(float(x.mean()), (x.sum() - x) / 49, np.ones(50, dtype=bool))
    assert found.standard_error[0] == pytest.approx(x.std(ddof=1) / math.sqrt(50), rel=1e-12)
    assert (found.df[0], found.buckets[0]) == (49, 50)


def test_segments_keep_apart() -> None:
    rng = np.random.default_rng(2)
    parts = [rng.normal(size=size) for size in (20, 3, 50, 2)]
    without = [(x.sum() - x) / (len(x) - 1) for x in parts]
    starts = np.cumsum([0, 20, 3, 50])
    values = np.array([x.mean() for x in parts])
    found = jackknife(values, np.concatenate(without), np.ones(75, dtype=bool), starts)
    for place, (value, rest) in enumerate(zip(values, without, strict=True)):
        single = alone(float(value), rest, np.ones(len(rest), dtype=bool))
        assert found.standard_error[place] == single.standard_error[0]
        assert found.buckets[place] == len(rest)


def test_unoccupied_buckets_are_left_out() -> None:
    x = np.random.default_rng(1).normal(size=20)
    without = (x.sum() - x) / 19
    single = alone(float(x.mean()), without, np.ones(20, dtype=bool))
    padded = alone(float(x.mean()), np.append(without, [math.nan] * 5), np.arange(25) < 20)
    assert padded.buckets[0] == single.buckets[0]
    assert padded.standard_error[0] == pytest.approx(single.standard_error[0], rel=1e-14)


def test_one_bucket_or_an_undefined_value_has_no_error() -> None:
    assert math.isnan(alone(1.0, [1.0], np.array([True])).standard_error[0])
    assert math.isnan(alone(1.0, [1.0, math.nan], np.array([True, True])).standard_error[0])
    assert math.isnan(alone(math.nan, [1.0, 2.0], np.array([True, True])).standard_error[0])


def test_values_that_do_not_move_have_an_error_of_exactly_zero() -> None:
    third = 1.0 / 3.0
    assert alone(third, [third] * 7, np.ones(7, dtype=bool)).standard_error[0] == 0.0


def test_no_segments_have_no_sums() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert len(sum_of_segments(np.zeros(0), nothing)) == 0
    assert len(jackknife(np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool), nothing).standard_error) == 0
