"""Alerts: opened once for what they tell of, seen again, closed with a reason, and the same when it comes back soon."""

from typing import Literal, get_args

import msgspec

from assay.errors import InvalidInput
from assay.record.alerts.incident import open_incident
from assay.record.alerts.rules import AlertRules, kind_of, rules_for
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.notify.severity import SEVERITIES, Severity, checked_severity, rank
from assay.record.notify.telling import tell
from assay.record.short_ids import only_row
from assay.record.store import Row, Store

__all__ = [
    "ACTIONS",
    "SEVERITIES",
    "Action",
    "Alert",
    "Severity",
    "alert_of",
    "close_alert",
    "find_alert",
    "open_alert",
    "tell_alert",
]

Action = Literal["fixed", "retrained", "rolled back", "false alarm", "accepted", "recovered"]
ACTIONS: tuple[Action, ...] = get_args(Action)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was noticed. `key` says of what: at most one alert of a key is open at a time.

    `times` counts how often it was seen, last at `seen`. Times are UTC text, as `clock.iso` writes them; `snoozed` is
    until when nobody is reminded, `escalated` when it was last raised because nobody looked. `action` and `reason` say
    how it was closed, `linked_run` by which run.
    """

    alert_id: str
    key: str | None
    message: str
    severity: Severity
    opened: str
    times: int
    seen: str | None
    model: str | None
    endpoint: str | None
    monitor_id: str | None
    owner: str | None
    runbook: str | None
    acked: str | None
    acked_by: str | None
    snoozed: str | None
    closed: str | None
    closed_by: str | None
    action: str | None
    reason: str | None
    linked_run: str | None
    escalated: str | None
    incident_id: str | None


def open_alert(
    store: Store,
    key: str,
    message: str,
    *,
    severity: Severity = "warning",
    model: str | None = None,
    endpoint: str | None = None,
    monitor_id: str | None = None,
    owner: str | None = None,
    runbook: str | None = None,
) -> Alert:
    """Open an alert and tell people, or note that the open one of this key was seen again, with the newer message.

    One that was closed a short while ago (`AlertRules.same_within`) is opened again. A more severe one raises the open
    one: it waits for a person anew. A critical one opens an incident. InvalidInput for an unknown severity or an empty
    message.
    """
    checked_severity(severity)
    if not message.strip():
        raise InvalidInput("an alert says nothing", expected="a message")
    with store.transaction():
        rules = rules_for(store, model, kind_of(store, key, monitor_id), severity)
        found = store.query("alert", {"key": key, "closed": None}, limit=1)
        if found:
            return _seen_again(store, found[0], message, severity)
        back = _closed_lately(store, key, rules)
        if back is not None:
            return _opened_again(store, back, message, severity)
        now = iso(store.clock.latest())
        row: Row = {"alert_id": new_id(), "key": key, "message": message, "severity": severity, "opened": now}
        row |= {"seen": now, "times": 1, "model": model, "endpoint": endpoint, "monitor_id": monitor_id}
        routed = rules.route.owner if rules.route is not None else None
        row |= {"owner": routed or owner or rules.owner, "runbook": runbook or rules.runbook}
        store.append("alert", row)
        return _announced(store, row["alert_id"], "alert.opened")


def find_alert(store: Store, alert_id: str) -> Alert:
    """The alert of that id, or of the only one that begins so; NotFound otherwise."""
    hint = "`assay monitor alerts`"
    return alert_of(only_row(store, "alert", "alert_id", alert_id, one="alert", several="alerts", hint=hint))


def alert_of(row: Row) -> Alert:
    """The alert of a row."""
    return Alert(**{name: row[name] for name in Alert.__struct_fields__})


def close_alert(store: Store, alert_id: str, *, action: Action, reason: str, linked_run: str | None = None) -> Alert:
    """Close an alert, saying what was done and why; one that is closed already stays as it is."""
    if action not in ACTIONS:
        raise InvalidInput(f"an alert is not closed as {action!r}", expected=" | ".join(ACTIONS))
    if not reason.strip():
        raise InvalidInput("an alert is closed without a reason", expected="a reason, in words")
    with store.transaction():
        alert = find_alert(store, alert_id)
        if alert.closed is not None:
            return alert
        changes = {"closed": iso(store.clock.latest()), "closed_by": store.actor.name, "action": action}
        store.amend("alert", {"alert_id": alert.alert_id}, {**changes, "reason": reason, "linked_run": linked_run})
        note_change(store, "alert", alert.alert_id, "closed", after=action, reason=reason)
        return tell_alert(store, alert.alert_id, "alert.closed")


def tell_alert(store: Store, alert_id: str, event: str) -> Alert:
    """Tell people of an alert as it is now; returns it."""
    alert = find_alert(store, alert_id)
    route = rules_for(store, alert.model, kind_of(store, alert.key, alert.monitor_id), alert.severity).route
    tell(store, event, msgspec.to_builtins(alert), channels=route.channels if route is not None else ())
    return alert


def _closed_lately(store: Store, key: str, rules: AlertRules) -> Row | None:
    since = iso(store.clock.latest() - rules.length("same_within"))
    rows = store.query("alert", {"key": key, "closed >=": since}, order_by=["-closed"], limit=1)
    return rows[0] if rows else None


def _seen_again(store: Store, row: Row, message: str, severity: Severity) -> Alert:
    changes: Row = {"seen": iso(store.clock.latest()), "times": row["times"] + 1, "message": message}
    if rank(severity) <= rank(row["severity"]):
        store.amend("alert", {"alert_id": row["alert_id"]}, changes)
        return find_alert(store, row["alert_id"])
    changes |= {"severity": severity, "acked": None, "acked_by": None, "snoozed": None, "escalated": changes["seen"]}
    store.amend("alert", {"alert_id": row["alert_id"]}, changes)
    note_change(
        store, "alert", row["alert_id"], "severity", before=row["severity"], after=severity, reason="seen again"
    )
    return _announced(store, row["alert_id"], "alert.escalated")


def _opened_again(store: Store, row: Row, message: str, severity: Severity) -> Alert:
    before = row["action"]
    changes: Row = {"seen": iso(store.clock.latest()), "times": row["times"] + 1, "message": message}
    changes |= dict.fromkeys(("closed", "closed_by", "action", "reason", "acked", "acked_by", "snoozed"))
    # It waits for a person from now on: the hours that it was closed do not count.
    changes |= {"severity": severity, "escalated": changes["seen"]}
    store.amend("alert", {"alert_id": row["alert_id"]}, changes)
    note_change(store, "alert", row["alert_id"], "reopened", before=before, reason=message)
    return _announced(store, row["alert_id"], "alert.reopened")


def _announced(store: Store, alert_id: str, event: str) -> Alert:
    alert = find_alert(store, alert_id)
    if alert.severity == "critical":
        incident = open_incident(
            store, alert.message, opened_by="alert", model=alert.model, endpoint=alert.endpoint, owner=alert.owner,
            found_by="monitor" if alert.monitor_id else None, alert_id=alert_id,
        )  # fmt: skip
        store.amend("alert", {"alert_id": alert_id}, {"incident_id": incident.incident_id})
    return tell_alert(store, alert_id, event)
