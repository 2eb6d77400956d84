"""Monitors as pages show them: each with the windows that it looked at, oldest first, and what it found in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT
from assay.record.clock import happened, moment
from assay.record.schema import TABLES
from assay.record.store import Row, Store

__all__ = ["HARMS", "Changed", "Found", "Seen", "Watched", "by_subject", "found_in", "newest", "ranked", "watched"]

MOST_WINDOWS = 400  # the newest of more
HARMS = ("drift", "prediction_drift", "skew", "quality")  # kinds whose value is the largest harm: 1 is what matters
_OF_ANSWERS = ("performance", "estimate", "calibration", "fairness")  # kinds whose harm is measured of the answers


class Seen(NamedTuple):
    """A window that was looked at, with one value; `bound`, `low` and `high` are those of the finding that it is of.

    `metric` is what the value is, where the kind says it.
    """

    window: str
    status: str
    started: datetime
    ended: datetime
    looked: str
    rows: int | None
    value: float | None
    bound: float | None
    low: float | None
    high: float | None
    metric: str | None
    words: str


class Found(NamedTuple):
    """A finding, with the monitor that made it. `weight` is its harm as a share of the greatest that is shown."""

    monitor: Monitor
    window: str
    subject: str
    segment: str
    measure: str
    state: str
    words: str
    value: float | None
    expected: float | None
    bound: float | None
    low: float | None
    high: float | None
    p: float | None
    harm: float | None
    rows: int | None
    weight: float = 0.0


class Changed(NamedTuple):
    """A column or metric that changed: over all rows where that was found, and the segments in which it is more so."""

    most: Found
    segments: list[Found]


class Watched(NamedTuple):
    """A monitor with its windows, oldest first."""

    monitor: Monitor
    seen: list[Seen]

    @property
    def last(self) -> Seen | None:
        """The newest window; None where none was looked at."""
        return self.seen[-1] if self.seen else None

    @property
    def status(self) -> str:
        """How it stands: as its newest window that had data."""
        if not self.monitor.enabled:
            return "off"
        known = [one.status for one in self.seen if one.status != "no_data"]
        return known[-1] if known and self.seen[-1].status != "no_data" else "no_data"


def watched(store: Store, monitor: Monitor, most: int = MOST_WINDOWS) -> Watched:
    """A monitor with the newest of its windows."""
    asked = {"monitor_id": monitor.monitor_id}
    rows = store.query("monitor_check", asked, order_by=["-ended", "-ts", "-window"], limit=most)[::-1]
    if not rows:
        return Watched(monitor, [])
    first = min(row["window"] for row in rows)
    findings = store.query("monitor_finding", {**asked, "segment": OVERALL_SEGMENT, "window >=": first})
    of: dict[str, list[Row]] = {}
    for one in findings:
        of.setdefault(one["window"], []).append(one)
    is_harm = monitor.definition.kind in HARMS
    return Watched(monitor, [_seen(row, [] if is_harm else of.get(row["window"], [])) for row in rows])


def newest(store: Store, monitors: Sequence[Monitor]) -> list[Watched]:
    """Monitors with the newest window of each, asked for at once."""
    check = TABLES["monitor_check"]
    last = (
        sa.select(check.c.monitor_id, sa.func.max(check.c.ended).label("ended")).group_by(check.c.monitor_id).subquery()
    )
    asked = sa.select(check).join(last, sa.and_(check.c.monitor_id == last.c.monitor_id, check.c.ended == last.c.ended))
    rows = {row["monitor_id"]: row for row in store.select(asked.order_by(check.c.window))}
    return [Watched(one, [_seen(rows[one.monitor_id], [])] if one.monitor_id in rows else []) for one in monitors]


def found_in(store: Store, monitor: Monitor, window: str) -> list[Found]:
    """All that a monitor found in a window."""
    rows = store.query("monitor_finding", {"monitor_id": monitor.monitor_id, "window": window})
    kept = [name for name in Found._fields if name not in ("monitor", "words", "weight")]
    return [Found(monitor, words=row["words"] or "", **{name: row[name] for name in kept}) for row in rows]


def ranked(found: Sequence[Found]) -> list[Found]:
    """By how much it matters, most first: what is measured of the answers, then harm, then how far beyond its bound.

    Harm of answers is in units of their metric, that of inputs in what matters at all: each has its weight among those
    of its unit.
    """
    most: dict[int, float] = {len(_OF_ANSWERS): 1.0}
    for one in found:
        most[_place(one)] = max(most.get(_place(one), 0.0), one.harm or 0.0)
    weighed = [one._replace(weight=(one.harm or 0.0) / (most[_place(one)] or 1.0)) for one in found]
    order = {"drift": 0, "watch": 1, "uncalibrated": 2, "ok": 3, "no_data": 4}
    return sorted(
        weighed, key=lambda one: (order[one.state], _place(one), -(one.harm or 0.0), -_beyond(one), one.subject)
    )


def by_subject(found: Sequence[Found]) -> list[Changed]:
    """Ranked findings, together where they tell of the same column by the same monitor; the order stays."""
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.monitor.monitor_id, one.subject), []).append(one)
    made = []
    for group in groups.values():
        most = next((one for one in group if one.segment == OVERALL_SEGMENT), group[0])
        parts = {one.segment: one for one in reversed(group) if one.segment != most.segment}
        segments = [one for one in parts.values() if one.weight >= most.weight]
        made.append(Changed(most._replace(weight=group[0].weight), segments[::-1]))
    return made


def _place(one: Found) -> int:
    kind = one.monitor.definition.kind
    return _OF_ANSWERS.index(kind) if kind in _OF_ANSWERS else len(_OF_ANSWERS)


def _beyond(one: Found) -> float:
    return abs(one.value) / abs(one.bound) if one.value is not None and one.bound else 0.0


def _seen(row: Row, findings: Sequence[Row]) -> Seen:
    detail = msgspec.json.decode(row["detail"]) if row["detail"] else {}
    of = next((one for one in findings if one["value"] is not None and one["value"] == row["value"]), None)
    bound, low, high = (of["bound"], of["low"], of["high"]) if of else (None, None, None)
    ended = moment(row["ended"] or row["ts"])
    metric = detail.get("metric") or (of["subject"] if of else None)
    return Seen(
        window=row["window"],
        status=row["status"],
        started=moment(row["started"]) if row["started"] else ended,
        ended=ended,
        looked=happened(row),
        rows=row["rows"],
        value=row["value"],
        bound=None if bound in (low, high) else bound,  # the area says it
        low=low,
        high=high,
        metric=metric if isinstance(metric, str) else None,
        words=str(detail.get("words", "")),
    )
