"""A packaged model makes its features itself: raw rows in, the same answers as in training."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LinearRegression, LogisticRegression

from assay.build.features.declared import Definition, Features
from assay.build.features.featured import FeaturedClassifier, FeaturedRegressor
from assay.build.features.fitted import Frequency, TargetMean
from assay.build.models.packaging import load_model, package_model
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

RAW = ["when", "distance", "shop"]


def table() -> pa.Table:
    rng = np.random.default_rng(1)
    return pa.table(
        {
            "when": [f"2026-03-{1 + i % 28:02} {i % 24:02}:30:00" for i in range(300)],
            "distance": rng.uniform(1, 10, 300),
            "shop": [("a", "b", None)[one] for one in rng.integers(0, 3, 300)],
            "late": rng.integers(0, 2, 300),
        }
    )


def made() -> Features:
    definitions: dict[str, Definition] = {
        "hour": 'hour("when"::timestamp)',
        "share": Frequency("shop"),
        "rate": TargetMean("shop"),
    }
    return Features(definitions)


def test_a_registered_version_serves_what_training_saw(store: SqlStore, tmp_path: Path) -> None:
    features = made()
    trained = features.fit_apply(table(), "late")
    columns = ["distance", *features.columns]
    X = np.column_stack([trained[name].to_numpy() for name in columns])
    estimator = LogisticRegression().fit(X, trained["late"].to_numpy())
    model = FeaturedClassifier(features, estimator, table(), RAW, columns)
    with start_run(store, "features") as run:
        version = package_model(store, "late", model, table(), RAW, run=run)
    loaded = load_model(store, version)
    among = loaded.predict_table(table())
    applied = features.apply(table())
    expected = estimator.predict_proba(np.column_stack([applied[name].to_numpy() for name in columns]))[:, 1]
    assert np.array_equal(among, expected)
    for place in (0, 17, 299):
        assert np.isclose(loaded.predict_table(table().slice(place, 1))[0], among[place], rtol=1e-12)
    assert loaded.classes == (0, 1)


def test_numbers_are_predicted_too() -> None:
    features = made()
    trained = features.fit_apply(table(), "late")
    estimator = LinearRegression().fit(np.column_stack([trained["hour"].to_numpy()]), trained["distance"].to_numpy())
    model = FeaturedRegressor(features, estimator, table(), ["when", "shop"], ["hour"])
    rows = np.array([["2026-03-01 05:30:00", "a"]], dtype=object)
    assert model.predict(rows)[0] == estimator.predict([[5.0]])[0]
    assert not hasattr(model, "predict_proba")
