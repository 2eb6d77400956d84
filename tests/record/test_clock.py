from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.record.clock import Clock, iso, moment

MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))


def test_text_of_a_moment_is_utc_with_microseconds() -> None:
    eastern = timezone(timedelta(hours=-5))
    assert iso(datetime(2013, 4, 1, 4, 30, tzinfo=eastern)) == "2013-04-01T09:30:00.000000Z"


@given(MOMENTS, MOMENTS)
def test_text_sorts_like_time_and_comes_back(one: datetime, other: datetime) -> None:
    assert (iso(one) < iso(other)) == (one < other)
    assert moment(iso(one)) == one


def test_the_wall_clock_is_aware() -> None:
    before = datetime.now(UTC)
    assert before <= Clock().now() <= datetime.now(UTC)


def test_outside_a_replay_the_latest_moment_is_now() -> None:
    clock = Clock()
    assert clock.event is None
    assert abs(clock.latest() - datetime.now(UTC)) < timedelta(seconds=5)


def test_in_a_replay_the_latest_moment_is_the_simulated_one() -> None:
    clock = Clock()
    clock.advance(datetime(2013, 4, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    assert clock.latest() == datetime(2013, 4, 1, 10, tzinfo=UTC)
    assert clock.event is not None
    assert clock.event.tzinfo is UTC
    assert clock.now().year > 2013


def test_event_time_may_stand_still_and_never_goes_back() -> None:
    clock = Clock()
    clock.advance(datetime(2013, 4, 2, tzinfo=UTC))
    clock.advance(datetime(2013, 4, 2, tzinfo=UTC))
    with pytest.raises(InvalidInput, match="go back"):
        clock.advance(datetime(2013, 4, 1, tzinfo=UTC))
    assert clock.event == datetime(2013, 4, 2, tzinfo=UTC)


def test_event_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        Clock().advance(datetime(2013, 4, 1))
