"""Looking: every window that is over is looked at once, in order, by whoever comes first.

How far a monitor has looked stands in its row and moves in the transaction of what was found: a process that dies
leaves the window to the next one, and of two that look at the same window one writes.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
import pyarrow as pa

from assay.errors import AssayError, NotFound, StoreUnavailable
from assay.operate.labels.recording import labels_known
from assay.operate.monitors.alarms import follow_alert
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Finding, Kind, Outcome, Window
from assay.operate.monitors.kinds import KIND_OF
from assay.operate.monitors.reading import LogWindows
from assay.operate.monitors.records import make_defaults, monitor_of, monitors_of, reset_baseline
from assay.operate.monitors.spans import LATE, Span, maturity_of, next_span
from assay.record.canonical import canonical_json
from assay.record.clock import happened, iso, moment, to_us
from assay.record.models.routes import newest_route
from assay.record.store import Row, Store

__all__ = ["Checked", "check_due", "checked_of"]

_EARLIER = 30  # states of windows before, that a kind is told
_FINDING = tuple(name for name in Finding.__struct_fields__ if name != "raised")


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A window that was looked at: its name, how many of its rows were answered, and the alert that is open."""

    monitor: Monitor
    window: str
    started: str
    ended: str
    rows: int
    outcome: Outcome
    alert_id: str | None = None


def check_due(store: Store, monitors: Sequence[Monitor] | None = None, now: datetime | None = None) -> list[Checked]:
    """Look at every window that is over and was not looked at, each once, in order; those that were looked at.

    Without `monitors` all of them, and endpoints without any get their default ones before. Where an endpoint has
    another champion than its monitors know, what is usual is learned anew. Safe in several processes; a window that a
    monitor cannot look at is recorded as `no_data` with the reason. Rows that are logged after their window was looked
    at are not taken in.
    """
    at = now or store.clock.latest()
    if monitors is None:
        make_defaults(store)
        monitors = monitors_of(store)
    by_endpoint: dict[str, list[Monitor]] = {}
    for monitor in monitors:
        if monitor.definition.kind in KIND_OF and (not monitor.looked or _is_due(store, monitor, at)):
            by_endpoint.setdefault(monitor.endpoint, []).append(monitor)
    return [one for endpoint, several in by_endpoint.items() for one in _Endpoint(store, endpoint, at).look(several)]


def checked_of(store: Store, monitor: Monitor, row: Row, *, findings: bool = True) -> Checked:
    """A check on record, with what it found."""
    where = {"monitor_id": row["monitor_id"], "window": row["window"]}
    rows = store.query("monitor_finding", where, order_by=["-harm", "subject", "segment"]) if findings else []
    told = [Finding(**{name: one[name] for name in _FINDING}, raised=bool(one["raised"])) for one in rows]
    detail = msgspec.json.decode(row["detail"]) if row["detail"] else {}
    words = str(detail.pop("words", ""))
    alert_id = detail.pop("alert_id", None)
    outcome = Outcome(status=row["status"], value=row["value"], words=words, findings=told, detail=detail)
    return Checked(
        monitor=monitor,
        window=row["window"],
        started=row["started"],
        ended=row["ended"],
        rows=row["rows"] or 0,
        outcome=outcome,
        alert_id=alert_id,
    )


def _is_due(store: Store, monitor: Monitor, at: datetime) -> bool:
    """Whether a window may be over, without a look at the log."""
    assert monitor.looked is not None, "asked of a monitor that has looked"
    if monitor.definition.rows is not None:
        return True
    return _due_at(store, monitor, next_span(monitor.definition, _from(monitor))) <= at


def _due_at(store: Store, monitor: Monitor, span: Span) -> datetime:
    late = timedelta(0) if store.clock.event is not None else LATE
    matures = KIND_OF[monitor.definition.kind].matures
    return span.ended + max(late, maturity_of(monitor.definition) if matures else late)


def _from(monitor: Monitor) -> str:
    """From where on it looks: never before the champion was one."""
    return max(one for one in (monitor.looked, monitor.since) if one is not None)


