"""Monitoring: models with how they stand; one model with its monitors, what changed and how much; one monitor."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from assay.errors import NotFound
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.profiles import ANSWER, CLASS
from assay.operate.monitors.records import monitor_of, monitors_of
from assay.record.store import Row, Store
from assay.server.pages.line_drawing import Picture
from assay.server.pages.monitor_drawing import course_of, quality_of
from assay.server.pages.monitor_profiles import ThenAndNow, then_and_now
from assay.server.pages.monitor_windows import (
    HARMS,
    Found,
    Watched,
    by_subject,
    found_in,
    newest,
    ranked,
    watched,
)
from assay.server.pages.rendering import render
from assay.server.pages.standings import KIND_WORDS

__all__ = ["show", "show_all", "show_monitor"]

_LISTED = 100
_FINDINGS = 40  # that matter most
_DRAWN = 90  # windows of each monitor on the page of a model
_DRAWN_FIRST = ("drift", "quality", "skew", "prediction_drift")
_WORST = ("alarm", "watch", "uncalibrated", "no_data", "ok", "off")
_MIX = "mix by "  # findings that say what a change of quality is made of
_TELLS = ("drift", "watch")


class Line(NamedTuple):
    """A model in the list: its monitors by how they stand, open alerts, and when it was last looked at."""

    model: str
    endpoints: list[str]
    states: Counter[str]
    alerts: int
    triggers: int
    retraining: Row | None
    looked: str | None

    @property
    def counted(self) -> list[tuple[str, int]]:
        """How many monitors stand how, the worst first."""
        return [(one, self.states[one]) for one in _WORST if self.states[one]]

    @property
    def status(self) -> str:
        """That of its worst monitor."""
        return next((one for one in _WORST if self.states[one]), "no_data")


class Quality(NamedTuple):
    """A metric of an endpoint, measured and estimated, over one another."""

    metric: str
    endpoint: str
    shown: list[Watched]
    drawing: Picture


def show_all(store: Store, request: Request) -> Response:
    """Models that are watched, retrained, or have alerts, by name."""
    return render(
        store,
        request,
        "monitoring.html",
        title="Monitoring",
        place="/monitoring",
        models=_lines(store),
        words=KIND_WORDS,
    )


def show(store: Store, request: Request) -> Response:
    """A model: `column` and `segment` choose what is drawn then and now, of the newest window of `endpoint`."""
    model = request.path_params["name"]
    asked = request.query_params
    monitors = monitors_of(store, model, all_of_them=True)
    if not monitors and not store.query("registered_model", {"name": model}, limit=1):
        raise NotFound(f"there is no model {model}", where=store.location, hint="the list of models")
    every = [watched(store, one, _DRAWN) for one in monitors]
    profiled = _profiled(every, asked.get("endpoint"))
    findings = ranked(_newest_findings(store, every))
    telling = [one for one in findings if one.state in _TELLS]
    changed = by_subject(telling)
    return render(
        store,
        request,
        "monitoring_model.html",
        title=f"Monitoring of {model}",
        place="/monitoring",
        model=model,
        watched=sorted(every, key=lambda one: _WORST.index(one.status)),
        drawings={one.monitor.monitor_id: course_of(one, small=True) for one in every},
        changed=changed[:_FINDINGS],
        left_out=max(0, len(changed) - _FINDINGS),
        uncalibrated=[one for one in every if one.status == "uncalibrated"],
        quality=_quality(every),
        made_of=[one for one in findings if one.measure.startswith(_MIX)],
        words=KIND_WORDS,
        alerts=store.query("alert", {"model": model, "closed": None}, order_by=["-opened"], limit=_LISTED),
        endpoints=sorted({one.monitor.endpoint for one in every}),
        shown=_then_and_now(store, profiled, telling, asked),
        endpoint=profiled.monitor.endpoint if profiled else None,
    )


def show_monitor(store: Store, request: Request) -> Response:
    """A monitor: all its windows, and of one `window`, the newest by itself, everything that was found."""
    one = watched(store, _monitor(store, request.path_params["monitor_id"]))
    asked = request.query_params
    window = asked.get("window")
    seen = next((each for each in one.seen if each.window == window), None) if window else one.last
    if window and seen is None:
        raise NotFound(f"{one.monitor.name} has not looked at the window {window}", hint="its windows are listed")
    findings = ranked(found_in(store, one.monitor, seen.window)) if seen else []
    return render(
        store,
        request,
        "monitor.html",
        title=one.monitor.name,
        place="/monitoring",
        monitor=one.monitor,
        definition=one.monitor.definition,
        one=one,
        harms=HARMS,
        drawing=course_of(one),
        version=_version(store, one.monitor),
        words=KIND_WORDS,
        seen=seen,
        findings=findings,
        shown=_then_and_now(store, one, findings, asked, window),
        alerts=store.query("alert", {"monitor_id": one.monitor.monitor_id, "closed": None}, order_by=["-opened"]),
    )


def _monitor(store: Store, asked: str) -> Monitor:
    rows = store.query("monitor", {"monitor_id": asked})
    found = monitor_of(rows[0]) if rows else None
    if found is None:
        raise NotFound("there is no such monitor", where=store.location, hint="the page of its model lists them")
    return found


def _version(store: Store, monitor: Monitor) -> Row | None:
    """The version that is watched, where the store still has it."""
    rows = store.query("model_version", {"mv_id": monitor.mv_id or monitor.version or ""})
    return rows[0] if rows else None


def _lines(store: Store) -> list[Line]:
    monitors: dict[str, list[Watched]] = {}
    for one in newest(store, monitors_of(store, all_of_them=True)):
        monitors.setdefault(one.monitor.model, []).append(one)
    alerts = Counter(row["model"] for row in store.query("alert", {"closed": None}) if row["model"])
    triggers = Counter(row["model"] for row in store.query("trigger_def", {"enabled": 1}))
    last = {row["model"]: row for row in store.query("retraining", order_by=["started"])}
    return [
        _line(model, monitors.get(model, []), alerts[model], triggers[model], last.get(model))
        for model in sorted({*monitors, *alerts, *triggers, *last})
    ]


def _line(model: str, every: Sequence[Watched], alerts: int, triggers: int, retraining: Row | None) -> Line:
    return Line(
        model,
        sorted({one.monitor.endpoint for one in every}),
        Counter(one.status for one in every),
        alerts,
        triggers,
        retraining,
        max((one.last.looked for one in every if one.last), default=None),
    )


def _newest_findings(store: Store, every: Sequence[Watched]) -> list[Found]:
    return [
        found
        for one in every
        if one.last and one.monitor.enabled
        for found in found_in(store, one.monitor, one.last.window)
    ]


def _quality(every: Sequence[Watched]) -> list[Quality]:
    """Each metric that is measured or estimated: the measured one first."""
    groups: dict[tuple[str, str], list[Watched]] = {}
    for one in sorted(every, key=lambda one: one.monitor.definition.kind != "performance"):
        definition = one.monitor.definition
        if definition.kind in ("performance", "estimate") and one.last:
            metric = definition.metric or next((seen.metric for seen in one.seen[::-1] if seen.metric), "quality")
            groups.setdefault((one.monitor.endpoint, metric), []).append(one)
    found = []
    for (endpoint, metric), shown in groups.items():
        said = f"{metric}: " + "; ".join(
            f"{KIND_WORDS[one.monitor.definition.kind]} by {one.monitor.name}" for one in shown
        )
        drawing = quality_of(shown, said)
        if drawing is not None:
            found.append(Quality(metric, endpoint, shown, drawing))
    return found


def _profiled(every: Sequence[Watched], endpoint: str | None) -> Watched | None:
    """The monitor whose newest window is drawn: one of inputs, where there is one."""
    of = [one for one in every if one.last and (endpoint is None or one.monitor.endpoint == endpoint)]
    of = [one for one in of if one.monitor.definition.kind in HARMS]
    return min(of, key=lambda one: _DRAWN_FIRST.index(one.monitor.definition.kind), default=None)


def _then_and_now(
    store: Store, one: Watched | None, findings: Sequence[Found], asked: QueryParams, window: str | None = None
) -> ThenAndNow | None:
    """The column that is asked for, else the one that changed most."""
    if one is None or one.last is None or one.monitor.definition.kind not in HARMS:
        return None
    first = [ANSWER, CLASS] if one.monitor.definition.kind == "prediction_drift" else []
    return then_and_now(
        store,
        one.monitor,
        window or one.last.window,
        column=asked.get("column"),
        segment=asked.get("segment"),
        rather=[*(found.subject for found in findings if found.state in _TELLS), *first],
    )
