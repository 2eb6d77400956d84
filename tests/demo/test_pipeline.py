import zoneinfo
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from assay.build.models.packaging import matrix
from assay.demo.pipeline import (
    CONFIGURATIONS,
    FASTEST_WIND_MPH,
    FEATURES,
    LABEL,
    MIXED_UP_CARRIER,
    SEGMENTS,
    UNIT,
    WEATHER,
    clean_weather,
    derive_features,
    mix_up_units,
    sample_rows,
    train,
    train_baseline,
)

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def _flights_at(flights: pa.Table, *local: datetime) -> pa.Table:
    """Flights that leave at those moments of New York's clock."""
    table = flights.slice(0, len(local))
    changed = {
        "departure": pa.array([t.replace(tzinfo=NEW_YORK).astimezone(UTC) for t in local], pa.timestamp("ms", "UTC")),
        "hour": pa.array([t.hour for t in local], pa.int8()),
        "minute": pa.array([t.minute for t in local], pa.int8()),
    }
    for name, values in changed.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table


# --- features ---------------------------------------------------------------------------------------------------------


def test_features_are_known_before_departure(some_flights: pa.Table, weather: pa.Table, features: pa.Table) -> None:
    order = np.random.default_rng(0).permutation(some_flights.num_rows)
    another = some_flights
    for name in ("arr_delay", "arrived"):
        another = another.set_column(another.column_names.index(name), name, some_flights[name].take(pa.array(order)))
    changed = derive_features(another, clean_weather(weather))
    for name in [*FEATURES, *UNIT, "departure"]:
        assert changed[name].equals(features[name]), name
    assert not changed[LABEL].equals(features[LABEL]), "the label alone is about what comes after"
    assert not set(FEATURES) & {LABEL, "arr_delay", "arrived", "departure"}
    assert set(SEGMENTS) <= set(FEATURES)


def test_the_join_keeps_every_flight_once_and_in_order(
    flights: pa.Table, weather: pa.Table, some_flights: pa.Table, features: pa.Table
) -> None:
    assert derive_features(flights, weather).num_rows == flights.num_rows
    for name in ("departure", "arrived", "arr_delay", "origin", "carrier", "dest"):
        assert features[name].equals(some_flights[name]), name


def test_the_weather_is_that_of_the_airport_and_of_the_hour_of_departure(weather: pa.Table, features: pa.Table) -> None:
    by_hour = {(row["origin"], row["hour"]): row for row in clean_weather(weather).to_pylist()}
    rows = features.take(np.random.default_rng(1).integers(0, features.num_rows, 2000)).to_pylist()
    nothing = dict.fromkeys(WEATHER)
    matched = 0
    for row in rows:
        hour = row["departure"].replace(minute=0, second=0, microsecond=0)
        expected = by_hour.get((row["origin"], hour), nothing)
        assert {name: row[name] for name in WEATHER} == {name: expected[name] for name in WEATHER}
        matched += expected is not nothing
    assert matched > 1900


def test_dates_and_times_are_those_of_new_york(flights: pa.Table, weather: pa.Table) -> None:
    local = [
        datetime(2013, 1, 1, 0, 5),
        datetime(2013, 1, 1, 23, 59),
        datetime(2013, 3, 10, 0, 30),  # the clock goes forward that night
        datetime(2013, 3, 10, 23, 30),
        datetime(2013, 7, 4, 0, 0),
        datetime(2013, 7, 4, 23, 59),
        datetime(2013, 11, 3, 0, 30),  # and back
        datetime(2013, 11, 3, 23, 30),
        datetime(2013, 12, 31, 23, 59),
    ]
    found = derive_features(_flights_at(flights, *local), weather)
    assert found["date"].to_pylist() == [f"{t:%Y-%m-%d}" for t in local]
    assert found["minute_of_day"].to_pylist() == [60 * t.hour + t.minute for t in local]
    assert found["weekday"].to_pylist() == [t.weekday() for t in local]


def test_all_dates_of_the_year_are_local_ones(features: pa.Table) -> None:
    rows = features.select(["departure", "date"]).take(np.arange(0, features.num_rows, 20)).to_pylist()
    assert all(f"{row['departure'].astimezone(NEW_YORK):%Y-%m-%d}" == row["date"] for row in rows)
    assert (min(row["date"] for row in rows), max(row["date"] for row in rows)) == ("2013-01-01", "2013-12-31")


