"""Baselines stand beside every model, are packaged like one, and say when the model is not worth its trouble."""

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import assay
from assay.build import baselines_for, train_with_baselines
from assay.build.models.packaging import load_model, package_model
from assay.build.training.labels import labels_like, labels_of
from assay.build.training.train import TrainedModel
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run, start_run

N = 400


def shops() -> pa.Table:
    rng = np.random.default_rng(6)
    shop = np.array(["a", "b", "c", "d"])[np.arange(N) % 4]
    day = np.arange(N) // 4
    level = 10 * (np.arange(N) % 4) + day * 0.1
    table = pa.table(
        {
            "shop": shop,
            "day": pa.array(day, pa.timestamp("s")),
            "size": rng.normal(size=N),
            "sales": level + rng.normal(0, 0.5, N),
            "busy": rng.random(N) < 0.3,
            "size_kind": np.array(["small", "mid", "large"])[np.digitize(rng.normal(size=N), [-0.5, 0.5])],
        }
    )
    return table.take(pa.array(rng.permutation(N)))


TABLE = shops()


def served(store: SqlStore, fitted: TrainedModel) -> Any:
    with start_run(store, "baselines") as run:
        names = [one.name for one in fitted.columns]
        return load_model(store, package_model(store, fitted.name, fitted, TABLE, names, run=run))


def test_classes_have_their_shares_and_a_regression(store: SqlStore) -> None:
    found = baselines_for(TABLE, label="size_kind", features=["size", "shop"])
    assert list(found) == ["majority", "logistic"]
    classes = found["majority"].classes
    shares = [TABLE["size_kind"].to_pylist().count(one) / N for one in classes]
    assert classes == ("large", "mid", "small")
    assert np.allclose(found["majority"].answer_table(TABLE), shares)
    for fitted in found.values():
        assert np.array_equal(served(store, fitted).answer_table(TABLE), fitted.answer_table(TABLE))


def test_numbers_have_their_mean_a_regression_and_the_last_value(store: SqlStore) -> None:
    found = baselines_for(TABLE, label="sales", features=["size"], time="day", entity="shop")
    assert list(found) == ["mean", "ridge", "last"]
    assert np.allclose(found["mean"].predict_table(TABLE), np.mean(TABLE["sales"].to_numpy()))
    ordered = TABLE.sort_by("day")
    last = dict(zip(ordered["shop"].to_pylist(), ordered["sales"].to_pylist(), strict=True))
    expected = [last[one] for one in TABLE["shop"].to_pylist()]
    assert found["last"].predict_table(TABLE).tolist() == expected
    loaded = served(store, found["last"])
    assert loaded.predict_table(TABLE).tolist() == expected
    new = pa.table({"size": [0.0], "shop": ["z"]})
    assert loaded.predict_table(new).tolist() == [ordered["sales"].to_pylist()[-1]]
    overall = baselines_for(TABLE, label="sales", features=["size"], time="day")["last"]
    assert set(overall.predict_table(TABLE).tolist()) == {ordered["sales"].to_pylist()[-1]}


def test_the_last_class_is_named_as_sure_as_can_be(store: SqlStore) -> None:
    last = baselines_for(TABLE, label="size_kind", features=["size"], time="day", entity=["shop"])["last"]
    ordered = TABLE.sort_by("day")
    by_shop = dict(zip(ordered["shop"].to_pylist(), ordered["size_kind"].to_pylist(), strict=True))
    answers = served(store, last).answer_table(TABLE)
    assert set(answers.ravel().tolist()) == {0.0, 1.0}
    named = np.asarray(last.classes)[answers.argmax(axis=1)]
    assert named.tolist() == [by_shop[one] for one in TABLE["shop"].to_pylist()]


def test_without_features_label_time_and_entity_are_left_out() -> None:
    rows = TABLE.select(["shop", "day", "size", "sales"])
    found = baselines_for(rows, label="sales", time="day", entity="shop")
    assert [one.name for one in found["ridge"].columns] == ["size"]
    assert [one.name for one in found["last"].columns] == ["size", "shop"]


