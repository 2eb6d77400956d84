"""The pictures of an evaluation: a forest of intervals by segment, and a heatmap of two columns' crosses.

Here is what they show and where; the page and `drawing` put it on screen. What is drawn stands beside the drawing as
text, so that nobody depends on colour or sight.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay.prove.rows import EvaluationRow
from assay.stats import GroupGap, metric_named
from assay.stats.arrays import finite

__all__ = [
    "Bar",
    "Cell",
    "Forest",
    "Heatmap",
    "HeatmapRow",
    "forest",
    "forest_of_datasets",
    "forest_of_gaps",
    "heatmap",
]

_SHOWN = 40  # segments of a forest; the rest is in the table
_STRONGEST = 40  # percent of colour in a cell, so that its text stays readable

_ALPHA = 0.05
_COLOURS = "Blue: better, the interval lies above 0. Orange: worse, also after Holm over all segments."

Kind = Literal["better", "worse", "open"]
CellKind = Literal["up", "down", "open", "none"]
Ends = tuple[float | None, float | None, float | None]  # low, value, high


@dataclass(frozen=True, slots=True)
class Bar:
    """One segment of a forest; places in percent of the width, None where there is nothing to draw."""

    segment: str
    overall: bool
    n: int
    value: str
    interval: str
    kind: Kind
    start: float | None
    at: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Forest:
    """Intervals on one scale. `ticks` are places in percent with their numbers, `zero` and `limits` places too.

    `names` says what a bar is ("Segment"), `what` what its number is ("Difference").
    """

    dataset: str
    title: str
    names: str
    what: str
    caption: str
    ticks: list[tuple[float, str]]
    zero: float | None
    limits: list[float]
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cross of two values: its difference as text, and how strong its colour is, in percent.

    "open" is a difference that is not shown: it has no colour, however large it is.
    """

    text: str
    kind: CellKind
    part: int


@dataclass(frozen=True, slots=True)
class HeatmapRow:
    """The crosses of one value of the first column."""

    name: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """The crosses of two columns on one metric."""

    title: str
    caption: str
    rows_name: str
    columns_name: str
    columns: list[str]
    rows: list[HeatmapRow]


def forest(
    rows: Sequence[EvaluationRow],
    metric: str,
    title: str,
    dataset: str,
    *,
    cross: int | None = None,
    signed: bool = False,
) -> Forest:
    """The forest of a metric on one dataset: differences to the baseline, or values where there is none.

    Overall comes first, then the segments by evidence of harm, or by value. `cross` leaves out crosses of more columns;
    `signed` says that a value of 0 means something, so that the scale shows it.
    """
    mine = [row for row in rows if (row.metric, row.dataset) == (metric, dataset)]
    if cross is not None:
        mine = [row for row in mine if row.segment == "overall" or row.segment.count(" & ") < cross]
    compared = any(row.delta is not None for row in mine)
    ordered = sorted(mine, key=_by_harm if compared else _by_value)
    order = (
        "overall first, then the segments with most evidence of harm" if compared else "overall first, then by value"
    )
    if len(ordered) > _SHOWN:
        order += f"; {len(ordered) - _SHOWN} more segments are in the table below"
    named = [(row.segment, row) for row in ordered[:_SHOWN]]
    return _forest_of(named, "Segment", title, dataset, order, compared=compared, signed=signed)


def forest_of_datasets(
    rows: Sequence[EvaluationRow], metric: str, title: str, segment: str, *, signed: bool = False
) -> Forest:
    """The forest of a metric on one segment: a bar for each dataset, in the order they were given."""
    mine = [row for row in rows if (row.metric, row.segment) == (metric, segment)]
    compared = any(row.delta is not None for row in mine)
    named = [(row.dataset, row) for row in mine]
    on = "all rows of each dataset" if segment == "overall" else f"{segment} in each dataset"
    return _forest_of(named, "Dataset", title, segment, on, compared=compared, signed=signed)


