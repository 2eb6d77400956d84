"""Models as folders in the MLmodel layout, so that `mlflow.pyfunc.load_model` reads what Assay writes.

The MLmodel file is written as JSON, which every YAML parser reads. Loading checks the hash of every file before
anything is unpickled: a pickle can run code, and only what was registered may.
"""

import json
import math
import pickle
import platform
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column, is_text
from assay.errors import InvalidInput
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion, model_folder, register
from assay.record.store import Store
from assay.record.tracking.runs import Run

__all__ = [
    "Classifier",
    "Column",
    "LoadedModel",
    "Regressor",
    "load_model",
    "matrix",
    "package_model",
    "save_model",
    "signature_of",
]

_MODEL_FILE = "model.pkl"
_EXAMPLE_FILE = "input_example.json"
_NUMBERS = ("double", "float", "long", "integer")


class Classifier(Protocol):
    """What a packaged estimator offers: the probability of each of two classes for rows of mixed columns."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """Array (rows, 2)."""
        ...


class Regressor(Protocol):
    """What a packaged estimator of numbers offers."""

    def predict(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """Array (rows,)."""
        ...


class Column:
    """One input column of a model: its name and its MLflow type (`string`, `double` or `long`)."""

    __slots__ = ("is_number", "name", "type")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.type = kind
        self.is_number = kind in _NUMBERS


class LoadedModel:
    """A version in memory. `predict` is safe to call from several threads."""

    def __init__(
        self,
        version: ModelVersion,
        estimator: Classifier | Regressor,
        columns: Sequence[Column],
        example: Sequence[Sequence[object]],
    ) -> None:
        self.version = version
        self.columns = tuple(columns)
        self.example = example
        self._estimator = estimator

    @property
    def estimator(self) -> Classifier | Regressor:
        """What was packaged."""
        return self._estimator

    @property
    def classes(self) -> tuple[object, ...]:
        """The classes a classifier knows, in the order of its probabilities; none for other models."""
        return tuple(getattr(self._estimator, "classes_", ()))

    def predict(self, rows: NDArray[np.object_]) -> NDArray[np.float64]:
        """Probability of the positive class for each row; columns in the order of the signature, None for missing.

        A regressor gives its prediction.
        """
        answers = self.answers(rows)
        return answers[:, 1] if answers.ndim == 2 else answers

    def answers(self, rows: NDArray[np.object_]) -> NDArray[np.float64]:
        """[rows, classes] probabilities of a classifier, [rows] predictions of a regressor."""
        if hasattr(self._estimator, "predict_proba"):
            return self._estimator.predict_proba(rows)
        return self._estimator.predict(rows)

    def predict_table(self, table: pa.Table) -> NDArray[np.float64]:
        """`predict` for a table that has the model's columns by name; InvalidInput for a missing or wrong column."""
        return self.predict(self._rows(table))

    def answer_table(self, table: pa.Table) -> NDArray[np.float64]:
        """`answers` for such a table."""
        return self.answers(self._rows(table))

    def _rows(self, table: pa.Table) -> NDArray[np.object_]:
        for expected in self.columns:
            kind = column(table, expected.name).type
            if is_text(kind) == expected.is_number and not pa.types.is_null(kind):
                raise InvalidInput(
                    f"column {expected.name!r} is of type {kind}",
                    where=f"{self.version.model}/{self.version.version}",
                    expected=expected.type,
                )
        return matrix(table, [expected.name for expected in self.columns])


def matrix(table: pa.Table, columns: Sequence[str]) -> NDArray[np.object_]:
    """Rows x columns as Python values; numbers are floats with NaN for null, text is text with None for null."""
    rows = np.empty((table.num_rows, len(columns)), dtype=object)
    for position, name in enumerate(columns):
        values = column(table, name)
        if not is_text(values.type):
            try:
                values = values.cast(pa.float64())
            except pa.ArrowException as error:
                raise InvalidInput(
                    f"column {name!r} of type {values.type} cannot be read as numbers: {error}",
                    expected="numbers or text as model inputs",
                ) from error
        rows[:, position] = values.to_numpy(zero_copy_only=False)
    return rows


