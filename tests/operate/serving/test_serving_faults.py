"""What a server does about models, stores and clients that misbehave, while others ask it."""

import asyncio
import contextlib
import itertools
import json
import resource
import socket
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.operate.serving.load_helpers import Load, answer, keep_asking, post, under_load
from tests.operate.serving.protocols.protocol_helpers import running
from tests.operate.serving.variant_helpers import Deadly, Slow
from tests.operate.serving_helpers import ENDPOINT, ROW, add_route, add_version, serve_command

from assay import listening
from assay.errors import StoreUnavailable
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import read_all
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.record.models.routes import wait_acknowledged
from assay.record.sqlstore import SqlStore


@pytest.fixture
def url(store: SqlStore) -> Iterator[str]:
    add_route(store, add_version(store))
    with running(store) as server:
        yield f"http://{server.address}"


@contextlib.contextmanager
def _connected(url: str) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        yield connection


def test_serving_goes_on_with_the_last_table_while_the_store_is_away(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_route(store, add_version(store))
    away = False
    query = store.query

    def unreachable(*given: object, **options: object) -> object:
        if away:
            raise StoreUnavailable("the store does not answer")
        return query(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "query", unreachable)
    with running(store) as server, PredictionClient(f"http://{server.address}") as client:
        away = True
        load = asyncio.run(under_load(f"http://{server.address}", 1.0, connections=4))
        assert (set(load.statuses), load.broken, set(load.versions)) == ({200}, 0, {1})
        assert "the store does not answer" in server.get("/health/ready")["detail"]
        away = False
        revision = add_route(store, add_version(store))
        wait_acknowledged(store, ENDPOINT, revision)
        assert client.predict([ROW])[0][1] == 0.02


def test_more_than_a_slow_model_can_bear_is_turned_away_at_once(store: SqlStore) -> None:
    add_route(store, add_version(store, Slow(0.1)))
    with running(store) as server:
        server.application.engine.deadline_s = 0.15
        load = asyncio.run(under_load(f"http://{server.address}", 1.5, connections=32))
        assert load.statuses.keys() == {200, 503}
        assert load.slowest < 2.0, "nobody hangs"
        status, headers, _ = server.ask("POST", "/predict", {"rows": [ROW]}, {"assay-deadline-ms": "1"})
        assert (status, headers["retry-after"]) == (503, "1")
        assert server.ask("GET", "/health/live")[0] == 200


def test_a_request_that_kills_a_worker_costs_nobody_else_an_answer(store: SqlStore, tmp_path: Path) -> None:
    add_route(store, add_version(store, Deadly()))

    async def run(url: str) -> Load:
        load, until = Load(), asyncio.Event()
        task = asyncio.create_task(keep_asking(url, load, until, 1))
        await asyncio.sleep(0.3)
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(post(json.dumps({"rows": [{"distance": 1.0, "carrier": "kill"}]}).encode()))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(answer(reader), 20)
        writer.close()
        await asyncio.sleep(0.7)
        until.set()
        await task
        return load

    with ServerProcess(store, ENDPOINT, command=serve_command(tmp_path / "store", workers=2)) as server:
        load = asyncio.run(run(server.url))
    assert load.statuses.keys() == {200}
    assert load.broken <= 1, "the connection to the worker that died"
    assert len(load.ids) > 10


def test_bodies_that_are_too_large_are_refused_before_they_are_sent(url: str) -> None:
    with _connected(url) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_does_not_read_delays_no_other(url: str) -> None:
    body = json.dumps({"rows": [{"distance": 1.5, "carrier": "AA"}] * 2000}).encode()
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(_connected(url))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                for _ in range(20):
                    connection.sendall(post(body))
        load = asyncio.run(under_load(url, 1.0, connections=2))
    assert (set(load.statuses), load.broken) == ({200}, 0)
    assert load.slowest < 2.0


def test_a_head_that_never_comes_whole_is_not_waited_for(store: SqlStore, tmp_path: Path) -> None:
    add_route(store, add_version(store))
    knobs = "import assay.listening\nassay.listening._SWEEP_TICKS, assay.listening._HEAD_SWEEPS = 2, 2"
    with ServerProcess(store, ENDPOINT, command=serve_command(tmp_path / "store", before=knobs)) as server:
        with _connected(server.url) as first, _connected(server.url) as later:
            first.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\n")
            later.sendall(post(json.dumps({"rows": [ROW]}).encode()))
            assert later.recv(10_000).startswith(b"HTTP/1.1 200 ")
            later.sendall(b"POST /pre")
            assert first.recv(100) == b""
            while later.recv(10_000):
                pass
        with PredictionClient(server.url) as client:
            client.predict([ROW])
            time.sleep(1.0)  # silent after an answer: that has a longer limit
            client.predict([ROW])
    assert listening._SWEEP_TICKS * listening._HEAD_SWEEPS == 300


@pytest.mark.parametrize("step", [-(10**15), 10**15], ids=["back", "forth"])
def test_a_clock_that_jumps_changes_no_duration(store: SqlStore, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    add_route(store, add_version(store, Slow(0.005)))
    moments = itertools.count(10**18, step)
    monkeypatch.setattr(time, "time_ns", lambda: next(moments))
    monkeypatch.setattr(time, "time", lambda: next(moments) / 1e9)
    with running(store) as server, PredictionClient(f"http://{server.address}") as client:
        asked = [client.predict([ROW, ROW]) for _ in range(5)]
        logged = read_all(log_folder(store, ENDPOINT))
    assert [one.id for one in logged] == [id for answered in asked for id, _ in answered]
    assert len({one.ts for one in logged}) == 5, "the log says what the clock said"
    assert all(0 < one.latency_us < 5_000_000 for one in logged)


@pytest.mark.slow
def test_ten_thousand_open_connections_keep_nobody_from_an_answer(store: SqlStore, tmp_path: Path) -> None:
    wanted = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted + 200:
        pytest.skip(f"this process may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    add_route(store, add_version(store))
    connections: list[socket.socket] = []
    try:
        with ServerProcess(store, ENDPOINT, command=serve_command(tmp_path / "store")) as server:
            host, port = server.url.removeprefix("http://").split(":")
            for _ in range(wanted):
                connections.append(socket.create_connection((host, int(port)), timeout=20))
            load = asyncio.run(under_load(server.url, 1.0, connections=4))
            assert (set(load.statuses), load.broken) == ({200}, 0)
            assert load.slowest < 2.0
    finally:
        for one in connections:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.no_cover
def test_ten_thousand_that_ask_at_once_are_answered_or_told_when_to_come_again(store: SqlStore, tmp_path: Path) -> None:
    wanted, rows = 10_000, 20
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted + 200:
        pytest.skip(f"this process may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    add_route(store, add_version(store))
    request = post(json.dumps({"rows": [ROW] * rows}).encode())

    async def run(url: str) -> list[tuple[int, bytes]]:
        host, port = url.removeprefix("http://").split(":")
        connections = []
        for _ in range(wanted // 100):
            connections += await asyncio.gather(*(asyncio.open_connection(host, int(port)) for _ in range(100)))

        async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bytes]:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return int(head.split()[1]), head

        async with asyncio.timeout(60):
            return await asyncio.gather(*(ask(*one) for one in connections))

    knobs = "import assay.overload\nassay.overload.Overload.__init__.__kwdefaults__['deadline_s'] = 1.0"
    try:
        with ServerProcess(store, ENDPOINT, command=serve_command(tmp_path / "store", before=knobs)) as server:
            answers = asyncio.run(run(server.url))
            with PredictionClient(server.url) as client:
                assert client.ready()
                client.predict([ROW])
                with urllib.request.urlopen(server.url + "/metrics") as metrics:
                    counted = metrics.read().decode()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    statuses = Counter(status for status, _ in answers)
    assert set(statuses) == {200, 503}, statuses
    assert statuses[200] >= 64
    assert all(b"retry-after: " in head for status, head in answers if status == 503)
    logged = len(read_all(log_folder(store, ENDPOINT)))
    assert logged == rows * statuses[200] + 1
    refused = next(line for line in counted.splitlines() if line.startswith("assay_refused_requests_total"))
    assert float(refused.split()[-1]) == statuses[503]
