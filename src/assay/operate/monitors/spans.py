"""Which windows there are: lengths of time on a grid that everybody agrees on, all of them one behind the other."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from assay.operate.monitors.definition import Definition
from assay.record.clock import iso, moment
from assay.record.lengths import GRID, checked_length

__all__ = ["LATE", "Span", "length_of", "maturity_of", "next_span"]

_QUIET = 3
LATE = timedelta(seconds=60)  # of the wall clock: what was answered at the end of a window is in the log by then
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From `started` on, before `ended`."""

    started: datetime
    ended: datetime

    @property
    def name(self) -> str:
        """The key of a window in the record: its beginning, as a day where windows are days, which sorts by time."""
        if (self.ended - self.started) % _DAY == timedelta(0) and (self.started - GRID) % _DAY == timedelta(0):
            return f"{self.started:%Y-%m-%d}"
        return iso(self.started)[:19] + "Z" if not self.started.microsecond else iso(self.started)


def length_of(definition: Definition) -> timedelta:
    """How long the windows of a monitor are."""
    return checked_length(definition.window, "window", zero=False)


def maturity_of(definition: Definition) -> timedelta:
    """How old labels must be to count."""
    return checked_length(definition.maturity, "maturity")


def next_span(definition: Definition, after: str, quiet_until: datetime | None = None) -> Span:
    """The first whole window that begins at `after` (UTC text) or later.

    Where nothing comes before `quiet_until`, of the windows until then only the last 3 are looked at.
    """
    length, begin = length_of(definition), moment(after)
    started = begin + (GRID - begin) % length
    if quiet_until is not None:
        last = quiet_until - (quiet_until - GRID) % length
        started = max(started, last - _QUIET * length)
    return Span(started, started + length)
