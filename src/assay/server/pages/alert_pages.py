"""Alerts: those that wait for somebody first; one with all that was done, and the forms of what can be done."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput, NotFound
from assay.record.alerts.alert import ACTIONS, Alert, alert_of
from assay.record.alerts.handling import (
    ack_alert,
    alert_history,
    list_alerts,
    resolve_alert,
    snooze_alert,
    state_of,
)
from assay.record.clock import moment
from assay.record.store import Store
from assay.server.pages.forms import Form, acting_as, check_seen, seen_of
from assay.server.pages.rendering import render
from assay.server.pages.wording import quoted, span

__all__ = ["edit", "show", "show_all"]

_LISTED = 200
_MINUTE_S = 60
STATES = {
    "open": "not closed",
    "waiting": "waiting for somebody",
    "acknowledged": "acknowledged",
    "snoozed": "snoozed",
    "closed": "closed",
    "all": "all",
}
SNOOZES = {"1h": "1 hour", "4h": "4 hours", "1d": "1 day", "3d": "3 days", "7d": "1 week"}


def show_all(store: Store, request: Request) -> Response:
    """Alerts in a `state`, those of one `model` or `owner` where that is asked for."""
    asked = request.query_params
    state, model, owner = asked.get("state", "open"), asked.get("model"), asked.get("owner")
    found = list_alerts(store, state=state, model=model or None, owner=owner or None, limit=_LISTED)
    now = store.clock.latest()
    return render(
        store,
        request,
        "alerts.html",
        title=f"Alerts of {model}" if model else "Alerts",
        place="/alerts",
        model=model,
        owner=owner,
        chosen=state,
        states=STATES,
        alerts=found,
        stand={one.alert_id: state_of(one, now) for one in found},
        age={one.alert_id: _age(store, one) for one in found},
        cut=len(found) == _LISTED,
        ever=bool(store.query("alert", limit=1)),
    )


def show(store: Store, request: Request) -> Response:
    """An alert by its id."""
    alert = _alert(store, request.path_params["alert_id"])
    history = alert_history(store, alert.alert_id)
    fired = store.query("trigger_fire", {"alert_id": alert.alert_id}, order_by=["ts"])
    ids = [row["fire_id"] for row in fired]
    return render(
        store,
        request,
        "alert.html",
        title="Alert",
        place="/alerts",
        alert=alert,
        stands=history.state,
        changes=history.changes,
        age=_age(store, alert),
        monitor=next(iter(store.query("monitor", {"monitor_id": alert.monitor_id})), None)
        if alert.monitor_id
        else None,
        stories=store.query("retraining", {"fire_id in": ids}, order_by=["started"]) if ids else [],
        snoozes=SNOOZES,
        actions=ACTIONS,
        seen=seen_of(_state(alert)),
    )


def edit(store: Store, request: Request, form: Form) -> str:
    """Acknowledge an alert, put it off, or close it, as the field `do` says; returns the address of its page."""
    store = acting_as(store, request, form)
    what = form.one("do")
    with store.transaction():
        alert = _alert(store, request.path_params["alert_id"])
        check_seen(form, _state(alert))
        if what == "acknowledge":
            owner = form.one("owner").strip()
            ack_alert(store, alert.alert_id, note=form.one("note").strip() or None, owner=_other(owner, alert.owner))
        elif what == "snooze":
            snooze_alert(store, alert.alert_id, for_=form.one("for"), reason=form.one("reason").strip() or None)
        elif what == "close":
            resolve_alert(store, alert.alert_id, reason=form.one("reason").strip(), action=form.one("action"))
        else:
            raise InvalidInput(f"nothing is done by {what!r}", expected="acknowledge | snooze | close")
    return f"/alerts/{quoted(alert.alert_id)}"


def _alert(store: Store, asked: str) -> Alert:
    rows = store.query("alert", {"alert_id": asked})
    if not rows:
        raise NotFound(f"no alert has the id {asked}", where=store.location, hint="the list of alerts")
    return alert_of(rows[0])


def _state(alert: Alert) -> list[Any]:
    """What people change of an alert."""
    return [alert.owner, alert.acked, alert.snoozed, alert.closed]


def _other(said: str, before: str | None) -> str | None:
    return said if said and said != before else None


def _age(store: Store, alert: Alert) -> str:
    """For how long it is, or was, open."""
    end = moment(alert.closed) if alert.closed else store.clock.latest()
    seconds = (end - moment(alert.opened)).total_seconds()
    return span(seconds) if seconds >= _MINUTE_S else "under 1 min"
