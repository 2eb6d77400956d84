"""Versions of registered models over the wire."""

import msgspec
from msgspec import UNSET, UnsetType

from assay.errors import InvalidInput
from assay.record.clock import to_ms
from assay.record.models import versions
from assay.record.models.logged_models import logged_model
from assay.record.models.seals import download_uri
from assay.record.store import Row
from assay.record.tracking.experiments import experiment
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.experiments import GivenTag
from assay.server.wire.limits import check_registry_tag
from assay.server.wire.locations import folder_of_artifacts, model_artifacts
from assay.server.wire.reading import Name

__all__ = [
    "VersionFound",
    "create_model_version",
    "delete_model_version",
    "delete_model_version_tag",
    "get_download_uri",
    "get_latest_versions",
    "get_model_version",
    "set_model_version_tag",
    "transition_stage",
    "update_model_version",
    "version_answer",
    "version_number",
]


class CreateVersion(msgspec.Struct):
    """A version from a source."""

    name: Name
    source: Name
    run_id: str | None = None
    tags: list[GivenTag] = []
    run_link: str | None = None
    description: str | None = None
    model_id: str | None = None


class OfVersion(msgspec.Struct):
    """A version by model and number."""

    name: Name
    version: Name


class UpdateVersion(OfVersion):
    """Another description."""

    description: str | None = None


class TransitionStage(OfVersion):
    """Another stage."""

    stage: Name
    archive_existing_versions: bool


class VersionTag(OfVersion):
    """A tag to set."""

    key: Name
    value: str = ""


class VersionTagKey(OfVersion):
    """A tag to take away."""

    key: Name


class LatestVersions(msgspec.Struct):
    """The newest versions of a model, of some stages or of all."""

    name: Name
    stages: list[str] = []


class VersionFound(msgspec.Struct):
    """One version."""

    model_version: messages.ModelVersion


class LatestFound(msgspec.Struct):
    """The newest version of each stage."""

    model_versions: list[messages.ModelVersion] | UnsetType = UNSET


class DownloadUri(msgspec.Struct):
    """Where the files of a version are."""

    artifact_uri: str


def create_model_version(call: Call, request: CreateVersion) -> VersionFound:
    """Make the next version of a model, and seal it."""
    for tag in request.tags:
        check_registry_tag(tag.key, tag.value)
    made = versions.create_version(
        call.store,
        request.name,
        request.source,
        run_id=request.run_id or None,
        logged_model_id=request.model_id or None,
        tags={tag.key: tag.value for tag in request.tags},
        run_link=request.run_link,
        description=request.description,
        files_in=folder_of_artifacts(call.settings),
    )
    return VersionFound(version_answer(made))


def get_model_version(call: Call, request: OfVersion) -> VersionFound:
    """The version of that number."""
    return VersionFound(version_answer(versions.versions_of(call.store, [_row(call, request)])[0]))


def update_model_version(call: Call, request: UpdateVersion) -> VersionFound:
    """Set the description."""
    number = version_number(request.version)
    return VersionFound(
        version_answer(versions.describe_version(call.store, request.name, number, request.description or ""))
    )


def delete_model_version(call: Call, request: OfVersion) -> None:
    """Hide a version that nothing relies on."""
    number = version_number(request.version)
    versions.delete_version(call.store, request.name, number, held=not call.settings.parity)


def transition_stage(call: Call, request: TransitionStage) -> VersionFound:
    """Move a version to a stage."""
    number = version_number(request.version)
    archive = request.archive_existing_versions
    moved = versions.set_stage(call.store, request.name, number, request.stage, archive_existing=archive)
    return VersionFound(version_answer(moved))


def set_model_version_tag(call: Call, request: VersionTag) -> None:
    """Set a tag."""
    check_registry_tag(request.key, request.value)
    number = version_number(request.version)
    versions.set_version_tags(call.store, request.name, number, {request.key: request.value})


def delete_model_version_tag(call: Call, request: VersionTagKey) -> None:
    """Take a tag away; harmless where it is not set."""
    versions.delete_version_tag(call.store, request.name, version_number(request.version), request.key)


def get_latest_versions(call: Call, request: LatestVersions) -> LatestFound:
    """The newest version of each stage, with aliases."""
    found = versions.latest_versions(call.store, request.name, request.stages)
    return LatestFound([version_answer(version) for version in found] or UNSET)


def get_download_uri(call: Call, request: OfVersion) -> DownloadUri:
    """Where the sealed files of a version are, once each was checked."""
    row = _row(call, request)
    if call.settings.parity:
        return DownloadUri(_as_mlflow(call, row))
    return DownloadUri(download_uri(call.store, row))


def version_number(text: str) -> int:
    """The number of a version, which the wire has as text."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise InvalidInput(f"Parameter 'version' must be an integer, got '{text[:80]}'.")
    return int(text)


def version_answer(version: versions.RegisteredVersion, *, with_aliases: bool = True) -> messages.ModelVersion:
    """A version in the wire's words."""
    return messages.ModelVersion(
        name=version.model,
        version=str(version.version),
        creation_timestamp=to_ms(version.created),
        last_updated_timestamp=to_ms(version.updated),
        current_stage=version.stage,
        description=version.description or "",
        source=version.source,
        run_id=version.run_id or "",
        status=version.status,
        run_link=version.run_link or "",
        status_message=messages.unless_empty(version.status_message),
        tags=messages.tags_of(version.tags),
        aliases=(version.aliases or UNSET) if with_aliases else UNSET,
    )


def _row(call: Call, request: OfVersion) -> Row:
    return versions.version_row(call.store, request.name, version_number(request.version))


def _as_mlflow(call: Call, row: Row) -> str:
    """The source, whatever it holds now; of a logged model its place."""
    source = str(row["origin"] or "")
    if row["logged_model_id"] and source.startswith("models:/m-"):
        model = logged_model(call.store, row["logged_model_id"])
        location = experiment(call.store, model.experiment_id).artifact_location
        return model_artifacts(location, model.model_id, call.settings)
    return source
