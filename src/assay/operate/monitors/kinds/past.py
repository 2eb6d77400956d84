"""What a monitor's earlier checks found, as a test over many windows needs it: in the order in which they were made."""

from collections.abc import Sequence

import msgspec

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Window
from assay.record.clock import iso
from assay.record.store import Row, Store

__all__ = ["Past", "Seen", "past_of"]


class Seen(msgspec.Struct, frozen=True):
    """A finding of an earlier window: its value, what it was held against, and its rows."""

    value: float | None
    expected: float | None
    bound: float | None
    low: float | None
    high: float | None
    rows: int | None
    raised: bool
    state: str


class Past(msgspec.Struct, frozen=True):
    """An earlier window with its findings by (subject, segment, measure) and what its check kept beside them."""

    window: str
    started: str | None
    status: str
    found: dict[tuple[str, str, str], Seen]
    detail: dict[str, object]

    def value(self, subject: str, segment: str, measure: str) -> float | None:
        """The value that was found there; None where there was none."""
        seen = self.found.get((subject, segment, measure))
        return seen.value if seen else None


def past_of(store: Store, monitor: Monitor, window: Window) -> Sequence[Past]:
    """The monitor's checks since its baseline, but for the one of this window, in the order in which they were made."""
    where: dict[str, object] = {"monitor_id": monitor.monitor_id, "window !=": window.name}
    if monitor.since is not None:
        where["started >="] = monitor.since
    checks = store.query("monitor_check", where, order_by=["ts", "started", "window"])
    findings: dict[str, dict[tuple[str, str, str], Seen]] = {}
    for row in store.query("monitor_finding", {"monitor_id": monitor.monitor_id}):
        key = (row["subject"], row["segment"], row["measure"])
        findings.setdefault(row["window"], {})[key] = _seen(row)
    return [
        Past(
            window=check["window"],
            started=check["started"],
            status=check["status"],
            found=findings.get(check["window"], {}),
            detail=msgspec.json.decode(check["detail"], type=dict[str, object]) if check["detail"] else {},
        )
        for check in checks
        if check["started"] is None or check["started"] != iso(window.started)
    ]


def _seen(row: Row) -> Seen:
    numbers = {name: row[name] for name in ("value", "expected", "bound", "low", "high", "rows")}
    return Seen(**numbers, raised=bool(row["raised"]), state=row["state"])
