"""Models as folders: what is saved is what predicts, here and in MLflow, and nothing else is unpickled."""

import importlib
import json
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from assay import __version__
from assay.build.models.packaging import LoadedModel, load_model, matrix, package_model, signature_of
from assay.build.training.baselines import baselines_for
from assay.build.training.train import train
from assay.errors import InvalidInput, MissingExtra, Tampered
from assay.record.models.registry import ModelVersion, model_folder, register
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

COLUMNS = ["carrier", "distance", "hour"]


def flights(n: int = 200) -> pa.Table:
    generator = np.random.default_rng(5)
    carrier = generator.choice(["AA", "UA", "DL"], n)
    distance = generator.uniform(100, 2000, n)
    late = (distance / 2000 + (carrier == "UA") + generator.normal(0, 0.5, n) > 1).astype(np.int8)
    return pa.table({"late": late, "hour": generator.integers(0, 24, n), "carrier": carrier, "distance": distance})


def fit(table: pa.Table) -> Pipeline:
    encode = ColumnTransformer([("text", OneHotEncoder(handle_unknown="ignore"), [0])], remainder="passthrough")
    pipeline = make_pipeline(encode, LogisticRegression(max_iter=2000))
    return pipeline.fit(matrix(table, COLUMNS), table["late"].to_numpy())


def package(store: SqlStore, estimator: Pipeline, table: pa.Table) -> ModelVersion:
    with start_run(store, "packaging") as run:
        return package_model(store, "late", estimator, table, COLUMNS, run=run, description="a test")


@pytest.fixture
def table() -> pa.Table:
    return flights()


@pytest.fixture
def version(store: SqlStore, table: pa.Table) -> ModelVersion:
    return package(store, fit(table), table)


def test_a_loaded_model_gives_identical_probabilities(store: SqlStore, table: pa.Table) -> None:
    estimator = fit(table)
    loaded = load_model(store, package(store, estimator, table))
    expected = estimator.predict_proba(matrix(table, COLUMNS))[:, 1]
    assert isinstance(loaded, LoadedModel)
    assert np.array_equal(loaded.predict_table(table), expected)
    assert np.array_equal(loaded.predict(matrix(table, COLUMNS)), expected)
    shuffled = table.select(["distance", "late", "carrier", "hour"])
    assert np.array_equal(loaded.predict_table(shuffled), expected), "columns are found by name"


def test_the_version_says_what_it_takes_and_where_it_came_from(store: SqlStore, table: pa.Table) -> None:
    with start_run(store, "packaging") as run:
        version = package_model(store, "late", fit(table), table, COLUMNS, run=run, description="a test")
    assert (version.model, version.version, version.run_id, version.description) == ("late", 1, run.run_id, "a test")
    loaded = load_model(store, version)
    assert loaded.version == version
    columns = [(column.name, column.type, column.is_number) for column in loaded.columns]
    assert columns == [("carrier", "string", False), ("distance", "double", True), ("hour", "double", True)]
    assert version.signature == {"inputs": signature_of(table, COLUMNS)}
    assert loaded.example == matrix(table.slice(0, 3), COLUMNS).tolist()


class Bomb:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("where", ["folder", "blob"])
def test_a_changed_pickle_is_told_and_never_loaded(
    store: SqlStore, version: ModelVersion, tmp_path: Path, where: str
) -> None:
    exploded = tmp_path / "exploded"
    bomb = pickle.dumps(Bomb(exploded))
    folder = model_folder(store, version)
    if where == "folder":
        (folder / "model.pkl").write_bytes(bomb)
    else:
        store.blobs.path(store.blobs.manifest(version.hash)["model.pkl"]).write_bytes(bomb)
    with pytest.raises(Tampered):
        load_model(store, version)
    assert not exploded.exists()
    pickle.loads(bomb)
    assert exploded.exists(), "it would have gone off"


