"""Volume: does the endpoint answer as many rows as it did in such windows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Finding, FindingState, Outcome, Window
from assay.operate.monitors.persistence import settled, status_of
from assay.operate.monitors.references import clean_windows
from assay.operate.monitors.usual import usual_of
from assay.record.store import Store
from assay.stats.drift import ALPHA, MINIMUM_WINDOWS

__all__ = ["Volume"]

_FLOOR = 0.3  # a change by less is nobody's concern


@dataclass(frozen=True, slots=True)
class Volume:
    """Counts rows, also those that no model could answer, and compares with the latest windows of the season."""

    matures: bool = False

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at one window."""
        rows = window.rows.num_rows + window.failed.num_rows
        checks = clean_windows(store, monitor, window, newest=True, anew=False)
        values = [float(row["value"]) for row in checks if row["value"]]
        floor = monitor.definition.floor if monitor.definition.floor is not None else _FLOOR
        chance = 1.0 / math.sqrt(max(1.0, sum(values) / len(values))) if values else 0.0
        usual = usual_of(values, alpha=monitor.definition.alpha or ALPHA, chance=chance, shift=0.5)
        if usual is None or usual.low is None or usual.high is None:
            words = f"{rows:,} rows; uncalibrated: what is usual is known from {MINIMUM_WINDOWS} windows on"
            state: FindingState = "uncalibrated" if rows or usual is not None else "no_data"
            found = Finding(subject="rows", measure="count", state=state, words=words, value=rows, rows=rows)
            return Outcome(status=status_of([found]), value=rows, words=words, findings=[found])
        change = rows / usual.middle - 1.0
        raised = not usual.low <= rows <= usual.high and abs(change) >= floor
        season = {"none": "", "hour": " of this hour", "weekday": " of this weekday"}[monitor.definition.season]
        words = f"{rows:,} rows, {_change(change)}; usual{season} is {usual.low:,.0f} to {usual.high:,.0f}"
        words += f" ({usual.windows} windows)"
        if not rows:
            words = f"nothing came: {words}"
        found = Finding(
            subject="rows",
            measure="count",
            state="ok",
            words=words,
            value=rows,
            expected=usual.middle,
            low=usual.low,
            high=usual.high,
            bound=usual.low if change < 0 else usual.high,
            p=usual.p(rows),
            harm=abs(change) / floor if floor else None,
            rows=rows,
            raised=raised,
        )
        (found,) = settled(store, monitor, [found])
        return Outcome(status=status_of([found]), value=rows, words=found.words, findings=[found])


def _change(change: float) -> str:
    return f"{change:+.0%} than usual".replace("%", " %").replace("+", "+")
