"""Files of runs and models over HTTP, in pieces: memory stays flat whatever their size.

A file that is put is a blob first and a path that points to it afterwards, so an upload that is torn leaves what was
there.
"""

import mimetypes
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from assay.errors import NotFound
from assay.record import artifacts
from assay.record.artifacts import ArtifactFile
from assay.record.models import versions
from assay.record.models.logged_models import logged_model
from assay.record.store import Store
from assay.record.tracking import run_changes
from assay.server.answers import JSON, send_whole
from assay.server.bodies import Message, Receive, Send, whole
from assay.server.downloads import send_blob
from assay.server.services import Services
from assay.server.uploads import receive_blob
from assay.server.wire.errors import WireError, missing
from assay.server.wire.versions import version_number

__all__ = ["FILE_LINKS", "ArtifactFace"]

_UNKNOWN_TYPE = "application/octet-stream"
_TEXTS = {".yaml", ".yml", ".toml", ".md", ".log", ".cfg", ".ini"}  # what MLflow's pages show as text


class ArtifactFace:
    """Puts, gets and deletes files below the artifact root, and serves links to download one."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def file(self, path: str, scope: Message, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        """Answer a request for one path below the root."""
        checked = artifacts.checked_path(path)
        if not checked:
            raise WireError(400, "INVALID_PARAMETER_VALUE", "Invalid path")
        method = scope["method"]
        if method == "PUT":
            blob, size = await receive_blob(self._services.store.blobs, receive, self._services.readers)
            await self._services.writer.do(lambda store: artifacts.point_to(store, checked, blob, size))
            await send_whole(send, 200, b"{}", JSON)
        elif method == "DELETE":
            await whole(receive)
            await self._services.writer.do(lambda store: artifacts.delete_artifact(store, checked))
            await send_whole(send, 200, b"{}", JSON)
        elif method == "GET":
            await self._send(lambda store: _file(store, checked), headers, send)
        else:
            allowed = "DELETE, GET, PUT"
            raise WireError(405, "BAD_REQUEST", f"a file takes {allowed}, not {method}", allow=allowed)

    async def link(self, path: str, scope: Message, headers: dict[bytes, bytes], send: Send) -> None:
        """Answer a link to download a file of a run or of a version."""
        query = _query(scope)
        await self._send(lambda store: FILE_LINKS[path](store, query), headers, send)

    async def model_file(self, model_id: str, scope: Message, headers: dict[bytes, bytes], send: Send) -> None:
        """Answer a link to download a file of a logged model."""
        path = artifacts.checked_path(_query(scope).get("artifact_file_path", ""))
        await self._send(lambda store: _file(store, f"{logged_model(store, model_id).root}/{path}"), headers, send)

    async def _send(self, find: Callable[[Store], ArtifactFile], headers: dict[bytes, bytes], send: Send) -> None:
        file = await self._services.read(find)
        name = file.path.rpartition("/")[2]
        threads, blobs = self._services.readers, self._services.store.blobs
        await send_blob(send, threads, blobs, file.blob, name=name, content_type=_content_type(name), headers=headers)


def _query(scope: Message) -> dict[str, str]:
    if scope["method"] != "GET":
        raise WireError(405, "BAD_REQUEST", f"this takes GET, not {scope['method']}", allow="GET")
    return {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}


def _file(store: Store, path: str) -> ArtifactFile:
    """The file of a path; a folder is refused in MLflow's words."""
    if artifacts.list_artifacts(store, path):
        raise WireError(400, "INVALID_PARAMETER_VALUE", f"Artifact path refers to a directory, not a file: '{path}'")
    return artifacts.artifact_file(store, path)


def _run_file(store: Store, query: dict[str, Any]) -> ArtifactFile:
    run_id = query.get("run_id") or query.get("run_uuid")
    if not run_id:
        raise missing("run_id")
    path = artifacts.checked_path(query.get("path", ""))
    return _file(store, f"{artifacts.run_root(run_changes.run_row(store, run_id))}/{path}")


def _version_file(store: Store, query: dict[str, Any]) -> ArtifactFile:
    """A file of a version as it was sealed."""
    for name in ("name", "version"):
        if not query.get(name):
            raise missing(name)
    row = versions.version_row(store, query["name"], version_number(query["version"]))
    path = artifacts.checked_path(query.get("path", ""))
    if not row["hash"]:
        raise NotFound(f"No such artifact: '{path}'", hint="the version was registered without files here")
    return _file(store, f"{artifacts.SEALED}/{row['hash']}/{path}")


FILE_LINKS: dict[str, Callable[[Store, dict[str, Any]], ArtifactFile]] = {
    "/get-artifact": _run_file,
    "/model-versions/get-artifact": _version_file,
}


def _content_type(name: str) -> str:
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    if suffix in _TEXTS or name in ("MLmodel", "MLproject"):
        return "text/plain"
    return mimetypes.guess_type(name)[0] or _UNKNOWN_TYPE
