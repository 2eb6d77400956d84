"""Metrics of runs: points in packed chunks, and for each run and key one row that sums them up for searches.

A point is (step, time, value); the same point again is kept once. Points of layer 0 came while the run went on, those
of layer 1 afterwards. The row of layer 1 sums up all points, so that whoever wants late ones too reads that row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.record.store import Row, Store
from assay.record.tracking.points import Points, pack, unpack

__all__ = ["Group", "Latest", "Series", "add_points", "add_series", "history", "latest", "points_of"]

Group = tuple[str, str, int]  # run_id, key, layer
_LATE = 1


class Latest(msgspec.Struct, frozen=True):
    """The point with the greatest step, time and value, and what all points of the key say."""

    value: float
    step: int
    ts_ms: int
    first: float | None
    low: float | None
    high: float | None
    mean: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Series:
    """Points [n] of several runs and keys in any order: `group` [n] names the entry of `groups` a point belongs to."""

    groups: Sequence[Group]
    group: NDArray[np.int64]
    points: Points


def points_of(values: Iterable[tuple[int, int, float]]) -> Points:
    """Points of (step, ts_ms, value); InvalidInput where a step or a time is no whole number of 64 bits."""
    listed = list(values)
    for point in listed:
        if not hasattr(point[2], "__float__"):  # NumPy would read a number out of text, and NaN out of None
            raise InvalidInput(f"a metric is {point[2]!r}", expected="a number")
    try:
        return Points(
            np.array([point[0] for point in listed], np.int64),
            np.array([point[1] for point in listed], np.int64),
            np.array([point[2] for point in listed], np.float64),
        )
    except (OverflowError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"a metric cannot be kept: {error}", expected="whole steps and times, and a number"
        ) from error


def add_points(store: Store, run_id: str, values: Mapping[str, Points], layer: int = 0) -> None:
    """Keep points of one run by key; empty ones are passed over."""
    given = {key: points for key, points in values.items() if len(points)}
    if given:
        groups = [(run_id, key, layer) for key in given]
        group = np.repeat(np.arange(len(groups)), [len(points) for points in given.values()])
        add_series(store, Series(groups, group, Points.joined(given.values())))


def add_series(store: Store, series: Series) -> None:
    """Keep points of many runs and keys in a few statements. Whether the runs take them is the caller's to say."""
    if not len(series.points):
        return
    if int(series.points.ts_ms.min()) < 0:
        raise InvalidInput("a metric has a negative timestamp", expected="milliseconds since 1970")
    with store.transaction():
        known = _summaries(store, series.groups)
        groups, bounds, points = _sorted(series)
        starts = _fresh_groups(store, known, groups, bounds, points)
        if starts is not None:  # some points are there already: without them
            groups, bounds, points = starts
        if groups:
            _keep(store, known, groups, bounds, points)


def history(store: Store, run_id: str, key: str, *, late: bool = False) -> Points:
    """The points of a metric in order of time, step and value; with those that came `late` or without."""
    where: dict[str, object] = {"run_id": run_id, "key": key}
    if not late:
        where["layer"] = 0
    chunks = store.query("metric_chunk", where, order_by=["layer", "seq"])
    return Points.joined(unpack(chunk["data"]) for chunk in chunks).distinct()


def latest(store: Store, run_ids: Sequence[str], *, late: bool = False) -> dict[str, dict[str, Latest]]:
    """For each run, what its metrics say by key; with what came `late` or without."""
    found: dict[str, dict[str, Latest]] = {run_id: {} for run_id in run_ids}
    where: dict[str, object] = {"run_id in": list(run_ids)}
    if not late:
        where["layer"] = 0
    for row in store.query("run_metric", where, order_by=["run_id", "key", "layer"]):
        found[row["run_id"]][row["key"]] = latest_of(row)
    return found


def latest_of(row: Row) -> Latest:
    """A row of `run_metric` in words of numbers."""
    return Latest(
        value=float("nan") if row["value"] is None else row["value"],
        mean=None if row["total"] is None else row["total"] / row["numbers"],
        **{name: row[name] for name in ("step", "ts_ms", "first", "low", "high", "count")},
    )


