"""Running an endpoint's HTTP server in this process until it is told to stop."""

import os
import socket
import time
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.listening import http_server, is_loopback, listen, steady, url_of
from assay.operate.predictions.log import LogWriter, log_folder
from assay.operate.routing.watching import Watcher
from assay.operate.serving.app import Application
from assay.operation import operation
from assay.record.models.routes import current_route
from assay.record.store import Store

__all__ = ["Served", "Serving", "serve"]


class Serving(msgspec.Struct, frozen=True):
    """A server that is ready: where it listens, and what it answers with."""

    url: str
    pid: int
    endpoint: str
    model: str
    version: int


class Served(msgspec.Struct, frozen=True):
    """What a server did between its start and its end."""

    endpoint: str
    url: str
    requests: int
    predictions: int
    seconds: float


@operation("serve", local=True)
def serve(
    store: Store,
    endpoint: str,
    *,
    host: Annotated[str, "The loopback address to listen on"] = "127.0.0.1",
    port: Annotated[int, "The port; 0 takes any free one"] = 8080,
    exit_with_parent: Annotated[bool, "End also when the process that started this one has gone"] = False,
) -> Served:
    """Serve an endpoint over HTTP until interrupted.

    New routes are taken over without a pause. SIGINT and SIGTERM end it after the requests that are under way. When
    it is ready it announces `Serving`.

    Raises NotFound for an unknown endpoint, PortInUse, InvalidInput for an address that others could reach (there is
    no authentication), and what loading the model raises. Runs in the main thread.
    """
    parent = os.getppid()
    route = current_route(store, endpoint)
    if not is_loopback(host):
        raise InvalidInput(
            f"cannot listen on {host!r}: the server has no authentication",
            expected="an address of this machine only, such as 127.0.0.1",
            hint="put a proxy that authenticates in front of it",
        )
    with listen(host, port) as listener:
        watcher = Watcher(store, route)
        log = LogWriter(log_folder(store, endpoint))
        application = Application(watcher, log)
        url = url_of(listener)
        version = watcher.table.champion.model.version
        ready = Serving(url, os.getpid(), endpoint, version.model, version.version)
        started = time.monotonic()
        try:
            _run(application, listener, ready, parent if exit_with_parent else None)
        finally:
            log.close()
    return Served(
        endpoint=endpoint,
        url=url,
        requests=application.requests,
        predictions=application.predictions,
        seconds=round(time.monotonic() - started, 3),
    )


def _run(application: Application, listener: socket.socket, ready: Serving, parent: int | None) -> None:
    from threadpoolctl import threadpool_limits

    server = http_server(application, ready, parent)
    with steady(), threadpool_limits(limits=1):
        server.run(sockets=[listener])
