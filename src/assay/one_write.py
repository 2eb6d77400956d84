"""The head of an HTTP answer goes out together with its body: one call of the kernel for both, and one packet.

Uvicorn writes them one after the other, and the loop sends each at once.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from assay.overload import FEW, Overload, Turn

__all__ = ["OneWriteProtocol"]


class OneWriteProtocol(HttpToolsProtocol):
    """Uvicorn's protocol on a transport that holds a head back until there is a body, or the answer is complete.

    `overload` says which requests are turned away.
    """

    overload = Overload()
    turn: Turn | None = None  # of the request that comes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A connection is there."""
        super().connection_made(_HoldingHeads(transport))  # type: ignore[arg-type] # it is used as one

    def on_headers_complete(self) -> None:
        """A request has come, but for its body. What is not asked by POST is always let in: whether a server is alive
        has to be heard when it is busy. What is asked before an answer has come is read no further until then.
        """
        under_way = len(self.tasks)
        if under_way < FEW:
            HttpToolsProtocol.on_headers_complete(self)  # `super()` would take longer than all the rest
        elif self.parser.get_method() != b"POST" or not self._is_next():
            super().on_headers_complete()
        else:
            own = self.app
            self.turn = self.overload.turn(under_way, _declared(self.headers))
            self.app = self.turn.application(own) if self.turn else self.overload.busy()
            super().on_headers_complete()
            self.app = own

    def on_message_complete(self) -> None:
        """The last byte of a request has come."""
        if self.turn is not None:
            self.turn.is_whole()
            self.turn = None
        HttpToolsProtocol.on_message_complete(self)

    def _is_next(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def on_response_complete(self) -> None:
        """An answer is complete; one to HEAD has no body."""
        self.transport.release()  # type: ignore[attr-defined] # it is the one made above
        super().on_response_complete()


def _declared(headers: list[tuple[bytes, bytes]]) -> int:
    """The size of a body, as large as can be where it is not said."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 1 << 62 if any(name == b"transfer-encoding" for name, _ in headers) else 0


class _HoldingHeads:
    """A transport; the first that is written of an answer is written with what follows."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._write = transport.write
        self._head = b""
        self._begins = True  # what is written next is the head of an answer
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        if not self._begins:
            if self._head:
                data, self._head = self._head + data, b""
            self._write(data)
        elif data.startswith(b"HTTP/1.1 1"):  # it may go on, and will not before it is told so
            self._write(data)
        else:
            self._head, self._begins = data, False

    def release(self) -> None:
        """The answer is complete."""
        if self._head:
            self.write(b"")
        self._begins = True

    def close(self) -> None:
        self.release()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
