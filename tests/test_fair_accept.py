"""Two loops that listen at one address share out what comes, and neither is in the way of many connections."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from assay.fair_accept import FairAcceptor
from assay.listening import listen


class Held(asyncio.Protocol):
    """A connection that stays, and answers what it is sent."""

    def __init__(self, held: set["Held"]) -> None:
        self._held = held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._held.add(self)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(data)


class Process:
    """A loop in a thread of its own that has the listener too."""

    def __init__(self, listener: socket.socket) -> None:
        self.held: set[Held] = set()
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        async def begin() -> FairAcceptor:
            return FairAcceptor(self._listener, lambda: Held(self.held), self.held)

        self.acceptor = self._loop.run_until_complete(begin())
        self._ready.set()
        self._loop.run_forever()

    def end(self) -> None:
        async def close() -> None:
            self.acceptor.close()
            for one in self.held:
                one.close()
            await asyncio.sleep(0.05)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as opened:
        yield opened


def opened(listener: socket.socket, count: int) -> list[socket.socket]:
    connections = [socket.create_connection(listener.getsockname()) for _ in range(count)]
    for one in connections:
        one.settimeout(10)
        one.sendall(b"here")
    assert all(one.recv(4) == b"here" for one in connections), "each was taken by somebody"
    return connections


def test_connections_that_come_at_once_go_to_both(listener: socket.socket) -> None:
    twin = listener.dup()
    processes = [Process(listener), Process(twin)]
    connections = opened(listener, 40)
    taken = [len(process.held) for process in processes]
    for process in processes:
        process.end()
    for one in (*connections, twin):
        one.close()
    assert sum(taken) == 40
    assert min(taken) >= 4, taken


def test_one_alone_takes_hundreds_and_one_that_has_ended_takes_nothing(listener: socket.socket) -> None:
    process = Process(listener)
    connections = opened(listener, 300)
    assert len(process.held) == 300
    process.end()
    late = socket.create_connection(listener.getsockname())
    late.settimeout(0.3)
    late.sendall(b"here")
    with pytest.raises(TimeoutError):
        late.recv(4)
    for one in (*connections, late):
        one.close()
