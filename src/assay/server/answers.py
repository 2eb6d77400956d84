"""Sending whole answers."""

from assay.server.bodies import Send

__all__ = ["JSON", "TEXT", "send_whole"]

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


async def send_whole(
    send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes], is_head: bool = False
) -> None:
    """An answer with a body that is there already; to HEAD its headers only."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": b"" if is_head else body})
