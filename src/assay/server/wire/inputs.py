"""What runs used and made, over the wire: datasets and logged models; the models that old clients log; summaries."""

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType

from assay.record.schema import TABLES
from assay.record.tracking import run_changes
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.errors import invalid, missing
from assay.server.wire.limits import check_length
from assay.server.wire.reading import Int, Name
from assay.server.wire.runs import EitherId, run_id_of

__all__ = ["log_inputs", "log_model_json", "log_outputs", "search_datasets"]

_MOST_DATASETS = 1_000
_MOST_EXPERIMENTS = 20
_LENGTHS = {"name": 500, "digest": 36, "source": 65_535, "schema": 1_048_575, "profile": 16_777_215}
_HISTORY_TAG = "mlflow.log-model.history"
_MODEL_FIELDS = ("artifact_path", "flavors", "utc_time_created", "run_id")


class GivenInputTag(msgspec.Struct):
    """A tag of a use."""

    key: Name
    value: Name


class GivenDataset(msgspec.Struct):
    """A dataset as a client describes it."""

    name: Name
    digest: Name
    source_type: Name
    source: Name
    schema: str | None = None
    profile: str | None = None


class GivenDatasetInput(msgspec.Struct):
    """A dataset and how it was used."""

    dataset: GivenDataset
    tags: list[GivenInputTag] = []


class GivenModelInput(msgspec.Struct):
    """A logged model that was used."""

    model_id: Name


class LogInputs(msgspec.Struct):
    """What a run used."""

    run_id: Name
    datasets: list[GivenDatasetInput] = []
    models: list[GivenModelInput] = []


class GivenModelOutput(msgspec.Struct):
    """A logged model that was made."""

    model_id: Name
    step: Int


class LogOutputs(msgspec.Struct):
    """What a run made."""

    run_id: Name
    models: list[GivenModelOutput] = []


class LogModel(EitherId, kw_only=True):
    """A model of a client before 3.0, described by its MLmodel file."""

    model_json: Name


class SearchDatasets(msgspec.Struct):
    """Which datasets experiments used."""

    experiment_ids: list[str] = []


class DatasetsFound(msgspec.Struct):
    """A dataset in one context each."""

    dataset_summaries: list[messages.DatasetSummary] | UnsetType = UNSET


def log_inputs(call: Call, request: LogInputs) -> None:
    """Keep what a run used."""
    if len(request.datasets) > _MOST_DATASETS:
        raise invalid(f"A request can contain at most {_MOST_DATASETS} datasets. Got {len(request.datasets)} datasets.")
    for used in request.datasets:
        for name, most in _LENGTHS.items():
            check_length(name, getattr(used.dataset, name), most)
        for tag in used.tags:
            check_length("key", tag.key, 255)
            check_length("value", tag.value, 500)
    if request.datasets:
        uses = [
            run_changes.DatasetUse(
                name=used.dataset.name,
                digest=used.dataset.digest,
                source_type=used.dataset.source_type,
                source=used.dataset.source,
                schema=used.dataset.schema,
                profile=used.dataset.profile,
                tags={tag.key: tag.value for tag in used.tags},
            )
            for used in request.datasets
        ]
        run_changes.log_datasets(call.store, request.run_id, uses, late=call.late)
    models = {model.model_id: None for model in request.models}
    if models or not request.datasets:
        run_changes.log_models(call.store, request.run_id, "input", models, late=call.late)


def log_outputs(call: Call, request: LogOutputs) -> None:
    """Keep what a run made."""
    if not request.models:
        raise missing("models")
    made = {model.model_id: model.step for model in request.models}
    run_changes.log_models(call.store, request.run_id, "output", made, late=call.late)


def log_model_json(call: Call, request: LogModel) -> None:
    """Add a model's description to the tag in which clients before 3.0 keep them."""
    run_id = run_id_of(request)
    try:
        model = msgspec.json.decode(request.model_json, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise invalid(f"Malformed model info. \n {request.model_json[:200]} \n is not a valid JSON.") from None
    absent = [name for name in _MODEL_FIELDS if name not in model]
    if absent:
        raise invalid(f"Model json is missing mandatory fields: {absent}")
    kept = call.store.query("run_tag", {"run_id": run_id, "key": _HISTORY_TAG})
    try:
        listed = msgspec.json.decode(kept[0]["value"], type=list[Any]) if kept else []
    except msgspec.MsgspecError:
        listed = []
    text = msgspec.json.encode([*listed, model]).decode()
    run_changes.log(call.store, run_id, tags={_HISTORY_TAG: text}, late=call.late)


def search_datasets(call: Call, request: SearchDatasets) -> DatasetsFound:
    """The datasets of experiments, in each context they were used in."""
    if not request.experiment_ids:
        raise invalid("SearchDatasets request must specify at least one experiment_id.")
    if len(request.experiment_ids) > _MOST_EXPERIMENTS:
        raise invalid(
            f"SearchDatasets request cannot specify more than {_MOST_EXPERIMENTS} experiment_ids. "
            f"Received {len(request.experiment_ids)} experiment_ids."
        )
    use, run = TABLES["run_dataset"], TABLES["run"]
    statement = (
        sa.select(run.c.experiment_id, use.c.name, use.c.digest, use.c.context)
        .join(run, run.c.run_id == use.c.run_id)
        .where(run.c.experiment_id.in_(request.experiment_ids), run.c.deleted.is_(None))
        .distinct()
        .order_by(run.c.experiment_id, use.c.name, use.c.digest, use.c.context)
        .limit(_MOST_DATASETS)
    )
    found = [
        messages.DatasetSummary(row["experiment_id"], row["name"], row["digest"], messages.unless_empty(row["context"]))
        for row in call.store.select(statement)
    ]
    return DatasetsFound(found or UNSET)
