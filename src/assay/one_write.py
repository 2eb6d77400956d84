"""The head of an HTTP answer goes out together with its body: one call of the kernel for both, and one packet.

Uvicorn writes them one after the other, and the loop sends each at once.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["OneWriteProtocol"]


class OneWriteProtocol(HttpToolsProtocol):
    """Uvicorn's protocol on a transport that holds a head back until there is a body, or the answer is complete."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A connection is there."""
        super().connection_made(_HoldingHeads(transport))  # type: ignore[arg-type] # it is used as one

    def on_response_complete(self) -> None:
        """An answer is complete; one to HEAD has no body."""
        self.transport.release()  # type: ignore[attr-defined] # it is the one made above
        super().on_response_complete()


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
