"""One process that answers for an endpoint, on a socket that listens already."""

import contextlib
import os
import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from assay.listening import http_server, steady, url_of
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter, Policy
from assay.operate.routing.watching import Watcher
from assay.operate.serving.app import Application
from assay.operate.serving.counting import SharedCounts
from assay.operate.serving.protocols.oip import SERVER_NAME
from assay.record.models.routes import current_route
from assay.record.store import Store

__all__ = ["Served", "Serving", "answer_for"]


class Serving(msgspec.Struct, frozen=True):
    """A server that is ready: where it listens, and what it answers with. `workers` are its processes."""

    url: str
    pid: int
    endpoint: str
    model: str
    version: int
    workers: int = 1
    grpc_port: int | None = None


class Served(msgspec.Struct, frozen=True):
    """What a server did between its start and its end. `restarts` counts workers that had to be started again."""

    endpoint: str
    url: str
    requests: int
    predictions: int
    seconds: float
    restarts: int = 0


def answer_for(
    store: Store,
    endpoint: str,
    listener: socket.socket,
    *,
    parent: int | None = None,
    counts: Path | None = None,
    threads: int = 1,
    alive: Callable[[], None] | None = None,
    grpc_port: int | None = None,
    full_disk: Policy = "refuse",
    name: str = SERVER_NAME,
) -> Served:
    """Answer until SIGINT or SIGTERM, then finish the requests under way; announces `Serving` when it is ready.

    It ends also when the process `parent` has gone. `counts` is the folder in which the workers of one server keep
    their counts, `threads` how many numeric libraries use. `alive` is called every second while the server can answer.
    `grpc_port` is where gRPC is answered too. `full_disk` says what becomes of requests that cannot be logged. `name`
    is what the server says it is to clients of the Open Inference Protocol. Runs in the main thread. Raises NotFound,
    and what loading a model raises.
    """
    from threadpoolctl import threadpool_limits

    _allow_connections()
    url = url_of(listener)
    with threadpool_limits(limits=threads):
        watcher = Watcher(store, current_route(store, endpoint), url)
        log = LogWriter(log_folder(store, endpoint), policy=full_disk)
        grpc = None if grpc_port is None else (listener.getsockname()[0], grpc_port)
        application = Application(watcher, log, counts=SharedCounts(counts), alive=alive, grpc=grpc, name=name)
        version = watcher.table.champion.model.version
        ready = Serving(url, os.getpid(), endpoint, version.model, version.version, grpc_port=grpc_port)
        started = time.monotonic()
        try:
            turned_away = application.engine.counting.turned_away
            shared = alive is not None
            server = http_server(application, ready, parent, shared=shared, prompt=True, turned_away=turned_away)
            with steady(), application.engine.guard.watching():
                server.run(sockets=[listener])
        finally:
            log.close()
    engine, seconds = application.engine, round(time.monotonic() - started, 3)
    return Served(endpoint, url, engine.requests, engine.predictions, seconds)


def _allow_connections() -> None:
    """As many open files as this process may have: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a machine that says one thing and allows another
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
