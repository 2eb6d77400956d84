"""The pictures of an evaluation: a forest of intervals by segment, and a heatmap of two columns' crosses.

What is drawn stands beside the drawing as text, so that nobody depends on colour or sight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay.prove.rows import EvaluationRow

__all__ = ["Bar", "Cell", "Forest", "Heatmap", "HeatmapRow", "forest", "heatmap"]

_SHOWN = 40  # segments of a forest; the rest is in the table
_STRONGEST = 40  # percent of colour in a cell, so that its text stays readable

Kind = Literal["better", "worse", "open"]


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
    """The intervals of one metric, overall first, then by evidence of harm."""

    dataset: str
    title: str
    what: str
    caption: str
    low: str
    high: str
    zero: float | None
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cross of two values: its difference as text, and how strong its colour is, in percent."""

    text: str
    kind: Literal["up", "down", "none"]
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


def forest(rows: Sequence[EvaluationRow], metric: str, title: str, dataset: str) -> Forest:
    """The forest of a metric on one dataset: differences to the baseline, or values where there is none."""
    mine = [row for row in rows if (row.metric, row.dataset) == (metric, dataset)]
    compared = any(row.delta is not None for row in mine)
    ordered = sorted(mine, key=_by_harm if compared else _by_value)
    shown = ordered[:_SHOWN]
    ends = [_ends(row, compared) for row in shown]
    drawn = [number for low, at, high in ends for number in (low, at, high) if number is not None]
    low, high = min([*drawn, 0.0] if compared else drawn or [0.0]), max([*drawn, 0.0] if compared else drawn or [1.0])
    width = (high - low) or 1.0
    low, high = low - 0.03 * width, high + 0.03 * width

    def place(number: float | None) -> float | None:
        return None if number is None else round(100 * (number - low) / (high - low), 2)

    form = "+.4f" if compared else ".4f"
    bars = [
        Bar(
            row.segment,
            row.segment == "overall",
            row.n,
            "–" if at is None else format(at, form),
            "too small" if start is None or end is None else f"{start:{form}} to {end:{form}}",
            _kind(start, end) if compared else "open",
            place(start),
            place(at),
            place(end),
        )
        for row, (start, at, end) in zip(shown, ends, strict=True)
    ]
    said = "Difference to the baseline with its 90 % interval" if compared else "Value with its 95 % interval"
    order = "overall first, then the segments with most evidence of harm" if compared else "overall first"
    more = f"; {len(mine) - len(shown)} more segments are in the table below" if len(mine) > len(shown) else ""
    return Forest(
        dataset=dataset,
        title=title,
        what="Difference" if compared else "Value",
        caption=f"{said}; {order}{more}.",
        low=format(low, form),
        high=format(high, form),
        zero=place(0.0) if compared else None,
        bars=bars,
    )


def heatmap(
    rows: Sequence[EvaluationRow], metric: str, title: str, dataset: str, first: str, second: str
) -> Heatmap | None:
    """The crosses "first=x & second=y" on a metric: differences to the baseline, or values; None without any."""
    crosses: dict[tuple[str, str], EvaluationRow] = {}
    for row in rows:
        left, _, right = row.segment.partition(f" & {second}=")
        if (row.metric, row.dataset) == (metric, dataset) and left.startswith(f"{first}=") and right:
            crosses[left.removeprefix(f"{first}="), right] = row
    if not crosses:
        return None
    compared = any(row.delta is not None for row in crosses.values())
    values = [row.delta if compared else row.value for row in crosses.values()]
    largest = max([abs(value) for value in values if value is not None], default=0.0) or 1.0
    names = sorted({right for _, right in crosses})
    table = [
        HeatmapRow(left, [_cell(crosses.get((left, right)), compared, largest) for right in names])
        for left in sorted({left for left, _ in crosses})
    ]
    what = "Differences to the baseline, above 0 is better" if compared else "Values"
    return Heatmap(
        title=title,
        caption=f"{what}; hatched where there are no rows or too few for an interval.",
        rows_name=first,
        columns_name=second,
        columns=names,
        rows=table,
    )


def _ends(row: EvaluationRow, compared: bool) -> tuple[float | None, float | None, float | None]:
    return (row.delta_low, row.delta, row.delta_high) if compared else (row.low, row.value, row.high)


def _by_harm(row: EvaluationRow) -> tuple[bool, float, float]:
    return (
        row.segment != "overall",
        1.0 if row.p_worse is None else row.p_worse,
        0.0 if row.delta is None else row.delta,
    )


def _by_value(row: EvaluationRow) -> tuple[bool, bool, float]:
    return (row.segment != "overall", row.value is None, row.value or 0.0)


def _kind(low: float | None, high: float | None) -> Kind:
    if low is not None and low > 0:
        return "better"
    return "worse" if high is not None and high < 0 else "open"


def _cell(row: EvaluationRow | None, compared: bool, largest: float) -> Cell:
    value = None if row is None else row.delta if compared else row.value
    if row is None or value is None:
        return Cell("no rows" if row is None or not row.n else "undefined", "none", 0)
    low = row.delta_low if compared else row.low
    text = f"{value:+.3f}" if compared else f"{value:.3f}"
    if low is None:
        return Cell(text, "none", 0)
    return Cell(text, "up" if value >= 0 else "down", round(_STRONGEST * min(1.0, abs(value) / largest)))
