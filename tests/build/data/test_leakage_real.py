"""Leakage in real tables."""

import pyarrow.compute as pc
import pytest
from scripts.real_data import load

from assay.build.data.leakage import check_leakage
from assay.build.data.splits import split

pytestmark = pytest.mark.data


def test_the_bikers_are_the_sum_of_casual_and_registered_ones() -> None:
    bikes = load("bikeshare")
    (found,) = check_leakage(split(bikes), label="bikers")
    assert (found.check, found.severity, found.columns) == ("sum", "stop", ["casual", "registered"])
    assert found.sentence.startswith("bikers is casual + registered: 100.0000%")
    honest = [name for name in bikes.column_names if name not in ("bikers", "casual", "registered")]
    assert check_leakage(split(bikes), label="bikers", features=honest) == []


def test_flights_that_are_late_are_told_by_their_delay_alone() -> None:
    flights = load("flights2023")
    flights = flights.append_column("late", pc.greater_equal(flights["arr_delay"], 15))
    made = split(flights, "time", time="time_hour", label="late")
    (found,) = check_leakage(made, label="late", time="time_hour")
    assert (found.check, found.severity, found.columns) == ("column", "stop", ["arr_delay"])
    honest = ["sched_dep_time", "distance", "carrier", "origin", "dest", "month", "day"]
    assert check_leakage(made, label="late", time="time_hour", features=honest) == []
