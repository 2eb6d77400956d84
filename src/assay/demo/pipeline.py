"""The user's part of the demo: plain functions from raw tables to a trained model, remembered as steps."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from assay.build.data.checks import Expectation, columns_are, in_range, is_one_of, unique, values_present
from assay.build.models.packaging import Classifier, matrix
from assay.build.steps.step import step

__all__ = [
    "CHANGE",
    "CONFIGURATIONS",
    "FEATURES",
    "LABEL",
    "MIXED_UP_CARRIER",
    "SEGMENTS",
    "UNIT",
    "clean_weather",
    "derive_features",
    "flight_expectations",
    "mix_up_units",
    "sample_rows",
    "train",
    "train_baseline",
    "weather_expectations",
]

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
SEGMENTS = ["origin", "carrier"]
CATEGORIES = [*SEGMENTS, "dest"]
FEATURES = [*CATEGORIES, "minute_of_day", "weekday", "distance", *WEATHER]
LABEL = "late"
UNIT = ["date"]  # flights of one day share weather and knock-on delays: days, not flights, are independent

LATE_MINUTES = 15
FASTEST_WIND_MPH = 150
CONFIGURATIONS: dict[str, dict[str, float]] = {
    "small": {"max_iter": 60, "learning_rate": 0.1, "max_leaf_nodes": 15},
    "medium": {"max_iter": 100, "learning_rate": 0.08, "max_leaf_nodes": 31},
    "large": {"max_iter": 160, "learning_rate": 0.08, "max_leaf_nodes": 63},
}

MIXED_UP_CARRIER = "MQ"
CHANGE = f"the delays of carrier {MIXED_UP_CARRIER} came in seconds and were read as minutes"


def flight_expectations(schema: pa.Schema) -> list[Expectation]:
    """What the table of flights must be like."""
    return [
        columns_are(schema),
        unique(["departure", "origin", "carrier", "flight", "dest"]),
        values_present("departure"),
        values_present("arr_delay", share=0.95, severity="warn"),
        in_range("arr_delay", -120, 1440),
        is_one_of("origin", ["EWR", "JFK", "LGA"]),
    ]


def weather_expectations(schema: pa.Schema) -> list[Expectation]:
    """What the table of weather must be like; what only warns is mended by `clean_weather`."""
    return [
        columns_are(schema),
        unique(["hour", "origin"]),
        in_range("wind_speed", 0, FASTEST_WIND_MPH, severity="warn"),
        in_range("temp", -40, 120),
        values_present("pressure", share=0.95, severity="warn"),
    ]


@step
def clean_weather(weather: pa.Table) -> pa.Table:
    """The weather without winds that cannot be: what is impossible counts as missing."""
    wind = weather["wind_speed"]
    possible = pc.if_else(pc.less_equal(wind, FASTEST_WIND_MPH), wind, pa.scalar(None, wind.type))
    return weather.set_column(weather.column_names.index("wind_speed"), "wind_speed", possible)


@step
def derive_features(flights: pa.Table, weather: pa.Table) -> pa.Table:
    """One row a flight in order of departure: features known before it, label, and when the label became known."""
    minutes = pc.add(pc.multiply(flights["hour"].cast(pa.int32()), 60), flights["minute"].cast(pa.int32()))
    # The clock at departure is New York's; minutes since its midnight give the local date without a time zone table.
    since_midnight = pc.multiply(minutes.cast(pa.int64()), 60_000).cast(pa.duration("ms"))
    date = pc.floor_temporal(pc.subtract(flights["departure"], since_midnight), unit="day")
    delay = flights["arr_delay"]
    table = pa.table(
        {
            "row": pa.array(np.arange(flights.num_rows)),
            "departure": flights["departure"],
            "date": pc.strftime(date, format="%Y-%m-%d"),
            "hour_utc": pc.floor_temporal(flights["departure"], unit="hour"),
            "arrived": flights["arrived"],
            **{name: flights[name] for name in CATEGORIES},
            "arr_delay": delay,
            "minute_of_day": minutes,
            "weekday": pc.day_of_week(date).cast(pa.int32()),
            "distance": flights["distance"].cast(pa.int32()),
            LABEL: pc.greater_equal(delay, LATE_MINUTES).cast(pa.int8()),
        }
    )
    joined = table.join(weather, keys=["hour_utc", "origin"], right_keys=["hour", "origin"], use_threads=False)
    return joined.sort_by("row").drop_columns(["row", "hour_utc"])


@step
def mix_up_units(table: pa.Table, carrier: str) -> pa.Table:
    """A mistake people make: one carrier's feed switched from minutes to seconds, and the rule was not told.

    Then 15 seconds count as late, and nearly every flight of the carrier that is not early is.
    """
    mixed_up = pc.and_(pc.equal(table["carrier"], carrier), pc.is_valid(table[LABEL]))
    seconds = pc.multiply(table["arr_delay"].cast(pa.int32()), 60)
    labels = pc.if_else(mixed_up, pc.greater_equal(seconds, LATE_MINUTES).cast(pa.int8()), table[LABEL])
    return table.set_column(table.column_names.index(LABEL), LABEL, labels)


@step
def sample_rows(table: pa.Table, share: float, seed: int) -> pa.Table:
    """A random share of the rows that have a label, in their order."""
    labelled = table.filter(pc.is_valid(table[LABEL]))
    chosen = np.random.default_rng(seed).random(labelled.num_rows) < share
    return labelled.filter(pa.array(chosen))


@step
def train(table: pa.Table, max_iter: int, learning_rate: float, max_leaf_nodes: int, seed: int) -> Classifier:
    """Gradient boosting on the features; categories unseen in training count as missing."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    positions = list(range(len(CATEGORIES)))
    model = HistGradientBoostingClassifier(
        categorical_features=positions,
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=50,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    encode = ColumnTransformer([("categories", encoder, positions)], remainder="passthrough")
    pipeline = Pipeline([("encode", encode), ("model", model)])
    fitted: Classifier = pipeline.fit(matrix(table, FEATURES), _labels(table))
    return fitted


@step
def train_baseline(table: pa.Table) -> Classifier:
    """The share of late flights for everybody: what any model has to beat."""
    fitted: Classifier = DummyClassifier(strategy="prior").fit(matrix(table, FEATURES), _labels(table))
    return fitted


def _labels(table: pa.Table) -> np.ndarray:
    labels: np.ndarray = table[LABEL].to_numpy()
    return labels
