"""Incidents: which there are; one from its start over detection and restoration to its cause and what was learnt."""

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput, NotFound
from assay.record.alerts.incident import Incident, incident_of
from assay.record.alerts.incident_commands import (
    end_incident,
    list_incidents,
    mark_restored,
    note_incident,
    report_incident,
    show_incident,
)
from assay.record.store import Store
from assay.server.pages.forms import Form, acting_as, check_seen, seen_of
from assay.server.pages.rendering import render
from assay.server.pages.wording import quoted

__all__ = ["add", "edit", "show", "show_all"]

_LISTED = 200
STATES = {"open": "not closed", "restored": "restored, not closed", "closed": "closed", "all": "all"}
OPENED_BY = {"rollback": "a rollback", "alert": "an alert", "human": "a person"}


class Happening(NamedTuple):
    """A point of an incident's time line; `when` is None where it has not come, or is not known."""

    name: str
    when: str | None
    note: str


def show_all(store: Store, request: Request) -> Response:
    """Incidents in a `state`, newest first; those of one `model` where that is asked for."""
    state, model = request.query_params.get("state", "open"), request.query_params.get("model")
    return render(
        store,
        request,
        "incidents.html",
        title=f"Incidents of {model}" if model else "Incidents",
        place="/alerts",
        model=model,
        chosen=state,
        states=STATES,
        opened_by=OPENED_BY,
        incidents=list_incidents(store, state=state, model=model or None, limit=_LISTED),
        stand=_stand,
    )


def show(store: Store, request: Request) -> Response:
    """An incident by its id."""
    incident = _incident(store, request.path_params["incident_id"])
    detail = show_incident(store, incident.incident_id)
    return render(
        store,
        request,
        "incident.html",
        title=incident.title,
        place="/alerts",
        incident=incident,
        stands=_stand(incident),
        opened_by=OPENED_BY,
        happenings=_happenings(incident),
        alerts=detail.alerts,
        changes=detail.changes,
        seen=seen_of(_state(incident)),
    )


def add(store: Store, request: Request, form: Form) -> str:
    """Open an incident; returns the address of its page."""
    store = acting_as(store, request, form)
    names = ("model", "endpoint", "started", "owner", "cause")
    given = {name: form.one(name).strip() or None for name in names}
    title, severity = form.one("title").strip(), form.one("severity") or "critical"
    made = report_incident(store, title, severity=severity, found_by=form.one("found_by").strip() or None, **given)
    return f"/incidents/{quoted(made.incident_id)}"


def edit(store: Store, request: Request, form: Form) -> str:
    """Note what is known, say that the harm has ended, or close, as the field `do` says."""
    store = acting_as(store, request, form)
    what = form.one("do")
    with store.transaction():
        incident = _incident(store, request.path_params["incident_id"])
        check_seen(form, _state(incident))
        if what == "note":
            note_incident(store, incident.incident_id, form.one("note").strip(), **_changed(incident, form, "started"))
        elif what == "restore":
            at, reason = form.one("at").strip(), form.one("reason").strip()
            mark_restored(store, incident.incident_id, at=at or None, reason=reason or None)
        elif what == "close":
            end_incident(store, incident.incident_id, **_changed(incident, form))
        else:
            raise InvalidInput(f"nothing is done by {what!r}", expected="note | restore | close")
    return f"/incidents/{quoted(incident.incident_id)}"


def _incident(store: Store, asked: str) -> Incident:
    rows = store.query("incident", {"incident_id": asked})
    if not rows:
        raise NotFound(f"no incident has the id {asked}", where=store.location, hint="the list of incidents")
    return incident_of(rows[0])


def _stand(incident: Incident) -> str:
    return "closed" if incident.closed else "restored" if incident.restored else "open"


def _state(incident: Incident) -> list[Any]:
    """What people change of an incident."""
    names = ("started", "found_by", "owner", "cause", "learnt", "restored", "closed")
    return [getattr(incident, name) for name in names]


def _changed(incident: Incident, form: Form, *more: str) -> dict[str, Any]:
    """What the form says otherwise; empty fields change nothing. Times are those of a field, to the minute."""
    found: dict[str, Any] = {}
    names = ("cause", "learnt", "found_by", *(("owner",) if more else ()), *more)
    for name in names:
        said = form.one(name).strip()
        before = getattr(incident, name)
        if said and said != (before[:16] if before and name == "started" else before):
            found[name] = said
    return found


def _happenings(incident: Incident) -> list[Happening]:
    found_by = f"by {incident.found_by}" if incident.found_by else f"by {OPENED_BY[incident.opened_by]}"
    return [
        Happening("the harm began", incident.started, "" if incident.started else "not known"),
        Happening("detected", incident.detected, found_by),
        Happening("restored", incident.restored, "" if incident.restored else "the harm goes on"),
        Happening("closed", incident.closed, "" if incident.closed else "not yet"),
    ]
