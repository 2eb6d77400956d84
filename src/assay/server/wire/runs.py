"""Runs over the wire: made, read, changed, deleted, restored, tagged."""

from typing import Literal

import msgspec

from assay.record.clock import from_ms
from assay.record.tracking import run_changes
from assay.record.tracking.experiments import DEFAULT_EXPERIMENT
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.errors import invalid, missing
from assay.server.wire.experiments import GivenTag
from assay.server.wire.limits import check_key
from assay.server.wire.reading import Int, Name
from assay.server.wire.run_answers import run_answers, run_info
from assay.server.wire.run_names import invented_name

__all__ = ["create_run", "delete_run", "delete_tag", "get_run", "restore_run", "run_id_of", "set_tag", "update_run"]

Status = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]


class CreateRun(msgspec.Struct):
    """A run to begin; no experiment means the one called Default."""

    experiment_id: str = ""
    user_id: str | None = None
    run_name: str | None = None
    start_time: Int | None = None
    tags: list[GivenTag] = []


class RunFound(msgspec.Struct):
    """One run."""

    run: messages.Run


class EitherId(msgspec.Struct):
    """A run under either of two names for its id."""

    run_id: str | None = None
    run_uuid: str | None = None


class UpdateRun(EitherId):
    """How a run stands now."""

    status: Status | None = None
    end_time: Int | None = None
    run_name: str | None = None


class RunUpdated(msgspec.Struct):
    """The run after the change."""

    run_info: messages.RunInfo


class OfRun(msgspec.Struct):
    """A run by its id."""

    run_id: Name


class SetTag(EitherId, kw_only=True):
    """A tag to set."""

    key: Name
    value: str = ""


class TagKey(msgspec.Struct):
    """A tag to take away."""

    run_id: Name
    key: Name


def run_id_of(request: EitherId) -> str:
    """The id, whichever way it was given."""
    run_id = request.run_id or request.run_uuid
    if not run_id:
        raise missing("run_id")
    return run_id


def create_run(call: Call, request: CreateRun) -> RunFound:
    """Begin a run. Its name and the tag `mlflow.runName` are one value; without either it is given a name."""
    tags = {tag.key: tag.value for tag in request.tags}
    for key in tags:
        check_key(key, "key", "key")
    tagged = tags.get(run_changes.NAME_TAG)
    if request.run_name and tagged and request.run_name != tagged:
        raise invalid(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
            f"(run_name='{request.run_name}', mlflow.runName='{tagged}')."
        )
    run_id = run_changes.create_run(
        call.store,
        request.experiment_id or DEFAULT_EXPERIMENT,
        name=request.run_name or tagged or invented_name(),
        started=None if request.start_time is None else from_ms(request.start_time),
        tags=tags,
        user_id=request.user_id,
    )
    made = run_answers(call, [run_id])[0]
    return RunFound(messages.Run(made.info, made.data, made.inputs))


def get_run(call: Call, request: EitherId) -> RunFound:
    """A run with its data, deleted ones too."""
    run_id = run_id_of(request)
    run_changes.run_row(call.store, run_id)
    return RunFound(run_answers(call, [run_id])[0])


def update_run(call: Call, request: UpdateRun) -> RunUpdated:
    """Change how a run stands, when it ended, or its name."""
    row = run_changes.update_run(
        call.store,
        run_id_of(request),
        status=request.status.lower() if request.status else None,
        ended=None if request.end_time is None else from_ms(request.end_time),
        name=request.run_name or None,
    )
    return RunUpdated(run_info(call, row))


def delete_run(call: Call, request: OfRun) -> None:
    """Hide a run."""
    run_changes.delete_run(call.store, request.run_id)


def restore_run(call: Call, request: OfRun) -> None:
    """Bring a run back."""
    run_changes.restore_run(call.store, request.run_id)


def set_tag(call: Call, request: SetTag) -> None:
    """Set a tag."""
    run_id = run_id_of(request)
    check_key(request.key, "key", "key")
    run_changes.log(call.store, run_id, tags={request.key: request.value}, late=call.late)


def delete_tag(call: Call, request: TagKey) -> None:
    """Take a tag away."""
    run_changes.delete_tag(call.store, request.run_id, request.key)
