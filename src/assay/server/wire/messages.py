"""What the wire answers with. A field that is unset is left out, one that is set is printed even when zero or empty;
empty lists are left out.
"""

import math

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "Dataset",
    "DatasetInput",
    "DatasetSummary",
    "Experiment",
    "FileInfo",
    "InputTag",
    "LoggedModel",
    "LoggedModelData",
    "LoggedModelInfo",
    "Metric",
    "ModelInput",
    "ModelOutput",
    "ModelVersion",
    "RegisteredModel",
    "RegisteredModelAlias",
    "Run",
    "RunData",
    "RunInfo",
    "RunInputs",
    "RunOutputs",
    "Tag",
    "number",
    "tags_of",
    "unless_empty",
]

_LARGEST = 1.7976931348623157e308


def number(value: float) -> float | str:
    """A metric's value as the wire has it: NaN as text, the infinities as the largest numbers."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else math.copysign(_LARGEST, value)


class Tag(msgspec.Struct):
    """A key and its value: a tag or a param."""

    key: str
    value: str


class Experiment(msgspec.Struct):
    """A named group of runs."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[Tag] | UnsetType = UNSET
    workspace: str = "default"


class RunInfo(msgspec.Struct):
    """A run without its data."""

    run_uuid: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    start_time: int
    artifact_uri: str
    lifecycle_stage: str
    run_id: str
    end_time: int | UnsetType = UNSET


class Metric(msgspec.Struct):
    """A point of a metric."""

    key: str
    value: float | str
    timestamp: int
    step: int
    dataset_name: str | UnsetType = UNSET
    dataset_digest: str | UnsetType = UNSET
    model_id: str | UnsetType = UNSET
    run_id: str | UnsetType = UNSET


class RunData(msgspec.Struct):
    """The latest point of each metric, params and tags."""

    metrics: list[Metric] | UnsetType = UNSET
    params: list[Tag] | UnsetType = UNSET
    tags: list[Tag] | UnsetType = UNSET


class Dataset(msgspec.Struct):
    """A dataset as its first user described it."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | UnsetType = UNSET
    profile: str | UnsetType = UNSET


class InputTag(msgspec.Struct):
    """A tag of the use of a dataset."""

    key: str
    value: str


class DatasetInput(msgspec.Struct):
    """A dataset that a run used."""

    dataset: Dataset
    tags: list[InputTag] | UnsetType = UNSET


class ModelInput(msgspec.Struct):
    """A logged model that a run used."""

    model_id: str


class ModelOutput(msgspec.Struct):
    """A logged model that a run made."""

    model_id: str
    step: int


class RunInputs(msgspec.Struct):
    """What a run used."""

    dataset_inputs: list[DatasetInput] | UnsetType = UNSET
    model_inputs: list[ModelInput] | UnsetType = UNSET


class RunOutputs(msgspec.Struct):
    """What a run made."""

    model_outputs: list[ModelOutput] | UnsetType = UNSET


class Run(msgspec.Struct):
    """A run with all its data."""

    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs | UnsetType = UNSET


class DatasetSummary(msgspec.Struct):
    """A dataset used in an experiment."""

    experiment_id: str
    name: str
    digest: str
    context: str | UnsetType = UNSET


class FileInfo(msgspec.Struct):
    """A file or folder in a listing; folders and empty files have no size."""

    path: str
    is_dir: bool
    file_size: int | UnsetType = UNSET


class LoggedModelInfo(msgspec.Struct):
    """A logged model without its data."""

    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str | UnsetType = UNSET
    source_run_id: str | UnsetType = UNSET
    status_message: str | UnsetType = UNSET
    tags: list[Tag] | UnsetType = UNSET


class LoggedModelData(msgspec.Struct):
    """Params and latest metrics of a logged model."""

    params: list[Tag] | UnsetType = UNSET
    metrics: list[Metric] | UnsetType = UNSET


class LoggedModel(msgspec.Struct):
    """A model as a run logged it."""

    info: LoggedModelInfo
    data: LoggedModelData


class ModelVersion(msgspec.Struct):
    """A version of a registered model."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    current_stage: str
    description: str
    source: str
    run_id: str
    status: str
    run_link: str
    status_message: str | UnsetType = UNSET
    tags: list[Tag] | UnsetType = UNSET
    aliases: list[str] | UnsetType = UNSET
    model_id: str | UnsetType = UNSET


class RegisteredModelAlias(msgspec.Struct):
    """An alias and the number of its version."""

    alias: str
    version: str


class RegisteredModel(msgspec.Struct):
    """A registered model with the newest version of each stage."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | UnsetType = UNSET
    latest_versions: list[ModelVersion] | UnsetType = UNSET
    tags: list[Tag] | UnsetType = UNSET
    aliases: list[RegisteredModelAlias] | UnsetType = UNSET


def tags_of(values: dict[str, str]) -> list[Tag] | UnsetType:
    """Keys and values as a list, unset where there are none."""
    return [Tag(key, value) for key, value in values.items()] or UNSET


def unless_empty(text: str | None) -> str | UnsetType:
    """The text, unset where there is none."""
    return text or UNSET
