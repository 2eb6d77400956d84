"""`assay server`: the control plane in this process until it is told to stop."""

import os
import time
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.listening import http_server, is_loopback, listen, steady, url_of
from assay.operation import operation
from assay.record.store import Store
from assay.server.application import Application
from assay.server.wire.call import Settings
from assay.server.wire.locations import MANAGED

__all__ = ["ServerEnded", "ServerReady", "server"]

_TOKEN = "ASSAY_TOKEN"  # noqa: S105 - the name of the variable
_LATE = ("mark", "refuse", "accept")


class ServerReady(msgspec.Struct, frozen=True):
    """A server that is ready: where its pages are, and what tells MLflow's client about it."""

    url: str
    pid: int
    store: str
    tracking_uri: str


class ServerEnded(msgspec.Struct, frozen=True):
    """What a server did between its start and its end."""

    url: str
    requests: int
    seconds: float


def check_options(
    *,
    host: str,
    port: int,
    root_path: str,
    mlflow_parity: bool,
    artifact_root: str,
    late: str,
    exit_with_parent: bool,  # noqa: ARG001 - the options as they are
) -> None:
    """InvalidInput or PortInUse for options with which no server could start, before a store is made for it."""
    _settings(host, root_path, mlflow_parity, artifact_root, late)
    listen(host, port).close()


@operation("server", creates_store=True, check=check_options, local=True)
def server(
    store: Store,
    *,
    host: Annotated[str, "The address to listen on; others than loopback need ASSAY_TOKEN"] = "127.0.0.1",
    port: Annotated[int, "The port; 0 takes any free one"] = 5000,
    root_path: Annotated[str, "The path before every other, as a proxy passes it on"] = "",
    mlflow_parity: Annotated[bool, "Answer as MLflow does also where it loses something"] = False,
    artifact_root: Annotated[str, "Where artifacts go: through this server, or file:///folder"] = MANAGED,
    late: Annotated[str, "Results after a run has ended: mark, refuse or accept"] = "mark",
    exit_with_parent: Annotated[bool, "End also when the process that started this one has gone"] = False,
) -> ServerEnded:
    """Serve tracking and registry to MLflow's clients, and the pages, until interrupted.

    Where the variable ASSAY_TOKEN is set, every request must bring it, as Bearer token or as the password of Basic.
    When it is ready it announces `ServerReady`; SIGINT and SIGTERM end it after the requests that are under way.

    Raises PortInUse, and InvalidInput for an address that others could reach where no token is set. Runs in the main
    thread.
    """
    parent = os.getppid()
    settings = _settings(host, root_path, mlflow_parity, artifact_root, late)
    with listen(host, port) as listener:
        url = url_of(listener) + settings.root_path
        application = Application(store, settings)
        ready = ServerReady(url, os.getpid(), store.location, f"export MLFLOW_TRACKING_URI={url}")
        started = time.monotonic()
        try:
            with steady():
                http_server(application, ready, parent if exit_with_parent else None).run(sockets=[listener])
        finally:
            application.close()
    return ServerEnded(url, application.requests, round(time.monotonic() - started, 3))


def _settings(host: str, root_path: str, parity: bool, artifact_root: str, late: str) -> Settings:
    token = os.environ.get(_TOKEN) or None
    if token is None and not is_loopback(host):
        raise InvalidInput(
            f"cannot listen on {host!r}: without a token anybody who reaches it could write",
            expected="an address of this machine only, such as 127.0.0.1",
            hint=f"set {_TOKEN} to a secret that every request has to bring",
        )
    if late not in _LATE:
        raise InvalidInput(f"late is {late!r}", expected=" | ".join(_LATE))
    if artifact_root != MANAGED and not artifact_root.startswith("file:///"):
        raise InvalidInput(
            f"artifacts cannot go to {artifact_root!r}", expected=f"{MANAGED} (through this server) or file:///folder"
        )
    root = root_path.strip("/")
    return Settings(
        late=late,  # type: ignore[arg-type] # checked above
        parity=parity,
        artifact_root=artifact_root,
        token=token,
        root_path=f"/{root}" if root else "",
    )
