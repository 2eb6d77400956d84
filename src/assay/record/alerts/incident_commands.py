"""Incidents on the command line: opened, listed, told, noted, restored, closed."""

from datetime import datetime
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, nearest
from assay.operation import operation
from assay.record.alerts.alert import Alert, alert_of
from assay.record.alerts.handling import Change
from assay.record.alerts.incident import (
    Incident,
    change_incident,
    close_incident,
    find_incident,
    incident_of,
    open_incident,
    restore_incident,
)
from assay.record.changes import changes, note_change
from assay.record.clock import iso, written_moment
from assay.record.notify.severity import checked_severity
from assay.record.store import Store

__all__ = [
    "IncidentDetail",
    "end_incident",
    "list_incidents",
    "mark_restored",
    "note_incident",
    "report_incident",
    "show_incident",
]

_STATES = ("open", "all", "restored", "closed")


class IncidentDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An incident, the alerts that belong to it, and all that was noted and changed, oldest first."""

    incident: Incident
    alerts: list[Alert]
    changes: list[Change]


@operation("incident open")
def report_incident(
    store: Store,
    title: Annotated[str, "What went wrong, in words"],
    *,
    model: Annotated[str | None, "The model"] = None,
    endpoint: Annotated[str | None, "The endpoint"] = None,
    severity: Annotated[str, "info, warning or critical"] = "critical",
    started: Annotated[str | None, "When the harm began, such as 2026-03-01T10:00Z"] = None,
    found_by: Annotated[str | None, "Who found it: a name, user, monitor; without it who calls"] = None,
    owner: Annotated[str | None, "Who looks after it"] = None,
    cause: Annotated[str | None, "Why it happened, where that is known"] = None,
) -> Incident:
    """Open an incident: something went wrong that nobody and nothing has opened one for."""
    return open_incident(
        store,
        title,
        severity=checked_severity(severity),
        model=model,
        endpoint=endpoint,
        started=_moment(started, "--started"),
        found_by=found_by or store.actor.name,
        owner=owner or store.actor.name,
        cause=cause,
    )


@operation("incident ls")
def list_incidents(
    store: Store,
    *,
    state: Annotated[str, "open (not closed), restored (but not closed), closed or all"] = "open",
    model: Annotated[str | None, "Those of this model"] = None,
    limit: Annotated[int, "At most so many"] = 100,
) -> list[Incident]:
    """List incidents, newest first."""
    if state not in _STATES:
        close = nearest(state, list(_STATES))
        raise InvalidInput(f"no incident is {state!r}", expected=" | ".join(_STATES), hint=close)
    if limit < 1:
        raise InvalidInput(f"--limit is {limit}", expected="1 or more")
    where: dict[str, object] = {} if model is None else {"model": model}
    if state == "closed":
        where["closed >"] = ""
    elif state != "all":
        where["closed"] = None
    if state == "restored":
        where["restored >"] = ""
    rows = store.query("incident", where, order_by=["-detected", "-incident_id"], limit=limit)
    return [incident_of(row) for row in rows]


@operation("incident show")
def show_incident(store: Store, incident: Annotated[str, "Its id, or the first characters of it"]) -> IncidentDetail:
    """Show an incident: how long it took, its alerts, and all that was noted."""
    found = find_incident(store, incident)
    rows = store.query("alert", {"incident_id": found.incident_id}, order_by=["opened"])
    done = [
        Change(**{name: row[name] for name in Change.__struct_fields__})
        for row in changes(store, "incident", found.incident_id)
    ]
    return IncidentDetail(incident=found, alerts=[alert_of(row) for row in rows], changes=done)


@operation("incident note")
def note_incident(
    store: Store,
    incident: Annotated[str, "Its id, or the first characters of it"],
    note: Annotated[str | None, "What is known or was done, in words"] = None,
    *,
    started: Annotated[str | None, "When the harm began, as is known by now"] = None,
    found_by: Annotated[str | None, "Who found it"] = None,
    cause: Annotated[str | None, "Why it happened"] = None,
    learnt: Annotated[str | None, "What was learnt"] = None,
    owner: Annotated[str | None, "Who goes on with it"] = None,
) -> IncidentDetail:
    """Write down what is known of an incident by now; what was said before stays in its history."""
    begun = _moment(started, "--started")
    given = {"found_by": found_by, "cause": cause, "learnt": learnt, "owner": owner}
    given["started"] = iso(begun) if begun else None
    said = (note or "").strip()
    if not said and all(value is None for value in given.values()):
        raise InvalidInput("the note says nothing", expected="words, or what is known by now", hint="--cause TEXT")
    with store.transaction():
        found = change_incident(store, incident, reason=said or None, **given)
        if said:
            note_change(store, "incident", found.incident_id, "note", reason=said)
        return show_incident(store, found.incident_id)


@operation("incident restore")
def mark_restored(
    store: Store,
    incident: Annotated[str, "Its id, or the first characters of it"],
    *,
    at: Annotated[str | None, "When the harm ended; without it now"] = None,
    reason: Annotated[str | None, "What ended it"] = None,
) -> Incident:
    """Say that the harm of an incident has ended."""
    return restore_incident(store, incident, at=_moment(at, "--at"), reason=reason)


@operation("incident close")
def end_incident(
    store: Store,
    incident: Annotated[str, "Its id, or the first characters of it"],
    *,
    cause: Annotated[str | None, "Why it happened"] = None,
    learnt: Annotated[str | None, "What was learnt"] = None,
    found_by: Annotated[str | None, "Who found it"] = None,
) -> Incident:
    """Close an incident whose harm has ended, with its cause and what was learnt."""
    with store.transaction():
        found = find_incident(store, incident)
        if found.closed is not None:
            raise InvalidInput(f"incident {found.incident_id[:8]} is closed", hint="`assay incident ls`")
        changed = change_incident(store, found.incident_id, cause=cause, learnt=learnt, found_by=found_by)
        return close_incident(store, changed.incident_id)


def _moment(text: str | None, what: str) -> datetime | None:
    if text is None:
        return None
    found = written_moment(text)
    if found is None:
        raise InvalidInput(f"{what} is {text!r}", expected="a time such as 2026-03-01T10:00Z")
    return found
