"""Latency: how long requests took, against earlier windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding, FindingState, Outcome, Window
from assay.operate.monitors.persistence import settled, status_of
from assay.operate.monitors.references import clean_windows
from assay.operate.monitors.segments import by_segment
from assay.operate.monitors.usual import usual_of
from assay.record.store import Store
from assay.stats.drift import ALPHA, MINIMUM_WINDOWS

__all__ = ["Latency"]

_FLOOR = 0.25  # slower by a quarter, and by a millisecond
_LEAST_MS = 1.0
_QUANTILES = {"p50": 0.5, "p95": 0.95}
_LEAST_ROWS = 30


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and 95th percentile in milliseconds. Faster is no alarm. `tolerance` is a p95 that is always fine."""

    matures: bool = False

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at one window."""
        if window.rows.num_rows < _LEAST_ROWS:
            words = f"{window.rows.num_rows} rows were answered, {_LEAST_ROWS} are needed"
            return Outcome(status="no_data", value=None, words=words)
        definition = monitor.definition
        checks = clean_windows(store, monitor, window, newest=True)
        history = _history(store, monitor, [row["window"] for row in checks])
        found = []
        for segment, rows in by_segment(window.rows, definition.segments).items():
            if rows.num_rows >= _LEAST_ROWS:
                took = rows["latency_us"].to_numpy() / 1000.0
                found += [
                    _finding(monitor, segment, measure, took, history.get((segment, measure), ()))
                    for measure in _QUANTILES
                ]
        found = settled(store, monitor, found)
        found.sort(key=lambda one: (-(one.state == "drift"), -(one.state == "watch"), -(one.harm or 0.0)))
        p95 = next(one for one in found if one.segment == OVERALL_SEGMENT and one.measure == "p95")
        worst = next((one for one in found if one.state in ("drift", "watch")), p95)
        status = status_of(found)
        words = worst.words
        if status == "uncalibrated":
            words += f"; uncalibrated: what is usual is known from {MINIMUM_WINDOWS} windows on"
        return Outcome(status=status, value=p95.value, words=words, findings=found)


def _finding(
    monitor: Monitor, segment: str, measure: str, took: NDArray[np.float64], history: Sequence[float]
) -> Finding:
    definition = monitor.definition
    floor = definition.floor if definition.floor is not None else _FLOOR
    value = float(np.quantile(took, _QUANTILES[measure]))
    usual = usual_of(history, alpha=2.0 * (definition.alpha or ALPHA))  # only slower is looked for
    words = f"{measure} {value:.3g} ms" if segment == OVERALL_SEGMENT else f"{segment}: {measure} {value:.3g} ms"
    state: FindingState = "uncalibrated"
    raised, high = False, None
    if usual is not None and usual.high is not None:
        state, high = "ok", usual.high
        slower = value >= usual.middle * (1.0 + floor) and value >= usual.middle + _LEAST_MS
        harmless = definition.tolerance is not None and value <= definition.tolerance
        raised = value > usual.high and slower and not harmless
        words += f", usual is {usual.middle:.3g} ms, up to {usual.high:.3g} ({usual.windows} windows)"
    middle = None if usual is None else usual.middle
    return Finding(
        subject="latency",
        measure=measure,
        segment=segment,
        state=state,
        words=words,
        value=value,
        expected=middle,
        bound=high,
        harm=max(0.0, value / middle - 1.0) / floor if middle and floor else None,
        rows=len(took),
        raised=raised,
    )


def _history(store: Store, monitor: Monitor, windows: Sequence[str]) -> dict[tuple[str, str], list[float]]:
    """The values of earlier windows by segment and measure."""
    found: dict[tuple[str, str], list[float]] = {}
    if windows:
        where = {"monitor_id": monitor.monitor_id, "window in": list(windows), "subject": "latency"}
        for one in store.query("monitor_finding", where, order_by=["window"]):
            found.setdefault((one["segment"], one["measure"]), []).append(one["value"])
    return found
