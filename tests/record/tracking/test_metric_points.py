import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore
from assay.record.store import Row
from assay.record.tracking.experiments import DEFAULT_EXPERIMENT
from assay.record.tracking.metrics import Latest, add_points, history, latest, points_of
from assay.record.tracking.run_changes import create_run

Point = tuple[int, int, float]
_VALUES = st.sampled_from([0.0, 1.0, -2.5, math.nan, math.inf, -math.inf, 1e308])
_BATCH = st.lists(st.tuples(st.integers(-2, 4), st.integers(0, 5), _VALUES), min_size=1, max_size=6)


def _run(store: SqlStore) -> str:
    return create_run(store, DEFAULT_EXPERIMENT, name="r")


def _known(points: list[Point]) -> list[tuple[int, int, float | None]]:
    """Once each, in order of time, step and value, NaN last."""
    once = {(ts, step, None if math.isnan(value) else value) for step, ts, value in points}
    return sorted(once, key=lambda p: (p[0], p[1], math.inf if p[2] is None else p[2], p[2] is None))


def _history(store: SqlStore, run_id: str, *, late: bool = False) -> list[tuple[int, int, float | None]]:
    points = history(store, run_id, "loss", late=late)
    values = [None if math.isnan(value) else value for value in points.value.tolist()]
    return list(zip(points.ts_ms.tolist(), points.step.tolist(), values, strict=True))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), _BATCH), max_size=6))
def test_what_is_read_is_what_was_logged_once(store: SqlStore, batches: list[tuple[bool, list[Point]]]) -> None:
    run_id = _run(store)
    everything: list[Point] = []
    for late, batch in batches:
        add_points(store, run_id, {"loss": points_of(batch)}, int(late))
        everything += batch
        assert _history(store, run_id, late=True) == _known(everything)
    sums = latest(store, [run_id], late=True)[run_id].get("loss")
    if not everything:
        assert sums is None
        return
    assert sums is not None
    distinct = _known(everything)
    numbers = [value for _, _, value in distinct if value is not None]
    step, ts_ms, value = max((step, ts, -math.inf if v is None else v) for ts, step, v in distinct)
    assert (sums.count, sums.step, sums.ts_ms) == (len(distinct), step, ts_ms)
    assert sums.value == value or (math.isnan(sums.value) and value == -math.inf)
    assert (sums.low, sums.high) == ((min(numbers), max(numbers)) if numbers else (None, None))


def test_late_points_are_read_only_when_asked_for(either_store: SqlStore) -> None:
    run_id = _run(either_store)
    add_points(either_store, run_id, {"loss": points_of([(1, 10, 0.5)])})
    add_points(either_store, run_id, {"loss": points_of([(2, 20, 0.25)]), "f1": points_of([(0, 20, 0.9)])}, layer=1)
    assert _history(either_store, run_id) == [(10, 1, 0.5)]
    assert _history(either_store, run_id, late=True) == [(10, 1, 0.5), (20, 2, 0.25)]
    assert set(latest(either_store, [run_id])[run_id]) == {"loss"}
    found = latest(either_store, [run_id], late=True)[run_id]
    assert (found["loss"].value, found["loss"].count, found["f1"].value) == (0.25, 2, 0.9)
    add_points(either_store, run_id, {"loss": points_of([(3, 30, 0.125)])})  # opened again
    assert latest(either_store, [run_id])[run_id]["loss"] == Latest(0.125, 3, 30, 0.5, 0.125, 0.5, 0.3125, 2)
    assert latest(either_store, [run_id], late=True)[run_id]["loss"].count == 3


def test_a_point_delivered_twice_is_kept_once(either_store: SqlStore) -> None:
    run_id = _run(either_store)
    for _ in range(3):
        add_points(either_store, run_id, {"loss": points_of([(0, 7, 1.0), (0, 7, math.nan), (0, 7, 1.0)])})
    assert _history(either_store, run_id) == [(7, 0, 1.0), (7, 0, None)]
    assert latest(either_store, [run_id])[run_id]["loss"].mean == 1.0


def test_many_keys_of_many_runs_stay_apart(store: SqlStore) -> None:
    runs = [_run(store) for _ in range(3)]
    for number, run_id in enumerate(runs):
        values = {f"m{k}": points_of([(s, s, number + k / 10 + s) for s in range(5)]) for k in range(20)}
        add_points(store, run_id, values)
    found = latest(store, runs)
    assert [[found[run_id][f"m{k}"].value for k in (0, 19)] for run_id in runs] == [[4, 5.9], [5, 6.9], [6, 7.9]]
    assert history(store, runs[1], "m3").value.tolist() == pytest.approx([1.3, 2.3, 3.3, 4.3, 5.3])


@pytest.mark.parametrize(
    "point", [(0, -1, 1.0), (2**63, 0, 1.0), (0, 2**63, 1.0), ("x", 0, 1.0), (0, 0, "high"), (0, 0, None)]
)
def test_what_is_no_point_is_refused(store: SqlStore, point: tuple[int, int, float]) -> None:
    run_id = _run(store)
    with pytest.raises(InvalidInput, match="metric"):
        add_points(store, run_id, {"loss": points_of([(0, 0, 1.0), point])})
    assert store.query("metric_chunk") == []
    assert store.query("run_metric") == []


def test_logging_on_reads_no_old_points(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = _run(store)
    asked: list[str] = []
    query = store.query

    def watched(kind: str, *arguments: Any, **options: Any) -> list[Row]:
        asked.append(kind)
        return query(kind, *arguments, **options)

    monkeypatch.setattr(store, "query", watched)
    for step in range(5):
        add_points(store, run_id, {"loss": points_of([(step, 100 + step, 0.5)])})
    assert "metric_chunk" not in asked
    assert np.array_equal(history(store, run_id, "loss").step, np.arange(5))
