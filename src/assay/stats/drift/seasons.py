"""Which earlier windows are of the season of a new one: the same hour of the same weekday, where there are enough."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from assay.errors import InvalidInput
from assay.stats.drift.bounds import MINIMUM_WINDOWS

__all__ = ["Season", "same_season"]

_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_WEEKEND = 5


class Season(msgspec.Struct, frozen=True):
    """The `places` of the windows that are alike, in their order, and what they have in common, for people."""

    places: tuple[int, ...]
    says: str


def same_season(starts: Sequence[datetime], start: datetime, *, minimum: int = MINIMUM_WINDOWS) -> Season:
    """The windows to compare one that begins at `start` with, of those that began at `starts`.

    The narrowest of these with `minimum` windows or more: the same hour of the same weekday; the same hour on working
    days or on weekends; the same hour; all. Windows of a day have one hour. Hours and weekdays are those of the times
    as they are given, so give local time where people's habits make the season.

    InvalidInput for times of which only some have a zone.
    """
    if len({(one.tzinfo is None) for one in (*starts, start)}) > 1:
        raise InvalidInput("some windows begin at times with a zone, others without", expected="one or the other")
    day = _WEEKDAYS[start.weekday()]
    week = "weekends" if start.weekday() >= _WEEKEND else "working days"
    hour = f"{start.hour:02d}:00"

    def alike(*, weekday: bool = False, part: bool = False, clock: bool = False) -> tuple[int, ...]:
        return tuple(
            place
            for place, one in enumerate(starts)
            if not (weekday and one.weekday() != start.weekday())
            and not (part and (one.weekday() >= _WEEKEND) != (start.weekday() >= _WEEKEND))
            and not (clock and one.hour != start.hour)
        )

    has_hours = len({one.hour for one in (*starts, start)}) > 1
    at = f" at {hour}" if has_hours else ""
    steps = [
        (alike(weekday=True, clock=True), f"{day}{at}"),
        (alike(part=True, clock=True), f"{week}{at}"),
        (alike(clock=True), f"every day{at}"),
    ]
    for places, says in steps:
        if len(places) >= minimum:
            return Season(places, says if len(places) < len(starts) else "all windows")
    return Season(tuple(range(len(starts))), "all windows")
