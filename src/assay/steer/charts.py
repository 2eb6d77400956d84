"""Geometry of the report's charts: where a value stands, in percent of the drawing, so that they fit any width.

Nothing is drawn here; the templates turn positions into SVG. A position is 0 at the left or top and 100 at the right
or bottom. Numbers a reader sees are never taken from here, except those on an axis.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from assay.prove.checks import Check, Verdict
from assay.steer.chapters import Deployment, Watch
from assay.steer.facts import MONTHS
from assay.svg import nice_ticks

__all__ = [
    "Band",
    "ForestPlot",
    "ForestRow",
    "Scale",
    "Stretch",
    "Tick",
    "TimeChart",
    "forest_plot",
    "forest_range",
    "time_chart",
]

_SHOWN = 8
_PADDING = 0.06
_EDGE = 4  # percent; a label nearer to the end would stand out of the drawing
_WEEKS_UNTIL = 70  # days; a longer span has its ticks at the beginning of months
_MOST_DATES = 8


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis. `year` is given where the label needs one."""

    at: float
    label: str
    year: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight axis from `low` to `high`, low < high."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Percent of the way from low to high, cut off at the ends."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 3)

    def ticks(self, count: int, *, signed: bool = False) -> list[Tick]:
        """About `count` ticks at round values inside the axis."""
        values, decimals = nice_ticks(self.low, self.high, count)
        form = f"{'+' if signed else ''}.{decimals}f"
        return [Tick(self.at(v), format(v, form).replace("-", "−") if v else "0") for v in values]


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A comparison in a forest plot. `index` is its place in the list of checks; cut ends lie outside the axis.

    `low`, `at` and `high` are None where the segment is too small to compare.
    """

    index: int
    verdict: Verdict
    overall: bool
    low: float | None
    at: float | None
    high: float | None
    cut_low: bool
    cut_high: bool


@dataclass(frozen=True, slots=True)
class ForestPlot:
    """Rows in order: all rows together first, then the segments from the greatest loss upwards.

    `zero` is no difference, `margin` the loss that was agreed to be unimportant; `others` counts comparisons of the
    same metric that are not shown.
    """

    rows: list[ForestRow]
    ticks: list[Tick]
    zero: float
    margin: float
    others: int


@dataclass(frozen=True, slots=True)
class Band:
    """A vertical line in a time chart; `leans` says on which side of it a label has room."""

    at: float
    leans: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """One watched version in a time chart: from `start` to `end`, with its lines and its days as (x, y).

    `weeks` are the means of seven days, from the seventh on.
    """

    index: int
    start: float
    end: float
    promised: float
    limit: float
    days: list[tuple[float, float]]
    weeks: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class TimeChart:
    """Daily values of the watched versions over time. `live` marks the day on which a later version took over."""

    stretches: list[Stretch]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    alarm: Band | None
    live: Band | None


def forest_range(groups: Sequence[Sequence[Check]], metric: str) -> Scale:
    """One axis for several forest plots, so that they can be compared by eye.

    It holds every shown difference, the intervals of what is decided, zero and the margin; the wide interval of a
    small segment may end outside.
    """
    values = [0.0]
    for checks in groups:
        for check in (checks[index] for index in _chosen(checks, metric)):
            values += [-check.margin, check.delta or 0.0]
            if check.verdict != "inconclusive" or check.segment == "overall":
                values += [end for end in (check.low, check.high) if end is not None]
    low, high = min(values), max(values)
    padding = _PADDING * (high - low)
    return Scale(low - padding, high + padding)


def forest_plot(checks: Sequence[Check], metric: str, scale: Scale) -> ForestPlot:
    """The comparisons of one metric that say most: all rows, every proven loss, then the nearest to one."""
    chosen = _chosen(checks, metric)
    chosen.sort(key=lambda index: (checks[index].segment != "overall", _difference(checks[index])))
    return ForestPlot(
        rows=[_row(index, checks[index], scale) for index in chosen],
        ticks=[tick for tick in scale.ticks(3, signed=True) if _EDGE <= tick.at <= 100 - _EDGE],
        zero=scale.at(0.0),
        margin=scale.at(-checks[chosen[0]].margin),
        others=sum(check.metric == metric for check in checks) - len(chosen),
    )


def _chosen(checks: Sequence[Check], metric: str) -> list[int]:
    """Indices of what a forest plot shows: at most 8, but for more proven losses; the same rows only once."""
    mine = [index for index, check in enumerate(checks) if check.metric == metric]
    ranked = sorted(
        mine, key=lambda i: (checks[i].segment != "overall", checks[i].verdict != "fail", checks[i].p_worse)
    )
    chosen: list[int] = []
    seen: set[tuple[int, float | None]] = set()
    for index in ranked:
        check = checks[index]
        decisive = check.verdict == "fail" or check.segment == "overall"
        rows = (check.n, check.delta)
        if decisive or (len(chosen) < _SHOWN and check.delta is not None and rows not in seen):
            chosen.append(index)
            seen.add(rows)
    return chosen


def _difference(check: Check) -> float:
    return math.inf if check.delta is None else check.delta


def _row(index: int, check: Check, scale: Scale) -> ForestRow:
    return ForestRow(
        index=index,
        verdict=check.verdict,
        overall=check.segment == "overall",
        low=None if check.low is None else scale.at(check.low),
        at=None if check.delta is None else scale.at(check.delta),
        high=None if check.high is None else scale.at(check.high),
        cut_low=check.low is not None and check.low < scale.low,
        cut_high=check.high is not None and check.high > scale.high,
    )


def time_chart(watches: Sequence[Watch], deployments: Sequence[Deployment]) -> TimeChart | None:
    """The chart of all watched days; None where no day was watched."""
    watched = [(index, watch) for index, watch in enumerate(watches) if watch.days]
    if not watched:
        return None
    days = [date.fromisoformat(day.day) for _, watch in watched for day in watch.days]
    first, last = min(days), max(days)
    across = Scale(first.toordinal() - 1.0, last.toordinal() + 1.0)
    values = [value for _, w in watched for value in (w.promised_auc, w.limit_auc, *(day.auc for day in w.days))]
    padding = _PADDING * (max(values) - min(values)) or 0.01
    down = Scale(min(values) - padding, max(values) + padding)
    alarm = next((watch.alarm_day for _, watch in watched if watch.alarm_day), None)
    return TimeChart(
        stretches=[_stretch(index, watch, across, down) for index, watch in watched],
        x_ticks=_dates(first, last, across),
        y_ticks=[Tick(100 - tick.at, tick.label) for tick in down.ticks(5)],
        alarm=_band(alarm, across) if alarm else None,
        live=_took_over(watched, deployments, across),
    )


def _stretch(index: int, watch: Watch, across: Scale, down: Scale) -> Stretch:
    places = [across.at(date.fromisoformat(day.day).toordinal()) for day in watch.days]
    return Stretch(
        index=index,
        start=across.at(date.fromisoformat(watch.days[0].day).toordinal() - 0.5),
        end=across.at(date.fromisoformat(watch.days[-1].day).toordinal() + 0.5),
        promised=100 - down.at(watch.promised_auc),
        limit=100 - down.at(watch.limit_auc),
        days=[(x, round(100 - down.at(day.auc), 3)) for x, day in zip(places, watch.days, strict=True)],
        weeks=[
            (x, round(100 - down.at(day.week_mean), 3))
            for x, day in zip(places, watch.days, strict=True)
            if day.week_mean is not None
        ],
    )


def _took_over(watched: list[tuple[int, Watch]], deployments: Sequence[Deployment], across: Scale) -> Band | None:
    """When the second watched version was first put in place."""
    if len(watched) < 2:
        return None
    version = watched[1][1].version
    starts = [deployment.started[:10] for deployment in deployments if deployment.version == version]
    return _band(min(starts), across) if starts else None


def _band(day: str, across: Scale) -> Band:
    at = across.at(date.fromisoformat(day).toordinal())
    return Band(at, "left" if at > 50 else "right")


def _dates(first: date, last: date, across: Scale) -> list[Tick]:
    """Beginnings of months, or Mondays where the span is short; the first one carries the year."""
    if (last - first).days <= _WEEKS_UNTIL:
        begin = first + timedelta(days=-first.weekday() % 7)
        found = [begin + timedelta(weeks=week) for week in range((last - begin).days // 7 + 1)]
    else:
        numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        found = [day for day in (date(n // 12, n % 12 + 1, 1) for n in numbers) if first <= day <= last]
    every = math.ceil(len(found) / _MOST_DATES) or 1
    ticks, year = [], 0
    for day in found[::every]:
        number = f"{day.day} " if (last - first).days <= _WEEKS_UNTIL else ""
        label = f"{number}{MONTHS[day.month - 1][:3]}"
        ticks.append(Tick(across.at(day.toordinal()), label, str(day.year) if day.year != year else ""))
        year = day.year
    return ticks
