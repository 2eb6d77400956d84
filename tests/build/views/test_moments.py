"""Times inside the join are whole microseconds since 1970 in UTC."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from assay.build.views.declared.moments import as_microseconds
from assay.errors import InvalidInput

DAY = 86_400_000_000


def _times(values: Any, kind: pa.DataType | None = None) -> list[int | None]:
    found = as_microseconds(pa.table({"t": pa.array(values, kind)}), "t", "the labels")
    assert found.type == pa.int64()
    return found.to_pylist()  # type: ignore[no-any-return]


def test_a_time_without_a_zone_is_utc() -> None:
    assert _times([datetime(1970, 1, 2), None]) == [DAY, None]


def test_a_time_with_a_zone_is_the_same_moment_in_utc() -> None:
    tokyo = pa.timestamp("s", "Asia/Tokyo")
    assert _times([datetime(1970, 1, 2, tzinfo=UTC)], tokyo) == [DAY]


def test_mixed_offsets_are_the_moments_they_name() -> None:
    east, west = (timezone(timedelta(hours=hours)) for hours in (5, -5))
    found = _times([datetime(1970, 1, 2, 5, tzinfo=east), datetime(1970, 1, 1, 19, tzinfo=west)])
    assert found == [DAY, DAY]


def test_the_hour_that_daylight_saving_repeats_is_two_moments() -> None:
    berlin = pa.timestamp("us", "Europe/Berlin")
    first, second = datetime(2024, 10, 27, 0, 30, tzinfo=UTC), datetime(2024, 10, 27, 1, 30, tzinfo=UTC)
    earlier, later = _times([first, second], berlin)
    assert earlier is not None
    assert later == earlier + 3_600_000_000


@pytest.mark.parametrize(("nanoseconds", "expected"), [(1_999, 1), (1_000, 1), (-1, -1), (-1_000, -1), (-1_001, -2)])
def test_nanoseconds_are_rounded_down_also_before_1970(nanoseconds: int, expected: int) -> None:
    assert _times(pa.array([nanoseconds]).cast(pa.timestamp("ns"))) == [expected]
    assert _times(pa.array([nanoseconds]).cast(pa.timestamp("ns", "UTC"))) == [expected]


def test_times_before_1970_are_negative() -> None:
    assert _times([datetime(1969, 12, 31)]) == [-DAY]
    assert _times([datetime(1969, 12, 31, 23, 59, 59)], pa.timestamp("s")) == [-1_000_000]


def test_dates_are_midnight_in_utc() -> None:
    assert _times([date(1970, 1, 2), date(1969, 12, 31), None]) == [DAY, -DAY, None]
    assert _times([date(1970, 1, 2)], pa.date64()) == [DAY]


def test_seconds_beyond_what_microseconds_hold_are_refused() -> None:
    with pytest.raises(InvalidInput, match="years from"):
        _times(pa.array([2**62]).cast(pa.timestamp("s")))


@pytest.mark.parametrize("values", [[1], ["2024-01-01"], [1.5], [timedelta(1)]])
def test_what_is_no_time_is_refused_with_how_to_cast_it(values: list[object]) -> None:
    with pytest.raises(InvalidInput, match="the time 't' of the labels is of type"):
        _times(values)


def test_a_column_of_nothing_has_no_times() -> None:
    assert _times([None], pa.null()) == [None]