def forest_of_gaps(gaps: Sequence[GroupGap], title: str | None = None) -> Forest:
    """Groups beside their reference in one rate, with the bound: dashed lines the intervals are held against.

    Blue is shown to be within the bound, orange proven beyond it after Holm over the groups, grey is open.
    """
    first = gaps[0]
    limits = [-first.bound, first.bound] if first.measure == "gap" else [first.bound, 1 / first.bound]
    middle = 0.0 if first.measure == "gap" else 1.0
    ends = [(finite(one.low), finite(one.gap), finite(one.high)) for one in gaps]
    kinds: dict[str, Kind] = {"pass": "better", "fail": "worse", "inconclusive": "open"}
    form = "+.3f" if first.measure == "gap" else ".3f"
    scale = _Scale([*_drawn(ends), *limits, middle], form)
    what = "difference" if first.measure == "gap" else "ratio"
    return Forest(
        dataset="",
        title=title or f"{metric_named(first.metric).title}: {what} to {first.reference.name}",
        names="Group",
        what=what.capitalize(),
        caption=(
            f"{what.capitalize()} to {first.reference.name} with its 90 % interval; the dashed lines are the bound. "
            "Blue is shown to be within it, orange is proven to be beyond it (with Holm over the groups), grey is open."
        ),
        ticks=scale.ticks(),
        zero=scale.at(middle),
        limits=[scale.at(limit) for limit in limits],
        bars=[
            scale.bar(one.group.name, one.n, three, kinds[one.verdict]) for one, three in zip(gaps, ends, strict=True)
        ],
    )