def test_whole_numbers_are_numbers_except_zero_and_one() -> None:
    ones = pa.table({"x": [1.0, 2, 3, 4], "y": [0, 1, 0, 1]})
    assert list(baselines_for(ones, label="y")) == ["majority", "logistic"]
    counts = pa.table({"x": [1.0, 2, 3, 4], "y": [0, 1, 2, 3]})
    assert list(baselines_for(counts, label="y")) == ["mean", "ridge"]
    twice = pa.table({"x": [1.0, 2, 3, 4], "y": [1, 2, 2, 1]})
    assert baselines_for(twice, label="y", classes=True)["majority"].classes == (1, 2)


def test_a_model_is_scored_beside_its_baselines_on_held_out_rows(store: SqlStore) -> None:
    train, hold_out = TABLE.slice(0, 300), TABLE.slice(300)
    with start_run(store, "baselines") as run:
        found = train_with_baselines(
            HistGradientBoostingRegressor(max_iter=30),
            train,
            label="sales",
            features=["shop", "size"],
            time="day",
            entity="shop",
            hold_out=pl.from_arrow(hold_out),
        )
    assert list(found.scores) == ["model", "mean", "ridge", "last"]
    truth = hold_out["sales"].to_numpy()
    for name, fitted in {"model": found.model, **found.baselines}.items():
        gaps = fitted.predict_table(hold_out) - truth
        assert found.scores[name]["rmse"] == pytest.approx(np.sqrt(np.mean(gaps**2)))
    assert "mean" not in found.not_beaten
    logged = show_run(store, run.run_id).run.metrics
    assert logged["holdout_rmse"] == found.scores["model"]["rmse"]
    assert logged["baseline/ridge/holdout_rmse"] == found.scores["ridge"]["rmse"]
    assert "training_rmse" in logged


def test_a_model_that_learned_nothing_does_not_beat_the_shares() -> None:
    found = train_with_baselines(DummyClassifier(strategy="prior"), TABLE, label="busy", features=["size"])
    assert "majority" in found.not_beaten
    assert found.scores["majority"] == found.scores["model"]
    noise = TABLE.slice(0, 200)
    fitted = train_with_baselines(
        HistGradientBoostingClassifier(max_iter=200, min_samples_leaf=2),
        noise,
        label="busy",
        features=["size"],
        hold_out=TABLE.slice(200),
    )
    assert fitted.not_beaten == ["majority", "logistic"], "noise learned by heart is worse than the shares"


def test_without_held_out_rows_the_training_scores_are_logged(store: SqlStore) -> None:
    with assay.run("baselines", store=store.location, system_metrics=False) as run:
        found = train_with_baselines(
            HistGradientBoostingClassifier(max_iter=5),
            TABLE,
            label="size_kind",
            positive="small",
            features=["size"],
            name="boosted",
        )
    logged = show_run(store, run.run_id).run.metrics
    assert found.model.task == "binary"
    assert found.scores["model"] == found.model.scores
    assert logged["boosted/training_auc"] == found.scores["model"]["auc"]
    assert logged["boosted/baseline/majority/training_auc"] == 0.5


def test_what_baselines_cannot_do_is_told() -> None:
    with pytest.raises(InvalidInput, match="time= is not"):
        baselines_for(TABLE, label="sales", features=["size"], entity="shop")
    with pytest.raises(InvalidInput, match="no column 'dy'") as raised:
        baselines_for(TABLE, label="sales", features=["size"], time="dy")
    assert raised.value.hint == "did you mean 'day'?"
    gaps = TABLE.set_column(1, "day", pa.array([None] * N, pa.timestamp("s")))
    with pytest.raises(InvalidInput, match="column 'day' has no time in 400 rows"):
        baselines_for(gaps, label="sales", features=["size"], time="day")
    with pytest.raises(InvalidInput, match="positive='small' is given, and the estimator predicts numbers"):
        assay.train(HistGradientBoostingRegressor(), TABLE, label="sales", features=["size"], positive="small")


def test_a_class_that_the_training_did_not_see_is_told() -> None:
    known = labels_of(pa.table({"y": ["a", "b", "a", "b"]}), "y", classes=True)
    held = labels_like(known.task, known.classes, pa.table({"y": ["b", None, "a"]}), "y")
    assert held.values.tolist() == [1, 0]
    assert held.kept.tolist() == [True, False, True]
    with pytest.raises(InvalidInput, match="the training knows no class 'c' of the label column 'y'"):
        labels_like(known.task, known.classes, pa.table({"y": ["b", "c"]}), "y")