class _Endpoint:
    """One endpoint that is looked at, at a moment."""

    def __init__(self, store: Store, endpoint: str, at: datetime) -> None:
        self.store, self.endpoint, self.at = store, endpoint, at
        self.log = LogWindows(store, endpoint)
        self._counted: dict[str, str] = {}  # by monitor, from where on its windows by count are read in this look

    def look(self, monitors: Sequence[Monitor]) -> Iterator[Checked]:
        """All due windows; of several monitors the earlier window first, so that its rows are read once."""
        self.log.refresh()
        going = {one.monitor_id: self._begun(one) for one in monitors}
        while going:
            spans = {id: self._next(one) for id, one in going.items()}
            due = {id: span for id, span in spans.items() if span is not None}
            if not due:
                return
            going = {id: going[id] for id in due}
            first = min(due, key=lambda id: (due[id].ended, due[id].started))
            checked = self._check(going[first], due[first])
            if checked is not None:
                yield checked
            fresh = monitor_of(self.store.get("monitor", {"monitor_id": first}))
            if fresh is None or not fresh.enabled:
                del going[first]
            else:
                going[first] = fresh

    def _begun(self, monitor: Monitor) -> Monitor:
        """The monitor, with a beginning, and for the champion of now."""
        route = newest_route(self.store, self.endpoint)
        champion = route.variants[0].mv_id if route else None
        if champion is not None and champion != monitor.version:
            assert route is not None, "there is a champion"
            reset_baseline(self.store, self.endpoint, champion, since=self._since(champion))
            found = monitor_of(self.store.get("monitor", {"monitor_id": monitor.monitor_id}))
            assert found is not None, "it was one before"
            return found
        if monitor.since is None:  # an endpoint without a route has a log all the same
            begin = self.log.first_moment() or iso(self.at)
            self.store.amend("monitor", {"monitor_id": monitor.monitor_id}, {"since": begin})
            return msgspec.structs.replace(monitor, since=begin)
        return monitor

    def _since(self, champion: str) -> datetime:
        """When the version began to answer as champion without a break."""
        begin = None
        for row in self.store.query("route", {"endpoint": self.endpoint}, order_by=["-revision"]):
            variants = msgspec.json.decode(row["detail"])["variants"]
            if variants[0]["mv_id"] != champion:
                break
            begin = happened(row)
        assert begin is not None, "the newest route is the champion's"
        return moment(begin)

    def _next(self, monitor: Monitor) -> Span | None:
        """The next window of a monitor that is due."""
        if monitor.definition.rows is not None:
            return self._next_counted(monitor, monitor.definition.rows)
        begin = _from(monitor)
        coming = self.log.next_moment(begin)
        span = next_span(monitor.definition, begin, self.at if coming is None else moment(coming))
        return span if _due_at(self.store, monitor, span) <= self.at else None

    def _next_counted(self, monitor: Monitor, rows: int) -> Span | None:
        """From the row after the last window to the moment of the row that makes it full, and all of that moment."""
        begin = _from(monitor)
        if self.log.rows_since(begin) < rows:
            return None
        late = timedelta(0) if self.store.clock.event is not None else LATE
        matures = KIND_OF[monitor.definition.kind].matures
        until = self.at - max(late, maturity_of(monitor.definition) if matures else late)
        base = self._counted.setdefault(monitor.monitor_id, begin)
        if moment(base) >= until:
            return None
        moments = self.log.read(Span(moment(base), until))["moment"].cast(pa.int64()).to_numpy()
        start = int(moments.searchsorted(to_us(moment(begin))))
        if len(moments) - start < rows:
            return None
        last = pa.scalar(int(moments[start + rows - 1]), pa.timestamp("us", "UTC")).as_py()
        return Span(moment(begin), last + timedelta(microseconds=1))

    def _check(self, monitor: Monitor, span: Span) -> Checked | None:
        kind = KIND_OF[monitor.definition.kind]
        window = self._window(kind, span)
        where = {"monitor_id": monitor.monitor_id}
        earlier = self.store.query("monitor_check", where, order_by=["-ended", "-window"], limit=_EARLIER)
        states = [row["status"] for row in reversed(earlier)]
        try:
            outcome = kind.check(self.store, monitor, window, states)
        except StoreUnavailable:
            raise
        except AssayError as error:
            said = error.what + (f", expected {error.expected}" if error.expected else "")
            outcome = Outcome(status="no_data", value=None, words=f"not looked at: {said}")
        return self._record(monitor, window, outcome, states)

    def _window(self, kind: Kind, span: Span) -> Window:
        every = self.log.read(span)
        is_answered = every["output"].is_valid()
        rows = every.filter(is_answered)
        known: dict[str, float] = {}
        ids = rows["id"].to_pylist() if kind.matures else []
        if ids:
            known = labels_known(self.store, ids, as_of=self.at)
        labels = pa.array([known.get(id) for id in ids], pa.float64()) if ids else pa.nulls(rows.num_rows, pa.float64())
        failed = every.filter(pa.compute.invert(is_answered))
        return Window(span.name, span.started, span.ended, self.at, rows, labels, failed)

    def _record(self, monitor: Monitor, window: Window, outcome: Outcome, states: Sequence[str]) -> Checked | None:
        """Write what was found, and how far it looked; None where somebody else did."""
        key = {"monitor_id": monitor.monitor_id}
        with self.store.transaction():
            try:
                now = self.store.get("monitor", key)
            except NotFound:
                return None
            if now["looked"] != monitor.looked or now["since"] != monitor.since:
                return None
            alert_id = follow_alert(self.store, monitor, window, outcome, states)
            detail = {**outcome.detail, "words": outcome.words, "alert_id": alert_id}
            row: Row = {**key, "window": window.name, "status": outcome.status, "value": outcome.value}
            row |= {"started": iso(window.started), "ended": iso(window.ended), "rows": window.rows.num_rows}
            version = monitor.mv_id or monitor.version
            self.store.append("monitor_check", {**row, "mv_id": version, "detail": canonical_json(detail)})
            found = [
                {**key, "window": window.name, **{name: getattr(one, name) for name in _FINDING}, "raised": one.raised}
                for one in outcome.findings
            ]
            if found:
                self.store.append_many("monitor_finding", [{**one, "raised": int(one["raised"])} for one in found])
            self.store.amend("monitor", key, {"looked": iso(window.ended)})
        return Checked(
            monitor=monitor,
            window=window.name,
            started=iso(window.started),
            ended=iso(window.ended),
            rows=window.rows.num_rows,
            outcome=outcome,
            alert_id=alert_id,
        )
