"""Training on tables: what is fitted is what is served, labels are understood, and what cannot be learned is told."""

import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier, LGBMRegressor
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

import assay
from assay.build.models.packaging import load_model, package_model
from assay.build.training.train import TrainedModel
from assay.errors import InvalidInput
from assay.record.models.registry import model_folder
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run, start_run

N = 240
FEATURES = ["carrier", "distance", "hour"]


def flights() -> pa.Table:
    rng = np.random.default_rng(8)
    carrier = rng.choice(["AA", "UA", "DL"], N).astype(object)
    distance = rng.uniform(100, 2000, N)
    signal = distance / 1000 + (carrier == "UA") + rng.normal(0, 0.3, N)
    carrier[::31], distance[::17] = None, np.nan
    return pa.table(
        {
            "carrier": pa.array(carrier, pa.string()),
            "distance": pa.array(distance, from_pandas=True),
            "hour": rng.integers(0, 24, N),
            "late": signal > 1.5,
            "kind": np.array(["early", "late", "on time"])[np.digitize(signal, [1.0, 1.8])],
            "delay": 60 * signal,
        }
    )


TABLE = flights()
UNSEEN = pa.table({"carrier": ["ZZ", None, "AA"], "distance": pa.array([500.0, 700.0, None]), "hour": [1, None, 23]})
CLASSIFIERS: dict[str, Any] = {
    "logistic": LogisticRegression(),
    "histograms": HistGradientBoostingClassifier(max_iter=5),
    "lightgbm": LGBMClassifier(n_estimators=5, verbose=-1, num_threads=1),
    "xgboost": XGBClassifier(n_estimators=5, nthread=1),
    "catboost": CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False, thread_count=1),
    "margins": LinearSVC(),
}


