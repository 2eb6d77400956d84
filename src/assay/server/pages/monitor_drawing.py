"""The course of a monitor as a picture: its values with what is usual, and how each window stood."""

from collections.abc import Sequence
from datetime import datetime

from assay.server.pages.line_drawing import WIDTH, Band, Line, Mark, Picture, Point, picture
from assay.server.pages.monitor_windows import HARMS, Seen, Watched
from assay.server.pages.standings import monitor_state
from assay.server.pages.wording import number

__all__ = ["course_of", "quality_of"]

_ALL_OF_THE_AXIS = ("performance", "estimate", "calibration")  # where 0 is far from anything that is measured

_SMALL = 480


def course_of(one: Watched, *, small: bool = False) -> Picture | None:
    """Values in the middle of their windows, the bound beside them, an area for intervals, a mark for each state."""
    if not one.seen:
        return None
    lines = [Line("value", [(_middle(seen), seen.value) for seen in one.seen])]
    lines += _bounds(one.seen)
    return picture(
        lines,
        said=_said(one),
        since=one.seen[0].started,
        until=one.seen[-1].ended,
        bands=[Band(_between(one.seen))],
        marks=[Mark("what matters", value=1.0)] if one.monitor.definition.kind in HARMS else [],
        points=[Point(_middle(seen), seen.value, seen.status, _point(seen)) for seen in one.seen],
        from_zero=one.monitor.definition.kind not in _ALL_OF_THE_AXIS,
        width=_SMALL if small else WIDTH,
    )


def _bounds(seen: Sequence[Seen]) -> list[Line]:
    """The bound; one that lies now on this side of 0 and now on that is drawn on both."""
    known = [one.bound for one in seen if one.bound is not None]
    if not known:
        return []
    if min(known) >= 0 or max(known) <= 0:
        return [Line("bound", [(_middle(one), one.bound) for one in seen], 1)]
    sizes = [(_middle(one), None if one.bound is None else abs(one.bound)) for one in seen]
    below = [(at, None if size is None else -size) for at, size in sizes]
    return [Line("bound", sizes, 1), Line("bound", below, 1)]


def quality_of(shown: Sequence[Watched], said: str) -> Picture | None:
    """Monitors of one metric over one another, each with its interval: measured beside estimated quality."""
    seen = [window for one in shown for window in one.seen]
    if not seen:
        return None
    return picture(
        [
            Line(one.monitor.name, [(_middle(at), at.value) for at in one.seen], place)
            for place, one in enumerate(shown)
        ],
        said=said,
        since=min(one.started for one in seen),
        until=max(one.ended for one in seen),
        bands=[Band(_between(one.seen), place) for place, one in enumerate(shown)],
        from_zero=False,
    )


def _between(seen: Sequence[Seen]) -> list[tuple[datetime, float, float]]:
    return [(_middle(one), one.low, one.high) for one in seen if one.low is not None and one.high is not None]


def _middle(seen: Seen) -> datetime:
    return seen.started + (seen.ended - seen.started) / 2


def _point(seen: Seen) -> str:
    value = "" if seen.value is None else f", {number(seen.value)}"
    bound = "" if seen.bound is None else f", bound {number(seen.bound)}"
    return f"{seen.window}: {monitor_state(seen.status).word}{value}{bound}"


def _said(one: Watched) -> str:
    """All of the picture in a sentence."""
    alarms = sum(seen.status == "alarm" for seen in one.seen)
    known = [seen.value for seen in one.seen if seen.value is not None]
    last = f"; the last value is {number(known[-1])}" if known else ""
    return f"{one.monitor.name}: {len(one.seen):,} windows, {alarms:,} with an alarm{last}"
