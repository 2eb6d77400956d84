"""Several workers, and what becomes of requests when they die. The server is a process, the load is in this one."""

import asyncio
import json
import os
import random
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.operate.serving.load_helpers import Load, keep_asking, under_load
from tests.operate.serving_helpers import ENDPOINT, ROW, add_route, add_version, serve_command

from assay.errors import AssayError, InvalidInput
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import read_all
from assay.operate.serve_endpoint import serve
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.record.models.routes import live_workers, wait_acknowledged
from assay.record.sqlstore import SqlStore


@pytest.fixture
def store(store: SqlStore) -> SqlStore:
    add_route(store, add_version(store))
    return store


@pytest.fixture
def server(store: SqlStore, tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(store, ENDPOINT, command=serve_command(tmp_path / "store", workers=2, name="triton")) as running:
        yield running


def _pids(store: SqlStore, count: int = 2) -> list[int]:
    """The processes of the workers, once there are so many."""
    deadline = time.monotonic() + 30
    while True:
        live = set(live_workers(store, ENDPOINT))
        rows = store.query("serving_worker", {"endpoint": ENDPOINT, "ended": None})
        pids = [int(row["pid"]) for row in rows if row["worker"] in live]
        if len(pids) >= count:
            return pids
        assert time.monotonic() < deadline, f"only {pids} of {count} workers"
        time.sleep(0.02)


def _logged(store: SqlStore) -> list[str]:
    return [one.id for one in read_all(log_folder(store, ENDPOINT))]


def test_a_number_of_workers_that_cannot_be_is_refused(store: SqlStore) -> None:
    for wrong in ("0", "-1", "many", "1000"):
        with pytest.raises(InvalidInput, match="workers is"):
            serve(store, ENDPOINT, port=0, workers=wrong)


def test_a_model_that_no_worker_can_load_is_said_at_the_start(store: SqlStore, tmp_path: Path) -> None:
    add_route(store, add_version(store), hash="0" * 64)
    command = serve_command(tmp_path / "store", workers=2)
    with pytest.raises(AssayError, match="is not what was routed"), ServerProcess(store, ENDPOINT, command=command):
        pass


def test_killed_workers_lose_no_answered_prediction_and_are_replaced(store: SqlStore, server: ServerProcess) -> None:
    async def run() -> Load:
        _pids(store)
        loading = asyncio.create_task(under_load(server.url, 4.0))
        await asyncio.sleep(0.5)
        os.kill(_pids(store, 1)[0], signal.SIGKILL)
        await asyncio.sleep(1.0)
        for pid in _pids(store, 1):  # now all of them at once
            os.kill(pid, signal.SIGKILL)
        return await loading

    load = asyncio.run(run())
    assert load.statuses.keys() == {200}
    assert load.broken >= 1
    logged = Counter(_logged(store))
    assert not Counter(load.ids) - logged, "what was answered is in the log"
    assert not [id for id, count in logged.items() if count > 1]
    assert len(_pids(store)) == 2
    with PredictionClient(server.url) as client:
        assert client.predict([ROW])[0][1] == 0.01
    with urllib.request.urlopen(f"{server.url}/v2") as answer:
        assert json.loads(answer.read())["name"] == "triton", "those that are started again know the name"


@pytest.mark.slow
def test_ten_kills_at_random_moments_lose_no_answered_prediction(store: SqlStore, server: ServerProcess) -> None:
    chosen = random.Random(7)

    async def run() -> Load:
        load, until = Load(), asyncio.Event()
        tasks = [asyncio.create_task(keep_asking(server.url, load, until, number)) for number in range(8)]
        for _ in range(10):
            await asyncio.sleep(chosen.uniform(0.1, 0.8))
            pids = await asyncio.to_thread(_pids, store, 1)
            os.kill(chosen.choice(pids), signal.SIGKILL)
        await asyncio.sleep(0.5)
        until.set()
        await asyncio.gather(*tasks)
        return load

    load = asyncio.run(run())
    assert load.statuses.keys() == {200}
    assert len(load.ids) > 100
    assert not Counter(load.ids) - Counter(_logged(store))


def test_a_new_version_reaches_all_workers_without_a_failed_request(store: SqlStore, server: ServerProcess) -> None:
    second = add_version(store)

    async def run() -> Load:
        loading = asyncio.create_task(under_load(server.url, 2.0))
        await asyncio.sleep(0.5)
        revision = add_route(store, second)
        await asyncio.to_thread(
            wait_acknowledged, store, ENDPOINT, revision, 10.0, workers=live_workers(store, ENDPOINT)
        )
        await asyncio.sleep(0.3)
        return await loading

    load = asyncio.run(run())
    assert (set(load.statuses), load.broken) == ({200}, 0)
    assert set(load.versions[-8:]) == {2}


def test_all_workers_end_with_the_server_and_requests_under_way_are_answered(
    store: SqlStore, server: ServerProcess
) -> None:
    pids = _pids(store)

    async def run() -> Load:
        load, until = Load(), asyncio.Event()
        task = asyncio.create_task(keep_asking(server.url, load, until, 1))
        await asyncio.sleep(0.3)
        os.kill(server.pid, signal.SIGTERM)
        until.set()
        await task
        return load

    load = asyncio.run(run())
    assert load.broken == 0
    deadline = time.monotonic() + 15
    while any(Path(f"/proc/{pid}").exists() for pid in [*pids]):
        assert time.monotonic() < deadline, "a worker outlived its server"
        time.sleep(0.05)
