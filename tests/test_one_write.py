"""A head goes out with its body, whatever the body is, and is never kept back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from assay.one_write import OneWriteProtocol

POST = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\nhi"
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Transport(asyncio.Transport):
    """Keeps what is written, as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def answered(answer: Callable[[Send], Awaitable[None]], *requests: bytes) -> Transport:
    """What is written for requests that come one after the other on a connection."""

    async def application(scope: Any, receive: Any, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await answer(send)

    async def run() -> Transport:
        transport = Transport()
        config = uvicorn.Config(application, lifespan="off", log_level="critical")
        protocol = OneWriteProtocol(config, ServerState(), {})
        protocol.connection_made(transport)
        for request in requests:
            protocol.data_received(request)
            for _ in range(10):
                await asyncio.sleep(0)
        protocol.connection_lost(None)
        return transport

    return asyncio.run(run())


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


async def said(send: Send) -> None:
    await send(start((b"content-length", b"5")))
    await send({"type": "http.response.body", "body": b"hello"})


def test_an_answer_is_one_write() -> None:
    first, second = answered(said, POST, POST).written
    assert first == second
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert first.endswith(b"\r\n\r\nhello")


def test_a_body_that_is_not_there_holds_back_no_head() -> None:
    async def nothing(send: Send) -> None:
        await send(start(status=204))
        await send({"type": "http.response.body"})

    (none,) = answered(nothing, POST).written
    assert none.startswith(b"HTTP/1.1 204 ")
    (head,) = answered(said, POST.replace(b"POST", b"HEAD")).written
    assert head.endswith(b"content-length: 5\r\n\r\n")


def test_a_body_in_parts_goes_out_as_it_comes() -> None:
    async def in_parts(send: Send) -> None:
        await send(start())
        for part in (b"HTTP/1.1 is how this part begins", b"and this is another"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    first, second, last = answered(in_parts, POST).written
    assert first.endswith(b"\r\n\r\n20\r\nHTTP/1.1 is how this part begins\r\n")
    assert second == b"13\r\nand this is another\r\n"
    assert last == b"0\r\n\r\n"


def test_a_body_that_begins_like_a_head_is_none() -> None:
    body = b"HTTP/1.1 200 OK\r\n\r\n"

    async def like_a_head(send: Send) -> None:
        await send(start((b"content-length", b"38")))
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": body})

    assert b"".join(answered(like_a_head, POST).written).endswith(b"\r\n\r\n" + body + body)


def test_who_waits_to_be_told_to_go_on_is_told_at_once() -> None:
    transport = answered(said, POST.replace(b"content", b"expect: 100-continue\r\ncontent"))
    assert transport.written[0] == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert len(transport.written) == 2


@pytest.mark.filterwarnings("ignore")
def test_a_head_goes_out_before_a_connection_is_closed() -> None:
    async def broken(send: Send) -> None:
        await send(start((b"content-length", b"5")))
        raise ValueError

    transport = answered(broken, POST)
    assert transport.is_closed
    assert transport.written[0].startswith(b"HTTP/1.1 200 OK\r\n")
