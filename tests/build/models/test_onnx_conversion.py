"""Models as ONNX graphs: converted ones say the same or are refused, given ones answer here and in MLflow."""

import sys
import warnings
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from lightgbm import LGBMRegressor
from numpy.typing import NDArray
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge

import assay
from assay.build.models.onnx_conversion import to_onnx
from assay.build.models.packaging import LoadedModel, load_model, package_model
from assay.errors import InvalidInput, MissingExtra, Refused
from assay.record.models.registry import model_folder
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

N = 300
FEATURES = ["carrier", "air distance", "hour"]


def flights() -> pa.Table:
    rng = np.random.default_rng(2)
    carrier = rng.choice(["AA", "UA", "DL"], N).astype(object)
    distance, hour = rng.uniform(0, 2000, N), rng.integers(0, 24, N)
    signal = distance / 1000 + (carrier == "UA") + rng.normal(0, 0.3, N)
    carrier[::13], distance[::11] = None, np.nan
    return pa.table(
        {
            "carrier": pa.array(carrier, pa.string()),
            "air distance": pa.array(distance, from_pandas=True),
            "hour": hour,
            "late": signal > 1.3,
            "kind": np.array(["early", "late", "on time"])[np.digitize(signal, [0.8, 1.6])],
            "delay": 60 * signal,
        }
    )


TABLE = flights()
NUMBERS = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
NUMBER_TABLE = pa.table({name: NUMBERS[:, place].astype(float) for place, name in enumerate("abc")})


def registered(store: SqlStore, model: object, table: pa.Table, columns: list[str]) -> LoadedModel:
    with start_run(store, "onnx") as run:
        return load_model(store, package_model(store, "m", model, table, columns, run=run))


def in_mlflow(store: SqlStore, loaded: LoadedModel, frame: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(model_folder(store, loaded.version))).predict(frame)


@pytest.mark.parametrize(
    ("label", "estimator", "names"),
    [
        ("late", LogisticRegression(), ["probability of 0", "probability of 1"]),
        ("late", GradientBoostingClassifier(n_estimators=5), ["probability of 0", "probability of 1"]),
        ("kind", LogisticRegression(), [f"probability of {one}" for one in ("early", "late", "on time")]),
        ("delay", Ridge(), ["prediction"]),
    ],
)
def test_a_converted_model_says_the_same_everywhere(
    store: SqlStore, label: str, estimator: Any, names: list[str]
) -> None:
    fitted = assay.train(estimator, TABLE, label=label, features=FEATURES)
    converted = to_onnx(fitted, TABLE)
    assert converted.rows == N
    assert 0 < converted.difference < 1e-5
    assert converted.classes == fitted.classes
    loaded = registered(store, converted, TABLE, FEATURES)
    assert np.array_equal(loaded.answer_table(TABLE), converted.answer_table(TABLE))
    assert np.allclose(loaded.answer_table(TABLE), fitted.answer_table(TABLE), rtol=1e-4, atol=1e-5)
    assert loaded.classes == fitted.classes
    unseen = pa.table({"carrier": ["ZZ", None], "air distance": pa.array([None, 5.0]), "hour": [1, 2]})
    assert np.allclose(loaded.answer_table(unseen), fitted.answer_table(unseen), rtol=1e-4, atol=1e-5)
    frame = TABLE.select(FEATURES).to_pandas().fillna({"carrier": ""}).astype({"carrier": object, "hour": float})
    theirs = in_mlflow(store, loaded, frame)
    assert list(theirs.columns) == names
    assert np.allclose(theirs.to_numpy().reshape(N, -1), loaded.answer_table(TABLE).reshape(N, -1), atol=1e-4)


def test_a_graph_that_says_something_else_is_refused() -> None:
    rng = np.random.default_rng(0)
    near = pa.table({"x": 1 + rng.integers(0, 50, 400) * 1e-9, "y": rng.normal(size=400)})  # one number in float32
    fitted = assay.train(RandomForestRegressor(3, random_state=0), near, label="y")
    with pytest.raises(Refused, match=r"the graph differs from RandomForestRegressor by [\d.]+ in row \d+") as raised:
        to_onnx(fitted, near)
    assert "of 400 rows differ by more" in str(raised.value)
    assert to_onnx(fitted, near, tolerance=10).difference > 1e-4


