"""Models into the registry and out of it again.

Loading checks the hash of every file before anything is read: a pickle can run code, and only what was registered may.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.build.models.flavours.flavour import Kept
from assay.build.models.folder import EXAMPLE_FILE, MODEL_FILE, columns_of, flavour_written, save_model
from assay.build.models.inputs import Classifier, Column, Regressor, matrix, signature_of
from assay.build.models.stored_features import StoredFeature, features_written, stored_features, use_rows
from assay.build.models.table_model import TableModel, columns_for
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
    "StoredFeature",
    "inputs_of",
    "load_model",
    "matrix",
    "package_model",
    "save_model",
    "signature_of",
]


class LoadedModel(TableModel):
    """A version in memory. `predict` is safe to call from several threads.

    `features` are those of its columns that are features of registered views.
    """

    def __init__(
        self,
        version: ModelVersion,
        estimator: Classifier | Regressor,
        columns: Sequence[Column],
        example: Sequence[Sequence[object]],
        classes: Sequence[object] = (),
        features: Sequence[StoredFeature] = (),
    ) -> None:
        super().__init__(f"{version.model}/{version.version}", estimator, columns, classes)
        self.version = version
        self.example = example
        self.features = tuple(features)


def package_model(
    store: Store,
    model: str,
    estimator: object,
    training_table: pa.Table,
    columns: Sequence[str] | None = None,
    *,
    run: Run,
    description: str | None = None,
    features: object = (),
) -> ModelVersion:
    """Save an estimator that takes `columns` of the training table, and register it as the model's next version.

    A model of `assay.train` knows its columns; other estimators take all columns where none are named. `features` is
    the training set of `assay.features.training_set`, or what it `used`: a server then looks these columns up by the
    keys of their entities. InvalidInput for a feature of a view that is not registered; then nothing is kept.
    """
    inputs = signature_of(training_table, columns_for(estimator, training_table, columns))
    looked_up = stored_features(store, features, [str(one["name"]) for one in inputs])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        created = iso(store.clock.now())
        example = training_table.slice(0, 3)
        save_model(folder, estimator, inputs, example, run_id=run.run_id, created=created, features=looked_up)
        with store.transaction():
            version = register(store, model, folder, run=run, signature={"inputs": inputs}, description=description)
            store.append_many("feature_use", use_rows(version.mv_id, looked_up))
    return version


def load_model(store: Store, version: ModelVersion) -> LoadedModel:
    """The version ready to predict. Tampered where a file does not match its hash: then nothing is unpickled.

    MissingExtra where the library of its flavour is not installed.
    """
    model_folder(store, version)
    # From the store and not from the folder, where a file could have been changed since it was checked.
    description = _description(store, version)
    flavour = flavour_written(description)
    if flavour is None:
        raise InvalidInput(
            f"{version.model}/{version.version} is of no flavour that is loaded here",
            expected="a model that `package_model` wrote",
            hint="`mlflow.pyfunc.load_model` reads what MLflow wrote",
        )
    columns = _columns(description)
    example = json.loads(_content(store, version, EXAMPLE_FILE))["data"]
    classes = (description.get("metadata") or {}).get("classes", ())
    estimator = flavour.load(Kept(_content(store, version, flavour.FILE), columns, classes))
    return LoadedModel(version, estimator, columns, example, classes, features_written(description))


def inputs_of(store: Store, version: ModelVersion) -> tuple[list[Column], list[StoredFeature]]:
    """The columns of a version and which of them are features of views, without loading what predicts."""
    description = _description(store, version)
    return _columns(description), features_written(description)


def _columns(description: dict[str, Any]) -> list[Column]:
    return columns_of(json.loads(description["signature"]["inputs"]))


def _description(store: Store, version: ModelVersion) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_content(store, version, MODEL_FILE))
    except ValueError:  # YAML, which Assay does not write
        return {}
    return found


def _content(store: Store, version: ModelVersion, name: str) -> bytes:
    manifest = store.blobs.manifest(version.hash)
    if name not in manifest:
        raise InvalidInput(
            f"{version.model}/{version.version} has no file {name}", expected="a model that `package_model` wrote"
        )
    return store.blobs.get(manifest[name])
