"""The pictures of an evaluation as SVG files that need nothing but themselves, for documents and slides.

They carry their own colours, for light and dark, and their own ground, so that they are readable on any page.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from assay.errors import InvalidInput
from assay.prove.plots import Bar, Forest, Heatmap, forest_of_gaps
from assay.stats import GroupGap

__all__ = ["Drawing", "draw_forest", "draw_gaps", "draw_heatmap"]

_ROW = 24  # height of a row
_TEXT = 7.4  # width of a letter at 13 px, on the wide side
_PAD = 16
_PLOT = 340  # width of the part with intervals
_TITLE = 30
_WRAP = 110  # letters of a line below the picture, at most

_STYLE = """
.ground { fill: #ffffff; } .line { stroke: #dcdfe3; } .zero { stroke: #5d656f; } .limit { stroke: #5d656f; }
text { fill: #1b1f24; font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif;
  font-variant-numeric: tabular-nums; }
.title { font-size: 16px; font-weight: 650; } .muted { fill: #545c66; } .overall { font-weight: 650; }
.limit { stroke-dasharray: 4 3; } .range { stroke-width: 2.5; }
.better { stroke: #0b5394; fill: #0b5394; } .worse { stroke: #a8320b; fill: #a8320b; }
.open { stroke: #5d656f; fill: #5d656f; }
.up { fill: #0b5394; } .down { fill: #a8320b; } .none { fill: url(#hatch); } .hatch { stroke: #dcdfe3; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #1b1f24; } .line { stroke: #353b43; } .zero { stroke: #a0a8b2; } .limit { stroke: #a0a8b2; }
  text { fill: #e6e9ec; } .muted { fill: #a8b0ba; } .hatch { stroke: #353b43; }
  .better { stroke: #8ab9f5; fill: #8ab9f5; } .worse { stroke: #ff9b73; fill: #ff9b73; }
  .open { stroke: #a0a8b2; fill: #a0a8b2; } .up { fill: #8ab9f5; } .down { fill: #ff9b73; }
}
"""


class Drawing:
    """A picture as SVG: a notebook shows it, `save` writes it."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write the picture as an SVG file."""
        Path(path).write_text(self.svg, encoding="utf-8")


def draw_forest(forest: Forest) -> Drawing:
    """Intervals by segment on one scale, with their numbers; a dashed line for each limit."""
    names = max([len(bar.segment) for bar in forest.bars] + [len(forest.names)]) * _TEXT + _PAD
    counts = max(len(f"{bar.n:,}") for bar in forest.bars) * _TEXT + _PAD
    numbers = max(len(_numbers(bar)) for bar in forest.bars) * _TEXT + _PAD
    left = _PAD + names + counts
    width = max(left + _PLOT + numbers + _PAD, len(forest.title) * 9 + 2 * _PAD)
    top = _TITLE + _ROW
    bottom = top + _ROW * len(forest.bars)

    def x(place: float) -> float:
        return round(left + _PLOT * place / 100, 1)

    parts = [_text(_PAD, _TITLE - 4, forest.title, "title")]
    parts += [_text(_PAD, top - 6, forest.names, "muted"), _text(left - _PAD, top - 6, "Rows", "muted", "end")]
    parts += [_text(x(place), top - 6, number, "muted", "middle") for place, number in forest.ticks]
    parts.append(_text(left + _PLOT + _PAD, top - 6, forest.what, "muted"))
    lines: list[tuple[str, float | None]] = [("line", place) for place, _ in forest.ticks]
    lines += [("zero", forest.zero), *(("limit", place) for place in forest.limits)]
    parts += [_line(x(place), top, x(place), bottom, kind) for kind, place in lines if place is not None]
    for row, bar in enumerate(forest.bars):
        y = top + _ROW * row + _ROW / 2
        weight = "overall" if bar.overall else ""
        parts.append(_text(_PAD, y + 4.5, bar.segment, weight))
        parts.append(_text(left - _PAD, y + 4.5, f"{bar.n:,}", weight, "end"))
        if bar.start is not None and bar.end is not None:
            parts.append(_line(x(bar.start), y, x(bar.end), y, f"range {bar.kind}"))
        if bar.at is not None:
            parts.append(f'<circle class="{bar.kind}" cx="{x(bar.at)}" cy="{y}" r="4.5"/>')
        parts.append(_text(left + _PLOT + _PAD, y + 4.5, _numbers(bar), weight))
    return _drawing(parts, forest.title, forest.caption, width, bottom)


def draw_gaps(gaps: Sequence[GroupGap], title: str | None = None) -> Drawing:
    """Groups beside their reference, as `assay.stats.group_gaps` found them; InvalidInput where there are none."""
    if not gaps:
        raise InvalidInput("there are no groups to draw", expected="the list that assay.stats.group_gaps gives")
    return draw_forest(forest_of_gaps(gaps, title))


def draw_heatmap(heatmap: Heatmap) -> Drawing:
    """Crosses of two columns as coloured cells with their numbers; hatched where there is no interval."""
    names = max(len(name) for name in [*(row.name for row in heatmap.rows), heatmap.rows_name]) * _TEXT + _PAD
    longest = max(len(cell.text) for row in heatmap.rows for cell in row.cells)
    cell_width = max(longest, *(len(name) for name in heatmap.columns)) * _TEXT + 10
    title = f"{heatmap.title}: {heatmap.rows_name} by {heatmap.columns_name}"
    width = max(2 * _PAD + names + cell_width * len(heatmap.columns), len(title) * 9 + 2 * _PAD)
    top = _TITLE + _ROW
    parts = [_text(_PAD, _TITLE - 4, title, "title"), _text(_PAD, top - 6, heatmap.rows_name, "muted")]
    for column, name in enumerate(heatmap.columns):
        parts.append(_text(_PAD + names + cell_width * (column + 0.5), top - 6, name, "muted", "middle"))
    for number, row in enumerate(heatmap.rows):
        y = top + _ROW * number
        parts.append(_text(_PAD, y + 16.5, row.name))
        for column, cell in enumerate(row.cells):
            x = round(_PAD + names + cell_width * column, 1)
            strength = f' fill-opacity="{cell.part / 100:g}"' if cell.kind in ("up", "down") else ""
            size = f'width="{cell_width - 2:.1f}" height="{_ROW - 2}"'
            if cell.kind != "open":
                parts.append(f'<rect class="{cell.kind}" x="{x}" y="{y + 1}" {size}{strength}/>')
            parts.append(_text(x + cell_width / 2 - 1, y + 16.5, cell.text, "", "middle"))
    return _drawing(parts, title, heatmap.caption, width, top + _ROW * len(heatmap.rows))


def _numbers(bar: Bar) -> str:
    return f"{bar.value}  ({bar.interval})"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    kinds = f' class="{kind}"' if kind else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kinds}{place}>{escape(text)}</text>'


def _line(x_1: float, y_1: float, x_2: float, y_2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x_1}" y1="{y_1}" x2="{x_2}" y2="{y_2}"/>'


def _drawing(parts: Sequence[str], title: str, caption: str, width: float, bottom: float) -> Drawing:
    lines = _wrapped(caption, min(_WRAP, int((width - 2 * _PAD) / _TEXT)))
    said = [_text(_PAD, bottom + _ROW * 0.9 + 18 * number, line, "muted") for number, line in enumerate(lines)]
    height = bottom + _ROW * 0.9 + 18 * len(lines)
    hatch = (
        '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line class="hatch" x1="0" y1="0" x2="0" y2="7" stroke-width="3"/></pattern></defs>'
    )
    body = "\n".join([*parts, *said])
    return Drawing(
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"><title>{escape(title)}</title><style>{_STYLE}</style>{hatch}\n'
        f'<rect class="ground" width="100%" height="100%" rx="6"/>\n{body}\n</svg>\n'
    )


def _wrapped(text: str, letters: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, letters) or [""]
