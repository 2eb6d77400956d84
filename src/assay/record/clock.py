"""Time is injected: a wall clock for what happens now, and an event clock for a replay of the past."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from assay.errors import InvalidInput

__all__ = ["Clock", "from_ms", "from_us", "happened", "iso", "moment", "to_ms", "to_us", "written_moment"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """Tells the time. `event` is None outside a replay; in one it is the simulated moment, set by `advance`."""

    event: datetime | None = field(default=None)

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def advance(self, moment: datetime) -> None:
        """Set the simulated moment. It never goes back: what was known stays known."""
        if moment.tzinfo is None:
            raise InvalidInput(f"event time {moment} has no time zone", expected="an aware datetime")
        if self.event is not None and moment < self.event:
            raise InvalidInput(f"event time would go back from {self.event} to {moment}")
        self.event = moment.astimezone(UTC)

    def latest(self) -> datetime:
        """The event time in a replay, else the wall clock: the moment up to which things are known."""
        return self.event or self.now()


def iso(time: datetime) -> str:
    """UTC text with microseconds, such as 2013-04-01T09:30:00.000000Z: it sorts in order of time."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def happened(row: Mapping[str, Any]) -> str:
    """When what a row of evidence tells of happened: the simulated moment of a replay, else the wall clock."""
    return str(row["event_ts"] or row["ts"])


def moment(text: str) -> datetime:
    """The aware datetime of a text that `iso` wrote."""
    return datetime.fromisoformat(text)


def written_moment(text: str) -> datetime | None:
    """The moment that a text such as 2013-08-01 or 2013-08-01T10:00Z says, UTC where no zone is said; None for none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def from_ms(milliseconds: int) -> str:
    """The text of so many milliseconds after 1970, InvalidInput where no calendar reaches."""
    try:
        return iso(_EPOCH + timedelta(milliseconds=milliseconds))
    except OverflowError:
        raise InvalidInput(
            f"{milliseconds} is no time in milliseconds", expected="a time before the year 10000"
        ) from None


def to_ms(text: str) -> int:
    """Whole milliseconds after 1970 of a text that `iso` wrote."""
    return (moment(text) - _EPOCH) // timedelta(milliseconds=1)


def from_us(microseconds: int) -> str:
    """The text of so many microseconds after 1970."""
    return iso(_EPOCH + timedelta(microseconds=microseconds))


def to_us(time: datetime) -> int:
    """Whole microseconds after 1970 of an aware datetime."""
    return (time - _EPOCH) // timedelta(microseconds=1)
