"""Reading the body of a request, never more of it than the server takes."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from assay.server.wire.errors import WireError
from assay.server.wire.limits import MOST_BODY_BYTES, too_large

__all__ = ["Message", "Receive", "Send", "chunks", "whole"]

Message = MutableMapping[str, Any]  # as ASGI defines it
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_MOST_DRAINED = 1024 * 1024 * 1024


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body in pieces as they come. WireError where the client goes away before the end."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise WireError(400, "BAD_REQUEST", "the request ended before its body")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


async def whole(receive: Receive, most: int = MOST_BODY_BYTES) -> bytes:
    """The body; WireError 413 where it is too large.

    What is too large is still received and thrown away: a client that is cut off while it sends never reads the answer,
    and tries again.
    """
    body = bytearray()
    size = 0
    async for piece in chunks(receive):
        size += len(piece)
        if size <= most:
            body += piece
        elif size > _MOST_DRAINED:
            break
    if size > most:
        raise too_large(most)
    return bytes(body)
