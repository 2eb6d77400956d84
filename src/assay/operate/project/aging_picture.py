"""The picture of a staleness curve: gaps with their intervals by age, and the slope through them."""

from assay.operate.project.aging import AgePoint, Staleness
from assay.svg import PAD, TITLE, Drawing, drawing, line, nice_ticks, text

__all__ = ["draw_staleness"]

_WIDE, _HIGH, _LEFT = 520, 260, 70  # of the part with points, and what stands left of it
_REACH = 1.96  # standard errors that are drawn
_DAY_S = 86_400.0


def draw_staleness(found: Staleness, title: str = "What age costs") -> Drawing:
    """Gaps to a fresh model with 95 % intervals, and the loss per day as a line with its interval."""
    oldest = max(one.age_s for one in found.points)
    ends = [end for one in found.points for end in (one.gap - _REACH * one.error, one.gap + _REACH * one.error)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    pad = 0.05 * (high - low or 1.0)
    low, high = low - pad, high + pad
    top = TITLE + PAD

    def x(age_s: float) -> float:
        return round(_LEFT + _WIDE * age_s / (1.05 * oldest), 1)

    def y(gap: float) -> float:
        return round(top + _HIGH * (high - min(max(gap, low), high)) / (high - low), 1)

    ticks, decimals = nice_ticks(low, high, 5)
    days, places = nice_ticks(0.0, 1.05 * oldest / _DAY_S, 6)
    parts = [text(PAD, TITLE, title, "title")]
    for tick in ticks:
        parts.append(line(_LEFT, y(tick), _LEFT + _WIDE, y(tick), "line" if tick else "zero"))
        parts.append(text(_LEFT - 8, y(tick) + 4, f"{tick:.{decimals}f}", "muted", "end"))
    for day in days:
        parts.append(text(x(day * _DAY_S), top + _HIGH + 18, f"{day:.{places}f}", "muted", "middle"))
    parts.append(text(_LEFT + _WIDE, top + _HIGH + 36, "age in days", "muted", "end"))
    for slope, kind in ((found.low, "limit"), (found.high, "limit"), (found.per_second, "better range")):
        reach = min(oldest, *((end / slope for end in (high, low) if end / slope > 0) if slope else (oldest,)))
        parts.append(line(x(0.0), y(0.0), x(reach), y(slope * reach), kind))
    for one in found.points:
        parts += _point(one, x(one.age_s), y(one.gap - _REACH * one.error), y(one.gap + _REACH * one.error), y(one.gap))
    caption = f"What the model that was trained once loses more than a fresh one, in each window; {found.words}."
    return drawing(parts, title, caption, _LEFT + _WIDE + PAD, top + _HIGH + 40)


def _point(one: AgePoint, x: float, low: float, high: float, middle: float) -> list[str]:
    said = f"{one.start}: {one.gap:.4g} on {one.rows:,} rows"
    dot = f'<circle class="open" cx="{x}" cy="{middle}" r="4"><title>{said}</title></circle>'
    return [line(x, low, x, high, "open"), dot]
