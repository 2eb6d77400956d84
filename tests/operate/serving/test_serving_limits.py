"""A server whose disk is full, whose store is locked, and to which far too much is sent, while others ask."""

import asyncio
import contextlib
import json
import resource
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.operate.serving.load_helpers import under_load
from tests.operate.serving_helpers import ENDPOINT, ROW, add_route, add_version, serve_command

from assay.errors import AssayError
from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.reading import read_all, segment_pieces
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.record.sqlstore import SqlStore

MEGABYTE = 1 << 20


@pytest.fixture
def store(store: SqlStore) -> SqlStore:
    add_route(store, add_version(store))
    return store


@contextlib.contextmanager
def _full_disk(pid: int, room: int) -> Iterator[None]:
    """No file of the process may become larger than that, the store's neither."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, -1))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def _memory(pid: int) -> int:
    """Bytes that the process has at most had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _command(tmp_path: Path, full_disk: str) -> list[str]:
    command = serve_command(tmp_path / "store")
    command[-1] = command[-1].replace("port=0", f"port=0, full_disk={full_disk!r}")
    return command


def _asked(client: PredictionClient, times: int) -> tuple[list[str], list[str]]:
    """Ids that were answered, and what was said where nothing was."""
    answered, refused = [], []
    for _ in range(times):
        try:
            answered += [id for id, _ in client.predict([ROW] * 300)]
        except AssayError as error:
            refused.append(str(error))
    return answered, refused


def test_a_full_disk_refuses_what_cannot_be_logged_until_there_is_room(store: SqlStore, tmp_path: Path) -> None:
    with ServerProcess(store, ENDPOINT, command=_command(tmp_path, "refuse")) as server:
        with PredictionClient(server.url) as client:
            with _full_disk(server.pid, 600_000):
                before, refused = _asked(client, 20)
                assert before
                assert refused
                assert all("the disk is full" in said for said in refused)
                assert client.ready()
                status, headers = _ask(server.url, json.dumps({"rows": [ROW] * 100}).encode())
                assert (status, headers["retry-after"]) == (503, "5")
            after, refused = _asked(client, 5)
            assert (len(after), refused) == (1500, [])
        logged = [one.id for one in read_all(log_folder(store, ENDPOINT))]
    assert not {*before, *after} - {*logged}


def test_a_server_that_sheds_answers_on_a_full_disk_and_counts_what_is_missing(store: SqlStore, tmp_path: Path) -> None:
    command = _command(tmp_path, "shed")
    with ServerProcess(store, ENDPOINT, command=command) as server, PredictionClient(server.url) as client:
        with _full_disk(server.pid, 600_000):
            before, refused = _asked(client, 20)
            assert (len(before), refused) == (6000, [])
        after, _ = _asked(client, 1)
    logged = {one.id for one in read_all(log_folder(store, ENDPOINT))}
    gaps = [
        gap for path in segments(log_folder(store, ENDPOINT)) for piece in segment_pieces(path) for gap in piece.gaps
    ]
    missing = {*before, *after} - logged
    assert missing
    assert not missing & {*after}
    assert sum(gap.dropped for gap in gaps) == len(missing)


def _ask(url: str, body: bytes) -> tuple[int, dict[str, str]]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        head = connection.recv(10_000).split(b"\r\n\r\n")[0].decode().lower()
    first, *lines = head.split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines)


def test_a_store_that_another_process_has_locked_delays_nobody(store: SqlStore, tmp_path: Path) -> None:
    with (
        ServerProcess(store, ENDPOINT, command=serve_command(tmp_path / "store")) as server,
        contextlib.closing(sqlite3.connect(tmp_path / "store" / "assay.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        load = asyncio.run(under_load(server.url, 2.0, connections=4))
        other.execute("ROLLBACK")
    assert (set(load.statuses), load.broken) == ({200}, 0)
    assert load.slowest < 2.0


def test_bodies_of_a_hundred_megabytes_without_a_length_are_cut_off_and_fill_nothing(
    store: SqlStore, tmp_path: Path
) -> None:
    chunk = b"%x\r\n%s\r\n" % (MEGABYTE, b" " * MEGABYTE)

    def pour(url: str, answers: list[bytes]) -> None:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    connection.sendall(chunk)
            with contextlib.suppress(ConnectionError):
                answers.append(connection.recv(100))

    with ServerProcess(store, ENDPOINT, command=serve_command(tmp_path / "store")) as server:
        before, answers = _memory(server.pid), list[bytes]()
        threads = [threading.Thread(target=pour, args=(server.url, answers)) for _ in range(4)]
        for thread in threads:
            thread.start()
        load = asyncio.run(under_load(server.url, 1.0, connections=2))
        for thread in threads:
            thread.join()
        grown = (_memory(server.pid) - before) / MEGABYTE
    assert (set(load.statuses), load.broken) == ({200}, 0)
    assert load.slowest < 3.0
    assert all(one.startswith(b"HTTP/1.1 413 ") for one in answers)
    assert grown < 4 * 3 * 16, "of each body no more is held than its limit, and for a moment twice"
