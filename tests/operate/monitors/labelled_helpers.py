"""Windows of answers with labels, and monitors that look at them one after the other."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.operate.monitors.definition import Definition, Monitor
from assay.operate.monitors.kind import Finding, Kind, Outcome, Window
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.store import Store

Scored = tuple[NDArray[np.float64], NDArray[np.float64]]
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def monitor_for(store: Store, definition: Definition, mv_id: str | None = None) -> Monitor:
    """A monitor on record."""
    monitor_id = new_id()
    row = {"monitor_id": monitor_id, "model": "m", "endpoint": "e", "kind": definition.kind, "name": definition.kind}
    detail = canonical_json(msgspec.to_builtins(definition))
    store.append("monitor", {**row, "enabled": 1, "every_s": 86400, "owner": "me", "detail": detail, "mv_id": mv_id})
    return Monitor(
        monitor_id=monitor_id,
        name=definition.kind,
        model="m",
        endpoint="e",
        mv_id=mv_id,
        owner="me",
        enabled=True,
        definition=definition,
    )


def window_of(
    number: int,
    outputs: NDArray[np.float64],
    labels: NDArray[np.float64] | None = None,
    *,
    length: timedelta = DAY,
    mv_id: str = "v1",
    **features: object,
) -> Window:
    """Window number so and so, its rows evenly over it; labels are NaN where none is known."""
    started = BEGIN + number * length
    rows = len(outputs)
    moments = [started + length * (place / rows) for place in range(rows)]
    columns: dict[str, object] = {
        "id": [f"{number}-{place}" for place in range(rows)],
        "moment": pa.array(moments, pa.timestamp("us", "UTC")),
        "mv_id": [mv_id] * rows,
        "output": outputs,
    }
    if features:
        names = list(features)
        columns["features"] = pa.StructArray.from_arrays([pa.array(features[name]) for name in names], names)
    known = pa.nulls(rows, pa.float64()) if labels is None else pa.array(labels, from_pandas=True)
    name = f"{started:%Y-%m-%d}"
    return Window(name, started, started + length, started + 2 * length, pa.table(columns), known)


def look(store: Store, kind: Kind, monitor: Monitor, window: Window) -> Outcome:
    """Check a window and put on record what was found, as the loop does."""
    states = [row["status"] for row in store.query("monitor_check", {"monitor_id": monitor.monitor_id})]
    outcome = kind.check(store, monitor, window, states)
    key = {"monitor_id": monitor.monitor_id, "window": window.name}
    times = {"started": iso(window.started), "ended": iso(window.ended)}
    detail = canonical_json(outcome.detail)
    check = {**key, **times, "status": outcome.status, "value": outcome.value, "rows": window.rows.num_rows}
    store.append("monitor_check", {**check, "detail": detail})
    for one in outcome.findings:
        row = msgspec.to_builtins(one)
        store.append("monitor_finding", {**key, **row, "raised": int(one.raised)})
    return outcome


def finding(outcome: Outcome, subject: str, segment: str = "all rows", measure: str | None = None) -> Finding:
    """The one finding about a subject in a segment."""
    (one,) = [
        one
        for one in outcome.findings
        if one.subject == subject and one.segment == segment and measure in (None, one.measure)
    ]
    return one


def scored(generator: np.random.Generator, rows: int, shift: float, share: float = 0.3) -> Scored:
    """Scores that separate labels by `shift` standard deviations: the AUC is Phi(shift / sqrt 2)."""
    labels = (generator.random(rows) < share).astype(float)
    return 1 / (1 + np.exp(-generator.normal(shift * labels))), labels
