"""`assay monitor run|status|show|ls`: look now, and see what monitors found."""

from typing import Annotated

import msgspec

from assay.errors import NotFound, nearest
from assay.operate.monitors.checking import Checked, check_due, checked_of
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Finding
from assay.operate.monitors.records import find_monitor, make_defaults, monitors_of
from assay.operate.monitors.spans import next_span
from assay.operation import operation
from assay.record.clock import iso
from assay.record.store import Store

__all__ = [
    "MonitorState",
    "MonitorWindow",
    "ToldMonitor",
    "list_monitors",
    "monitor_status",
    "run_monitors",
    "show_monitor",
]

_MANY = 60  # windows of a time line


class MonitorState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a monitor stands: what its last window says, and its alert if one is open.

    `status` is ok, watch, alarm, uncalibrated, no_data, or new where no window was looked at. `line` are the states of
    the last windows, oldest first; `next` is when the next window is over, None for windows by count.
    """

    name: str
    kind: str
    model: str
    endpoint: str
    status: str
    window: str | None
    value: float | None
    words: str
    line: list[str]
    next: str | None
    alert_id: str | None
    owner: str


class MonitorWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A window on the time line of a monitor."""

    window: str
    started: str
    ended: str
    status: str
    value: float | None
    rows: int
    words: str
    version: str | None


class ToldMonitor(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor, its time line, oldest window first, and what one window showed, the worst first."""

    monitor: Monitor
    windows: list[MonitorWindow]
    window: str | None
    status: str
    words: str
    findings: list[Finding]
    alert_id: str | None


@operation("monitor run")
def run_monitors(
    store: Store,
    *,
    model: Annotated[str | None, "Only of this model"] = None,
    endpoint: Annotated[str | None, "Only of this endpoint"] = None,
) -> list[Checked]:
    """Look at every window that is over and was not looked at yet.

    Endpoints without monitors get their default ones. The loop, `assay watch`, does the same.
    """
    make_defaults(store)
    _check_names(store, model, endpoint)
    return check_due(store, monitors_of(store, model, endpoint))


@operation("monitor status")
def monitor_status(
    store: Store,
    model: Annotated[str | None, "Only of this model"] = None,
    *,
    endpoint: Annotated[str | None, "Only of this endpoint"] = None,
) -> list[MonitorState]:
    """Say where each monitor stands: what its last window showed, and which alarm."""
    _check_names(store, model, endpoint)
    return [_state(store, one) for one in monitors_of(store, model, endpoint)]


@operation("monitor ls")
def list_monitors(
    store: Store,
    *,
    model: Annotated[str | None, "Only of this model"] = None,
    endpoint: Annotated[str | None, "Only of this endpoint"] = None,
) -> list[Monitor]:
    """List the monitors there are, as they were declared or made by default, also those that are switched off."""
    _check_names(store, model, endpoint)
    return monitors_of(store, model, endpoint, all_of_them=True)


@operation("monitor show")
def show_monitor(
    store: Store,
    monitor: Annotated[str, "Its name, or the first characters of its id"],
    *,
    endpoint: Annotated[str | None, "Of this endpoint, where several have one of that name"] = None,
    window: Annotated[str | None, "What this window showed; the last one with rows by default"] = None,
) -> ToldMonitor:
    """Show a monitor window by window, and what it found in one of them, ranked by harm."""
    found = find_monitor(store, monitor, endpoint)
    where = {"monitor_id": found.monitor_id}
    rows = store.query("monitor_check", where, order_by=["-ended", "-window"], limit=_MANY)
    line = [checked_of(store, found, row, findings=False) for row in reversed(rows)]
    if window is not None:
        chosen = store.query("monitor_check", {**where, "window": window}, limit=1)
        if not chosen:
            names = [one.window for one in line]
            raise NotFound(
                f"{found.name} has not looked at a window {window!r}",
                expected=f"such as {', '.join(names[-3:])}" if names else "`assay monitor run` first",
                hint=nearest(window, names),
            )
    else:
        chosen = [row for row in rows if row["status"] != "no_data"][:1] or rows[:1]
    told = checked_of(store, found, chosen[0]) if chosen else None
    return ToldMonitor(
        monitor=found,
        windows=[_line(one, row["mv_id"]) for one, row in zip(line, reversed(rows), strict=True)],
        window=told.window if told else None,
        status=told.outcome.status if told else "new",
        words=told.outcome.words if told else "no window was looked at yet",
        findings=list(told.outcome.findings) if told else [],
        alert_id=told.alert_id if told else None,
    )


def _line(one: Checked, version: str | None) -> MonitorWindow:
    return MonitorWindow(
        window=one.window,
        started=one.started,
        ended=one.ended,
        status=one.outcome.status,
        value=one.outcome.value,
        rows=one.rows,
        words=one.outcome.words,
        version=version,
    )


def _state(store: Store, monitor: Monitor) -> MonitorState:
    where = {"monitor_id": monitor.monitor_id}
    rows = store.query("monitor_check", where, order_by=["-ended", "-window"], limit=_MANY)
    last = checked_of(store, monitor, rows[0], findings=False) if rows else None
    alerts = store.query("alert", {**where, "closed": None}, limit=1)
    begin = max((one for one in (monitor.looked, monitor.since) if one), default=None)
    coming = None if begin is None or monitor.definition.rows else iso(next_span(monitor.definition, begin).ended)
    return MonitorState(
        name=monitor.name,
        kind=monitor.definition.kind,
        model=monitor.model,
        endpoint=monitor.endpoint,
        status=last.outcome.status if last else "new",
        window=last.window if last else None,
        value=last.outcome.value if last else None,
        words=last.outcome.words if last else "no window was looked at yet",
        line=[row["status"] for row in reversed(rows)],
        next=coming,
        alert_id=alerts[0]["alert_id"] if alerts else None,
        owner=monitor.owner,
    )


def _check_names(store: Store, model: str | None, endpoint: str | None) -> None:
    """NotFound for a model or endpoint that has no monitor, with the nearest that has."""
    every = monitors_of(store, all_of_them=True)
    for what, name, known in (
        ("model", model, {one.model for one in every}),
        ("endpoint", endpoint, {one.endpoint for one in every}),
    ):
        if name is not None and name not in known:
            close = nearest(name, sorted(known))
            there = f"there are {', '.join(sorted(known))}" if known else "`assay monitor run` makes the default ones"
            raise NotFound(
                f"{what} {name!r} has no monitor",
                where=store.location,
                hint=f"did you mean {close!r}?" if close else there,
            )
