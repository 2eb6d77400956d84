"""Bodies. That of a request is read, compressed or not: never more of it than the server takes, and not for ever. That
of an answer is compressed where who asked takes it so.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from assay.operate.serving.engine import RequestError

__all__ = ["MAX_BODY_BYTES", "Message", "Receive", "Send", "packed", "whole"]

Message = MutableMapping[str, Any]  # as ASGI defines it
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES = 16 * 1024 * 1024
_PACKED_BYTES = 1400  # what is smaller takes one packet as it is
_MOST_BYTES = 256 * 1024 * 1024  # of all bodies together that have begun to come
_LATER_S = 1  # such a body is here or gone soon
BODY_S = 30.0  # from the head of a request to the end of its body
_SHOWN = 100  # characters of somebody else's text in a message
_WINDOW_BITS = {b"gzip": 31, b"deflate": 15}  # how zlib is told of the format
_FAST = 1  # the level of compression: higher ones take several times as long, for a few percent


async def whole(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The body, decompressed. RequestError: 413 where it is too large, 408 where it does not come, 415 where it is
    packed in some other way than gzip or deflate, 400 where its packing is broken or its sender has gone, 503 where
    large bodies come from so many at once that memory has no room for them.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > MAX_BODY_BYTES:
        raise _too_large()  # before any of it is read
    message = await receive()
    body = message.get("body", b"")
    if message.get("more_body", False) or message["type"] == "http.disconnect":
        body = await _rest(message, receive)
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    encoding = headers.get(b"content-encoding")
    return body if encoding is None else _unpacked(body, encoding.strip().lower())


def packed(headers: Iterable[tuple[bytes, bytes]], content: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The body of an answer as who sent the `headers` takes it, and the headers that say so: compressed by gzip or
    deflate where that is accepted and the body is large enough.
    """
    if len(content) < _PACKED_BYTES:
        return content, []
    accepted = b",".join([value for name, value in headers if name == b"accept-encoding"])
    encoding = _accepted(accepted.lower()) if accepted else None
    if encoding is None:
        return content, []
    writer = zlib.compressobj(_FAST, wbits=_WINDOW_BITS[encoding])
    return writer.compress(content) + writer.flush(), [(b"content-encoding", encoding), (b"vary", b"accept-encoding")]


def _accepted(said: bytes) -> bytes | None:
    """Of `gzip, deflate;q=0.5` the first that we know and that is not ruled out by a weight of 0."""
    weights = {}
    for one in said.split(b","):
        name, _, weight = one.partition(b";")
        weights[name.strip()] = _number(weight.partition(b"=")[2]) if weight else 1.0
    return next((name for name in _WINDOW_BITS if weights.get(name, 0.0) > 0), None)


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


async def _rest(message: Message, receive: Receive) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                if message["type"] == "http.disconnect":
                    raise RequestError(400, "the request ended before its body")
                piece = message.get("body", b"")
                body += piece
                _coming.held += len(piece)
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
                if not message.get("more_body", False):
                    return bytes(body)
                if _coming.held > _MOST_BYTES:
                    raise RequestError(503, "too many large bodies come at once, send fewer rows at a time", _LATER_S)
                message = await receive()
    except TimeoutError:
        raise RequestError(408, f"the body did not come within {BODY_S:g} s") from None
    finally:
        _coming.held -= len(body)


class _Coming:
    """Bytes of bodies that this process waits for the rest of."""

    held = 0


_coming = _Coming()


def _unpacked(body: bytes, encoding: bytes) -> bytes:
    if encoding == b"identity":
        return body
    if encoding not in _WINDOW_BITS:
        said = encoding[:_SHOWN].decode("latin-1")
        raise RequestError(415, f"content-encoding {said} is not supported, expected gzip or deflate")
    reader = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        content = reader.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise RequestError(400, f"the body cannot be decompressed: {error}") from None
    if len(content) > MAX_BODY_BYTES:
        raise _too_large()
    if not reader.eof:
        raise RequestError(400, "the compressed body ends before its end")
    return content


def _too_large() -> RequestError:
    return RequestError(413, f"the body is larger than {MAX_BODY_BYTES} bytes, send fewer rows at a time")
