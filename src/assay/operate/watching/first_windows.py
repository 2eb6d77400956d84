"""Did errors or slowness come with a version? Its first windows beside those of the version before, by one monitor.

A version that was well at first and fails later has not changed: something else has. So only its first windows count,
as many as the monitor's persistence looks at.
"""

from collections.abc import Sequence

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT
from assay.operate.monitors.usual import usual_of
from assay.record.store import Row, Store
from assay.stats.drift import ALPHA
from assay.stats.intervals import wilson

__all__ = ["came_with"]

_MEASURES = {"errors": "rate", "latency": "p95"}
_FLOORS = {"errors": 0.01, "latency": 0.25}  # a point more; slower by a quarter
_BEFORE = 30  # windows of the version before, the last ones
_WELL = ("ok", "uncalibrated")


def came_with(store: Store, monitor: Monitor, mv_id: str, before: str, since: str) -> str | None:
    """In words, how a monitor of errors or latency shows harm that came with a version; None where it does not.

    `since` is when the version became the champion. As many of its first windows as an alarm needs must be beyond
    what the last clean windows of the version before had, or where there are none of those, beyond 0 errors.
    """
    kind = monitor.definition.kind
    needed, of_windows = monitor.definition.persistence
    where = {"monitor_id": monitor.monitor_id, "status !=": "no_data"}
    first = store.query(
        "monitor_check", {**where, "mv_id": mv_id, "started >=": since}, order_by=["ended"], limit=of_windows
    )
    if len(first) < needed:
        return None
    clean = {**where, "mv_id": before, "status in": _WELL, "started <": since}
    then = store.query("monitor_check", clean, order_by=["-ended"], limit=_BEFORE)
    limit = _limit(monitor, _found(store, monitor, then))
    if limit is None:
        return None
    now = _found(store, monitor, first)
    beyond = [one for one in now if (one["low"] if kind == "errors" else one["value"]) >= limit]
    if len(beyond) < needed:
        return None
    worst = max(one["value"] for one in beyond)
    said = f"{worst:.1%} of its rows failed".replace("%", " %") if kind == "errors" else f"p95 took {worst:.3g} ms"
    most = f"{limit:.1%}".replace("%", " %") if kind == "errors" else f"{limit:.3g} ms"
    return f"{said} in {len(beyond)} of its first {len(first)} windows, {most} is the most that may be usual"


def _limit(monitor: Monitor, then: Sequence[Row]) -> float | None:
    """The value from where on a window is beyond what is usual of the version before; None where nothing tells."""
    definition = monitor.definition
    floor = definition.floor if definition.floor is not None else _FLOORS[definition.kind]
    if definition.kind == "errors":
        rows = sum(one["rows"] for one in then)
        failed = sum(one["value"] * one["rows"] for one in then)
        usual = wilson(failed, rows, 1.0 - 2.0 * (definition.alpha or ALPHA)).high if rows else 0.0
        return usual + floor
    found = usual_of([one["value"] for one in then], alpha=2.0 * (definition.alpha or ALPHA))
    if found is None or found.high is None:
        return None
    return max(found.high, found.middle * (1.0 + floor), definition.tolerance or 0.0)


def _found(store: Store, monitor: Monitor, checks: Sequence[Row]) -> list[Row]:
    """What the windows had on all rows."""
    kind = monitor.definition.kind
    where = {"monitor_id": monitor.monitor_id, "window in": [one["window"] for one in checks], "subject": kind}
    where |= {"measure": _MEASURES[kind], "segment": OVERALL_SEGMENT}
    return store.query("monitor_finding", where, order_by=["window"]) if checks else []
