"""A monitor's alert: opened by the window that alarms, seen again by the next ones, closed once all is well again."""

from collections.abc import Sequence

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Outcome, Window
from assay.record.alerts.alert import close_alert, open_alert
from assay.record.store import Store

__all__ = ["alert_key", "follow_alert"]


def alert_key(monitor: Monitor) -> str:
    """What the alerts of a monitor tell of."""
    return f"monitor:{monitor.name}:{monitor.endpoint}"


def follow_alert(store: Store, monitor: Monitor, window: Window, outcome: Outcome, states: Sequence[str]) -> str | None:
    """Open, keep or close the alert of a monitor after a window; the id of the one that is open, or was closed now.

    It closes by itself after as many windows in a row without a finding as its persistence looks at: 3, where an alarm
    needs 2 of 3. Windows without data neither alarm nor show that all is well. `states` are those of the windows
    before.
    """
    key = alert_key(monitor)
    if outcome.status == "alarm":
        definition = monitor.definition
        alert = open_alert(
            store,
            key,
            f"{monitor.name} of {monitor.endpoint}, {window.name}: {outcome.words}",
            severity=definition.severity,
            model=monitor.model,
            endpoint=monitor.endpoint,
            monitor_id=monitor.monitor_id,
            owner=str(outcome.detail.get("owner") or monitor.owner),
            runbook=definition.runbook,
        )
        return alert.alert_id
    found = store.query("alert", {"key": key, "closed": None}, limit=1)
    if not found:
        return None
    looked = [state for state in [*states, outcome.status] if state != "no_data"]
    enough = monitor.definition.persistence[1]
    if len(looked) < enough or any(state not in ("ok", "uncalibrated") for state in looked[-enough:]):
        return str(found[0]["alert_id"])
    reason = f"{enough} windows in a row are well, until {window.name}"
    return close_alert(store, found[0]["alert_id"], action="recovered", reason=reason).alert_id
