"""Each library's models are kept in a form of its own, and answer the same here and in MLflow."""

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from numpy.typing import NDArray
from xgboost import XGBClassifier, XGBRegressor

from assay.build.models.folder import flavour_of
from assay.build.models.inputs import object_rows
from assay.build.models.packaging import LoadedModel, load_model, package_model
from assay.errors import InvalidInput, MissingExtra, Tampered
from assay.record.models.registry import ModelVersion, model_folder
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

COLUMNS = ["hour", "distance", "wind"]
SMALL: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_estimators": 5, "verbose": -1, "num_threads": 1},
    "xgboost": {"n_estimators": 5, "nthread": 1},
    "catboost": {"iterations": 5, "verbose": 0, "allow_writing_files": False, "thread_count": 1},
}
CLASSIFIERS = {"lightgbm": LGBMClassifier, "xgboost": XGBClassifier, "catboost": CatBoostClassifier}
REGRESSORS = {"lightgbm": LGBMRegressor, "xgboost": XGBRegressor, "catboost": CatBoostRegressor}
LIBRARIES = sorted(SMALL)
FILES = {"lightgbm": "model.lgb", "xgboost": "model.ubj", "catboost": "model.cb"}


def numbers() -> NDArray[np.float64]:
    rows = np.random.default_rng(3).normal(size=(120, 3))
    rows[::7, 2] = np.nan
    return rows


ROWS = numbers()
TABLE = pa.table({name: pa.array(ROWS[:, place], from_pandas=True) for place, name in enumerate(COLUMNS)})
LATE = (ROWS[:, 0] > 0.2).astype(int)
KIND = np.digitize(ROWS[:, 0], [-0.5, 0.5])
DELAY = 10 * ROWS[:, 0] - ROWS[:, 1]


@pytest.fixture(autouse=True)
def _quiet_libraries() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")  # LightGBM's own names
        yield


def package(
    store: SqlStore, estimator: object, table: pa.Table = TABLE, columns: Sequence[str] = COLUMNS
) -> ModelVersion:
    with start_run(store, "flavours") as run:
        return package_model(store, "m", estimator, table, columns, run=run)


def in_mlflow(store: SqlStore, version: ModelVersion, table: pa.Table) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        loaded = mlflow.pyfunc.load_model(str(model_folder(store, version)))
        return np.asarray(loaded.predict(table.to_pandas()))


def test_two_classes(store: SqlStore, library: str) -> None:
    estimator = CLASSIFIERS[library](**SMALL[library]).fit(ROWS, LATE)
    version = package(store, estimator)
    loaded = load_model(store, version)
    expected = np.asarray(estimator.predict_proba(ROWS))
    assert loaded.classes == (0, 1)
    assert np.array_equal(loaded.answer_table(TABLE), expected)
    assert np.array_equal(loaded.predict_table(TABLE), expected[:, 1])
    theirs = in_mlflow(store, version, TABLE)
    wanted = estimator.predict(ROWS) if library == "catboost" else expected[:, 1]
    assert np.allclose(theirs, wanted, atol=1e-6)


def test_three_classes_with_names_of_text(store: SqlStore, library: str) -> None:
    names = np.array(["early", "late", "on time"])
    labels = KIND if library == "xgboost" else names[KIND]  # XGBoost takes numbers only
    estimator = CLASSIFIERS[library](**SMALL[library]).fit(ROWS, labels)
    version = package(store, estimator)
    loaded = load_model(store, version)
    expected = np.asarray(estimator.predict_proba(ROWS))
    assert loaded.classes == ((0, 1, 2) if library == "xgboost" else tuple(names))
    assert np.array_equal(loaded.answer_table(TABLE), expected)
    theirs = in_mlflow(store, version, TABLE)
    if library == "catboost":
        assert theirs.ravel().tolist() == np.asarray(estimator.predict(ROWS)).ravel().tolist()
    else:
        assert np.allclose(theirs, expected, atol=1e-6)


def test_numbers(store: SqlStore, library: str) -> None:
    estimator = REGRESSORS[library](**SMALL[library]).fit(ROWS, DELAY)
    version = package(store, estimator)
    loaded = load_model(store, version)
    assert loaded.classes == ()
    assert np.array_equal(loaded.answer_table(TABLE), estimator.predict(ROWS))
    assert np.allclose(in_mlflow(store, version, TABLE), estimator.predict(ROWS), atol=1e-5)


def test_the_folder_has_no_pickle_and_says_what_is_needed(store: SqlStore, library: str) -> None:
    version = package(store, REGRESSORS[library](**SMALL[library]).fit(ROWS, DELAY))
    folder = model_folder(store, version)
    ours = ["MLmodel", "input_example.json", "profile.bin", "python_env.yaml", "requirements.txt", "sample.parquet"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*ours, FILES[library]])
    described = json.loads((folder / "MLmodel").read_text())
    assert described["flavors"]["python_function"]["loader_module"] == f"mlflow.{library}"
    assert library in described["flavors"]
    required = (folder / "requirements.txt").read_text().splitlines()
    assert required[0].startswith(library)
    assert all("==" in line for line in required)


def test_changed_content_is_told(store: SqlStore, library: str) -> None:
    version = package(store, REGRESSORS[library](**SMALL[library]).fit(ROWS, DELAY))
    store.blobs.path(store.blobs.manifest(version.hash)[FILES[library]]).write_bytes(b"other")
    with pytest.raises(Tampered):
        load_model(store, version)