def registered(store: SqlStore, fitted: TrainedModel, table: pa.Table = TABLE) -> Any:
    with start_run(store, "training") as run:
        names = [one.name for one in fitted.columns]
        return load_model(store, package_model(store, "late", fitted, table, names, run=run))


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("features", [FEATURES, ["distance", "hour"]], ids=["text", "numbers"])
def test_what_was_trained_is_what_is_served(store: SqlStore, name: str, features: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # LightGBM about names inside pipelines
        fitted = assay.train(CLASSIFIERS[name], TABLE, label="kind", features=features)
        loaded = registered(store, fitted)
        assert (fitted.task, fitted.rows, fitted.left_out) == ("multiclass", N, 0)
        assert loaded.classes == fitted.classes == ("early", "late", "on time")
        for table in (TABLE, UNSEEN):
            answers = fitted.answer_table(table)
            assert answers.shape == (table.num_rows, 3)
            assert np.allclose(answers.sum(axis=1), 1)
            assert np.array_equal(loaded.answer_table(table), answers)
    assert fitted.scores["accuracy"] > 0.5


def test_mlflow_serves_the_same_with_its_preparation(store: SqlStore) -> None:
    fitted = assay.train(LogisticRegression(), TABLE, label="late", features=FEATURES)
    loaded = registered(store, fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        theirs = mlflow.pyfunc.load_model(str(model_folder(store, loaded.version)))
        frame = TABLE.select(FEATURES).to_pandas().astype({"hour": "float64"})
        said = np.asarray(theirs.predict(frame))
    assert np.allclose(said, fitted.answer_table(TABLE))


def test_truth_is_one_and_text_has_a_positive_value() -> None:
    late = assay.train(LogisticRegression(), TABLE, label="late", features=FEATURES)
    assert (late.task, late.classes) == ("binary", (0, 1))
    assert set(late.scores) == {"accuracy", "log_loss", "auc"}
    with pytest.raises(InvalidInput, match="LogisticRegression tells 3 classes apart"):
        assay.train(LogisticRegression(), TABLE, label="kind", features=FEATURES).predict_table(TABLE)
    kind = assay.train(LogisticRegression(), TABLE, label="kind", features=FEATURES, positive="late")
    assert (kind.task, kind.classes) == ("binary", (0, 1))
    other = assay.train(LogisticRegression(), TABLE, label="kind", features=FEATURES)
    assert other.classes == ("early", "late", "on time")
    assert np.abs(kind.predict_table(TABLE) - other.answer_table(TABLE)[:, 1]).max() > 0.01
    with pytest.raises(InvalidInput, match="no row of the label column 'kind' has the value 'lte'") as raised:
        assay.train(LogisticRegression(), TABLE, label="kind", features=FEATURES, positive="lte")
    assert raised.value.hint == "did you mean 'late'?"


def test_numbers_are_predicted_from_any_kind_of_table() -> None:
    for regressor in (Ridge(), RandomForestRegressor(5, random_state=0), LGBMRegressor(n_estimators=5, verbose=-1)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            tables = (TABLE, TABLE.to_pandas(), pl.from_arrow(TABLE))
            found = [assay.train(regressor, one, label="delay", features=FEATURES) for one in tables]
            said = [one.predict_table(TABLE) for one in found]
        assert found[0].task == "regression"
        assert np.array_equal(said[0], said[1])
        assert np.array_equal(said[0], said[2])
        assert found[0].scores["r2"] > 0.3


def test_rows_without_a_label_are_left_out_and_counted(store: SqlStore) -> None:
    some = [None if row % 10 == 0 else value for row, value in enumerate(TABLE["late"].to_pylist())]
    table = TABLE.set_column(3, "late", pa.array(some))
    with start_run(store, "training") as run:
        fitted = assay.train(LogisticRegression(C=0.5), table, label="late", features=FEATURES)
    assert (fitted.rows, fitted.left_out) == (N - N // 10, N // 10)
    detail = show_run(store, run.run_id)
    assert (detail.params["estimator"], detail.params["C"]) == ("LogisticRegression", "0.5")
    assert detail.params["preparation"] == "text one-hot, numbers filled and scaled"
    logged = detail.run.metrics
    assert (logged["training_rows"], logged["training_rows_without_label"]) == (fitted.rows, fitted.left_out)
    assert logged["training_accuracy"] == fitted.scores["accuracy"]
    assert logged["training_seconds"] > 0
    without = table.filter(table["late"].is_valid())
    again = assay.train(LogisticRegression(C=0.5), without, label="late", features=FEATURES)
    assert np.array_equal(again.predict_table(TABLE), fitted.predict_table(TABLE))


def test_a_run_that_does_not_wait_is_told_too(store: SqlStore) -> None:
    with assay.run("training", store=store.location, system_metrics=False) as run:
        fitted = assay.train(Ridge(), TABLE, label="delay", features=FEATURES, name="ridge")
        run.model(fitted, TABLE, columns=FEATURES)
    detail = show_run(store, run.run_id)
    assert detail.params["ridge/estimator"] == "Ridge"
    assert detail.run.metrics["ridge/training_rmse"] == fitted.scores["rmse"]


@pytest.mark.parametrize("name", ["logistic", "lightgbm", "catboost"])
def test_what_was_trained_can_be_pickled(name: str) -> None:
    fitted = assay.train(CLASSIFIERS[name], TABLE, label="kind", features=["distance", "hour"])
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.answer_table(TABLE), fitted.answer_table(TABLE))
    assert (again.classes, again.rows, again.scores) == (fitted.classes, fitted.rows, fitted.scores)


def test_the_estimator_that_was_given_is_left_as_it_was() -> None:
    estimator = LogisticRegression()
    first = assay.train(estimator, TABLE, label="late", features=FEATURES)
    assert not hasattr(estimator, "classes_")
    assert first.estimator is not estimator


def test_a_pipeline_finds_its_columns_by_name(store: SqlStore) -> None:
    encode = ColumnTransformer([("c", OneHotEncoder(), ["carrier"]), ("h", StandardScaler(), ["hour"])])
    fitted = assay.train(make_pipeline(encode, Ridge()), TABLE, label="delay", features=["hour", "carrier"])
    assert fitted.preparation == "by the pipeline"
    loaded = registered(store, fitted)
    assert np.array_equal(loaded.predict_table(TABLE), fitted.predict_table(TABLE))
    direct = make_pipeline(encode, Ridge()).fit(TABLE.select(["hour", "carrier"]).to_pandas(), TABLE["delay"])
    assert np.allclose(direct.predict(TABLE.to_pandas()), fitted.predict_table(TABLE))


class Nearest:
    """An estimator of one's own: it only has fit and predict."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> None:
        self.rows, self.labels = X.astype(float), np.asarray(y)

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        gaps = np.abs(X.astype(float)[:, None, :] - self.rows[None]).sum(axis=2)
        found: NDArray[Any] = self.labels[gaps.argmin(axis=1)]
        return found


def test_anything_with_fit_and_predict_is_trained_and_evaluated(store: SqlStore) -> None:
    fitted = assay.train(Nearest(), TABLE, label="kind", features=["hour", "distance"])
    assert fitted.scores["accuracy"] > 0.98
    loaded = registered(store, fitted)
    found = assay.evaluate(loaded, TABLE, label="kind", task="multiclass", metrics=["accuracy"])
    assert found.table().rows[0].value == fitted.scores["accuracy"]
    numbers = assay.train(Nearest(), TABLE, label="delay", features=["hour"], prepare="none")
    assert numbers.task == "regression"
    assert numbers.preparation == "none"


def test_what_was_trained_is_evaluated_with_its_classes_by_each_task(store: SqlStore) -> None:
    boosted = XGBClassifier(n_estimators=5, nthread=1)
    for label, task, estimator in (
        ("late", "binary", LogisticRegression()),
        ("kind", "multiclass", boosted),
        ("delay", "regression", Ridge()),
    ):
        fitted = assay.train(estimator, TABLE, label=label, features=FEATURES)
        before = assay.evaluate(fitted, TABLE, label=label, task=task)
        after = assay.evaluate(registered(store, fitted), TABLE, label=label, task=task)
        assert [row.value for row in before.table().rows] == [row.value for row in after.table().rows]
        if task == "multiclass":
            assert before.profile.task.classes == ("early", "late", "on time")


def with_label(values: Any, kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"hour": np.arange(6), "y": pa.array(values, kind)})


@pytest.mark.parametrize(
    ("table", "estimator", "said"),
    [
        (with_label([1, 1, 1, 1, 1, 1]), LogisticRegression(), "'y' is 1 in every row"),
        (with_label([2.5] * 6), Ridge(), "'y' is 2.5 in every row"),
        (
            with_label(["a", "a", "a", "b", "b", "c"]),
            LogisticRegression(),
            "class 'c' of the label column 'y'",
        ),
        (with_label([None] * 6, pa.float64()), Ridge(), "no row has a label in column 'y'"),
        (with_label([float("nan")] * 6), Ridge(), "no row has a label in column 'y'"),
        (with_label([0.5, 1, 2, 0.5, 1, 2]), LogisticRegression(), "'y' has numbers with fractions"),
        (with_label(list("aabbcc")), Ridge(), "'y' is of type string, and the estimator predicts numbers"),
        (with_label([1, 2, 3, 4, 5, float("inf")]), Ridge(), "'y' has infinite values"),
        (with_label([0, 1, 2, 3, 4, 5], pa.timestamp("s")), LogisticRegression(), "'y' is of type timestamp"),
        (with_label([0, 1, 0, 1, 0, 1]).drop_columns(["hour"]), Ridge(), "no column to learn from"),
        (with_label([0, 1, 0, 1, 0, 1]), object(), "a object cannot be trained"),
    ],
)
def test_what_cannot_be_learned_is_told(table: pa.Table, estimator: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as raised:
        assay.train(estimator, table, label="y")
    assert raised.value.expected or raised.value.hint


def test_columns_that_cannot_be_features_are_named_with_what_to_do(store: SqlStore) -> None:
    times = TABLE.append_column("departure", pa.array(np.arange(N), pa.timestamp("s")))
    empty = TABLE.append_column("nothing", pa.array([None] * N, pa.float64()))
    lists = TABLE.append_column("stops", pa.array([[1]] * N))
    with start_run(store, "training") as run:
        for table, column, hint in (
            (times, "departure", "such as its hour or weekday"),
            (empty, "nothing", "leave 'nothing' out"),
            (lists, "stops", "leave 'stops' out"),
        ):
            with pytest.raises(InvalidInput, match=f"column '{column}'") as raised:
                assay.train(Ridge(), table, label="delay", features=["hour", column])
            assert hint in str(raised.value)
        with pytest.raises(InvalidInput, match="no column 'dela'") as raised:
            assay.train(Ridge(), TABLE, label="dela")
        assert raised.value.hint == "did you mean 'delay'?"
        with pytest.raises(InvalidInput, match="no column 'hou'"):
            assay.train(Ridge(), TABLE, label="delay", features=["hou"])
        with pytest.raises(InvalidInput, match="'delay' is among the features"):
            assay.train(Ridge(), TABLE, label="delay", features=["hour", "delay"])
        with pytest.raises(InvalidInput, match="'hour' is among the features twice"):
            assay.train(Ridge(), TABLE, label="delay", features=["hour", "carrier", "hour"])
        with pytest.raises(InvalidInput, match="prepare='maybe'"):
            assay.train(Ridge(), TABLE, label="delay", features=["hour"], prepare="maybe")  # type: ignore[arg-type]
    assert show_run(store, run.run_id).params == {}


def test_a_category_of_pandas_is_text() -> None:
    frame = TABLE.to_pandas().astype({"carrier": "category"})
    assert isinstance(frame["carrier"].dtype, pd.CategoricalDtype)
    categories = assay.train(Ridge(), frame, label="delay", features=FEATURES)
    text = assay.train(Ridge(), TABLE, label="delay", features=FEATURES)
    assert np.array_equal(categories.predict_table(TABLE), text.predict_table(TABLE))


def test_the_room_is_loaded_without_scikit_learn() -> None:
    code = "import sys, assay.build.training.train; print('sklearn' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
