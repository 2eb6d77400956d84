import math

import numpy as np
import pytest

from assay.stats.jackknife import jackknife


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    x = np.random.default_rng(1).normal(size=50)
    found = jackknife(float(x.mean()), (x.sum() - x) / 49, np.ones(50, dtype=bool))
    assert found.standard_error == pytest.approx(x.std(ddof=1) / math.sqrt(50), rel=1e-12)
    assert (found.df, found.buckets) == (49, 50)


def test_unoccupied_buckets_are_left_out() -> None:
    x = np.random.default_rng(1).normal(size=20)
    without = (x.sum() - x) / 19
    alone = jackknife(float(x.mean()), without, np.ones(20, dtype=bool))
    padded = jackknife(float(x.mean()), np.append(without, [math.nan] * 5), np.arange(25) < 20)
    assert padded == alone


def test_one_bucket_or_an_undefined_value_has_no_error() -> None:
    assert math.isnan(jackknife(1.0, np.array([1.0]), np.array([True])).standard_error)
    assert math.isnan(jackknife(1.0, np.array([1.0, math.nan]), np.array([True, True])).standard_error)
    assert math.isnan(jackknife(math.nan, np.array([1.0, 2.0]), np.array([True, True])).standard_error)


def test_values_that_do_not_move_have_an_error_of_exactly_zero() -> None:
    third = 1.0 / 3.0
    assert jackknife(third, np.full(7, third), np.ones(7, dtype=bool)).standard_error == 0.0
