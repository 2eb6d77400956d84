"""How many requests may be under way in a server, so that each has its answer in time or is turned away at once.

A loop answers requests one after the other: the next waits for all that stand in line before it. How fast a line moves
is measured while there is one, and no more are let in than are answered within the deadline, nor than memory has room
for. Whoever is turned away hears 503 and when to come again. While few are under way none of this costs anything.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["FEW", "Overload", "Turn"]

Message = MutableMapping[str, Any]  # as ASGI defines it
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

FEW = 64  # so many may be under way whatever they take
_MOST = 10_000  # each takes some 16 KB
_MOST_BYTES = 256 << 20  # of their bodies
_READ_AHEAD = 320 << 10  # no more of a body is read before its turn
_PERIOD_S = 0.25  # over which it is measured how fast a line moves
_LONGEST_S = 60  # until a client is asked back


class Overload:
    """Whether one more request is let in; for one event loop. `turned_away` is called for each that is not.

    `line` is how many whole requests wait for their answers behind the first few, and `seconds_each` by how much each
    of them delays those behind it, lately; 0 where nothing is known.
    """

    def __init__(self, turned_away: Callable[[], object] = lambda: None, *, deadline_s: float = 10.0) -> None:
        self.deadline_s = deadline_s
        self.line = 0
        self.seconds_each = 0.0
        self.held_bytes = 0
        self._turned_away = turned_away
        self._at_once = 0  # in this turn of the loop
        self._answers = 0  # of this period
        self._began = 0.0
        self._measured = -math.inf  # when

    @property
    def wait_s(self) -> float:
        """How long a request that comes now is expected to wait."""
        return (FEW + self.line) * self.seconds_each

    def at_once(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether few were answered before in this turn of the loop: whoever waits for it to end waits for them all."""
        if self._at_once == 0:
            loop.call_soon(self._next_turn)
        self._at_once += 1
        return self._at_once <= FEW

    def _next_turn(self) -> None:
        self._at_once = 0

    def turn(self, under_way: int, size: int) -> "Turn | None":
        """A place behind so many requests for one with a body of that size; None where it is turned away."""
        if self.seconds_each and time.monotonic() - self._measured > self.deadline_s:
            self.seconds_each = 0.0  # what took long then may not do so now
        held = min(size, _READ_AHEAD)
        if self.wait_s > self.deadline_s or under_way >= _MOST or self.held_bytes + held > _MOST_BYTES:
            return None
        return Turn(self, held)

    def answered(self) -> None:
        """One of the line has its answer."""
        now = time.monotonic()
        if self._answers == 0:
            self._began = now
        elif self._answers >= FEW and now - self._began >= _PERIOD_S:
            self.seconds_each = (now - self._began) / self._answers
            self._measured = self._began = now
            self._answers = 0
        self._answers += 1
        self.line -= 1
        if self.line == 0:
            self._answers = 0  # it moves no faster than requests come

    def busy(self) -> Asgi:
        """An application that turns a request away."""
        later = min(_LONGEST_S, max(1, math.ceil(self.wait_s)))
        said = f"{FEW + self.line} requests wait already, and each is to be answered in {self.deadline_s:g} s"
        content = b'{"error":"%s; come again in %d s"}' % (said.encode(), later)
        headers = [
            (b"content-type", b"application/json"),
            (b"retry-after", b"%d" % later),
            (b"content-length", b"%d" % len(content)),
        ]

        async def answer(_scope: Message, _receive: Receive, send: Send) -> None:
            self._turned_away()
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": content})

        return answer


class _TooLate(BaseException):
    """A whole request has waited for longer than the deadline before anybody could read it. Applications answer what is
    an `Exception` themselves.
    """


class Turn:
    """One request that was let in behind others."""

    def __init__(self, overload: Overload, held: int) -> None:
        self._overload = overload
        self._held = held
        self._whole_at: float | None = None  # when its last byte had come

    def is_whole(self) -> None:
        """Its last byte has come: now it stands in line."""
        self._whole_at = time.monotonic()
        self._overload.line += 1

    def application(self, application: Asgi) -> Asgi:
        """The same where the turn comes in time; else the request is turned away after all. It has to be called."""
        overload = self._overload
        overload.held_bytes += self._held

        async def answer(scope: Message, receive: Receive, send: Send) -> None:
            async def in_time() -> Message:
                message = await receive()
                if self._whole_at is not None and time.monotonic() - self._whole_at > overload.deadline_s:
                    raise _TooLate
                return message

            try:
                await application(scope, in_time, send)
            except _TooLate:
                await overload.busy()(scope, receive, send)
            finally:
                overload.held_bytes -= self._held
                if self._whole_at is not None:
                    overload.answered()

        return answer