def test_what_is_not_converted_is_told() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        boosted = assay.train(LGBMRegressor(n_estimators=2, verbose=-1), TABLE, label="delay", features=["hour"])
    with pytest.raises(InvalidInput, match="a LGBMRegressor is not converted to ONNX"):
        to_onnx(boosted, TABLE)
    fitted = assay.train(Ridge(), TABLE, label="delay", features=["hour"])
    with pytest.raises(InvalidInput, match="no rows to compare on"):
        to_onnx(fitted, TABLE.slice(0, 0))


def test_a_graph_of_ones_own_takes_one_tensor(store: SqlStore) -> None:
    labels = np.digitize(NUMBERS[:, 0], [-0.3, 0.3])
    estimator = LogisticRegression().fit(NUMBERS, labels)
    graph = convert_sklearn(estimator, initial_types=[("X", FloatTensorType([None, 3]))], options={"zipmap": False})
    loaded = registered(store, graph, NUMBER_TABLE, list("abc"))
    assert loaded.classes == (0, 1, 2)
    assert np.allclose(loaded.answer_table(NUMBER_TABLE), estimator.predict_proba(NUMBERS), atol=1e-5)
    number = Ridge().fit(NUMBERS, NUMBERS[:, 1])
    graph = convert_sklearn(number, initial_types=[("X", FloatTensorType([None, 3]))])
    loaded = registered(store, graph, NUMBER_TABLE, list("abc"))
    assert loaded.classes == ()
    expected: NDArray[Any] = number.predict(NUMBERS)
    assert np.allclose(loaded.answer_table(NUMBER_TABLE), expected, atol=1e-5)
    theirs = in_mlflow(store, loaded, NUMBER_TABLE.to_pandas())
    assert np.allclose(theirs.to_numpy().ravel(), expected, atol=1e-5)


def test_a_graph_that_does_not_fit_the_columns_is_told(store: SqlStore) -> None:
    estimator = LogisticRegression().fit(NUMBERS, (NUMBERS[:, 0] > 0).astype(int))
    maps = convert_sklearn(estimator, initial_types=[("X", FloatTensorType([None, 3]))])
    with pytest.raises(InvalidInput, match="gives no tensor of floats") as raised:
        registered(store, maps, NUMBER_TABLE, list("abc"))
    assert "zipmap" in str(raised.value.hint)
    wide = convert_sklearn(estimator, initial_types=[("X", FloatTensorType([None, 3]))], options={"zipmap": False})
    with pytest.raises(InvalidInput, match="cannot answer for a row of 2 columns"):
        registered(store, wide, NUMBER_TABLE, ["a", "b"])
    tensors = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None]) for name in ("a", "x", "sum")]
    add = onnx.helper.make_node("Add", ["a", "x"], ["sum"])
    opset = onnx.helper.make_opsetid("", 18)
    apart = onnx.helper.make_model(
        onnx.helper.make_graph([add], "sums", tensors[:2], tensors[2:]), opset_imports=[opset], ir_version=10
    )
    with pytest.raises(InvalidInput, match="input 'x' of the ONNX graph is no column of the model"):
        registered(store, apart, NUMBER_TABLE, list("abc"))
    assert store.query("model_version") == []


def test_without_the_runtime_the_extra_is_named(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = assay.train(Ridge(), TABLE, label="delay", features=["hour"])
    loaded = registered(store, to_onnx(fitted, TABLE), TABLE, ["hour"])
    assert isinstance(loaded.version.signature, dict)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match="onnxruntime is not installed") as raised:
        load_model(store, loaded.version)
    assert raised.value.hint == "pip install 'assay-mlops[onnx]'"
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(MissingExtra, match="skl2onnx is not installed"):
        to_onnx(fitted, TABLE)


def test_the_folder_holds_a_graph_that_onnx_reads(store: SqlStore) -> None:
    fitted = assay.train(Ridge(), TABLE, label="delay", features=FEATURES)
    loaded = registered(store, to_onnx(fitted, TABLE), TABLE, FEATURES)
    graph = onnx.load(str(model_folder(store, loaded.version) / "model.onnx"))
    onnx.checker.check_model(graph)
    assert [one.name for one in graph.graph.input] == FEATURES
