"""Connections of one address shared out among processes that listen there together.

Whoever is woken first takes all that wait: of 16 connections that came at once one process had all of them, and the
other cores nothing to do. Here a process that has taken one lets the others go first for a moment.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sized

__all__ = ["FairAcceptor"]

_PAUSE_S = 0.001
_FULL_S = 0.1  # after the process has no more descriptors
_AT_ONCE = 4  # a process with this many connections takes one more at a time: thousands do not wait for their turns


class FairAcceptor:
    """Accepts connections on a listener that other processes have too, and gives each a protocol; it is one of
    uvicorn's servers. `connections` are those that the process has now.
    """

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], connections: Sized) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._protocol = protocol
        self._connections = connections
        self._begun: set[asyncio.Task[object]] = set()
        self._waiting: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Accept nothing more."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._loop.remove_reader(self._listener)

    def _listen(self) -> None:
        self._waiting = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        pause = _PAUSE_S if len(self._connections) else 0.0
        for _ in range(1 + len(self._connections) // _AT_ONCE):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break  # another process was first
            except OSError:
                pause = _FULL_S
                break
            task = self._loop.create_task(self._begin(connection))
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)
        if pause:
            self._loop.remove_reader(self._listener)
            self._waiting = self._loop.call_later(pause, self._listen)

    async def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # it has gone already
            await self._loop.connect_accepted_socket(self._protocol, connection)