def _sorted(series: Series) -> tuple[list[Group], NDArray[np.int64], Points]:
    """Groups that have points, their bounds [groups + 1], and the points in order of group, time, step, value, once."""
    points, group = series.points, series.group
    in_order = group[1:] == group[:-1]
    in_order &= (points.ts_ms[1:] > points.ts_ms[:-1]) | (
        (points.ts_ms[1:] == points.ts_ms[:-1]) & (points.step[1:] > points.step[:-1])
    )
    in_order |= group[1:] > group[:-1]
    if not in_order.all():
        order = np.lexsort((points.value, points.step, points.ts_ms, group))
        points, group = points.take(order), group[order]
        same = points.repeats() & (np.diff(group) == 0)
        if same.any():
            once = np.flatnonzero(np.concatenate(([True], ~same)))
            points, group = points.take(once), group[once]
    return *_bounded(series.groups, group), points


def _bounded(groups: Sequence[Group], group: NDArray[np.int64]) -> tuple[list[Group], NDArray[np.int64]]:
    """Groups that stand in `group`, which is in order, and where each of them begins and the last one ends."""
    if not len(group):
        return [], np.zeros(1, np.int64)
    starts = np.flatnonzero(np.concatenate(([True], np.diff(group) != 0)))
    return [groups[number] for number in group[starts].tolist()], np.append(starts, len(group)).astype(np.int64)


def _fresh_groups(
    store: Store, known: Mapping[Group, Row], groups: list[Group], bounds: NDArray[np.int64], points: Points
) -> tuple[list[Group], NDArray[np.int64], Points] | None:
    """The same without points that are in the store, None where all are new.

    A point can only be there if it does not come after all that are, in time and step: so a run that logs on reads
    nothing.
    """
    kept: NDArray[np.bool_] | None = None
    for position, group in enumerate(groups):
        start, end = int(bounds[position]), int(bounds[position + 1])
        first = int(points.ts_ms[start]), int(points.step[start])
        if not any(_reaches(known, group, layer, first) for layer in (0, _LATE)):
            continue
        where = {"run_id": group[0], "key": group[1], "last_ms >=": first[0]}
        old = Points.joined(unpack(chunk["data"]) for chunk in store.query("metric_chunk", where))
        there = set(zip(old.ts_ms.tolist(), old.step.tolist(), map(_exactly, old.value.tolist()), strict=True))
        for index in range(start, end):
            point = (int(points.ts_ms[index]), int(points.step[index]), _exactly(float(points.value[index])))
            if point in there:
                kept = np.ones(len(points), bool) if kept is None else kept
                kept[index] = False
    if kept is None:
        return None
    group_of = np.repeat(np.arange(len(groups)), np.diff(bounds))[kept]
    return *_bounded(groups, group_of), points.take(np.flatnonzero(kept))


def _reaches(known: Mapping[Group, Row], group: Group, layer: int, first: tuple[int, int]) -> bool:
    row = known.get((group[0], group[1], layer))
    return row is not None and (row["last_ms"], row["last_step"]) >= first


