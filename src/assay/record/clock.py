"""Time is injected: a wall clock for what happens now, and an event clock for a replay of the past."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from assay.errors import InvalidInput

__all__ = ["Clock", "iso", "moment"]


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
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """The aware datetime of a text that `iso` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