def test_a_missing_library_is_told_with_its_extra(
    store: SqlStore, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = package(store, REGRESSORS[library](**SMALL[library]).fit(ROWS, DELAY))
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=library) as raised:
        load_model(store, version)
    assert raised.value.hint == f"pip install 'assay-mlops[{library}]'"


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_text_is_refused_where_the_library_cannot_read_it(store: SqlStore, library: str) -> None:
    table = TABLE.append_column("carrier", pa.array(["AA"] * TABLE.num_rows))
    estimator = REGRESSORS[library](**SMALL[library]).fit(ROWS, DELAY)
    with pytest.raises(InvalidInput, match="takes numbers only, and column 'carrier' is text"):
        package(store, estimator, table, [*COLUMNS[:2], "carrier"])
    assert store.query("model_version") == []


def test_a_booster_without_its_estimator_is_kept_too(store: SqlStore) -> None:
    import lightgbm
    import xgboost

    for labels, objective in ((LATE, "binary"), (KIND, "multiclass"), (DELAY, "regression")):
        settings = {"objective": objective, "verbose": -1, "num_threads": 1}
        more = {"num_class": 3} if objective == "multiclass" else {}
        booster = lightgbm.train({**settings, **more}, lightgbm.Dataset(ROWS, labels), num_boost_round=3)
        _answers_as(load_model(store, package(store, booster)), booster.predict(ROWS))
    for labels, objective in ((LATE, "binary:logistic"), (KIND, "multi:softprob"), (DELAY, "reg:squarederror")):
        more = {"num_class": 3} if objective == "multi:softprob" else {}
        trained = xgboost.train({"objective": objective, **more}, xgboost.DMatrix(ROWS, labels), num_boost_round=3)
        _answers_as(load_model(store, package(store, trained)), trained.predict(xgboost.DMatrix(ROWS)))


def _answers_as(loaded: LoadedModel, expected: Any) -> None:
    if expected.ndim == 1:
        assert np.array_equal(loaded.predict_table(TABLE), expected)
    else:
        assert np.array_equal(loaded.answer_table(TABLE), expected)


def test_trees_after_the_best_are_not_kept(store: SqlStore) -> None:
    half = len(ROWS) // 2
    noise = np.random.default_rng(1).normal(size=len(ROWS))
    estimator = XGBRegressor(n_estimators=60, early_stopping_rounds=3, nthread=1)
    estimator.fit(ROWS[:half], noise[:half], eval_set=[(ROWS[half:], noise[half:])], verbose=False)
    assert estimator.best_iteration < estimator.get_booster().num_boosted_rounds() - 1
    version = package(store, estimator)
    assert np.array_equal(load_model(store, version).predict_table(TABLE), estimator.predict(ROWS))
    assert np.allclose(in_mlflow(store, version, TABLE), estimator.predict(ROWS), atol=1e-6)


def test_an_objective_of_ones_own_is_kept_as_a_pickle(store: SqlStore) -> None:
    estimator = LGBMRegressor(objective=squared, **SMALL["lightgbm"]).fit(ROWS, DELAY)
    assert flavour_of(estimator).FILE == "model.pkl"
    version = package(store, estimator)
    assert np.array_equal(load_model(store, version).predict_table(TABLE), estimator.predict(ROWS))
    required = (model_folder(store, version) / "requirements.txt").read_text()
    assert "lightgbm==" in required, "what is inside is needed too"


def squared(wanted: NDArray[Any] | None, said: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    assert wanted is not None
    return said - wanted, np.ones_like(said)


def test_catboost_reads_text_itself_and_missing_text_too(store: SqlStore) -> None:
    carrier = np.array(["AA", "UA", "missing"])[np.arange(len(ROWS)) % 3]
    rows = np.column_stack([ROWS.astype(object), carrier])
    estimator = CatBoostRegressor(**SMALL["catboost"]).fit(rows, DELAY + 5 * (carrier == "UA"), cat_features=[3])
    missing = pa.array([None if one == "missing" else str(one) for one in carrier])
    table = TABLE.append_column("carrier", missing)
    version = package(store, estimator, table, [*COLUMNS, "carrier"])
    assert np.array_equal(load_model(store, version).predict_table(table), estimator.predict(rows))


def test_no_library_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, assay.build, assay.build.models.folder\n"
        "print([one for one in ('lightgbm', 'xgboost', 'catboost', 'onnxruntime', 'torch') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_estimator_that_was_not_fitted_is_refused(store: SqlStore, library: str) -> None:
    with pytest.raises(InvalidInput, match="is not fitted"):
        package(store, REGRESSORS[library](**SMALL[library]))
    assert store.query("model_version") == []


def test_rows_as_the_server_makes_them_are_answered_from_many_threads(store: SqlStore, library: str) -> None:
    estimator = CLASSIFIERS[library](**SMALL[library]).fit(ROWS, LATE)
    loaded = load_model(store, package(store, estimator))
    rows = object_rows(loaded.columns, [[None if one != one else one for one in row] for row in ROWS.tolist()])
    expected = loaded.predict_table(TABLE)
    with ThreadPoolExecutor(4) as threads:
        for said in threads.map(loaded.predict, [rows] * 40):
            assert np.array_equal(said, expected)
