"""Metrics, params and tags over the wire: logged one by one and in batches, and the history of a metric."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from assay.record.models.logged_models import ModelMetric, put_model_metrics
from assay.record.tracking import run_changes
from assay.record.tracking.log_many import Logged
from assay.record.tracking.metrics import history, points_of
from assay.record.tracking.points import Points
from assay.server.wire import messages
from assay.server.wire.call import Call, Settings
from assay.server.wire.errors import invalid, missing, shown
from assay.server.wire.limits import check_batch, check_key, page_size
from assay.server.wire.reading import Int, Name
from assay.server.wire.runs import EitherId, run_id_of

__all__ = [
    "get_history",
    "get_history_bulk",
    "get_history_bulk_interval",
    "log_batch",
    "log_metric",
    "log_param",
    "points_of_batch",
    "points_of_metric",
]

_MOST_HISTORY = 25_000
_MOST_RUNS = 100
_MOST_SAMPLED = 2_500
_NO_LIMIT = 2**63


class GivenMetric(msgspec.Struct):
    """A point in a batch."""

    key: Name
    value: float
    timestamp: Int
    step: Int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class GivenParam(msgspec.Struct):
    """A param in a batch."""

    key: Name
    value: str = ""


class LogMetric(EitherId, kw_only=True):
    """One point."""

    key: Name
    value: float
    timestamp: Int
    step: Int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class LogParam(EitherId, kw_only=True):
    """One param."""

    key: Name
    value: str = ""


class LogBatch(msgspec.Struct):
    """Points, params and tags of one run, kept together or not at all."""

    run_id: Name
    metrics: list[GivenMetric] = []
    params: list[GivenParam] = []
    tags: list[GivenParam] = []


class GetHistory(EitherId, kw_only=True):
    """All points of a metric."""

    metric_key: Name
    page_token: str | None = None
    max_results: Int | None = None


class HistoryFound(msgspec.Struct):
    """Points in order of time, step and value."""

    metrics: list[messages.Metric] | UnsetType = UNSET
    next_page_token: str | UnsetType = UNSET


class GetHistoryBulk(msgspec.Struct):
    """The metric of several runs."""

    run_id: list[str] = []
    metric_key: str | None = None
    max_results: Int | None = None


class GetHistoryInterval(msgspec.Struct):
    """The metric of several runs, sampled between two steps."""

    run_ids: list[str] = []
    metric_key: Name = ""
    start_step: Int | None = None
    end_step: Int | None = None
    max_results: Int | None = None


def points_of_metric(settings: Settings, request: LogMetric) -> Logged | None:
    """The point as one of those that many runs log at once, None where it is a logged model's too."""
    run_id = run_id_of(request)
    _check_metric(request, "")
    return None if request.model_id else Logged(run_id, _by_key([request]), settings.late_results)


def points_of_batch(settings: Settings, request: LogBatch) -> Logged | None:
    """The same for a batch that holds nothing but points."""
    if request.params or request.tags or any(metric.model_id for metric in request.metrics):
        return None
    _check_batch(request)
    return Logged(request.run_id, _by_key(request.metrics), settings.late_results)


def log_metric(call: Call, request: LogMetric) -> None:
    """Keep one point."""
    run_id = run_id_of(request)
    _check_metric(request, "")
    _keep(call, run_id, [request], [], [])


def log_param(call: Call, request: LogParam) -> None:
    """Keep one param."""
    run_id = run_id_of(request)
    check_key(request.key, "key", "Param key")
    run_changes.log(call.store, run_id, params=[(request.key, request.value)], late=call.late)


def log_batch(call: Call, request: LogBatch) -> None:
    """Keep all of a batch or none of it."""
    _check_batch(request)
    _keep(call, request.run_id, request.metrics, request.params, request.tags)


def _check_batch(request: LogBatch) -> None:
    check_batch(len(request.metrics), len(request.params), len(request.tags))
    checked: set[str] = set()
    for position, metric in enumerate(request.metrics):
        if metric.key not in checked or metric.timestamp < 0:
            _check_metric(metric, f"metrics[{position}].")
            checked.add(metric.key)
    keys = set()
    twice = []
    for position, param in enumerate(request.params):
        check_key(param.key, f"params[{position}].key", "Param key")
        if param.key in keys:
            twice.append(param.key)
        keys.add(param.key)
    if twice:
        raise invalid(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only one param "
            "value per param key."
        )
    for position, tag in enumerate(request.tags):
        check_key(tag.key, f"tags[{position}].key", f"tags[{position}].key")


def get_history(call: Call, request: GetHistory) -> HistoryFound:
    """The points of a metric, those that came late too."""
    run_id = run_id_of(request)
    run_changes.run_row(call.store, run_id)
    points = history(call.store, run_id, request.metric_key, late=True)
    start = _start(request.page_token)
    size = page_size(request.max_results, max(len(points), 1), _NO_LIMIT)
    page = points.take(np.arange(start, min(start + size, len(points))))
    after = start + len(page)
    return HistoryFound(
        _answers(request.metric_key, page) or UNSET,
        _token(after) if after < len(points) else UNSET,
    )


