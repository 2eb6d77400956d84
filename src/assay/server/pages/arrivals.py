"""How many rows of a feature view had arrived when: a line that rises, from the parts of its log."""

from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from assay.build.views.registry.registered import ViewVersion
from assay.record.schema import TABLES
from assay.record.store import Store
from assay.svg import nice_ticks

__all__ = ["Arrivals", "arrivals"]

WIDTH, HEIGHT = 720, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 14, 12, 26
_MOST = 20_000  # parts: the newest of more


class Arrivals(NamedTuple):
    """The line as a path, lines across with what they stand for, days below, and all of it in a sentence."""

    path: str
    across: list[tuple[float, str]]
    below: list[tuple[float, str, str]]
    said: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def arrivals(store: Store, version: ViewVersion) -> Arrivals | None:
    """The rows of a version over the time of their arrival; None where none came, or all at once."""
    log = TABLES["feature_log"]
    asked = (
        sa.select(log.c.arrived_us, log.c.rows)
        .where(log.c.view == version.name, log.c.version == version.version, log.c.kind.in_(["source", "push"]))
        .order_by(log.c.seq.desc())
        .limit(_MOST)
    )
    parts = sorted((row["arrived_us"], row["rows"]) for row in store.select(asked))
    if not parts or parts[0][0] == parts[-1][0]:
        return None
    first, last = float(parts[0][0]), float(parts[-1][0])
    total = sum(int(rows) for _, rows in parts)
    if not total:
        return None

    def across(moment: float) -> float:
        return round(_LEFT + (moment - first) / (last - first) * (WIDTH - _LEFT - _RIGHT), 1)

    def down(rows: float) -> float:
        return round(HEIGHT - _BOTTOM - rows / total * (HEIGHT - _BOTTOM - _TOP), 1)

    steps, rows = [f"M{_LEFT} {down(0)}"], 0
    for moment, count in parts:
        rows += count
        steps.append(f"H{across(moment)}V{down(rows)}")
    ticks, _ = nice_ticks(0, total, 3)
    return Arrivals(
        path="".join(steps),
        across=[(down(tick), f"{tick:,.0f}") for tick in ticks if tick.is_integer()],
        below=[(across(first), "start", _day(first)), (across(last), "end", _day(last))],
        said=f"{total:,} rows in {len(parts):,} parts, from {_day(first)} to {_day(last)}",
    )


def _day(moment_us: float) -> str:
    return datetime.fromtimestamp(moment_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
