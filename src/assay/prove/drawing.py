"""The pictures of an evaluation as SVG files, for documents and slides."""

from collections.abc import Sequence

from assay.errors import InvalidInput
from assay.prove.plots import Bar, Forest, Heatmap, forest_of_gaps
from assay.stats import GroupGap
from assay.svg import LETTER, PAD, ROW, TITLE, Drawing, drawing, line, text

__all__ = ["Drawing", "draw_forest", "draw_gaps", "draw_heatmap"]

_PLOT = 340  # width of the part with intervals


def draw_forest(forest: Forest) -> Drawing:
    """Intervals by segment on one scale, with their numbers; a dashed line for each limit."""
    names = max([len(bar.segment) for bar in forest.bars] + [len(forest.names)]) * LETTER + PAD
    counts = max(len(f"{bar.n:,}") for bar in forest.bars) * LETTER + PAD
    numbers = max(len(_numbers(bar)) for bar in forest.bars) * LETTER + PAD
    left = PAD + names + counts
    width = max(left + _PLOT + numbers + PAD, len(forest.title) * 9 + 2 * PAD)
    top = TITLE + ROW
    bottom = top + ROW * len(forest.bars)

    def x(place: float) -> float:
        return round(left + _PLOT * place / 100, 1)

    parts = [text(PAD, TITLE - 4, forest.title, "title")]
    parts += [text(PAD, top - 6, forest.names, "muted"), text(left - PAD, top - 6, "Rows", "muted", "end")]
    parts += [text(x(place), top - 6, number, "muted", "middle") for place, number in forest.ticks]
    parts.append(text(left + _PLOT + PAD, top - 6, forest.what, "muted"))
    lines: list[tuple[str, float | None]] = [("line", place) for place, _ in forest.ticks]
    lines += [("zero", forest.zero), *(("limit", place) for place in forest.limits)]
    parts += [line(x(place), top, x(place), bottom, kind) for kind, place in lines if place is not None]
    for row, bar in enumerate(forest.bars):
        y = top + ROW * row + ROW / 2
        weight = "overall" if bar.overall else ""
        parts.append(text(PAD, y + 4.5, bar.segment, weight))
        parts.append(text(left - PAD, y + 4.5, f"{bar.n:,}", weight, "end"))
        if bar.start is not None and bar.end is not None:
            parts.append(line(x(bar.start), y, x(bar.end), y, f"range {bar.kind}"))
        if bar.at is not None:
            parts.append(f'<circle class="{bar.kind}" cx="{x(bar.at)}" cy="{y}" r="4.5"/>')
        parts.append(text(left + _PLOT + PAD, y + 4.5, _numbers(bar), weight))
    return drawing(parts, forest.title, forest.caption, width, bottom)


def draw_gaps(gaps: Sequence[GroupGap], title: str | None = None) -> Drawing:
    """Groups beside their reference, as `assay.stats.group_gaps` found them; InvalidInput where there are none."""
    if not gaps:
        raise InvalidInput("there are no groups to draw", expected="the list that assay.stats.group_gaps gives")
    return draw_forest(forest_of_gaps(gaps, title))


def draw_heatmap(heatmap: Heatmap) -> Drawing:
    """Crosses of two columns as coloured cells with their numbers; hatched where there is no interval."""
    names = max(len(name) for name in [*(row.name for row in heatmap.rows), heatmap.rows_name]) * LETTER + PAD
    longest = max(len(cell.text) for row in heatmap.rows for cell in row.cells)
    cell_width = max(longest, *(len(name) for name in heatmap.columns)) * LETTER + 10
    title = f"{heatmap.title}: {heatmap.rows_name} by {heatmap.columns_name}"
    width = max(2 * PAD + names + cell_width * len(heatmap.columns), len(title) * 9 + 2 * PAD)
    top = TITLE + ROW
    parts = [text(PAD, TITLE - 4, title, "title"), text(PAD, top - 6, heatmap.rows_name, "muted")]
    for column, name in enumerate(heatmap.columns):
        parts.append(text(PAD + names + cell_width * (column + 0.5), top - 6, name, "muted", "middle"))
    for number, row in enumerate(heatmap.rows):
        y = top + ROW * number
        parts.append(text(PAD, y + 16.5, row.name))
        for column, cell in enumerate(row.cells):
            x = round(PAD + names + cell_width * column, 1)
            strength = f' fill-opacity="{cell.part / 100:g}"' if cell.kind in ("up", "down") else ""
            size = f'width="{cell_width - 2:.1f}" height="{ROW - 2}"'
            if cell.kind != "open":
                parts.append(f'<rect class="{cell.kind}" x="{x}" y="{y + 1}" {size}{strength}/>')
            parts.append(text(x + cell_width / 2 - 1, y + 16.5, cell.text, "", "middle"))
    return drawing(parts, title, heatmap.caption, width, top + ROW * len(heatmap.rows))


def _numbers(bar: Bar) -> str:
    return f"{bar.value}  ({bar.interval})"
