"""Running an endpoint's HTTP server in this process until it is told to stop."""

import contextlib
import errno
import gc
import ipaddress
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec

from assay.errors import InvalidInput, PortInUse
from assay.operate.app import Application
from assay.operate.predictionlog import LogWriter, log_folder
from assay.operate.routing import Watcher, current_route
from assay.operation import operation
from assay.progress import announce
from assay.record.store import Store

if TYPE_CHECKING:
    import uvicorn

__all__ = ["Served", "Serving", "serve"]

_KEEP_ALIVE_S = 75
_SHUTDOWN_S = 30
_BACKLOG = 2048
# How soon the thread that unpickles a new model gives way to a request. Measured beside a busy thread: a wake-up comes
# 5.3 ms late with Python's own 5 ms, and 0.7 ms with this.
_SWITCH_INTERVAL_S = 0.0005


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


@operation("serve")
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
    with _listen(host, port) as listener:
        watcher = Watcher(store, route)
        log = LogWriter(log_folder(store, endpoint))
        application = Application(watcher, log)
        url = _url(listener)
        version = watcher.table.model.version
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

    server = _server(application, ready, parent)
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # the collector does not walk the model again: that is where slow answers come from
    try:
        with threadpool_limits(limits=1):
            server.run(sockets=[listener])
    finally:
        gc.unfreeze()
        sys.setswitchinterval(switch_interval)


def _server(application: Application, ready: Serving, parent: int | None) -> "uvicorn.Server":
    import uvicorn

    class Server(uvicorn.Server):
        """Says when it is ready, notices that its parent has gone, and returns after a signal."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            announce(ready)

        async def on_tick(self, counter: int) -> bool:
            if parent is not None and os.getppid() != parent:
                self.should_exit = True
            return await super().on_tick(counter)

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # Uvicorn's own raises the signal again at the end, which would kill the process before `serve` returns.
            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    return Server(config)


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        is_loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise InvalidInput(
            f"cannot listen on {host!r}: the server has no authentication",
            expected="an address of this machine only, such as 127.0.0.1",
            hint="put a proxy that authenticates in front of it",
        )
    if not 0 <= port <= 65535:
        raise InvalidInput(f"port is {port}", expected="0 (any free one) to 65535")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)  # now, so that a second server on the port fails here and not when it is ready
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"another process listens on {host}:{port}",
                hint="stop it, or choose another port: --port 0 takes any free one",
            ) from error
        raise InvalidInput(
            f"cannot listen on {host}:{port}: {error.strerror}", expected="an address and port of this machine"
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
