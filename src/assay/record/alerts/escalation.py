"""Alerts that nobody looks at are raised, and people are reminded of those that they put off."""

from datetime import datetime, timedelta

import msgspec

from assay.errors import Conflict
from assay.record.alerts.alert import Alert, alert_of, tell_alert
from assay.record.alerts.rules import kind_of, rules_for
from assay.record.changes import note_change
from assay.record.clock import iso, moment
from assay.record.store import Store

__all__ = ["LookedAfter", "look_after"]

_LONGEST = timedelta(days=1)


class LookedAfter(msgspec.Struct, frozen=True):
    """Alerts that were raised or told again because nobody looked, and those that somebody was reminded of."""

    escalated: list[str]
    reminded: list[str]


def look_after(store: Store, now: datetime | None = None) -> LookedAfter:
    """Raise what waited too long for a person, and remind of what was put off until now.

    A warning becomes critical; a critical one is told again, each time after twice as long, at least once a day. What
    is only information is not raised. Any number of processes may do so at once.
    """
    time = now or store.clock.latest()
    done = LookedAfter([], [])
    for row in store.query("alert", {"closed": None}, order_by=["opened", "alert_id"]):
        alert = alert_of(row)
        if alert.snoozed is not None and moment(alert.snoozed) > time:
            continue
        if _is_due(store, alert, time):
            if _changed(store, alert, "escalated", time):
                done.escalated.append(alert.alert_id)
        elif alert.snoozed is not None and _changed(store, alert, "reminded", time):
            done.reminded.append(alert.alert_id)
    return done


def _is_due(store: Store, alert: Alert, now: datetime) -> bool:
    if alert.acked is not None or alert.severity == "info":
        return False
    rules = rules_for(store, alert.model, kind_of(store, alert.key, alert.monitor_id), alert.severity)
    opened = moment(alert.opened)
    since = moment(alert.escalated) if alert.escalated else opened
    if alert.severity == "warning":
        return now >= since + rules.length("escalate_after")
    return now >= since + max(rules.length("critical_after"), min(since - opened, _LONGEST))


def _changed(store: Store, alert: Alert, what: str, now: datetime) -> bool:
    """Whether this process was the one to do it."""
    changes: dict[str, object] = {"snoozed": None}
    if what == "escalated":
        changes |= {"escalated": iso(now), "severity": "critical"}
    expect = {"closed": None, "acked": alert.acked, "snoozed": alert.snoozed, "escalated": alert.escalated}
    try:
        with store.transaction():
            store.amend("alert", {"alert_id": alert.alert_id}, changes, expect=expect)
            before, after = (alert.severity, "critical") if what == "escalated" else (alert.snoozed, None)
            reason = "nobody acknowledged it" if what == "escalated" else "the time that it was put off is over"
            note_change(store, "alert", alert.alert_id, what, before=before, after=after, reason=reason)
            tell_alert(store, alert.alert_id, f"alert.{what}")
    except Conflict:
        return False
    return True
