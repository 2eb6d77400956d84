"""What is there as a whole is answered at once; what has to wait is answered as ever."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from tests.test_one_write import POST, Transport, said
from uvicorn.server import ServerState

from assay.overload import FEW, Overload
from assay.prompt_start import PromptProtocol

Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Send], Awaitable[None]]


def connected(application: Application) -> tuple[PromptProtocol, Transport]:
    transport = Transport()
    protocol = PromptProtocol(uvicorn.Config(application, lifespan="off", log_level="critical"), ServerState(), {})
    protocol.connection_made(transport)
    return protocol, transport


async def turns(number: int = 10) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def hello(_scope: Any, receive: Any, send: Send) -> None:
    assert (await receive())["body"] == b"hi"
    await said(send)


def test_a_whole_request_is_answered_before_the_loop_turns() -> None:
    async def run() -> None:
        protocol, transport = connected(hello)
        for number in (1, 2):
            protocol.data_received(POST)
            assert len(transport.written) == number
            assert not protocol.tasks

    asyncio.run(run())


def test_what_comes_behind_many_others_in_a_turn_stands_in_line() -> None:
    async def run() -> None:
        many = [connected(hello) for _ in range(FEW + 2)]
        shared = Overload()
        for protocol, _ in many:
            protocol.overload = shared
            protocol.data_received(POST)
        assert [len(transport.written) for _, transport in many] == [1] * FEW + [0, 0]
        await turns()
        assert [len(transport.written) for _, transport in many] == [1] * (FEW + 2)
        protocol, transport = many[-1]
        protocol.data_received(POST)
        assert len(transport.written) == 2  # another turn

    asyncio.run(run())


def test_a_body_that_comes_later_is_waited_for() -> None:
    async def run() -> None:
        async def application(_scope: Any, receive: Any, send: Send) -> None:
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message["body"], message["more_body"]
            assert body == b"hi"
            await said(send)

        protocol, transport = connected(application)
        protocol.data_received(POST[:-1])
        await turns()
        assert not transport.written
        protocol.data_received(POST[-1:])
        await turns()
        assert len(transport.written) == 1

    asyncio.run(run())


def test_what_waits_goes_on_as_a_task_and_holds_up_nobody() -> None:
    async def run() -> None:
        done = asyncio.Event()
        steps = []

        async def application(_scope: Any, _receive: Any, send: Send) -> None:
            for _ in range(3):
                await asyncio.sleep(0)
            await done.wait()
            with pytest.raises(TimeoutError):  # a part that needs its task finds one
                await asyncio.wait_for(asyncio.Event().wait(), 0.01)
            steps.append(asyncio.current_task())
            await said(send)

        protocol, transport = connected(application)
        protocol.data_received(POST)
        (task,) = protocol.tasks
        await turns()
        done.set()
        await asyncio.wait_for(task, 5)
        assert steps == [task]
        assert len(transport.written) == 1
        assert not protocol.tasks

    asyncio.run(run())


def test_requests_that_come_together_are_answered_in_their_order() -> None:
    async def run() -> None:
        answered: list[int] = []

        async def application(_scope: Any, _receive: Any, send: Send) -> None:
            answered.append(len(answered))
            if answered[-1] == 1:
                await asyncio.sleep(0)
            await said(send)

        protocol, transport = connected(application)
        protocol.data_received(POST * 3)
        await turns(30)
        assert answered == [0, 1, 2]
        assert len(transport.written) == 3

    asyncio.run(run())


def test_what_is_cancelled_is_told_so() -> None:
    async def run() -> None:
        ended = []

        async def application(_scope: Any, _receive: Any, _send: Send) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        protocol, _ = connected(application)
        protocol.data_received(POST)
        (task,) = protocol.tasks
        await turns()
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert ended == [True]

    asyncio.run(run())


def test_an_application_that_raises_is_an_answer_too() -> None:
    async def run() -> None:
        async def at_once(_scope: Any, _receive: Any, _send: Send) -> None:
            raise ValueError("no")

        async def later(_scope: Any, _receive: Any, _send: Send) -> None:
            await asyncio.sleep(0)
            raise ValueError("no")

        for application in (at_once, later):
            protocol, transport = connected(application)
            protocol.data_received(POST)
            await turns()
            assert transport.written[0].startswith(b"HTTP/1.1 500")
            assert transport.is_closed

    asyncio.run(run())
