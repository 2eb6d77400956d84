"""What people do with alerts: list them, say that they look, put them off, close them; and all that was done."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from assay.errors import InvalidInput, nearest
from assay.operation import operation
from assay.record.alerts.alert import ACTIONS, Alert, alert_of, close_alert, find_alert
from assay.record.changes import changes, note_change
from assay.record.clock import iso, moment
from assay.record.lengths import checked_length
from assay.record.notify.severity import checked_severity, rank
from assay.record.store import Store

__all__ = [
    "AlertHistory",
    "Change",
    "ack_alert",
    "alert_history",
    "list_alerts",
    "resolve_alert",
    "snooze_alert",
    "state_of",
]

State = Literal["open", "acknowledged", "snoozed", "closed"]
_STATES = ("open", "all", "acknowledged", "snoozed", "closed", "waiting")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done: when, by whom, what, from which value to which, and why."""

    ts: str
    actor: str
    what: str
    before: str | None
    after: str | None
    reason: str | None


class AlertHistory(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, and all that was done about it, oldest first."""

    alert: Alert
    state: State
    changes: list[Change]


def state_of(alert: Alert, now: datetime) -> State:
    """Where an alert stands at `now`: closed, snoozed, acknowledged, or open, which waits for a person."""
    if alert.closed is not None:
        return "closed"
    if alert.snoozed is not None and moment(alert.snoozed) > now:
        return "snoozed"
    return "open" if alert.acked is None else "acknowledged"


@operation("monitor alerts")
def list_alerts(
    store: Store,
    *,
    state: Annotated[str, "open (not closed), waiting (for a person), acknowledged, snoozed, closed or all"] = "open",
    model: Annotated[str | None, "Those of this model"] = None,
    endpoint: Annotated[str | None, "Those of this endpoint"] = None,
    owner: Annotated[str | None, "Those that this person has to look at"] = None,
    least: Annotated[str, "The lowest severity: info, warning or critical"] = "info",
    limit: Annotated[int, "At most so many"] = 100,
) -> list[Alert]:
    """List alerts, the worst first and then the newest."""
    if state not in _STATES:
        close = nearest(state, list(_STATES))
        raise InvalidInput(f"no alert is {state!r}", expected=" | ".join(_STATES), hint=close)
    if limit < 1:
        raise InvalidInput(f"--limit is {limit}", expected="1 or more")
    lowest = rank(checked_severity(least))
    named = {"model": model, "endpoint": endpoint, "owner": owner}
    where: dict[str, object] = {name: value for name, value in named.items() if value is not None}
    if state == "closed":
        where["closed >"] = ""
    elif state != "all":
        where["closed"] = None
    found = [alert_of(row) for row in store.query("alert", where, order_by=["-opened", "-alert_id"])]
    now = store.clock.latest()
    wanted = {"waiting": "open"}.get(state, state)
    narrow = state in ("waiting", "acknowledged", "snoozed")
    found = [one for one in found if rank(one.severity) >= lowest and (not narrow or state_of(one, now) == wanted)]
    return sorted(found, key=lambda one: (one.closed is not None, -rank(one.severity)))[:limit]


@operation("monitor ack")
def ack_alert(
    store: Store,
    alert: Annotated[str, "Its id, or the first characters of it"],
    *,
    note: Annotated[str | None, "What is known, in words"] = None,
    owner: Annotated[str | None, "Who goes on with it"] = None,
) -> Alert:
    """Say that somebody looks at an alert: it is not raised any more."""
    with store.transaction():
        found = _open_one(store, alert)
        key = {"alert_id": found.alert_id}
        if owner is not None:
            if not owner.strip():
                raise InvalidInput("the owner of an alert is empty", expected="a name")
            store.amend("alert", key, {"owner": owner})
            note_change(store, "alert", found.alert_id, "owner", before=found.owner, after=owner)
        if found.acked is None or note is not None:
            if found.acked is None:
                store.amend("alert", key, {"acked": iso(store.clock.latest()), "acked_by": store.actor.name})
            note_change(store, "alert", found.alert_id, "acknowledged", reason=note)
        return find_alert(store, found.alert_id)


@operation("monitor snooze")
def snooze_alert(
    store: Store,
    alert: Annotated[str, "Its id, or the first characters of it"],
    *,
    for_: Annotated[str, "How long, such as 2h or 3d"] = "1h",
    reason: Annotated[str | None, "Why it may wait"] = None,
) -> Alert:
    """Put an alert off: nobody is reminded of it for so long, and then they are."""
    span = checked_length(for_, "--for", zero=False)
    with store.transaction():
        found = _open_one(store, alert)
        until = iso(store.clock.latest() + span)
        store.amend("alert", {"alert_id": found.alert_id}, {"snoozed": until})
        note_change(store, "alert", found.alert_id, "snoozed", before=found.snoozed, after=until, reason=reason)
        return find_alert(store, found.alert_id)


@operation("monitor close")
def resolve_alert(
    store: Store,
    alert: Annotated[str, "Its id, or the first characters of it"],
    *,
    reason: Annotated[str, "Why, in words"] = "",
    action: Annotated[str, f"What was done: {', '.join(ACTIONS)}"] = "fixed",
) -> Alert:
    """Close an alert with a reason, and say what was done."""
    known = next((one for one in ACTIONS if one == action.replace("-", " ").replace("_", " ")), None)
    if known is None:
        close = nearest(action, list(ACTIONS))
        raise InvalidInput(f"an alert is not closed as {action!r}", expected=" | ".join(ACTIONS), hint=close)
    with store.transaction():
        return close_alert(store, _open_one(store, alert).alert_id, action=known, reason=reason)


@operation("monitor history")
def alert_history(store: Store, alert: Annotated[str, "Its id, or the first characters of it"]) -> AlertHistory:
    """Show an alert with all that was done about it."""
    found = find_alert(store, alert)
    rows = changes(store, "alert", found.alert_id)
    done = [Change(**{name: row[name] for name in Change.__struct_fields__}) for row in rows]
    return AlertHistory(alert=found, state=state_of(found, store.clock.latest()), changes=done)


def _open_one(store: Store, alert: str) -> Alert:
    found = find_alert(store, alert)
    if found.closed is not None:
        raise InvalidInput(f"alert {found.alert_id[:8]} is closed: {found.action}", hint="`assay monitor alerts`")
    return found