def get_history_bulk(call: Call, request: GetHistoryBulk) -> dict[str, Any]:
    """The points of a metric of several runs, one run after another."""
    if not request.run_id:
        raise invalid("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(request.run_id) > _MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulk request cannot specify more than {_MOST_RUNS} run_ids. "
            f"Received {len(request.run_id)} run_ids."
        )
    if request.metric_key is None:
        raise invalid("GetMetricHistoryBulk request must specify a metric_key.")
    left = page_size(min(request.max_results or _MOST_HISTORY, _MOST_HISTORY), _MOST_HISTORY, _MOST_HISTORY)
    found: list[messages.Metric] = []
    for run_id in sorted(set(request.run_id)):
        points = history(call.store, run_id, request.metric_key, late=True)
        page = points.take(np.arange(min(left, len(points))))
        found += _answers(request.metric_key, page, run_id)
        left -= len(page)
        if not left:
            break
    return {"metrics": found}


def get_history_bulk_interval(call: Call, request: GetHistoryInterval) -> HistoryFound:
    """Evenly sampled points of several runs in order of step, the first and the last kept."""
    if not request.run_ids:
        raise missing("run_ids")
    if not request.metric_key:
        raise missing("metric_key")
    if len(request.run_ids) > _MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulkInterval request must specify at most {_MOST_RUNS} run_ids. "
            f"Received {len(request.run_ids)} run_ids."
        )
    most = _MOST_SAMPLED if request.max_results is None else request.max_results
    if not 1 <= most <= _MOST_SAMPLED:
        raise invalid(f"max_results must be between 1 and {_MOST_SAMPLED}.")
    if (request.start_step is None) != (request.end_step is None):
        raise invalid("If either start step or end step are specified, both must be specified.")
    if request.start_step is not None and request.end_step is not None and request.start_step > request.end_step:
        raise invalid(
            "end_step must be greater than start_step. "
            f"Found start_step={request.start_step} and end_step={request.end_step}."
        )
    found: list[messages.Metric] = []
    for run_id in request.run_ids:
        points = history(call.store, run_id, request.metric_key, late=True)
        points = points.take(np.lexsort((points.value, points.ts_ms, points.step)))
        if request.start_step is not None and request.end_step is not None:
            inside = (points.step >= request.start_step) & (points.step <= request.end_step)
            points = points.take(np.flatnonzero(inside))
        found += _answers(request.metric_key, _sampled(points, most), run_id)
    return HistoryFound(found or UNSET)


def _sampled(points: Points, most: int) -> Points:
    if len(points) <= most:
        return points
    if most == 1:
        return points.take(np.array([len(points) - 1]))
    return points.take(np.unique(np.linspace(0, len(points) - 1, most).round().astype(np.intp)))


def _answers(key: str, points: Points, run_id: str | UnsetType = UNSET) -> list[messages.Metric]:
    listed = zip(points.value.tolist(), points.ts_ms.tolist(), points.step.tolist(), strict=True)
    return [messages.Metric(key, messages.number(value), ts_ms, step, run_id=run_id) for value, ts_ms, step in listed]


def _check_metric(metric: GivenMetric | LogMetric, where: str) -> None:
    check_key(metric.key, f"{where}name", "Metric name")
    if metric.timestamp < 0:
        raise invalid(
            f"Invalid value {metric.timestamp} for parameter '{where}timestamp' supplied: metric '{metric.key}' "
            f"(value={metric.value}). Timestamp must be a nonnegative long (64-bit integer) "
        )


def _keep(
    call: Call,
    run_id: str,
    metrics: Sequence[GivenMetric | LogMetric],
    params: Sequence[GivenParam],
    tags: Sequence[GivenParam],
) -> None:
    run_changes.log(
        call.store,
        run_id,
        metrics=_by_key(metrics),
        params=[(param.key, param.value) for param in params],
        tags={tag.key: tag.value for tag in tags},
        late=call.late,
    )
    of_models: dict[str, list[ModelMetric]] = {}
    for metric in metrics:
        if metric.model_id:
            name, digest = metric.dataset_name or "", metric.dataset_digest or ""
            point = ModelMetric(metric.key, metric.value, metric.step, metric.timestamp, run_id, name, digest)
            of_models.setdefault(metric.model_id, []).append(point)
    for model_id, points in of_models.items():
        put_model_metrics(call.store, model_id, points)


def _by_key(metrics: Sequence[GivenMetric | LogMetric]) -> dict[str, Points]:
    by_key: dict[str, list[tuple[int, int, float]]] = {}
    for metric in metrics:
        by_key.setdefault(metric.key, []).append((metric.step, metric.timestamp, metric.value))
    return {key: points_of(values) for key, values in by_key.items()}


def _token(position: int) -> str:
    return base64.b64encode(msgspec.json.encode({"offset": position})).decode()


def _start(token: str | None) -> int:
    """Where a page begins. A history only grows at its end while its run goes on."""
    if not token:
        return 0
    try:
        found = msgspec.json.decode(base64.b64decode(token, validate=True), type=dict[str, int])
        position = found["offset"]
    except (binascii.Error, msgspec.MsgspecError, ValueError, KeyError):
        raise invalid(f"Invalid page token {shown(token)}, could not base64-decode") from None
    if position < 0:
        raise invalid(f"Invalid page token {shown(token)}: it names no position")
    return position