def signature_of(table: pa.Table, columns: Sequence[str]) -> list[dict[str, object]]:
    """MLflow's description of the input columns of a table."""
    described = []
    for name in columns:
        kind = column(table, name).type
        if is_text(kind):
            mlflow_type = "string"
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            mlflow_type = "double"  # a whole number may be missing, and only a double can say so
        else:
            raise InvalidInput(f"column {name!r} is of type {kind}", expected="numbers or text as model inputs")
        described.append({"name": name, "type": mlflow_type, "required": True})
    return described


def save_model(
    folder: Path,
    estimator: object,
    inputs: Sequence[Mapping[str, object]],
    example: pa.Table,
    *,
    run_id: str,
    created: str,
) -> None:
    """Write the folder: MLmodel, model.pkl, requirements.txt and a few example rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MODEL_FILE).write_bytes(pickle.dumps(estimator, protocol=5))
    columns = [str(described["name"]) for described in inputs]
    values = [
        [None if isinstance(v, float) and not math.isfinite(v) else v for v in row]  # JSON has neither NaN nor infinity
        for row in matrix(example, columns).tolist()
    ]
    (folder / _EXAMPLE_FILE).write_text(json.dumps({"columns": columns, "data": values}))
    versions = {name: metadata.version(name) for name in ("scikit-learn", "numpy", "scipy")}
    (folder / "requirements.txt").write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
    description = {
        "flavors": {
            "python_function": {
                "loader_module": "mlflow.sklearn",
                "model_path": _MODEL_FILE,
                "predict_fn": "predict_proba" if hasattr(estimator, "predict_proba") else "predict",
                "python_version": platform.python_version(),
                "env": {"virtualenv": "python_env.yaml"},
            },
            "sklearn": {
                "pickled_model": _MODEL_FILE,
                "serialization_format": "pickle",
                "sklearn_version": versions["scikit-learn"],
                "code": None,
            },
        },
        "run_id": run_id,
        "utc_time_created": created,
        "signature": {"inputs": json.dumps(list(inputs)), "outputs": None, "params": None},
        "saved_input_example_info": {
            "artifact_path": _EXAMPLE_FILE,
            "type": "dataframe",
            "pandas_orient": "split",
        },
    }
    environment = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(json.dumps(environment, indent=1))
    (folder / "MLmodel").write_text(json.dumps(description, indent=1))


def package_model(
    store: Store,
    model: str,
    estimator: Classifier | Regressor,
    training_table: pa.Table,
    columns: Sequence[str],
    *,
    run: Run,
    description: str | None = None,
) -> ModelVersion:
    """Save an estimator that takes `columns` of the training table, and register it as the model's next version."""
    inputs = signature_of(training_table, columns)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        created = iso(store.clock.now())
        save_model(folder, estimator, inputs, training_table.slice(0, 3), run_id=run.run_id, created=created)
        return register(store, model, folder, run=run, signature={"inputs": inputs}, description=description)


def load_model(store: Store, version: ModelVersion) -> LoadedModel:
    """The version ready to predict. Tampered where a file does not match its hash: then nothing is unpickled."""
    folder = model_folder(store, version)
    for name in ("MLmodel", _MODEL_FILE, _EXAMPLE_FILE):
        if not (folder / name).is_file():
            raise InvalidInput(
                f"{version.model}/{version.version} has no file {name}", expected="a model that `package_model` wrote"
            )
    description = json.loads((folder / "MLmodel").read_text())
    # From the store and not from the folder, where the file could have been changed since it was checked.
    content = store.blobs.get(store.blobs.manifest(version.hash)[_MODEL_FILE])
    estimator = pickle.loads(content)  # noqa: S301 - its hash was checked just now
    inputs = json.loads(description["signature"]["inputs"])
    example = json.loads((folder / _EXAMPLE_FILE).read_text())["data"]
    return LoadedModel(version, estimator, [Column(c["name"], c["type"]) for c in inputs], example)
