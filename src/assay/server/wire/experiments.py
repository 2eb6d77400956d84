"""Experiments over the wire. A deleted one is found by id and by name, and keeps its name."""

from collections.abc import Sequence

import msgspec

from assay.errors import NotFound
from assay.record.clock import to_ms
from assay.record.tracking import experiments
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.limits import check_experiment_name, check_experiment_tag
from assay.server.wire.locations import check_location, told
from assay.server.wire.reading import Name

__all__ = [
    "create_experiment",
    "delete_experiment",
    "delete_experiment_tag",
    "experiment_answer",
    "experiment_answers",
    "get_experiment",
    "get_experiment_by_name",
    "restore_experiment",
    "set_experiment_tag",
    "update_experiment",
]


class GivenTag(msgspec.Struct):
    """A tag in a request."""

    key: Name
    value: str = ""


class CreateExperiment(msgspec.Struct):
    """A name, and where its artifacts go."""

    name: Name
    artifact_location: str | None = None
    tags: list[GivenTag] = []


class ExperimentCreated(msgspec.Struct):
    """The new id."""

    experiment_id: str


class OfExperiment(msgspec.Struct):
    """An experiment by its id."""

    experiment_id: Name


class OfExperimentName(msgspec.Struct):
    """An experiment by its name."""

    experiment_name: Name


class ExperimentFound(msgspec.Struct):
    """One experiment."""

    experiment: messages.Experiment


class UpdateExperiment(msgspec.Struct):
    """Another name."""

    experiment_id: Name
    new_name: Name


class ExperimentTag(msgspec.Struct):
    """A tag to set."""

    experiment_id: Name
    key: Name
    value: str = ""


class ExperimentTagKey(msgspec.Struct):
    """A tag to take away."""

    experiment_id: Name
    key: Name


def create_experiment(call: Call, request: CreateExperiment) -> ExperimentCreated:
    """Make an experiment."""
    check_experiment_name(request.name)
    if request.artifact_location:
        check_location(request.artifact_location)
    for tag in request.tags:
        check_experiment_tag(tag.key, tag.value)
    created = experiments.create_experiment(
        call.store,
        request.name,
        artifact_location=request.artifact_location or None,
        tags={tag.key: tag.value for tag in request.tags},
    )
    return ExperimentCreated(created.experiment_id)


def get_experiment(call: Call, request: OfExperiment) -> ExperimentFound:
    """The experiment with that id."""
    return ExperimentFound(experiment_answer(call, experiments.experiment(call.store, request.experiment_id)))


def get_experiment_by_name(call: Call, request: OfExperimentName) -> ExperimentFound:
    """The experiment with that name."""
    found = experiments.experiment_named(call.store, request.experiment_name)
    if found is None:
        raise NotFound(f"Could not find experiment with name '{request.experiment_name}'")
    return ExperimentFound(experiment_answer(call, found))


def update_experiment(call: Call, request: UpdateExperiment) -> None:
    """Give an experiment another name."""
    check_experiment_name(request.new_name)
    experiments.rename_experiment(call.store, request.experiment_id, request.new_name)


def delete_experiment(call: Call, request: OfExperiment) -> None:
    """Hide an experiment with its runs."""
    experiments.delete_experiment(call.store, request.experiment_id)


def restore_experiment(call: Call, request: OfExperiment) -> None:
    """Bring an experiment back with its runs."""
    experiments.restore_experiment(call.store, request.experiment_id)


def set_experiment_tag(call: Call, request: ExperimentTag) -> None:
    """Set a tag."""
    check_experiment_tag(request.key, request.value)
    experiments.set_experiment_tags(call.store, request.experiment_id, {request.key: request.value})


def delete_experiment_tag(call: Call, request: ExperimentTagKey) -> None:
    """Take a tag away."""
    experiments.delete_experiment_tag(call.store, request.experiment_id, request.key)


def experiment_answer(call: Call, found: experiments.Experiment) -> messages.Experiment:
    """An experiment in the wire's words."""
    return messages.Experiment(
        experiment_id=found.experiment_id,
        name=found.name,
        artifact_location=told(found.artifact_location, call.settings),
        lifecycle_stage="deleted" if found.deleted else "active",
        last_update_time=to_ms(found.updated),
        creation_time=to_ms(found.created),
        tags=messages.tags_of(found.tags),
    )


def experiment_answers(call: Call, ids: Sequence[str]) -> list[messages.Experiment]:
    """Experiments by their ids, in that order, in two questions."""
    rows = {row["experiment_id"]: row for row in call.store.query("experiment", {"experiment_id in": list(ids)})}
    tags: dict[str, dict[str, str]] = {}
    for tag in call.store.query("experiment_tag", {"experiment_id in": list(ids)}, order_by=["experiment_id", "key"]):
        tags.setdefault(tag["experiment_id"], {})[tag["key"]] = tag["value"]
    found = []
    for experiment_id in ids:
        if experiment_id in rows:
            row = rows[experiment_id]
            fields = {name: row[name] for name in experiments.Experiment.__struct_fields__ if name != "tags"}
            found.append(experiment_answer(call, experiments.Experiment(**fields, tags=tags.get(experiment_id, {}))))
    return found
