"""Lines over time as the parts of a picture, for pages that are drawn where they are made."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from assay.svg import nice_ticks

__all__ = ["NARROW", "WIDTH", "Band", "Line", "Mark", "Picture", "Point", "picture"]

WIDTH, HEIGHT = 720, 190
NARROW = 330  # for telephones
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 12, 26
_NO_WIDTH_S = 60.0
_LETTER = 6.5  # pixels of a letter at an axis, about
_STEPS_S = (60, 300, 600, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000)


class Line(NamedTuple):
    """Values at moments, None where there is none; `number` chooses colour and dashes."""

    name: str
    values: Sequence[tuple[datetime, float | None]]
    number: int = 0


class Band(NamedTuple):
    """An area between two values at moments."""

    values: Sequence[tuple[datetime, float, float]]
    number: int = 0


class Mark(NamedTuple):
    """Something that happened at a moment, or a value that means something."""

    said: str
    at: datetime | None = None
    value: float | None = None


class Point(NamedTuple):
    """A value at a moment that is drawn by itself, in the shape of its `kind`; at the lower edge where it is None."""

    at: datetime
    value: float | None
    kind: str
    said: str


class Picture(NamedTuple):
    """Paths by number, marks as lines, and what stands at the axes; `said` is all of it in a sentence."""

    lines: list[tuple[int, str]]
    dots: list[tuple[int, float, float]]
    bands: list[tuple[int, str]]
    marks: list[tuple[float, str]]
    levels: list[tuple[float, str]]
    across: list[tuple[float, str]]
    below: list[tuple[float, str, str]]
    said: str
    points: list[tuple[float, float, str, str]] = []  # noqa: RUF012 - never changed
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def picture(
    lines: Sequence[Line],
    *,
    said: str,
    since: datetime,
    until: datetime,
    bands: Sequence[Band] = (),
    marks: Sequence[Mark] = (),
    points: Sequence[Point] = (),
    from_zero: bool = True,
    width: int = WIDTH,
    height: int = HEIGHT,
    write: Callable[[float], str] = lambda value: f"{value:,g}",
) -> Picture | None:
    """A picture of the lines between two moments; None where there is nothing to draw."""
    values = [value for line in lines for _, value in line.values if value is not None and math.isfinite(value)]
    values += [end for band in bands for _, low, high in band.values for end in (low, high) if math.isfinite(end)]
    values += [one.value for one in points if one.value is not None and math.isfinite(one.value)]
    if not values:
        return None
    values += [mark.value for mark in marks if mark.value is not None]
    low, high = (min(0.0, *values), max(values)) if from_zero else (min(values), max(values))
    if high <= low:
        high = low + 1.0
    length = max((until - since).total_seconds(), _NO_WIDTH_S)

    def x(at: datetime) -> float:
        return round(_LEFT + (at - since).total_seconds() / length * (width - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(height - _BOTTOM - (value - low) / (high - low) * (height - _BOTTOM - _TOP), 1)

    ticks, _ = nice_ticks(low, high, 4)
    inside = [mark for mark in marks if mark.at is not None and since <= mark.at <= until]
    courses = [
        (line.number, [(x(at), None if value is None else y(value)) for at, value in line.values]) for line in lines
    ]
    return Picture(
        lines=[(number, _path(found)) for number, found in courses],
        dots=[(number, *one) for number, found in courses for one in _alone(found)],
        bands=[(band.number, _area([(x(at), y(one), y(two)) for at, one, two in band.values])) for band in bands],
        marks=[(x(mark.at), mark.said) for mark in inside if mark.at],
        levels=[(y(mark.value), mark.said) for mark in marks if mark.value is not None],
        across=[(y(tick), write(tick)) for tick in ticks],
        below=_below(since, until, length, x, is_short=width < WIDTH),
        said=said,
        points=[
            (x(one.at), height - _BOTTOM if one.value is None else y(one.value), one.kind, one.said) for one in points
        ],
        width=width,
        height=height,
        right=width - _RIGHT,
        bottom=height - _BOTTOM,
    )


def _below(
    since: datetime, until: datetime, length_s: float, x: Callable[[datetime], float], *, is_short: bool
) -> list[tuple[float, str, str]]:
    """The ends, and between them as many round times as there is room for."""
    short = "%H:%M" if length_s < 3 * 86_400 else "%m-%d"
    form = short if is_short else "%Y-%m-%d %H:%M" if length_s < 3 * 86_400 else "%Y-%m-%d"
    ends = [
        (x(since), "start", since.strftime(form)),
        (x(since + timedelta(seconds=length_s)), "end", until.strftime(form)),
    ]
    room = _LETTER * (len(short) + 3)
    begin, end = ends[0][0] + _LETTER * len(ends[0][2]) + room / 2, ends[1][0] - _LETTER * len(ends[1][2]) - room / 2
    for step in _STEPS_S:
        if (ends[1][0] - ends[0][0]) * step / length_s < room or (short == "%m-%d" and step < 86_400):
            continue
        first = -(-since.timestamp() // step) * step
        times = [datetime.fromtimestamp(first + step * number, UTC) for number in range(int(length_s // step) + 1)]
        return [*ends, *((x(at), "middle", at.strftime(short)) for at in times if begin < x(at) < end)]
    return ends


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """A line that is broken where there is no value."""
    parts, open_ = [], False
    for x, y in points:
        if y is None:
            open_ = False
            continue
        parts.append(f"{'L' if open_ else 'M'}{x} {y}")
        open_ = True
    return "".join(parts)


def _alone(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float]]:
    """Points without a neighbour, of which a line shows nothing."""
    padded = [None, *(y for _, y in points), None]
    return [
        (x, y)
        for place, (x, y) in enumerate(points, 1)
        if y is not None and padded[place - 1] is None and padded[place + 1] is None
    ]


def _area(points: Sequence[tuple[float, float, float]]) -> str:
    there = [f"{x} {low}" for x, low, _ in points]
    back = [f"{x} {high}" for x, _, high in reversed(points)]
    return f"M{'L'.join([*there, *back])}Z" if points else ""
