"""Alerts and incidents for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import number, pairs, table, when

if TYPE_CHECKING:
    from assay.record.alerts.alert import Alert
    from assay.record.alerts.handling import AlertHistory, Change
    from assay.record.alerts.incident import Incident
    from assay.record.alerts.incident_commands import IncidentDetail

__all__ = ["alert_history", "alert_list", "alert_told", "incident_detail", "incident_list", "incident_told"]

_COLOURS = {"critical": "red", "warning": "yellow", "info": ""}
_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"))


def alert_list(found: "Sequence[Alert]") -> RenderableType:
    """An alert a line."""
    shown = table("alert", "severity", "state", "what", "model", "owner", "opened", "times")
    for one in found:
        shown.add_row(
            one.alert_id[:8],
            Text(one.severity, _COLOURS[one.severity]),
            _state(one),
            one.message,
            one.model or "",
            one.owner or "",
            when(one.opened),
            str(one.times),
        )
    return shown


def alert_told(alert: "Alert") -> RenderableType:
    """One alert, as it is now."""
    return Group(Text(alert.message, f"bold {_COLOURS[alert.severity]}"), pairs(_facts(alert)))


def alert_history(found: "AlertHistory") -> RenderableType:
    """An alert with all that was done."""
    return Group(alert_told(found.alert), *_changes(found.changes))


def incident_list(found: "Sequence[Incident]") -> RenderableType:
    """An incident a line."""
    shown = table("incident", "severity", "state", "what", "model", "detected", "to detect", "to restore", "found by")
    for one in found:
        shown.add_row(
            one.incident_id[:8],
            Text(one.severity, _COLOURS[one.severity]),
            "closed" if one.closed else "restored" if one.restored else "open",
            one.title,
            one.model or "",
            when(one.detected),
            _span(one.to_detect_s),
            _span(one.to_restore_s),
            one.found_by or "",
        )
    return shown


def incident_told(incident: "Incident") -> RenderableType:
    """One incident, as it is now."""
    said = {
        "incident": incident.incident_id[:8],
        "severity": incident.severity,
        "opened by": incident.opened_by,
        "model": incident.model,
        "endpoint": incident.endpoint,
        "owner": incident.owner,
        "harm began": _when(incident.started) or "not known",
        "detected": f"{when(incident.detected)}{_after(incident.to_detect_s)}",
        "restored": f"{when(incident.restored)}{_after(incident.to_restore_s)}" if incident.restored else "not yet",
        "closed": _when(incident.closed),
        "found by": incident.found_by,
        "cause": incident.cause,
        "learnt": incident.learnt,
        "deployment": (incident.dep_id or "")[:8],
        "decision": str(incident.decision) if incident.decision is not None else None,
    }
    known = {name: value for name, value in said.items() if value}
    return Group(Text(incident.title, f"bold {_COLOURS[incident.severity]}"), pairs(known))


def incident_detail(found: "IncidentDetail") -> RenderableType:
    """An incident with its alerts and all that was noted."""
    listed = [Text("\nalerts", "bold"), alert_list(found.alerts)] if found.alerts else []
    return Group(incident_told(found.incident), *listed, *_changes(found.changes))


def _facts(alert: "Alert") -> dict[str, str]:
    said = {
        "alert": alert.alert_id[:8],
        "severity": alert.severity,
        "state": _state(alert),
        "key": alert.key,
        "model": alert.model,
        "endpoint": alert.endpoint,
        "owner": alert.owner,
        "runbook": alert.runbook,
        "opened": when(alert.opened),
        "last seen": f"{when(alert.seen)}, {alert.times} times in all" if alert.seen and alert.times > 1 else None,
        "raised": _when(alert.escalated),
        "incident": (alert.incident_id or "")[:8],
        "closed by": f"{alert.closed_by or 'the loop'}, {when(alert.closed)}" if alert.closed else None,
        "reason": alert.reason,
    }
    return {name: value for name, value in said.items() if value}


def _state(alert: "Alert") -> str:
    if alert.closed:
        return f"closed: {alert.action}"
    if alert.snoozed:
        return f"snoozed until {when(alert.snoozed)}"
    return f"acknowledged by {alert.acked_by}" if alert.acked else "open"


def _changes(found: "Sequence[Change]") -> list[RenderableType]:
    if not found:
        return []
    shown = table("when", "who", "what", "from", "to", "why")
    for one in found:
        shown.add_row(when(one.ts), one.actor, one.what, one.before or "", one.after or "", one.reason or "")
    return [shown]


def _when(time: str | None) -> str | None:
    return when(time) if time else None


def _after(seconds: float | None) -> str:
    return "" if seconds is None else f", after {_span(seconds)}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "seconds"))
    return f"{number(round(seconds / size, 1), 4)} {unit}"