class _Scale:
    """From numbers to percent of the width, with 3 % of it free at both ends."""

    def __init__(self, drawn: Sequence[float], form: str) -> None:
        low, high = min(drawn), max(drawn)
        width = (high - low) or 1.0
        self.low, self.high, self.form = low - 0.03 * width, high + 0.03 * width, form

    def ticks(self) -> list[tuple[float, str]]:
        """Three to six round numbers on the scale."""
        rough = (self.high - self.low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        numbers = [step * k for k in range(first, last + 1)]
        sign = "+" if "+" in self.form else ""
        return [(self.at(n), "0" if abs(n) < step / 2 else f"{n:{sign}.{digits}f}") for n in numbers]

    def at(self, number: float) -> float:
        return round(100 * (number - self.low) / (self.high - self.low), 2)

    def bar(self, name: str, n: int, ends: Ends, kind: Kind) -> Bar:
        start, at, end = ends
        # A value without an interval is written and not drawn: it would look like knowledge.
        places = None if start is None or at is None or end is None else (self.at(start), self.at(at), self.at(end))
        return Bar(
            name,
            name == "overall",
            n,
            "–" if at is None else format(at, self.form),
            "too small" if start is None or end is None else f"{start:{self.form}} to {end:{self.form}}",
            kind,
            *(places or (None, None, None)),
        )


def _forest_of(
    named: Sequence[tuple[str, EvaluationRow]],
    names: str,
    title: str,
    dataset: str,
    order: str,
    *,
    compared: bool,
    signed: bool,
) -> Forest:
    ends = [_ends(row, compared) for _, row in named]
    drawn = _drawn(ends)
    zero = compared or signed
    form = "+.4f" if zero else ".4f"
    scale = _Scale([*drawn, 0.0] if zero else drawn or [0.0, 1.0], form)
    said = (
        f"Difference to the baseline with its 90 % interval. {_COLOURS}" if compared else "Value with its 95 % interval"
    )
    return Forest(
        dataset=dataset,
        title=title,
        names=names,
        what="Difference" if compared else "Value",
        caption=f"{said} {order[0].upper()}{order[1:]}." if compared else f"{said}; {order}.",
        ticks=scale.ticks(),
        zero=scale.at(0.0) if zero else None,
        limits=[],
        bars=[
            scale.bar(name, row.n, three, _kind(row) if compared else "open")
            for (name, row), three in zip(named, ends, strict=True)
        ],
    )


def heatmap(
    rows: Sequence[EvaluationRow],
    metric: str,
    title: str,
    dataset: str,
    first: str,
    second: str,
    *,
    signed: bool = False,
) -> Heatmap | None:
    """The crosses "first=x & second=y" on a metric: differences to the baseline, or values; None without any.

    Differences are coloured where they are shown, `signed` values where their interval leaves out 0, and other values
    from the smallest to the largest.
    """
    crosses: dict[tuple[str, str], EvaluationRow] = {}
    for row in rows:
        left, _, right = row.segment.partition(f" & {second}=")
        if (row.metric, row.dataset) == (metric, dataset) and left.startswith(f"{first}=") and right:
            crosses[left.removeprefix(f"{first}="), right] = row
    if not crosses:
        return None
    compared = any(row.delta is not None for row in crosses.values())

    kinds = {place: _cell_kind(row, compared=compared, signed=signed) for place, row in crosses.items()}
    coloured = [_ends(row, compared)[1] or 0.0 for place, row in crosses.items() if kinds[place] in ("up", "down")]
    # The value that has no colour, and the distance from it that has the strongest.
    pale = 0.0 if compared or signed else min(coloured, default=0.0)
    largest = max((abs(value - pale) for value in coloured), default=0.0) or 1.0

    def cell(place: tuple[str, str]) -> Cell:
        row = crosses.get(place)
        value = None if row is None else _ends(row, compared)[1]
        if row is None or value is None:
            return Cell("no rows" if row is None or not row.n else "undefined", "none", 0)
        text = f"{value:+.3f}" if compared or signed else f"{value:.3f}"
        strength = round(_STRONGEST * abs(value - pale) / largest) if kinds[place] in ("up", "down") else 0
        return Cell(text, kinds[place], strength)

    what = "The darker, the larger. Hatched"
    if compared:
        what = f"Differences to the baseline. {_COLOURS} Hatched"
    elif signed:
        what = "Blue: the interval lies above 0. Orange: below 0. Hatched"
    names = sorted({right for _, right in crosses})
    return Heatmap(
        title=title,
        caption=f"{what} where there are no rows or too few for an interval.",
        rows_name=first,
        columns_name=second,
        columns=names,
        rows=[
            HeatmapRow(left, [cell((left, right)) for right in names]) for left in sorted({left for left, _ in crosses})
        ],
    )


def _drawn(ends: Sequence[Ends]) -> list[float]:
    """The numbers of those that have an interval."""
    return [number for three in ends if None not in three for number in three if number is not None]


def _ends(row: EvaluationRow, compared: bool) -> Ends:
    return (row.delta_low, row.delta, row.delta_high) if compared else (row.low, row.value, row.high)


def _by_harm(row: EvaluationRow) -> tuple[bool, float, float]:
    return (
        row.segment != "overall",
        1.0 if row.p_worse is None else row.p_worse,
        0.0 if row.delta is None else row.delta,
    )


def _by_value(row: EvaluationRow) -> tuple[bool, bool, float]:
    return (row.segment != "overall", row.value is None, row.value or 0.0)


def _kind(row: EvaluationRow) -> Kind:
    """Better by its interval; worse only where looking at many segments is paid for, as the gate does it."""
    if row.delta_low is not None and row.delta_low > 0:
        return "better"
    return "worse" if row.p_adjusted is not None and row.p_adjusted <= _ALPHA else "open"


def _cell_kind(row: EvaluationRow, *, compared: bool, signed: bool) -> CellKind:
    low, value, high = _ends(row, compared)
    if low is None or value is None or high is None:
        return "none"
    if _kind(row) == "open" if compared else signed and low <= 0 <= high:
        return "open"
    return "up" if value >= 0 or not (compared or signed) else "down"
