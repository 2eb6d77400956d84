"""Logged models over the wire: made before their files are uploaded, finished afterwards."""

from typing import Literal

import msgspec
from msgspec import UNSET

from assay.record.clock import to_ms
from assay.record.models import logged_models
from assay.record.tracking.experiments import experiment
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.limits import check_key
from assay.server.wire.locations import model_artifacts
from assay.server.wire.reading import Name

__all__ = [
    "create_logged_model",
    "delete_logged_model",
    "delete_logged_model_tag",
    "finalize_logged_model",
    "get_logged_model",
    "log_logged_model_params",
    "logged_model_answers",
    "set_logged_model_tags",
]

_PREFIX = "LOGGED_MODEL_"


class GivenText(msgspec.Struct):
    """A param or a tag in a request."""

    key: Name
    value: str = ""


class CreateLoggedModel(msgspec.Struct):
    """A model whose files will come."""

    experiment_id: Name
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: list[GivenText] = []
    tags: list[GivenText] = []


class OfModel(msgspec.Struct):
    """A logged model by its id."""

    model_id: Name


class FinalizeLoggedModel(msgspec.Struct):
    """Whether the files came."""

    model_id: Name
    status: Literal["LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"]


class SetModelTags(msgspec.Struct):
    """Tags to set."""

    model_id: Name
    tags: list[GivenText] = []


class ModelTagKey(msgspec.Struct):
    """A tag to take away."""

    model_id: Name
    tag_key: Name


class LogModelParams(msgspec.Struct):
    """Params to add."""

    model_id: Name
    params: list[GivenText] = []


class ModelFound(msgspec.Struct):
    """One logged model."""

    model: messages.LoggedModel


def create_logged_model(call: Call, request: CreateLoggedModel) -> ModelFound:
    """Make a logged model."""
    made = logged_models.create_logged_model(
        call.store,
        request.experiment_id,
        request.name or None,
        model_type=request.model_type or None,
        source_run_id=request.source_run_id or None,
        params={param.key: param.value for param in request.params},
        tags={tag.key: tag.value for tag in request.tags},
    )
    return _found(call, made)


def get_logged_model(call: Call, request: OfModel) -> ModelFound:
    """The logged model with that id."""
    return _found(call, logged_models.logged_model(call.store, request.model_id))


def finalize_logged_model(call: Call, request: FinalizeLoggedModel) -> ModelFound:
    """Say that the files of a model came, or did not."""
    status = request.status.removeprefix(_PREFIX)
    return _found(call, logged_models.finish_logged_model(call.store, request.model_id, status))


def delete_logged_model(call: Call, request: OfModel) -> None:
    """Hide a logged model."""
    logged_models.delete_logged_model(call.store, request.model_id)


def set_logged_model_tags(call: Call, request: SetModelTags) -> None:
    """Set tags."""
    for tag in request.tags:
        check_key(tag.key, "key", "key")
    tags = {tag.key: tag.value for tag in request.tags}
    logged_models.set_logged_model_tags(call.store, request.model_id, tags)


def delete_logged_model_tag(call: Call, request: ModelTagKey) -> None:
    """Take a tag away."""
    logged_models.delete_logged_model_tag(call.store, request.model_id, request.tag_key)


def log_logged_model_params(call: Call, request: LogModelParams) -> None:
    """Add params."""
    params = {param.key: param.value for param in request.params}
    logged_models.log_model_params(call.store, request.model_id, params)


def logged_model_answers(call: Call, found: list[logged_models.LoggedModel]) -> list[messages.LoggedModel]:
    """Logged models in the wire's words."""
    ids = sorted({model.experiment_id for model in found})
    locations = {experiment_id: experiment(call.store, experiment_id).artifact_location for experiment_id in ids}
    return [_answer(call, model, locations[model.experiment_id]) for model in found]


def _found(call: Call, model: logged_models.LoggedModel) -> ModelFound:
    return ModelFound(logged_model_answers(call, [model])[0])


def _answer(call: Call, model: logged_models.LoggedModel, location: str) -> messages.LoggedModel:
    info = messages.LoggedModelInfo(
        model_id=model.model_id,
        experiment_id=model.experiment_id,
        name=model.name,
        creation_timestamp_ms=to_ms(model.created),
        last_updated_timestamp_ms=to_ms(model.updated),
        artifact_uri=model_artifacts(location, model.model_id, call.settings),
        status=f"{_PREFIX}{model.status}",
        model_type=messages.unless_empty(model.model_type),
        source_run_id=messages.unless_empty(model.source_run_id),
        status_message=messages.unless_empty(model.status_message),
        tags=messages.tags_of(model.tags),
    )
    metrics = [
        messages.Metric(
            key=metric.key,
            value=messages.number(metric.value),
            timestamp=metric.ts_ms,
            step=metric.step,
            dataset_name=messages.unless_empty(metric.dataset_name),
            dataset_digest=messages.unless_empty(metric.dataset_digest),
            model_id=model.model_id,
            run_id=metric.run_id,
        )
        for metric in model.metrics
    ]
    return messages.LoggedModel(info, messages.LoggedModelData(messages.tags_of(model.params), metrics or UNSET))
