"""Models into the registry and out of it again.

Loading checks the hash of every file before anything is read: a pickle can run code, and only what was registered may.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from assay.build.models.flavours import sklearn
from assay.build.models.flavours.flavour import Kept
from assay.build.models.folder import EXAMPLE_FILE, MODEL_FILE, columns_of, flavour_of, flavour_written, save_model
from assay.build.models.inputs import Classifier, Column, Regressor, matrix, signature_of
from assay.build.models.learned import LearnedColumn, learned_columns, learned_written, policies_written
from assay.build.models.stored_features import StoredFeature, features_written, stored_features, use_rows
from assay.build.models.table_model import TableModel, columns_for, kind_of_answers
from assay.build.models.training_profile import training_profile, write_training_profile
from assay.errors import InvalidInput, MissingExtra, Refused
from assay.record.clock import iso
from assay.record.models.column_policy import ColumnPolicy, check_policies
from assay.record.models.registry import ModelVersion, model_folder, register
from assay.record.store import Store
from assay.record.tracking.runs import Run

__all__ = [
    "Classifier",
    "Column",
    "LoadedModel",
    "Regressor",
    "StoredFeature",
    "answers_of",
    "inputs_of",
    "load_model",
    "matrix",
    "opened_model",
    "package_model",
    "policies_of",
    "save_model",
    "signature_of",
]


_SAMPLE_ROWS = 1000


class LoadedModel(TableModel):
    """A version in memory. `predict` is safe to call from several threads.

    `features` are those of its columns that are features of registered views. `learned` is what training had in each
    column, nothing in a version of before there was such a thing, and `policies` what is to happen to other values.
    `flavour` is the form it is kept in, such as sklearn or lightgbm.
    """

    def __init__(
        self,
        version: ModelVersion,
        estimator: Any,
        columns: Sequence[Column],
        example: Sequence[Sequence[object]],
        classes: Sequence[object] = (),
        features: Sequence[StoredFeature] = (),
        learned: Sequence[LearnedColumn] = (),
        policies: Sequence[ColumnPolicy] = (),
        flavour: str = "sklearn",
    ) -> None:
        super().__init__(f"{version.model}/{version.version}", estimator, columns, classes)
        self.version = version
        self.example = example
        self.features = tuple(features)
        self.learned = tuple(learned)
        self.policies = tuple(policies)
        self.flavour = flavour


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
    policies: Sequence[ColumnPolicy] = (),
    compile: bool | Literal["auto"] = "auto",
    time: str | None = None,
) -> ModelVersion:
    """Save an estimator that takes `columns` of the training table, and register it as the model's next version.

    A model of `assay.train` knows its columns; other estimators take all columns where none are named. `features` is
    the training set of `assay.features.training_set`, or what it `used`: a server then looks these columns up by the
    keys of their entities. `policies` say what a server does with values that training did not have; without, it
    refuses what is missing or of another type, and flags the rest. InvalidInput for a feature of a view that is not
    registered, and for a policy of a column that the model does not take; then nothing is kept.

    `compile` makes a form beside the version that answers single rows faster, if it is proved to answer the same:
    `auto` where that pays and what it needs is installed; True with MissingExtra without ONNX, and Refused where there
    is no such form or a row differs, and then the version is registered all the same.

    Monitors compare what is served with what the training table looked like, which is kept with the version; `time` is
    its column of dates or times, by whose days they then know what is usual. InvalidInput where it is none.
    """
    inputs = signature_of(training_table, columns_for(estimator, training_table, columns))
    looked_up = stored_features(store, features, [str(one["name"]) for one in inputs])
    known = check_policies(policies, [str(one["name"]) for one in inputs])
    learned = learned_columns(training_table, columns_of(inputs))
    looked = training_profile(training_table, columns_of(inputs), time=time)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        created = iso(store.clock.now())
        save_model(
            folder,
            estimator,
            inputs,
            training_table.slice(0, 3),
            run_id=run.run_id,
            created=created,
            features=looked_up,
            learned=learned,
            policies=known,
            sample=_sample(training_table),
        )
        write_training_profile(folder, looked)
        with store.transaction():
            version = register(store, model, folder, run=run, signature={"inputs": inputs}, description=description)
            store.append_many("feature_use", use_rows(version.mv_id, looked_up))
    if compile:
        _compile(store, version, estimator, inputs, strict=compile is True)
    return version


def load_model(store: Store, version: ModelVersion) -> LoadedModel:
    """The version ready to predict. Tampered where a file does not match its hash: then nothing is unpickled.

    MissingExtra where the library of its flavour is not installed.
    """
    return _opened(store, version, is_loaded=True)


def opened_model(store: Store, version: ModelVersion) -> LoadedModel:
    """The version without what predicts: its columns, what was learned of them, and example rows. Tampered as above."""
    return _opened(store, version, is_loaded=False)


def _opened(store: Store, version: ModelVersion, *, is_loaded: bool) -> LoadedModel:
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
    estimator = flavour.load(Kept(_content(store, version, flavour.FILE), columns, classes)) if is_loaded else None
    return LoadedModel(
        version,
        estimator,
        columns,
        example,
        classes,
        features_written(description),
        learned_written(description),
        policies_written(description),
        flavour.LOADER.rpartition(".")[2],
    )


def _compile(
    store: Store, version: ModelVersion, estimator: Any, inputs: Sequence[Mapping[str, object]], *, strict: bool
) -> None:
    from assay.build.models.compiling import compile_version, compiles

    classes = estimator.classes if isinstance(estimator, TableModel) else ()
    fitted = estimator.estimator if isinstance(estimator, TableModel) else estimator
    if not compiles(fitted) or flavour_of(fitted).LOADER == sklearn.LOADER:
        model = TableModel(f"{version.model}/{version.version}", fitted, columns_of(inputs), classes)
    else:  # what the library reads from its own file is what answers later
        model = load_model(store, version)
    try:
        report = compile_version(store, version, model, if_faster=not strict)
    except MissingExtra:
        if strict:
            raise
        return
    if strict and report.outcome == "refused":
        raise Refused(
            f"{model.name} is registered, and not compiled: {report.reason}",
            hint="it is served by the estimator itself; compile='auto' leaves it at that",
        )


def _sample(table: pa.Table) -> pa.Table:
    """At most 1,000 rows from all over the table; always the same."""
    if table.num_rows <= _SAMPLE_ROWS:
        return table
    chosen = np.random.default_rng(0).choice(table.num_rows, _SAMPLE_ROWS, replace=False)
    return table.take(pa.array(np.sort(chosen)))


def inputs_of(store: Store, version: ModelVersion) -> tuple[list[Column], list[StoredFeature]]:
    """The columns of a version and which of them are features of views, without loading what predicts."""
    description = _description(store, version)
    return _columns(description), features_written(description)


def answers_of(store: Store, version: ModelVersion) -> str:
    """`kind_of_answers` of a version, without loading what predicts."""
    description = _description(store, version)
    classes = (description.get("metadata") or {}).get("classes", ())
    loader = description.get("flavors", {}).get("python_function", {})
    return kind_of_answers(bool(classes) or loader.get("predict_fn") == "predict_proba", classes)


def policies_of(store: Store, version: ModelVersion) -> list[ColumnPolicy]:
    """What a version itself says of values that it never saw."""
    return policies_written(_description(store, version))


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