def test_late_means_fifteen_minutes_and_unknown_stays_unknown(flights: pa.Table, weather: pa.Table) -> None:
    delays = pa.array([-5, 0, 14, 15, 16, None], pa.int16())
    table = flights.slice(0, len(delays))
    table = table.set_column(table.column_names.index("arr_delay"), "arr_delay", delays)
    assert derive_features(table, weather)[LABEL].to_pylist() == [0, 0, 0, 1, 1, None]


def test_a_label_is_known_once_the_flight_arrived(features: pa.Table) -> None:
    assert features["arrived"].is_null().equals(features[LABEL].is_null())
    flown = features.filter(features["arrived"].is_valid())
    assert pc.all(pc.greater(flown["arrived"], flown["departure"])).as_py()


# --- cleaning ---------------------------------------------------------------------------------------------------------


def test_only_winds_that_cannot_be_are_removed(weather: pa.Table) -> None:
    cleaned = clean_weather(weather)
    for name in set(weather.column_names) - {"wind_speed"}:
        assert cleaned[name].equals(weather[name])
    before, after = weather["wind_speed"].to_pylist(), cleaned["wind_speed"].to_pylist()
    assert after == [None if wind is None or wind > FASTEST_WIND_MPH else wind for wind in before]
    assert max(wind for wind in before if wind is not None) > 1000, "the famous one"


# --- the mistake ------------------------------------------------------------------------------------------------------


def test_mixed_up_units_change_labels_of_that_carrier_only(features: pa.Table) -> None:
    mixed = mix_up_units(features, MIXED_UP_CARRIER)
    for name in set(features.column_names) - {LABEL}:
        assert mixed[name].equals(features[name]), name
    for before, after in zip(features.to_pylist(), mixed.to_pylist(), strict=True):
        if before["carrier"] != MIXED_UP_CARRIER or before[LABEL] is None:
            assert before[LABEL] == after[LABEL]
        else:
            assert after[LABEL] == int(before["arr_delay"] * 60 >= 15)
    of_carrier = pc.equal(features["carrier"], MIXED_UP_CARRIER)
    assert pc.sum(mixed.filter(of_carrier)[LABEL]).as_py() > 1.5 * pc.sum(features.filter(of_carrier)[LABEL]).as_py()
    assert mix_up_units(features, "none").equals(features)


# --- samples and models -----------------------------------------------------------------------------------------------


def test_a_sample_has_labelled_rows_in_their_order(features: pa.Table) -> None:
    labelled = features.filter(features[LABEL].is_valid())
    half = sample_rows(features, 0.5, seed=3)
    assert half[LABEL].null_count == 0
    assert half.num_rows == pytest.approx(labelled.num_rows / 2, rel=0.03)
    departures = half["departure"].to_pylist()
    assert departures == sorted(departures)
    assert sample_rows(features, 0.5, seed=3).equals(half)
    assert not sample_rows(features, 0.5, seed=4).equals(half)
    assert sample_rows(features, 1.0, seed=3).equals(labelled)


def test_training_gives_the_same_model_for_the_same_seed(features: pa.Table) -> None:
    rows = sample_rows(features, 0.1, seed=0)
    models = [train(rows, max_iter=5, learning_rate=0.1, max_leaf_nodes=7, seed=1) for _ in range(2)]
    first, second = (model.predict_proba(matrix(rows, FEATURES)) for model in models)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (rows.num_rows, 2)


def test_a_model_takes_what_it_has_not_seen_and_what_is_missing(features: pa.Table) -> None:
    rows = sample_rows(features, 0.1, seed=0)
    model = train(rows, max_iter=5, learning_rate=0.1, max_leaf_nodes=7, seed=1)
    asked = matrix(rows.slice(0, 3), FEATURES)
    asked[0, 1] = "a carrier that was founded yesterday"
    asked[1, :3] = None
    asked[2, 3:] = np.nan
    scores = model.predict_proba(asked)[:, 1]
    assert np.all((scores > 0) & (scores < 1))


def test_the_baseline_says_the_share_of_late_flights_to_everybody(features: pa.Table) -> None:
    rows = sample_rows(features, 0.1, seed=0)
    scores = train_baseline(rows).predict_proba(matrix(rows, FEATURES))[:, 1]
    np.testing.assert_allclose(scores, pc.mean(rows[LABEL]).as_py())


def test_configurations_are_settings_of_training() -> None:
    assert all(
        settings.keys() == {"max_iter", "learning_rate", "max_leaf_nodes"} for settings in CONFIGURATIONS.values()
    )