def test_a_pickle_changed_between_check_and_load_is_not_loaded(
    store: SqlStore, version: ModelVersion, table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_model(store, version).predict_table(table)
    exploded = tmp_path / "exploded"

    def checked_then_changed(store: SqlStore, version: ModelVersion) -> Path:
        folder = model_folder(store, version)
        (folder / "model.pkl").write_bytes(pickle.dumps(Bomb(exploded)))
        return folder

    monkeypatch.setattr("assay.build.models.packaging.model_folder", checked_then_changed)
    assert np.array_equal(load_model(store, version).predict_table(table), expected)
    assert not exploded.exists()


def test_a_folder_that_is_no_packaged_model_is_told(store: SqlStore, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "MLmodel").write_text("{}")
    version = register(store, "late", folder, run=None, signature={})
    with pytest.raises(InvalidInput, match="late/1 is of no flavour that is loaded here"):
        load_model(store, version)


def test_the_description_is_json_and_yaml_alike(store: SqlStore, version: ModelVersion) -> None:
    folder = model_folder(store, version)
    text = (folder / "MLmodel").read_text()
    assert yaml.safe_load(text) == json.loads(text)
    assert json.loads(json.loads(text)["signature"]["inputs"]) == version.signature["inputs"]
    environment = yaml.safe_load((folder / "python_env.yaml").read_text())
    assert environment["dependencies"] == ["-r requirements.txt"]
    required = (folder / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in required] == ["scikit-learn", "numpy", "scipy"]


def test_mlflow_reads_the_folder_and_predicts_the_same(store: SqlStore, version: ModelVersion, table: pa.Table) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        theirs = mlflow.pyfunc.load_model(str(model_folder(store, version)))
        frame = table.select(COLUMNS).to_pandas().astype({"hour": "float64"})
        predicted = theirs.predict(frame)
    assert np.array_equal(np.asarray(predicted)[:, 1], load_model(store, version).predict_table(table))


def test_the_signature_names_text_and_numbers() -> None:
    table = pa.table(
        {
            "text": ["a"],
            "large": pa.array(["a"], pa.large_string()),
            "view": pa.array(["a"], pa.string_view()),
            "category": pa.array(["a"]).dictionary_encode(),
            "whole": [1],
            "small": pa.array([1], pa.int8()),
            "real": [1.0],
            "yes": [True],
        }
    )
    types = {column["name"]: column["type"] for column in signature_of(table, table.column_names)}
    assert types == {
        **dict.fromkeys(["text", "large", "view", "category"], "string"),
        **dict.fromkeys(["whole", "small", "real", "yes"], "double"),
    }
    assert all(column["required"] for column in signature_of(table, table.column_names))


def test_a_column_that_is_neither_is_refused() -> None:
    table = pa.table({"when": pa.array([0], pa.timestamp("us"))})
    with pytest.raises(InvalidInput, match=r"column 'when' is of type timestamp\[us\]"):
        signature_of(table, ["when"])
    with pytest.raises(InvalidInput, match=r"column 'when' of type timestamp\[us\] cannot be read as numbers"):
        matrix(table, ["when"])


@pytest.mark.parametrize(("name", "hint"), [("distnace", "did you mean 'distance'?"), ("zzzzzzz", None)])
def test_a_missing_column_is_told_with_the_nearest(table: pa.Table, name: str, hint: str | None) -> None:
    for attempt in (matrix, signature_of):
        with pytest.raises(InvalidInput, match=f"the table has no column '{name}'") as raised:
            attempt(table, ["carrier", name])
        assert raised.value.hint == hint


def test_a_column_that_is_there_twice_is_refused() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    with pytest.raises(InvalidInput, match="the table has more than one column 'n'"):
        matrix(twice, ["n"])


def test_a_matrix_has_floats_with_nan_and_text_with_none() -> None:
    table = pa.table(
        {
            "n": pa.array([1, None], pa.int32()),
            "c": pa.array(["x", None]).dictionary_encode(),
            "b": [True, None],
            "t": ["x", None],
        }
    )
    rows: NDArray[np.object_] = matrix(table, ["t", "n", "c", "b"])
    assert rows.dtype == object
    assert rows[0].tolist() == ["x", 1.0, "x", 1.0]
    assert (rows[1, 0], rows[1, 2]) == (None, None)
    assert np.isnan(rows[1, 1])
    assert np.isnan(rows[1, 3])
    assert matrix(table.slice(0, 0), ["t"]).shape == (0, 1)


def test_nulls_and_unseen_categories_are_predicted_when_the_model_takes_them(store: SqlStore, table: pa.Table) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    encode = ColumnTransformer([("text", encoder, [0])], remainder="passthrough")
    model = HistGradientBoostingClassifier(categorical_features=[0], max_iter=5, random_state=0)
    estimator = Pipeline([("encode", encode), ("model", model)]).fit(matrix(table, COLUMNS), table["late"].to_numpy())
    loaded = load_model(store, package(store, estimator, table))
    odd = pa.table({"carrier": ["ZZ", None, "AA"], "distance": [None, 500.0, 700.0], "hour": pa.array([1, None, 2])})
    probabilities = loaded.predict_table(odd)
    assert probabilities.shape == (3,)
    assert np.all((probabilities > 0) & (probabilities < 1))
    assert probabilities[0] == loaded.predict_table(odd.set_column(0, "carrier", pa.array([None, None, "AA"])))[0]


def test_the_example_keeps_json_where_values_are_missing_or_infinite(store: SqlStore) -> None:
    first = pa.table(
        {"late": [0, 1, 0], "carrier": [None, "AA", "UA"], "distance": [np.nan, np.inf, 1.0], "hour": [None, 2, 3]}
    )
    version = package(store, fit(flights()), first)
    text = (model_folder(store, version) / "input_example.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert load_model(store, version).example == [[None, None, None], ["AA", None, 2.0], ["UA", 1.0, 3.0]]


def test_a_column_of_another_kind_than_the_models_is_refused(
    store: SqlStore, version: ModelVersion, table: pa.Table
) -> None:
    loaded = load_model(store, version)
    text = table.set_column(3, "distance", table["distance"].cast(pa.string()))
    with pytest.raises(InvalidInput, match="column 'distance' is of type string") as raised:
        loaded.predict_table(text)
    assert (raised.value.where, raised.value.expected) == ("late/1", "double")
    with pytest.raises(InvalidInput, match="column 'carrier' is of type double"):
        loaded.predict_table(table.set_column(2, "carrier", table["distance"]))
    with pytest.raises(InvalidInput, match="the table has no column 'hour'"):
        loaded.predict_table(table.drop_columns(["hour"]))


def test_a_pickle_whose_library_is_not_here_says_which(
    store: SqlStore, version: ModelVersion, table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_rules.py").write_text(
        "import numpy as np\nclass Always:\n    def predict_proba(self, X):\n        return np.full((len(X), 2), 0.5)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    always = importlib.import_module("own_rules").Always()
    own = package(store, always, table)
    assert load_model(store, own).predict_table(table).tolist() == [0.5] * 200
    monkeypatch.setitem(sys.modules, "own_rules", None)
    with pytest.raises(InvalidInput, match="the model needs the module own_rules, which is not here"):
        load_model(store, own)
    from sklearn.ensemble import VotingRegressor
    from xgboost import XGBRegressor

    voting = VotingRegressor([("x", XGBRegressor(n_estimators=2))]).fit(matrix(table, COLUMNS[1:]), table["late"])
    with start_run(store, "packaging") as run:
        votes = package_model(store, "votes", voting, table, COLUMNS[1:], run=run)
    assert "xgboost" in (model_folder(store, votes) / "requirements.txt").read_text()
    for name in [one for one in sys.modules if one.partition(".")[0] == "xgboost"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match="xgboost is not installed"):
        load_model(store, votes)


def test_a_model_knows_its_columns_or_takes_all(store: SqlStore, table: pa.Table) -> None:
    fitted = train(LogisticRegression(), table, label="late", features=["hour", "carrier"])
    with start_run(store, "packaging") as run:
        loaded = load_model(store, package_model(store, "late", fitted, table, run=run))
        assert [one.name for one in loaded.columns] == ["hour", "carrier"]
        with pytest.raises(InvalidInput, match="carrier, hour are not the columns of the model") as raised:
            package_model(store, "late", fitted, table, ["carrier", "hour"], run=run)
        assert raised.value.expected == "hour, carrier"
        whole = package_model(store, "whole", fit(table), table.select(COLUMNS), run=run)
    assert [one.name for one in load_model(store, whole).columns] == COLUMNS


def test_a_class_of_assay_in_a_pickle_is_required(store: SqlStore, table: pa.Table) -> None:
    last = baselines_for(table, label="late", features=["distance"], time="hour", entity="carrier")["last"]
    with start_run(store, "packaging") as run:
        version = package_model(store, "last", last, table, run=run)
    required = (model_folder(store, version) / "requirements.txt").read_text().splitlines()
    assert f"assay-mlops=={__version__}" in required


def test_what_mlflow_wrote_as_yaml_is_told(store: SqlStore, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n")
    version = register(store, "late", folder, run=None, signature={})
    with pytest.raises(InvalidInput, match="late/1 is of no flavour that is loaded here") as raised:
        load_model(store, version)
    assert "mlflow.pyfunc.load_model" in str(raised.value.hint)
