"""The picture of the threshold explorer: for each rate a line for each group, as SVG, with the numbers in a table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.prove.page import Pictures, fragment
from assay.prove.text_table import number_text, range_text
from assay.stats import POINT_RATES, metric_named

if TYPE_CHECKING:
    from assay.prove.thresholds import ThresholdRow, ThresholdTable

__all__ = ["threshold_plot"]

_WIDTH, _HEIGHT, _MARGIN = 620.0, 220.0, 34.0
_SHOWN = 8  # groups with a line; the table has all
_DASHES = ("", "7 3", "2 3", "9 3 2 3")  # beside the colours, for who does not see them


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its points as SVG wants them, and how it is drawn."""

    group: str
    points: str
    number: int
    dashes: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One rate against the threshold."""

    title: str
    said: str
    low: str
    high: str
    lines: list[Line]
    own: float | None


def threshold_plot(table: "ThresholdTable") -> Pictures:
    """A chart for each rate, and a table of all numbers."""
    groups = list(dict.fromkeys(row.group for row in table.rows))
    cells = [
        (f"{row.threshold:.4g}", row.own, row.group, metric_named(row.metric).title, *_numbers(row))
        for row in table.rows
    ]
    html = fragment(
        "thresholds.html",
        about=table.about,
        charts=[_chart(table.rows, metric, groups[:_SHOWN]) for metric in POINT_RATES],
        more=max(0, len(groups) - _SHOWN),
        cells=cells,
        width=_WIDTH,
        height=_HEIGHT,
        margin=_MARGIN,
    )
    return Pictures(html, "Other thresholds")


def _chart(rows: "list[ThresholdRow]", metric: str, groups: list[str]) -> Chart:
    mine = [row for row in rows if row.metric == metric]
    low, high = min(row.threshold for row in mine), max(row.threshold for row in mine)
    width = (high - low) or 1.0

    def across(threshold: float) -> float:
        return round(_MARGIN + (threshold - low) / width * (_WIDTH - 2 * _MARGIN), 1)

    def up(value: float) -> float:
        return round(_HEIGHT - _MARGIN - value * (_HEIGHT - 2 * _MARGIN), 1)

    lines, said = [], []
    for number, group in enumerate(groups):
        known = [(row.threshold, row.value) for row in mine if row.group == group and row.value is not None]
        if not known:
            continue
        points = " ".join(f"{across(threshold)},{up(value)}" for threshold, value in known)
        lines.append(Line(group, points, number, _DASHES[(number + number // 4) % len(_DASHES)]))
        said.append(f"{group} from {known[0][1]:.2f} to {known[-1][1]:.2f}")
    own = next((across(row.threshold) for row in mine if row.own), None)
    title, ends = metric_named(metric).title, (f"{low:.3g}", f"{high:.3g}")
    return Chart(title, f"Thresholds {ends[0]} to {ends[1]}: " + "; ".join(said), *ends, lines, own)


def _numbers(row: "ThresholdRow") -> tuple[str, str, str, str]:
    ends = range_text(row.low, row.high, ".4f")
    return f"{row.n:,}", f"{row.selected:,}", number_text(row.value, ".4f"), ends
