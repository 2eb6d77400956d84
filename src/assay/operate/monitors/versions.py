"""Watching one version's performance against what it showed before it was promoted, and where that test stands."""

import math
from collections.abc import Mapping
from datetime import datetime

import msgspec

from assay.errors import InvalidInput
from assay.operate.monitors.definition import Definition, Monitor, check_definition
from assay.operate.monitors.kind import OVERALL_SEGMENT
from assay.operate.monitors.kinds.harm import Observed, harm_after, harm_of
from assay.operate.monitors.kinds.performance import DEFAULT_METRICS, MEASURE, tolerance_of
from assay.operate.monitors.kinds.promised import Reference, kept_reference
from assay.operate.monitors.records import find_monitor
from assay.operate.monitors.spans import length_of
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.stats.metrics import metric_of_any_task

__all__ = ["Standing", "standing", "watch_version"]


class Standing(msgspec.Struct, frozen=True):
    """Where the harm test of a monitor stands after the windows that carried its metric.

    `mean` is that of the windows' values, `promised` the reference's and `limit` the worst that is no harm. `e_value`
    is the largest evidence against "not worse" that there was; 2/alpha alarms. `alarm` is the first window that did.
    """

    windows: int
    promised: float
    limit: float
    mean: float | None
    e_value: float
    alarm: str | None
    alert_id: str | None


def watch_version(
    store: Store,
    version: ModelVersion,
    definition: Definition,
    references: Mapping[str, Reference],
    *,
    endpoint: str,
    since: datetime | None = None,
) -> Monitor:
    """Watch a version by a metric from `since` on (now); earlier performance monitors of the endpoint are switched off.

    InvalidInput for a definition of another kind, one without a reference for all rows, and a tolerance that leaves
    nothing to be proven.
    """
    check_definition(definition, "monitor")
    if definition.kind != "performance" or OVERALL_SEGMENT not in references:
        raise InvalidInput(
            f"a monitor of the kind {definition.kind} with references for {', '.join(references) or 'nothing'}",
            expected=f"performance, and {OVERALL_SEGMENT!r} among them",
        )
    length = length_of(definition)
    monitor_id = new_id()
    row = {
        "monitor_id": monitor_id,
        "model": version.model,
        "endpoint": endpoint,
        "kind": definition.kind,
        "name": definition.kind,
        "mv_id": version.mv_id,
        "version": version.mv_id,
        "since": iso(since or store.clock.latest()),
        "enabled": 1,
        "every_s": int(length.total_seconds()),
        "owner": definition.owner or store.actor.name,
        "detail": canonical_json(msgspec.to_builtins(definition)),
        "reference": canonical_json(msgspec.to_builtins(dict(references))),
    }
    with store.transaction():
        for earlier in store.query("monitor", {"endpoint": endpoint, "kind": definition.kind, "enabled": 1}):
            store.amend("monitor", {"monitor_id": earlier["monitor_id"]}, {"enabled": 0})
        store.append("monitor", row)
        monitor = find_monitor(store, monitor_id)
        standing(store, monitor)  # refuses a limit that nothing can be beyond
    return monitor


def standing(store: Store, monitor: Monitor) -> Standing:
    """Where the test on all rows stands, computed again from the recorded checks."""
    metric = metric_of_any_task(monitor.definition.metric or DEFAULT_METRICS["binary"])
    reference = kept_reference(store, monitor).get(OVERALL_SEGMENT)
    if metric is None or reference is None:
        raise InvalidInput(f"monitor {monitor.name} has no metric and reference of its own", expected="both")
    tolerance = tolerance_of(monitor, metric, reference.mean)
    harm = harm_of(reference, metric, tolerance)
    if harm is None:
        raise InvalidInput(
            f"nothing could be proven to be worse than {reference.worst:g} with a tolerance of {tolerance:g}",
            where=f"{metric.name} of {monitor.endpoint}",
            expected="a limit inside the bounds of the metric",
        )
    key = {"monitor_id": monitor.monitor_id}
    where = {**key, "subject": metric.name, "segment": OVERALL_SEGMENT, "measure": MEASURE}
    rows = store.query("monitor_finding", where)
    found = {row["window"]: Observed(row["value"], row["low"], row["high"]) for row in rows}
    checks = store.query("monitor_check", key, order_by=["ts", "started", "window"])
    evidence = harm_after(harm, [found[check["window"]] for check in checks if check["window"] in found])
    alarms = [check["window"] for check in checks if check["status"] == "alarm"]
    alerts = store.query("alert", key, order_by=["opened"], limit=1)
    return Standing(
        windows=evidence.windows,
        promised=reference.mean,
        limit=harm.limit,
        mean=None if evidence.mean is None or math.isnan(evidence.mean) else evidence.mean,
        e_value=evidence.e_value,
        alarm=alarms[0] if alarms else None,
        alert_id=alerts[0]["alert_id"] if alerts else None,
    )
