"""Intervals that rest on a standard error hold the truth from some size on, and are refused below it."""

import pytest
from benchmarks.simulations.figures import Share
from benchmarks.simulations.intervals import area_coverage, jackknife_coverage, mean_coverage

pytestmark = pytest.mark.slow


def test_below_ten_rows_of_a_class_there_is_no_interval_of_an_area() -> None:
    (row,) = area_coverage(1, 50, [(9, 100)], [0.8])
    assert row.shares == {"one area": None, "difference": None}


def test_areas_are_covered_from_thirty_rows_a_class_on() -> None:
    for row in area_coverage(1, 600, [(30, 30), (30, 300), (200, 200)], [0.6, 0.8]):
        for name in row.shares:
            assert row.share(name).at_least(0.94), row


def test_rows_that_hang_together_are_covered_from_thirty_units_on() -> None:
    for row in jackknife_coverage(1, 400, [(150, 5), (400, 5), (1500, 5)]):
        for name in row.shares:
            assert row.share(name).at_least(0.94), (name, row)


def test_means_are_covered_from_two_hundred_rows_on_and_nearly_before() -> None:
    for row, least in zip(mean_coverage(1, 1000, [50, 200, 1000]), (0.92, 0.94, 0.94), strict=True):
        for name in row.shares:
            assert row.share(name).at_least(least), (name, row)


def test_calibration_is_covered_whatever_the_rows() -> None:
    (row,) = mean_coverage(2, 1000, [20])
    assert row.share("calibration_in_the_large").at_least(0.945)
    assert isinstance(row.share("brier"), Share)
