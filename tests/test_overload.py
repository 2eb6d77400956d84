"""A server that is asked by more than it can answer in time turns requests away at once, and says when to return."""

import asyncio
from typing import Any

import pytest
import uvicorn
from tests.test_one_write import POST, Send, Transport
from uvicorn.server import ServerState

from assay.one_write import OneWriteProtocol
from assay.overload import FEW, Overload

GET = b"GET /health/live HTTP/1.1\r\nhost: here\r\n\r\n"


class Time:
    """Stands in for the module; passes where an application takes it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    passed = Time()
    monkeypatch.setattr("assay.overload.time", passed)
    return passed


class Asked:
    """Connections to one server in memory, each with a request; `answers` are what they were told."""

    def __init__(self, overload: Overload, time: Time, seconds: float = 0.0) -> None:
        async def application(_scope: Any, receive: Any, send: Send) -> None:
            status = 200
            try:
                while (await receive()).get("more_body"):
                    pass
            except Exception:  # noqa: BLE001 - applications do
                status = 500
            time.now += seconds  # a model in the loop
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

        self._config = uvicorn.Config(application, lifespan="off", log_level="critical")
        self._state = ServerState()
        self._protocol = type("Protocol", (OneWriteProtocol,), {"overload": overload})
        self._transports: list[Transport] = []

    def ask(self, request: bytes, times: int = 1) -> None:
        """All at once, each over a connection of its own."""
        for _ in range(times):
            protocol = self._protocol(self._config, self._state, {})
            self._transports.append(Transport())
            protocol.connection_made(self._transports[-1])
            protocol.data_received(request)

    async def answers(self) -> list[bytes]:
        """What was answered since the last time."""
        while self._state.tasks:
            await asyncio.sleep(0)
        found, self._transports = [b"".join(one.written) for one in self._transports], []
        return found


def _busy(deadline_s: float) -> Overload:
    """One whose line moves very slowly."""
    overload = Overload(deadline_s=deadline_s)
    overload.seconds_each, overload._measured = 1000.0, 0.0
    return overload


def _statuses(answers: list[bytes]) -> list[str]:
    return [answer.split()[1].decode() for answer in answers]


def test_while_few_are_under_way_nobody_is_turned_away_whatever_it_takes(time: Time) -> None:
    async def run() -> list[bytes]:
        overload = _busy(deadline_s=0.001)
        asked = Asked(overload, time)
        asked.ask(POST, FEW)
        return await asked.answers()

    assert _statuses(asyncio.run(run())) == ["200"] * FEW


def test_more_than_can_be_answered_in_time_are_turned_away_at_once_and_counted(time: Time) -> None:
    turned_away = []

    async def run() -> tuple[list[bytes], list[bytes], Overload]:
        overload = Overload(lambda: turned_away.append(1), deadline_s=1.0)
        asked = Asked(overload, time, seconds=0.002)
        asked.ask(POST, 6 * FEW)  # what an answer takes is learnt here
        first = await asked.answers()
        asked.ask(POST, 1000)
        return first, await asked.answers(), overload

    first, later, overload = asyncio.run(run())
    assert set(_statuses(first)) == {"200"}
    assert overload.seconds_each == pytest.approx(0.002)
    assert (overload.line, overload.held_bytes) == (0, 0)
    statuses = _statuses(later)
    served = statuses.count("200")
    assert served == pytest.approx(1.0 / 0.002, abs=2)
    assert statuses[:served] == ["200"] * served, "those that came first"
    assert len(turned_away) == statuses.count("503") == 1000 - served
    refused = later[-1].decode()
    assert "retry-after: 2\r\n" in refused
    assert '"error":' in refused
    assert "come again in 2 s" in refused


def test_whoever_was_let_in_and_comes_to_its_turn_too_late_is_turned_away_then(time: Time) -> None:
    async def run() -> list[bytes]:
        asked = Asked(Overload(deadline_s=0.201), time, seconds=0.002)
        asked.ask(POST, 500)  # nothing is known of what an answer takes
        return await asked.answers()

    statuses = _statuses(asyncio.run(run()))
    assert statuses == ["200"] * 101 + ["503"] * 399


def test_what_took_long_before_is_forgotten(time: Time) -> None:
    overload = _busy(deadline_s=0.01)
    assert overload.turn(FEW, 0) is None
    time.now += 0.02
    assert overload.turn(FEW, 0) is not None


def test_whether_a_server_is_alive_is_told_when_it_is_busy(time: Time) -> None:
    async def run() -> list[bytes]:
        overload = _busy(deadline_s=10)
        asked = Asked(overload, time)
        asked.ask(POST, 2 * FEW)
        asked.ask(GET)
        return await asked.answers()

    statuses = _statuses(asyncio.run(run()))
    assert statuses == ["200"] * FEW + ["503"] * FEW + ["200"]


@pytest.mark.parametrize("large", [b"content-length: 1000000", b"transfer-encoding: chunked"])
def test_bodies_that_memory_has_no_room_for_are_turned_away(
    monkeypatch: pytest.MonkeyPatch, time: Time, large: bytes
) -> None:
    monkeypatch.setattr("assay.overload._MOST_BYTES", 1_000_000)

    async def run() -> tuple[list[bytes], int]:
        overload = Overload()
        asked = Asked(overload, time)
        asked.ask(POST, FEW)
        asked.ask(b"POST / HTTP/1.1\r\nhost: here\r\n" + large + b"\r\n\r\n", 5)
        held = overload.held_bytes
        asked.ask(POST)
        for one in asked._transports[FEW : FEW + 5]:
            one.close()
        await asyncio.sleep(0.01)
        return [b"".join(one.written) for one in asked._transports], held

    answers, held = asyncio.run(run())
    assert held == 3 * 320 * 1024, "no more of each is read ahead"
    assert [answer[:12] for answer in answers[FEW:]] == [b""] * 3 + [b"HTTP/1.1 503"] * 2 + [b"HTTP/1.1 200"]