def _exactly(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - NaN equals NaN here


def _keep(
    store: Store, known: dict[Group, Row], groups: list[Group], bounds: NDArray[np.int64], points: Points
) -> None:
    """Chunks of new points, and the summaries with them."""
    summaries: list[Row] = []
    chunks: list[Row] = []
    for position, (group, fresh) in enumerate(zip(groups, _summarised(groups, bounds, points), strict=True)):
        start, end = int(bounds[position]), int(bounds[position + 1])
        run_id, key, layer = group
        before = known.get(group)
        seq = before["chunks"] + 1 if before else 1
        part = Points(points.step[start:end], points.ts_ms[start:end], points.value[start:end])
        head = {"run_id": run_id, "key": key, "layer": layer, "seq": seq, "count": end - start}
        chunks.append({**head, "last_ms": fresh["last_ms"], "data": pack(part)})
        summaries.append({**(_merged(before, fresh) if before else fresh), "chunks": seq})
        other = known.get((run_id, key, 0 if layer else _LATE))
        if layer == _LATE and before is None and other is not None:
            summaries[-1] = {**_merged(other, fresh), "layer": _LATE, "chunks": seq}
        elif layer == 0 and other is not None:  # opened again after late points: their row sums up these as well
            summaries.append({**_merged(other, fresh), "layer": _LATE, "chunks": other["chunks"]})
    store.append_many("metric_chunk", chunks)
    store.put_many("run_metric", summaries)


def _summaries(store: Store, groups: Sequence[Group]) -> dict[Group, Row]:
    run_ids, keys = {run_id for run_id, _, _ in groups}, {key for _, key, _ in groups}
    rows = store.query("run_metric", {"run_id in": list(run_ids), "key in": list(keys)})
    return {(row["run_id"], row["key"], row["layer"]): row for row in rows}


def _summarised(groups: list[Group], bounds: NDArray[np.int64], points: Points) -> list[Row]:
    """A row of `run_metric` for each group of new points, all of them at once."""
    starts = bounds[:-1]
    group_of = np.repeat(np.arange(len(groups)), np.diff(bounds))
    comparable = np.where(np.isnan(points.value), -np.inf, points.value)
    by_step = np.lexsort((comparable, points.ts_ms, points.step, group_of))
    last, first = by_step[bounds[1:] - 1], by_step[starts]
    is_number = ~np.isnan(points.value)
    with np.errstate(over="ignore", invalid="ignore"):  # a sum beyond the floats is infinite
        total = np.add.reduceat(np.where(is_number, points.value, 0.0), starts)
    columns = {
        "step": points.step[last],
        "ts_ms": points.ts_ms[last],
        "value": points.value[last],
        "first": points.value[first],
        "low": np.minimum.reduceat(np.where(is_number, points.value, np.inf), starts),
        "high": np.maximum.reduceat(np.where(is_number, points.value, -np.inf), starts),
        "total": total,
        "count": np.diff(bounds),
        "numbers": np.add.reduceat(is_number.astype(np.int64), starts),
        "last_ms": points.ts_ms[bounds[1:] - 1],
        "last_step": points.step[bounds[1:] - 1],
    }
    names = tuple(columns)
    rows = []
    listed = zip(*(column.tolist() for column in columns.values()), strict=True)
    for (run_id, key, layer), values in zip(groups, listed, strict=True):
        row: Row = dict(zip(names, values, strict=True))
        row |= {"run_id": run_id, "key": key, "layer": layer}
        if not row["numbers"]:
            row |= dict.fromkeys(("low", "high", "total"))
        for name in ("value", "first", "total"):  # SQL knows no NaN; inf - inf is one too
            row[name] = None if row[name] is None else _exactly(row[name])
        rows.append(row)
    return rows


def _merged(before: Row, fresh: Row) -> Row:
    """Two summaries of different points of one run and key as one."""
    row = {name: before[name] for name in fresh}
    if _rank(fresh) > _rank(before):
        row |= {name: fresh[name] for name in ("step", "ts_ms", "value")}
    row["low"] = _either(before["low"], fresh["low"], min)
    row["high"] = _either(before["high"], fresh["high"], max)
    totals = [part["total"] for part in (before, fresh) if part["numbers"]]
    row["total"] = None if not totals or None in totals else _exactly(sum(totals))  # infinite ones may cancel out
    for name in ("count", "numbers"):
        row[name] = before[name] + fresh[name]
    row["last_ms"], row["last_step"] = max((part["last_ms"], part["last_step"]) for part in (before, fresh))
    return row


def _rank(row: Row) -> tuple[int, int, float]:
    return row["step"], row["ts_ms"], -np.inf if row["value"] is None else row["value"]


def _either(before: float | None, fresh: float | None, both: Callable[[float, float], float]) -> float | None:
    if before is None or fresh is None:
        return fresh if before is None else before
    return both(before, fresh)
