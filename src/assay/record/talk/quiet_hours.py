"""Quiet hours: a part of each day, such as `22:00-07:00 Europe/Berlin`, in which what can wait does wait."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from assay.errors import InvalidInput

__all__ = ["QuietHours", "read_quiet_hours"]

_FORM = "HH:MM-HH:MM in UTC, or with a time zone behind it, such as 22:00-07:00 Europe/Berlin"


class QuietHours(msgspec.Struct, frozen=True):
    """From when to when, in a time zone; over midnight where the end comes before the beginning."""

    begins: time
    ends: time
    zone: tzinfo

    def over(self, moment: datetime) -> datetime:
        """The moment itself, or the end of the quiet hours that it lies in; in UTC."""
        there = moment.astimezone(self.zone)
        day = there.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        for shift in (-1, 0):  # quiet hours that began yesterday, or today
            begins = datetime.combine(day + timedelta(days=shift), self.begins, self.zone)
            later = timedelta(days=shift + (self.ends <= self.begins))
            ends = datetime.combine(day + later, self.ends, self.zone)
            if begins <= there < ends:
                return ends.astimezone(UTC)
        return moment


def read_quiet_hours(text: str) -> QuietHours:
    """The quiet hours that a text says; InvalidInput where it says none."""
    hours, _, zone = text.strip().partition(" ")
    begins, dash, ends = hours.partition("-")
    try:
        found = QuietHours(time.fromisoformat(begins), time.fromisoformat(ends), ZoneInfo(zone) if zone else UTC)
    except (ValueError, OSError, KeyError):  # KeyError: no time zone of that name
        found = None
    if not dash or found is None or found.begins == found.ends or found.begins.tzinfo or found.ends.tzinfo:
        raise InvalidInput(f"the quiet hours are {text!r}", expected=_FORM)
    return found
