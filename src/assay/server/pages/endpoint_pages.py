"""Endpoints: who serves what with which share, what was answered, how fast, and what was decided."""

import functools
from datetime import datetime, timedelta
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput
from assay.operate.online_tests.definition import OnlineTest, all_tests
from assay.operate.releases.records import LIVE, Rollout, rollout_of
from assay.operate.routing.endpoints import EndpointDecision, list_endpoints, show_endpoint
from assay.record.clock import moment
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.store import Store
from assay.server.pages.endpoint_traffic import Traffic, traffic_of
from assay.server.pages.line_drawing import NARROW, Line, Mark, Picture, picture
from assay.server.pages.rendering import render

__all__ = ["show", "show_all"]

SPANS = {"1h": (timedelta(hours=1), 60), "24h": (timedelta(days=1), 96), "7d": (timedelta(days=7), 168)}
_USUAL = "24h"
_LISTED = 20


class Answered(NamedTuple):
    """What one version answered in the time that is shown. `number` chooses its colour and dashes."""

    version: ModelVersion
    role: str
    number: int
    rows: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None


def show_all(store: Store, request: Request) -> Response:
    """All endpoints, with the release and the tests that run."""
    rows = store.query("rollout", {"status in": list(LIVE)})
    return render(
        store,
        request,
        "endpoints.html",
        title="Endpoints",
        place="/endpoints",
        endpoints=list_endpoints(store),
        releases={row["endpoint"]: rollout_of(row) for row in rows},
        tests={test.endpoint: test for test in all_tests(store, running=True) if test.rollout is None},
    )


def show(store: Store, request: Request) -> Response:
    """An endpoint; `span` says how much time is shown."""
    name = request.path_params["name"]
    detail = show_endpoint(store, name)
    span = request.query_params.get("span", _USUAL)
    if span not in SPANS:
        raise InvalidInput(f"span is {span!r}", expected=", ".join(SPANS))
    length, slices = SPANS[span]
    traffic, until, is_whole = traffic_of(store, name, length, slices)
    releases, tests = _releases(store, name), all_tests(store, name)[:_LISTED]
    return render(
        store,
        request,
        "endpoint.html",
        title=name,
        place="/endpoints",
        endpoint=detail,
        span=span,
        spans=SPANS,
        since=until - length,
        until=until,
        is_past=bool(traffic) and store.clock.now() - until > timedelta(minutes=5),
        is_whole=is_whole,
        answered=_answered(store, traffic),
        drawings=_drawings(store, traffic, detail.decisions, until - length, until, slices),
        releases=releases,
        tests=tests,
        alerts=store.query("alert", {"endpoint": name, "closed": None}, order_by=["-opened"], limit=_LISTED),
        live=not is_whole or _is_live(releases, tests) or any(worker.live for worker in detail.workers),
    )


def _releases(store: Store, endpoint: str) -> list[Rollout]:
    rows = store.query("rollout", {"endpoint": endpoint}, order_by=["-started"], limit=_LISTED)
    return [rollout_of(row) for row in rows]


def _is_live(releases: list[Rollout], tests: list[OnlineTest]) -> bool:
    return any(one.status in LIVE for one in releases) or any(one.status == "running" for one in tests)


def _answered(store: Store, traffic: list[Traffic]) -> list[Answered]:
    return [
        Answered(
            version_by_id(store, one.mv_id),
            one.role,
            number,
            int(one.rows.sum()),
            int(one.errors.sum()),
            one.quantile_ms(0.5),
            one.quantile_ms(0.95),
        )
        for number, one in enumerate(traffic)
    ]


def _drawings(
    store: Store,
    traffic: list[Traffic],
    decisions: list[EndpointDecision],
    since: datetime,
    until: datetime,
    slices: int,
) -> list[tuple[str, Picture, Picture]]:
    """Requests, errors and latency over time, with the decisions that fell into it, wide and narrow."""
    width = (until - since) / slices
    minutes = width / timedelta(minutes=1)
    middles = [since + width * (place + 0.5) for place in range(slices)]
    marks = [Mark(f"{one.kind}: {one.reason}", at=moment(one.ts)) for one in decisions]
    named = [_name(store, one) for one in traffic]

    def drawn(title: str, of: list[list[float | None]], unit: str) -> tuple[str, Picture | None, Picture | None]:
        lines = [Line(named[n], list(zip(middles, values, strict=True)), n) for n, values in enumerate(of)]
        tops = [(line.name, [value for _, value in line.values if value is not None]) for line in lines]
        said = "; ".join(f"{name} at most {max(found):,.4g} {unit}" for name, found in tops if found)
        shown = functools.partial(picture, lines, said=f"{title}: {said}", since=since, until=until, marks=marks)
        return title, shown(), shown(width=NARROW)

    counts: list[list[float | None]] = [
        [float(rows) / minutes for rows in one.rows] if one.role == "live" else [None] * slices for one in traffic
    ]
    errors: list[list[float | None]] = [
        [100.0 * bad / rows if rows else None for bad, rows in zip(one.errors, one.rows, strict=True)]
        for one in traffic
    ]
    found = [
        drawn("Requests a minute", counts, "a minute"),
        drawn("Errors in percent of the answers", errors, "percent"),
        drawn("95 of 100 answers took at most so many milliseconds", [one.quantiles_ms(0.95) for one in traffic], "ms"),
    ]
    return [(title, wide, narrow) for title, wide, narrow in found if wide is not None and narrow is not None]


def _name(store: Store, traffic: Traffic) -> str:
    version = version_by_id(store, traffic.mv_id)
    return f"version {version.version}{' as a shadow' if traffic.role == 'shadow' else ''}"
