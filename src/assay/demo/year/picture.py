"""The year in one picture: quality by month, and what each policy is worth once its trainings are paid."""

from collections.abc import Callable
from datetime import date

from assay.demo.year.plan import POLICIES, Policy, Year
from assay.svg import PAD, TITLE, Drawing, drawing, line, nice_ticks, text

__all__ = ["draw_year"]

_WIDE, _LEFT, _RIGHT = 640, 62, 150  # of the part with lines, and what stands beside it
_HIGH, _BETWEEN = 190, 70
_NAMES: dict[Policy, str] = {"never": "never again", "monthly": "each month", "loop": "assay watch"}
_KINDS: dict[Policy, str] = {"never": "open", "monthly": "worse", "loop": "better"}
_APART = 15  # between names at the ends of lines
Place = Callable[[float], float]


def draw_year(year: Year) -> Drawing:
    """Brier score by month above, money beside never training again below; trainings and accidents are marked."""
    first, last = year.days[0].day, year.days[-1].day

    def x(day: date) -> float:
        return round(_LEFT + _WIDE * (day - first).days / max(1, (last - first).days), 1)

    top = TITLE + PAD + 14
    months = sorted({one.day.month for one in year.days})
    parts = [text(PAD, TITLE, "A year of flights: what training again is worth", "title")]
    parts += _quality(year, x, months, top)
    below = top + _HIGH + _BETWEEN
    parts += _money(year, x, below)
    for month in months:
        begin = max(first, date(first.year, month, 1))
        if begin.day == 1:
            parts.append(text(x(begin), below + _HIGH + 18, f"{begin:%b}", "muted"))
    parts += _marks(year, x, top, below + _HIGH)
    paid = ", ".join(f"{_NAMES[name]} {len(year.trained[name])}" for name in POLICIES)
    caption = (
        "Above: Brier score of each month, less is better. Below: squared errors saved beside never training again, "
        f"{year.loss_cost:g} for each, less {year.training_cost:g} for each training. Trained again: {paid}. "
        "Dots: trainings of assay watch; dashed lines: accidents."
    )
    return drawing(parts, "A year of flights", caption, _LEFT + _WIDE + _RIGHT, below + _HIGH + 24)


def _quality(year: Year, x: Callable[[date], float], months: list[int], top: float) -> list[str]:
    found = {name: [year.quality(name, month) for month in months] for name in POLICIES}
    values = [value for several in found.values() for value in several]
    y, parts = _scale(min(values), max(values), top)
    parts.append(text(_LEFT, top - 10, "Brier score", "muted"))
    ends = {}
    for name in POLICIES:
        places = []
        for month, value in zip(months, found[name], strict=True):
            own = [one.day for one in year.days if one.day.month == month]
            places.append((x(own[len(own) // 2]), y(value)))
        parts.append(_path(places, name))
        ends[name] = places[-1][1]
    return [*parts, *_names(ends)]


def _money(year: Year, x: Callable[[date], float], top: float) -> list[str]:
    days = [one.day for one in year.days]
    found = {name: [year.money(name, day) for day in days] for name in POLICIES}
    values = [value for several in found.values() for value in several]
    y, parts = _scale(min(values), max(values), top)
    parts.append(text(_LEFT, top - 10, "money, beside never training again", "muted"))
    for name in POLICIES:
        parts.append(_path([(x(day), y(value)) for day, value in zip(days, found[name], strict=True)], name))
    for day in year.trained["loop"]:
        worth = y(year.money("loop", day))
        parts.append(f'<circle class="better" cx="{x(day)}" cy="{worth}" r="3.5"><title>{day}</title></circle>')
    return [*parts, *_names({name: y(found[name][-1]) for name in POLICIES})]


def _scale(low: float, high: float, top: float) -> tuple[Place, list[str]]:
    pad = 0.06 * (high - low or 1.0)
    low, high = low - pad, high + pad

    def y(value: float) -> float:
        return round(top + _HIGH * (high - value) / (high - low), 1)

    ticks, decimals = nice_ticks(low, high, 5)
    parts = []
    for tick in ticks:
        parts.append(line(_LEFT, y(tick), _LEFT + _WIDE, y(tick), "line" if tick else "zero"))
        parts.append(text(_LEFT - 8, y(tick) + 4, f"{tick:,.{decimals}f}", "muted", "end"))
    return y, parts


def _path(places: list[tuple[float, float]], name: Policy) -> str:
    points = " ".join(f"{a},{b}" for a, b in places)
    return f'<polyline class="{_KINDS[name]} range" style="fill:none" points="{points}"/>'


def _names(ends: dict[Policy, float]) -> list[str]:
    """The names of the lines at their ends, none above another."""
    parts, lowest = [], -1e9
    for name in sorted(ends, key=lambda one: ends[one]):
        lowest = max(ends[name] + 4, lowest + _APART)
        said = text(_LEFT + _WIDE + 8, lowest, _NAMES[name])
        parts.append(said.replace("<text", f'<text class="{_KINDS[name]}" style="stroke:none"'))
    return parts


def _marks(year: Year, x: Callable[[date], float], top: float, bottom: float) -> list[str]:
    parts = []
    said = {"feed": "broken feed", "regression": "bad version"}
    for one in year.happened:
        if one.kind == "accident" and one.status in said:
            parts.append(line(x(one.day), top, x(one.day), bottom, "limit"))
            parts.append(text(x(one.day) + 4, top + 12, said[one.status], "muted"))
    return parts
