"""The picture of the threshold advisor: gain beside the present threshold, with its interval, by threshold."""

from typing import TYPE_CHECKING

from assay.svg import PAD, ROW, TITLE, Drawing, drawing, line, nice_ticks, text

if TYPE_CHECKING:
    from assay.steer.objectives.thresholds import ThresholdAdvice

__all__ = ["threshold_picture"]

_WIDTH, _HEIGHT, _LEFT = 720.0, 260.0, 90.0


def threshold_picture(advice: "ThresholdAdvice") -> Drawing:
    """The curve, its interval, and a line where the present and the best threshold are."""
    points = [one for one in advice.curve if 0.0 <= one.threshold <= 1.0]
    low, high = min(0.0, *(one.low for one in points)), max(0.0, *(one.high for one in points))
    low, high = (low, high) if high > low else (low - 1.0, high + 1.0)
    first, last = min(one.threshold for one in points), max(one.threshold for one in points)
    last = last if last > first else first + 1.0
    top, bottom = TITLE + PAD, TITLE + PAD + _HEIGHT

    def x(value: float) -> float:
        return round(_LEFT + (value - first) / (last - first) * (_WIDTH - _LEFT - PAD), 1)

    def y(value: float) -> float:
        return round(bottom - (value - low) / (high - low) * _HEIGHT, 1)

    parts = [
        text(PAD, TITLE - 6, f"What another threshold of {advice.model} would have gained, {advice.unit}", "title")
    ]
    ticks, decimals = nice_ticks(low, high, 4)
    for tick in ticks:
        parts.append(line(_LEFT, y(tick), _WIDTH - PAD, y(tick), "zero" if tick == 0 else "line"))
        parts.append(text(_LEFT - 8, y(tick) + 4, f"{tick:,.{decimals}f}", "muted", "end"))
    for tick in nice_ticks(first, last, 6)[0]:
        parts.append(text(x(tick), bottom + 18, f"{tick:g}", "muted", "middle"))
    there = " ".join(f"{x(one.threshold)},{y(one.low)}" for one in points)
    back = " ".join(f"{x(one.threshold)},{y(one.high)}" for one in reversed(points))
    parts.append(f'<polygon class="up" points="{there} {back}" opacity="0.18"/>')
    course = " ".join(f"{x(one.threshold)},{y(one.gain)}" for one in points)
    parts.append(f'<polyline class="better" points="{course}" style="fill: none" stroke-width="2"/>')
    for one in advice.shown:
        at = min(max(one.threshold, first), last)
        parts.append(line(x(at), top, x(at), bottom, "limit"))
        anchor = "end" if x(at) > _WIDTH / 2 else "start"
        place = bottom - (8 if one.role == "present" else 26)  # below the curve, which falls to the right
        parts.append(
            text(x(at) + (-6 if anchor == "end" else 6), place, f"{one.role} {one.threshold:.3g}", "muted", anchor)
        )
    return drawing(parts, advice.words, advice.words, _WIDTH, bottom + ROW)
