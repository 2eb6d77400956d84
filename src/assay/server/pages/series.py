"""Points of metrics for charts: as JSON that is downsampled to what a picture can show, and as CSV in full."""

import csv
import io

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput
from assay.record.clock import from_ms
from assay.record.csv_text import cell
from assay.record.store import Row, Store
from assay.record.tracking.metrics import history
from assay.record.tracking.points import Points, downsample
from assay.server.pages.rendering import HEADERS
from assay.server.pages.sparkline import paths

__all__ = ["as_csv", "as_json", "sparklines"]

_MOST = 2_000
_MOST_RUNS = 50


class Line(msgspec.Struct, frozen=True):
    """A metric of one run: `count` points in all, of which these are shown. A value is null where it is no number."""

    run: str
    name: str
    count: int
    step: list[int]
    ts_ms: list[int]
    value: list[float | None]


class Chart(msgspec.Struct, frozen=True):
    """A metric of several runs."""

    key: str
    series: list[Line]


def as_json(store: Store, request: Request) -> Response:
    """`run` (repeated) and `key`; at most about `most` points a run, of the part from `from` to `to` of `x`.

    `x` is `step` or `time` (milliseconds); the points beside the part belong to it, so that a line goes on to the edge.
    """
    asked = request.query_params
    key, most = asked.get("key", ""), _whole(asked.get("most", "600"), "most")
    by_time = asked.get("x", "step") == "time"
    ends = [_whole(asked[name], name) if name in asked else None for name in ("from", "to")]
    lines = []
    for run in _runs(store, request):
        points = history(store, run["run_id"], key, late=asked.get("late") == "1")
        shown = _part(points, by_time=by_time, start=ends[0], end=ends[1])
        shown = _turned(downsample(_turned(shown, by_time), max(2, min(most, _MOST))), by_time)
        values: list[float | None] = [one if np.isfinite(one) else None for one in shown.value.tolist()]
        lines.append(Line(run["run_id"], run["name"], len(points), shown.step.tolist(), shown.ts_ms.tolist(), values))
    return _json(Chart(key, lines))


def as_csv(store: Store, request: Request) -> Response:
    """All points of `key` of each `run`, with those that came late where `late` is 1."""
    key = request.query_params.get("key", "")
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["run_id", "run", "key", "step", "time", "value"])
    for run in _runs(store, request):
        points = history(store, run["run_id"], key, late=request.query_params.get("late") == "1")
        columns = (points.step.tolist(), points.ts_ms.tolist(), points.value.tolist())
        for step, ts_ms, value in zip(*columns, strict=True):
            table.writerow([run["run_id"], cell(run["name"]), cell(key), step, from_ms(ts_ms), value])
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="metric.csv"'}
    return Response(written.getvalue(), media_type="text/csv", headers=headers)


def sparklines(store: Store, request: Request) -> Response:
    """Paths of small drawings by run and key, for those that a page did not bring along."""
    run_ids = request.query_params.getlist("run")[:_MOST_RUNS]
    keys = request.query_params.getlist("key")[:10]
    rows = store.query("run_metric", {"run_id in": run_ids, "key in": keys, "layer": 0})
    found = paths(store, run_ids, keys, {(row["run_id"], row["key"]): row["count"] for row in rows})
    listed: dict[str, dict[str, str]] = {}
    for (run_id, key), path in found.items():
        listed.setdefault(run_id, {})[key] = path
    return _json(listed)


def _runs(store: Store, request: Request) -> list[Row]:
    """The runs that are asked for and there, in the order of asking."""
    asked = list(dict.fromkeys(request.query_params.getlist("run")))
    if len(asked) > _MOST_RUNS:
        raise InvalidInput(f"a chart of {len(asked)} runs", expected=f"at most {_MOST_RUNS}")
    rows = {row["run_id"]: row for row in store.query("run", {"run_id in": asked, "deleted": None})}
    return [rows[run_id] for run_id in asked if run_id in rows]


def _part(points: Points, *, by_time: bool, start: int | None, end: int | None) -> Points:
    if (start is None and end is None) or not len(points):
        return points
    place = points.ts_ms if by_time else points.step
    order = np.argsort(place, kind="stable")
    ordered = place[order]
    first = 0 if start is None else max(0, int(np.searchsorted(ordered, start, "left")) - 1)
    last = len(ordered) if end is None else min(len(ordered), int(np.searchsorted(ordered, end, "right")) + 1)
    return points.take(order[first:last])


def _turned(points: Points, by_time: bool) -> Points:
    """Step and time in each other's place where the picture is over time: its parts are then parts of time."""
    return Points(points.ts_ms, points.step, points.value) if by_time else points


def _whole(text: str, name: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise InvalidInput(f"{name} is {text!r}", expected="a number") from None


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=HEADERS)
