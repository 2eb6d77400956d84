"""Incidents: harm that was done or threatened, from its start over detection and restoration to what was learnt."""

from datetime import datetime
from typing import Literal

import msgspec

from assay.errors import InvalidInput
from assay.record.alerts.rules import kind_of, rules_for
from assay.record.changes import note_change
from assay.record.clock import iso, moment
from assay.record.identity import new_id
from assay.record.notify.severity import Severity, checked_severity
from assay.record.notify.telling import tell
from assay.record.short_ids import only_row
from assay.record.store import Row, Store

__all__ = ["Incident", "OpenedBy", "change_incident", "close_incident", "find_incident", "incident_of", "open_incident",
           "restore_incident"]  # fmt: skip

OpenedBy = Literal["rollback", "alert", "human"]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, and how long it took. Times are UTC text, None where not known or not yet.

    `started` is when the harm began, `detected` when somebody or something noticed, `restored` when it ended, `closed`
    when it was written down what was learnt. `dep_id` is the deployment at fault, `decision` that of the rollback.
    `to_detect_s` and `to_restore_s` count seconds from the start, None while it is not known.
    """

    incident_id: str
    title: str
    severity: Severity
    opened_by: OpenedBy
    detected: str
    model: str | None
    endpoint: str | None
    owner: str | None
    started: str | None
    restored: str | None
    closed: str | None
    found_by: str | None
    cause: str | None
    learnt: str | None
    alert_id: str | None
    dep_id: str | None
    decision: int | None
    to_detect_s: float | None
    to_restore_s: float | None


def open_incident(
    store: Store,
    title: str,
    *,
    opened_by: OpenedBy = "human",
    severity: Severity = "critical",
    model: str | None = None,
    endpoint: str | None = None,
    owner: str | None = None,
    started: datetime | None = None,
    found_by: str | None = None,
    cause: str | None = None,
    alert_id: str | None = None,
    dep_id: str | None = None,
    decision: int | None = None,
    restored: bool = False,
) -> Incident:
    """Open an incident and tell people. `restored`: the harm is over already, as after a rollback.

    What an alert or a rollback opens joins the incident of the same model that is not restored yet. InvalidInput for
    an empty title, or a start that lies ahead.
    """
    checked_severity(severity)
    if not title.strip():
        raise InvalidInput("an incident says nothing", expected="a title: what went wrong")
    now = store.clock.latest()
    begun = _begun(started, now, exact=opened_by == "human")
    known: Row = {"started": begun, "found_by": found_by, "cause": cause, "alert_id": alert_id, "dep_id": dep_id}
    known |= {"decision": decision, "owner": owner}
    with store.transaction():
        same = _going_on(store, model, endpoint) if opened_by != "human" else None
        if same is not None:
            missing = {name: value for name, value in known.items() if value is not None and same[name] is None}
            if missing:
                store.amend("incident", {"incident_id": same["incident_id"]}, missing)
            note_change(store, "incident", same["incident_id"], "joined", after=opened_by, reason=title)
            found = find_incident(store, same["incident_id"])
        else:
            row: Row = {"incident_id": new_id(), "title": title, "severity": severity, "opened_by": opened_by}
            row |= {"detected": iso(now), "model": model, "endpoint": endpoint, **known}
            store.append("incident", row)
            found = _told(store, row["incident_id"], "incident.opened")
        return restore_incident(store, found.incident_id, reason=title) if restored else found


def find_incident(store: Store, incident_id: str) -> Incident:
    """The incident of that id, or of the only one that begins so; NotFound otherwise."""
    said = {"one": "incident", "several": "incidents", "hint": "`assay incident ls`"}
    return incident_of(only_row(store, "incident", "incident_id", incident_id, **said))


def incident_of(row: Row) -> Incident:
    """The incident of a row, with its durations."""
    spans: Row = {"to_detect_s": _seconds(row["started"], row["detected"])}
    spans["to_restore_s"] = _seconds(row["started"], row["restored"])
    return Incident(**{name: row[name] for name in Incident.__struct_fields__ if name not in spans}, **spans)


def change_incident(store: Store, incident_id: str, *, reason: str | None = None, **given: str | None) -> Incident:
    """Say of an incident what is known better by now: `started`, `found_by`, `cause`, `learnt`, `owner`.

    What is None stays. Each change is kept with what was said before. InvalidInput for a start after the detection.
    """
    with store.transaction():
        before = find_incident(store, incident_id)
        changes = {name: value for name, value in given.items() if value is not None}
        if changes.get("started", "") > before.detected:
            raise InvalidInput(
                f"the harm cannot start at {changes['started']}",
                expected=f"a time before {before.detected}, its detection",
            )
        for name, value in changes.items():
            store.amend("incident", {"incident_id": before.incident_id}, {name: value})
            note_change(
                store, "incident", before.incident_id, name, before=getattr(before, name), after=value, reason=reason
            )
        return find_incident(store, before.incident_id)


def restore_incident(
    store: Store, incident_id: str, *, at: datetime | None = None, reason: str | None = None
) -> Incident:
    """Say that the harm has ended, at a moment or now. One that is restored already stays as it is."""
    with store.transaction():
        found = find_incident(store, incident_id)
        if found.restored is not None:
            return found
        now = store.clock.latest()
        restored = iso(at or now)
        if restored > iso(now) or restored < (found.started or ""):
            raise InvalidInput(
                f"the harm cannot have ended at {restored}", expected="a time after its start, not ahead"
            )
        store.amend("incident", {"incident_id": found.incident_id}, {"restored": restored})
        note_change(store, "incident", found.incident_id, "restored", after=restored, reason=reason)
        return _told(store, found.incident_id, "incident.restored")


def close_incident(store: Store, incident_id: str) -> Incident:
    """End the work on an incident. InvalidInput where cause or learnt are not said, or the harm goes on."""
    with store.transaction():
        found = find_incident(store, incident_id)
        if found.closed is not None:
            return found
        if found.restored is None:
            raise InvalidInput(
                f"the harm of incident {found.incident_id[:8]} goes on",
                hint=f"assay incident restore {found.incident_id[:8]}",
            )
        missing = [name for name in ("cause", "learnt") if not (getattr(found, name) or "").strip()]
        if missing:
            raise InvalidInput(
                f"incident {found.incident_id[:8]} says nothing of {' and '.join(missing)}",
                expected="the cause, and what was learnt",
                hint=" ".join(f"--{name} TEXT" for name in missing),
            )
        now = iso(store.clock.latest())
        store.amend("incident", {"incident_id": found.incident_id}, {"closed": now})
        note_change(store, "incident", found.incident_id, "closed", after=now, reason=found.learnt)
        return _told(store, found.incident_id, "incident.closed")


def _begun(started: datetime | None, now: datetime, *, exact: bool) -> str | None:
    if started is None:
        return None
    if started > now and exact:
        raise InvalidInput(f"the harm cannot start at {iso(started)}", expected="a time that is not ahead")
    return iso(min(started, now))  # of what records say, clocks of two machines may differ a little


def _going_on(store: Store, model: str | None, endpoint: str | None) -> Row | None:
    if model is None:
        return None
    rows = store.query("incident", {"model": model, "closed": None, "restored": None}, order_by=["-detected"])
    return next((row for row in rows if None in (row["endpoint"], endpoint) or row["endpoint"] == endpoint), None)


def _told(store: Store, incident_id: str, event: str) -> Incident:
    found = find_incident(store, incident_id)
    route = rules_for(store, found.model, _kind_of(store, found), found.severity).route
    said = {**msgspec.to_builtins(found), "message": found.title}
    tell(store, event, said, channels=route.channels if route is not None else ())
    return found


def _kind_of(store: Store, found: Incident) -> str:
    """What routes ask of it: the kind of the alert that opened it, so that both are told to the same."""
    alerts = store.query("alert", {"alert_id": found.alert_id}, limit=1) if found.alert_id else []
    return kind_of(store, alerts[0]["key"], alerts[0]["monitor_id"]) if alerts else "incident"


def _seconds(start: str | None, end: str | None) -> float | None:
    return (moment(end) - moment(start)).total_seconds() if start and end else None
