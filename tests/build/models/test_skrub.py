"""skrub's transformers as steps: trained, packaged, loaded, the same answers."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from assay.build.data.cleaning import Cleaning
from assay.build.data.cleaning_rules import Categories, Fill, Repair
from assay.build.models.packaging import load_model, matrix, package_model
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries that it imports
    from skrub import TableVectorizer

FEATURES = ["age", "town", "income"]


def shop(seed: int, rows: int = 200) -> pa.Table:
    random = np.random.default_rng(seed)
    age = [None if x < 0.05 else f" {int(20 + 50 * x)}" for x in random.random(rows)]
    town = random.choice(["Berlin", "berlin ", "Paris", "Rome"], rows)
    income = pa.array(random.normal(3000, 500, rows), mask=random.random(rows) < 0.1)
    return pa.table({"age": age, "town": town, "income": income, "buys": (random.random(rows) < 0.4).astype(int)})


def as_frame(rows: NDArray[np.object_]) -> pd.DataFrame:
    """Rows as models are asked with, as the frame that skrub wants: numbers as numbers, text as text."""
    frame = pd.DataFrame(rows, columns=[*FEATURES, "age_missing"])
    return frame.astype({"age": float, "income": float, "age_missing": float, "town": str})


def test_a_pipeline_with_skrub_is_packaged_and_predicts_the_same(store: SqlStore) -> None:
    table = shop(0)
    cleaning = Cleaning([Repair("age", "number"), Fill("age", indicator=True), Categories("town", casefold=True)])
    model: Pipeline = make_pipeline(
        cleaning.transformer(FEATURES),
        FunctionTransformer(as_frame),
        TableVectorizer(),
        HistGradientBoostingClassifier(max_iter=20),
    )
    model.fit(matrix(table, FEATURES), table["buys"].to_numpy())
    with start_run(store, "shop", "train") as run:
        version = package_model(store, "buyers", model, table, FEATURES, run=run)
    loaded = load_model(store, version)
    fresh = shop(1)
    expected = model.predict_proba(matrix(fresh, FEATURES))[:, 1]
    assert len(set(expected)) > 10
    assert np.array_equal(loaded.predict_table(fresh), expected)
    assert np.allclose(loaded.predict_table(fresh.slice(3, 1)), expected[3:4])
    assert sorted(model[2].get_feature_names_out())[:2] == ["age", "age_missing"]
