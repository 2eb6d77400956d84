"""Kinds that need labels, on flights whose labels move while inputs are silent, and on a quiet table."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray
from scripts.real_data import load
from sklearn.ensemble import HistGradientBoostingClassifier
from tests.operate.monitors.labelled_helpers import finding, look, monitor_for, window_of

from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kind import Window
from assay.operate.monitors.kinds import KIND_OF
from assay.operate.monitors.kinds.calibration import Calibration
from assay.operate.monitors.kinds.label_drift import LabelDrift
from assay.record.sqlstore import SqlStore
from assay.stats.stability_index import stability_index

pytestmark = pytest.mark.data
Floats = NDArray[np.float64]
WEATHER = ["temp", "humid", "wind_speed", "wind_dir", "precip", "pressure", "visib"]


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


def test_june_with_weather_moves_the_answers_most_and_is_not_called_harmful(store: SqlStore) -> None:
    """Spec: with weather the scores move most in June, where answers are nearly as calibrated as at training."""
    table = load("flights2023").filter(pc.is_valid(load("flights2023")["arr_delay"]))
    table = table.filter(pc.less_equal(table["month"], 7))
    at = ["year", "month", "day", "hour"]
    flights = table.select([*at, "origin", "carrier", "sched_dep_time", "distance", "arr_delay"])
    flights = pa.table(
        {name: flights[name].cast(pa.int64()) if name in at else flights[name] for name in flights.column_names}
    )
    weather = load("weather2023").select(["origin", *at, *WEATHER])
    weather = pa.table(
        {name: weather[name].cast(pa.int64()) if name in at else weather[name] for name in weather.column_names}
    )
    joined = flights.join(weather, keys=["origin", *at], join_type="inner")
    joined = joined.sort_by(
        [("month", "ascending"), ("day", "ascending"), ("hour", "ascending"), ("distance", "ascending")]
    )
    late = pc.greater_equal(joined["arr_delay"], 15).to_numpy().astype(float)
    month, day = joined["month"].to_numpy(), joined["day"].to_numpy()
    moments = np.array([datetime(2023, m, d, tzinfo=UTC).timestamp() for m, d in zip(month, day, strict=True)])
    codes = [joined[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in ("origin", "carrier")]
    numbers = [joined[name].cast(pa.float64()).to_numpy() for name in ("sched_dep_time", "distance", *WEATHER)]
    inputs = np.stack([*numbers, *codes], axis=1)
    # A split by time promises what a model may show of months that it has not seen: days share their weather.
    known, held = month <= 2, month == 3
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(inputs[known], late[known])
    scores = model.predict_proba(inputs)[:, 1]
    right = monitor_for(store, Definition(kind="calibration", persistence=(1, 1)))
    off, moved = {}, {}
    edges = np.quantile(scores[held], np.linspace(0.1, 0.9, 9))
    for number in range(4, 8):
        kept = month == number
        outcome = look(store, Calibration(), right, _window(number, moments[kept], scores[kept], late[kept]))
        off[number] = finding(outcome, "calibration", measure="in the large")
        moved[number] = stability_index(_binned(scores[held], edges), _binned(scores[kept], edges))
    said = {number: (round(moved[number], 3), one.raised, one.words) for number, one in off.items()}
    assert not off[6].raised, said
    assert off[7].raised, said
    assert moved[6] > 2 * moved[7], said


def test_labelled_kinds_stay_quiet_over_three_years_of_census(store: SqlStore) -> None:
    """Windows of 8,000 rows; what is usual is learned of the first ones, the year 2015."""
    tables = [load("acs_reference"), load("acs_analysis").join(load("acs_labels"), keys="id")]
    columns = ["year", "SEX", "employed", "predicted_probability"]
    table = pa.concat_tables([one.select(columns) for one in tables], promote_options="permissive")
    order = np.lexsort([np.random.default_rng(0).random(table.num_rows), table["year"].to_numpy()])
    table = table.take(pa.array(order))
    kinds = {
        "performance": Definition(kind="performance", segments=["SEX"]),
        "calibration": Definition(kind="calibration", segments=["SEX"]),
        "label_drift": Definition(kind="label_drift", segments=["SEX"]),
    }
    monitors = {name: monitor_for(store, one) for name, one in kinds.items()}
    states: dict[str, list[str]] = {name: [] for name in kinds}
    rows = 8_000
    for number in range(table.num_rows // rows):
        part = table.slice(number * rows, rows)
        labels = part["employed"].cast(pa.float64()).to_numpy()
        scores = part["predicted_probability"].to_numpy()
        window = window_of(number, scores, labels, SEX=part["SEX"].cast(pa.string()).combine_chunks())
        for name, monitor in monitors.items():
            states[name].append(look(store, KIND_OF[kinds[name].kind], monitor, window).status)
    assert len(states["performance"]) == 34
    assert "alarm" not in {one for several in states.values() for one in several}, states
    watched = sum(several.count("watch") for several in states.values())
    assert watched <= 0.05 * 3 * 34, states
    assert states["performance"][10:] == ["ok"] * 24


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
