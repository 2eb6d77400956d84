"""Kinds that need labels, on flights whose labels move while inputs are silent, and on a quiet table."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray
from scripts.real_data import load
from sklearn.ensemble import HistGradientBoostingClassifier
from tests.operate.monitors.labelled_helpers import finding, look, monitor_for

from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kind import Window
from assay.operate.monitors.kinds.calibration import Calibration
from assay.operate.monitors.kinds.label_drift import LabelDrift
from assay.record.sqlstore import SqlStore
from assay.stats.stability_index import stability_index

pytestmark = pytest.mark.data
Floats = NDArray[np.float64]


def test_labels_of_flights_move_in_july_and_november_while_scores_are_silent(store: SqlStore) -> None:
    flights = load("flights2023")
    flights = flights.filter(flights["arr_delay"].is_valid())
    days = [
        datetime(one[0], one[1], one[2], tzinfo=UTC).timestamp()
        for one in zip(*(flights[name].to_pylist() for name in ("year", "month", "day")), strict=True)
    ]
    order = np.argsort(np.array(days), kind="stable")
    flights, day = flights.take(order), np.array(days)[order]
    month = flights["month"].to_numpy()
    late = pc.greater_equal(flights["arr_delay"], 15).to_numpy().astype(float)
    codes = [flights[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in ("origin", "carrier")]
    inputs = np.stack([*(flights[name].to_numpy() for name in ("sched_dep_time", "distance")), *codes], axis=1)
    train = month <= 3
    model = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(inputs[train][::2], late[train][::2])
    scores = model.predict_proba(inputs)[:, 1]
    labels = monitor_for(store, Definition(kind="label_drift", persistence=(1, 1)))
    right = monitor_for(store, Definition(kind="calibration", persistence=(1, 1)))
    shifted, off, moved = {}, {}, {}
    edges = np.quantile(scores[train], np.linspace(0.1, 0.9, 9))
    for number in range(1, 13):
        kept = month == number
        window = _window(number, day[kept], scores[kept], late[kept])
        shifted[number] = finding(look(store, LabelDrift(), labels, window), "label").raised
        off[number] = finding(look(store, Calibration(), right, window), "calibration", measure="in the large").raised
        moved[number] = stability_index(_binned(scores[train], edges), _binned(scores[kept], edges))
    assert max(moved.values()) < 0.02, "inputs say nothing"
    assert shifted[7], shifted
    assert shifted[11]
    assert off[7], off
    assert off[11]
    assert not any(shifted[number] for number in (1, 2, 3))


def _binned(scores: Floats, edges: Floats) -> Floats:
    return np.bincount(np.searchsorted(edges, scores), minlength=10).astype(np.float64)


def _window(number: int, day: Floats, scores: Floats, late: Floats) -> Window:
    started = datetime(2023, number, 1, tzinfo=UTC)
    ended = datetime(2023 + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    rows = pa.table(
        {
            "id": [str(place) for place in range(len(day))],
            "moment": pa.array((day * 1e6).astype(np.int64)).cast(pa.timestamp("us", "UTC")),
            "mv_id": ["v1"] * len(day),
            "output": scores,
        }
    )
    return Window(f"2023-{number:02}", started, ended, ended, rows, pa.array(late))
