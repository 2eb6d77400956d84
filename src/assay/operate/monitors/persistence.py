"""What comes often enough: a finding in one window is watched, one that comes again alarms."""

from collections.abc import Sequence

import msgspec

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import CheckStatus, Finding
from assay.record.store import Store

__all__ = ["raised_before", "settled", "status_of", "told", "words_of"]


def raised_before(store: Store, monitor: Monitor) -> dict[tuple[str, str, str], int]:
    """How often each subject, segment and measure was raised in the last windows that an alarm looks at, but this."""
    wanted = monitor.definition.persistence[1] - 1
    if not wanted:
        return {}
    where = {"monitor_id": monitor.monitor_id, "status !=": "no_data", "started >=": monitor.since or ""}
    windows = store.query("monitor_check", where, order_by=["-ended", "-window"], limit=wanted)
    names = [row["window"] for row in windows]
    counts: dict[tuple[str, str, str], int] = {}
    if names:
        raised = {"monitor_id": monitor.monitor_id, "window in": names, "raised": 1}
        for row in store.query("monitor_finding", raised):
            key = (row["subject"], row["segment"], row["measure"])
            counts[key] = counts.get(key, 0) + 1
    return counts


def settled(store: Store, monitor: Monitor, findings: Sequence[Finding]) -> list[Finding]:
    """The findings with their states: "drift" where raised often enough, "watch" where not yet, else as they are."""
    before = raised_before(store, monitor)
    needed = monitor.definition.persistence[0]
    found = []
    for one in findings:
        if one.state in ("uncalibrated", "no_data"):
            found.append(one)
            continue
        earlier = before.get((one.subject, one.segment, one.measure), 0)
        words = one.words
        if one.raised + earlier >= needed:
            state = "drift"
            if not one.raised:
                words += "; in the windows before, not in this one"
        else:
            state = "watch" if one.raised else "ok"
            if one.raised:
                words += "; once so far"
        found.append(msgspec.structs.replace(one, state=state, words=words))
    return found


def status_of(findings: Sequence[Finding]) -> CheckStatus:
    """The state of a check from those of its findings."""
    states = {one.state for one in findings}
    if "drift" in states:
        return "alarm"
    if "watch" in states:
        return "watch"
    if states <= {"no_data"}:
        return "no_data"
    return "uncalibrated" if states <= {"uncalibrated", "no_data"} else "ok"


def told(findings: Sequence[Finding]) -> list[Finding]:
    """Those that say that something moved."""
    return [one for one in findings if one.state in ("drift", "watch")]


def words_of(findings: Sequence[Finding]) -> str:
    """What moved, in words; where nothing did, what is said of the first, which is of all rows."""
    return "; ".join(one.words for one in (told(findings) or findings[:1]))
