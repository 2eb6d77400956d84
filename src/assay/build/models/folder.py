"""Models as folders in the MLmodel layout, so that `mlflow.pyfunc.load_model` reads what Assay writes.

The MLmodel file is written as JSON, which every YAML parser reads. What it says beyond MLflow's own words stands under
`metadata`: the classes of a classifier, which inputs are features of registered views, what training had in each
column, and what is to happen to other values.
"""

import json
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from assay.build.data.columns import column
from assay.build.models.flavours import catboost, lightgbm, onnx, sklearn, torch, xgboost
from assay.build.models.flavours.flavour import Flavour, Given
from assay.build.models.inputs import Column, matrix
from assay.build.models.learned import LearnedColumn
from assay.build.models.stored_features import StoredFeature
from assay.build.models.table_model import TableModel
from assay.errors import InvalidInput
from assay.record.models.column_policy import ColumnPolicy

__all__ = ["EXAMPLE_FILE", "MODEL_FILE", "SAMPLE_FILE", "columns_of", "flavour_of", "flavour_written", "save_model"]

MODEL_FILE = "MLmodel"
EXAMPLE_FILE = "input_example.json"
SAMPLE_FILE = "sample.parquet"
_FLAVOURS: tuple[Flavour, ...] = (lightgbm, xgboost, catboost, onnx, torch, sklearn)  # the last takes what is left


def save_model(
    folder: Path,
    estimator: object,
    inputs: Sequence[Mapping[str, object]],
    example: pa.Table,
    *,
    run_id: str,
    created: str,
    features: Sequence[StoredFeature] = (),
    learned: Sequence[LearnedColumn] = (),
    policies: Sequence[ColumnPolicy] = (),
    sample: pa.Table | None = None,
) -> None:
    """Write the folder: MLmodel, the model in the form of its flavour, requirements.txt and a few example rows; and the
    model's columns of a `sample` of its training, on which a compiled form is compared with it.

    InvalidInput for an estimator that cannot be kept; then nothing is written.
    """
    classes: Sequence[object] = ()
    if isinstance(estimator, TableModel):
        classes, estimator = estimator.classes, estimator.estimator
    flavour = flavour_of(estimator)
    _check_fitted(estimator)
    saved = flavour.save(Given(estimator, columns_of(inputs), classes))
    file = folder / flavour.FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(saved.content)
    names = [str(described["name"]) for described in inputs]
    values = [
        [None if isinstance(v, float) and not math.isfinite(v) else v for v in row]  # JSON has neither NaN nor infinity
        for row in matrix(example, names).tolist()
    ]
    (folder / EXAMPLE_FILE).write_text(json.dumps({"columns": names, "data": values}))
    if sample is not None:
        import pyarrow.parquet as pq

        chosen = pa.table([column(sample, name) for name in names], names=names)
        pq.write_table(chosen, folder / SAMPLE_FILE, compression="zstd")
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in saved.requirements))
    description = {
        "flavors": {
            "python_function": {
                "loader_module": flavour.LOADER,
                **saved.loader,
                "python_version": platform.python_version(),
                "env": {"virtualenv": "python_env.yaml"},
            },
            saved.name: saved.described,
        },
        "run_id": run_id,
        "utc_time_created": created,
        "signature": {"inputs": json.dumps(list(inputs)), "outputs": None, "params": None},
        "saved_input_example_info": {
            "artifact_path": EXAMPLE_FILE,
            "type": "dataframe",
            "pandas_orient": "split",
        },
        "metadata": {
            "classes": list(saved.classes),
            **({"features": msgspec.to_builtins(list(features))} if features else {}),
            **({"columns": msgspec.to_builtins(list(learned))} if learned else {}),
            **({"policies": msgspec.to_builtins(list(policies))} if policies else {}),
        },
    }
    environment = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(json.dumps(environment, indent=1))
    (folder / MODEL_FILE).write_text(json.dumps(description, indent=1))


def flavour_of(estimator: object) -> Flavour:
    """The flavour an estimator is kept in; InvalidInput for what does not predict."""
    for flavour in _FLAVOURS:
        if flavour.recognises(estimator):
            return flavour
    raise InvalidInput(f"a {type(estimator).__name__} is no model", expected="something with predict or predict_proba")


def flavour_written(description: Mapping[str, object]) -> Flavour | None:
    """The flavour that an MLmodel file names; None where it names none that Assay writes."""
    flavors = description.get("flavors")
    loader = flavors.get("python_function", {}).get("loader_module") if isinstance(flavors, Mapping) else None
    return next((one for one in _FLAVOURS if loader == one.LOADER), None)


def columns_of(inputs: Sequence[Mapping[str, object]]) -> list[Column]:
    """The columns that a signature describes."""
    return [Column(str(one["name"]), str(one["type"])) for one in inputs]


def _check_fitted(estimator: object) -> None:
    """InvalidInput for an estimator of scikit-learn's kind that has learned nothing yet."""
    if not hasattr(estimator, "fit") or not hasattr(estimator, "__sklearn_tags__"):
        return
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise InvalidInput(
            f"the {type(estimator).__name__} is not fitted", hint="call its fit first, or let `assay.train` do it"
        ) from error
