"""Listings of artifacts over the wire. The files themselves go through `artifact_face.py`."""

import posixpath

import msgspec
from msgspec import UNSET, UnsetType

from assay.record import artifacts
from assay.record.models.logged_models import logged_model
from assay.record.tracking import run_changes
from assay.record.tracking.experiments import experiment
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.locations import model_artifacts, run_artifacts
from assay.server.wire.reading import Name
from assay.server.wire.runs import EitherId, run_id_of

__all__ = ["list_files", "list_model_files", "list_run_files"]


class ListFiles(msgspec.Struct):
    """A folder below the artifact root."""

    path: str = ""


class ListRunFiles(EitherId, kw_only=True):
    """A folder of a run."""

    path: str = ""
    page_token: str | None = None


class ListModelFiles(msgspec.Struct):
    """A folder of a logged model."""

    model_id: Name
    artifact_directory_path: str = ""
    page_token: str | None = None


class FilesFound(msgspec.Struct):
    """Files and folders by their name in the folder that was asked for."""

    files: list[messages.FileInfo] | UnsetType = UNSET


class FilesOf(msgspec.Struct):
    """Files and folders by their path below the root."""

    root_uri: str
    files: list[messages.FileInfo] | UnsetType = UNSET


def list_files(call: Call, request: ListFiles) -> FilesFound:
    """What stands in a folder; nothing for a file or a folder that is not there."""
    return FilesFound(_listed(call, artifacts.checked_path(request.path), "") or UNSET)


def list_run_files(call: Call, request: ListRunFiles) -> FilesOf:
    """The same for a folder of a run."""
    row = run_changes.run_row(call.store, run_id_of(request))
    inside = artifacts.checked_path(request.path)
    location = experiment(call.store, row["experiment_id"]).artifact_location
    found = _listed(call, posixpath.join(artifacts.run_root(row), inside), inside)
    return FilesOf(run_artifacts(location, row["run_id"], call.settings), found or UNSET)


def list_model_files(call: Call, request: ListModelFiles) -> FilesOf:
    """The same for a folder of a logged model."""
    model = logged_model(call.store, request.model_id)
    inside = artifacts.checked_path(request.artifact_directory_path)
    location = experiment(call.store, model.experiment_id).artifact_location
    found = _listed(call, posixpath.join(model.root, inside), inside)
    return FilesOf(model_artifacts(location, model.model_id, call.settings), found or UNSET)


def _listed(call: Call, folder: str, shown: str) -> list[messages.FileInfo]:
    """Entries of a folder, named as below the folder `shown`."""
    return [
        messages.FileInfo(posixpath.join(shown, entry.name), entry.is_folder, entry.size or UNSET)
        for entry in artifacts.list_artifacts(call.store, folder.rstrip("/"))
    ]
