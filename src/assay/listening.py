"""A server in this process: the socket it listens on, and an ASGI application there until it is told to stop."""

import contextlib
import errno
import gc
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from assay.errors import InvalidInput, PortInUse
from assay.progress import announce

if TYPE_CHECKING:
    import uvicorn

__all__ = ["http_server", "is_loopback", "listen", "steady", "url_of"]

_KEEP_ALIVE_S = 75
_SHUTDOWN_S = 30
_BACKLOG = 2048
_SWEEP_TICKS = 50  # of 0.1 s
_HEAD_SWEEPS = 6  # so the head of a request has 30 s to come
# How soon a thread that works, such as one that unpickles a new model, gives way to a request. Measured beside a busy
# thread: a wake-up comes 5.3 ms late with Python's own 5 ms; half of this takes more from the thread than it gives.
_SWITCH_INTERVAL_S = 0.0002


def http_server(
    application: Any,
    ready: object,
    parent: int | None,
    *,
    shared: bool = False,
    prompt: bool = False,
    turned_away: Callable[[], object] = lambda: None,
    **options: Any,
) -> "uvicorn.Server":
    """A server for `run(sockets=[listener])` that announces `ready`, ends when `parent` has gone, and returns after
    SIGINT or SIGTERM when the requests under way are answered. Other processes have the listener too where it is
    `shared`. A `prompt` one answers as `PromptProtocol` does. `turned_away` is called for each request that is answered
    503 because too many wait. `options` are further ones of uvicorn.
    """
    import uvicorn

    from assay.fair_accept import FairAcceptor
    from assay.one_write import OneWriteProtocol
    from assay.overload import Overload
    from assay.prompt_start import PromptProtocol

    class Protocol(PromptProtocol if prompt else OneWriteProtocol):  # type: ignore[misc] # either is one
        """The one of this server."""

        overload = Overload(turned_away)

    class Server(uvicorn.Server):
        """Says when it is ready, notices that its parent has gone, and returns after a signal."""

        heads: dict[Any, int] = {}  # noqa: RUF012 - replaced whole

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup([] if shared else sockets)
            if shared and sockets:
                begun = self.server_state.connections
                self.servers = [FairAcceptor(one, self._protocol, begun) for one in sockets]  # type: ignore[misc]
            announce(ready)

        def _protocol(self) -> Any:
            state = self.server_state
            return Protocol(config=self.config, server_state=state, app_state=self.lifespan.state)

        async def on_tick(self, counter: int) -> bool:
            if parent is not None and os.getppid() != parent:
                self.should_exit = True
            if counter % _SWEEP_TICKS == 0:
                self.heads = _swept(self.server_state.connections, self.heads)
            return await super().on_tick(counter)

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # Uvicorn's own raises the signal again at the end, which would kill the process before `run` returns.
            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        **options,
    )
    return Server(config)


def _swept(connections: set[Any], heads: dict[Any, int]) -> dict[Any, int]:
    """Close connections on which the head of a request does not come; uvicorn waits for it for ever.

    Gives the connections that wait for a head, and how often in a row each was seen so. One that has been answered and
    is silent has a time limit of its own, which ends with the first byte of the next head.
    """
    waiting = {}
    for one in list(connections):
        if (one.cycle is None or one.cycle.response_complete) and one.timeout_keep_alive_task is None:
            waiting[one] = heads.get(one, 0) + 1
            if waiting[one] > _HEAD_SWEEPS:
                one.transport.close()
    return waiting


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """Inside the block, threads give way to each other soon, and the collector leaves alone what was there before."""
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # the collector does not walk a model again: that is where slow answers come from
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(switch_interval)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes any free one. PortInUse, or InvalidInput where it cannot be had."""
    address = "127.0.0.1" if host == "localhost" else host
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


def url_of(listener: socket.socket) -> str:
    """The address to reach it at."""
    address, port = listener.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
