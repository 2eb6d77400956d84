import contextlib
import math
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.operate.serving_helpers import ENDPOINT, ROW, add_route, add_version, serve_command

from assay.errors import AssayError, InvalidInput
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import LogReader
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.record.location import open_store


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, LogReader]]:
    folder = tmp_path_factory.mktemp("served") / "store"
    store = open_store(folder)
    add_route(store, add_version(store))
    reader = LogReader(log_folder(store, ENDPOINT))
    with ServerProcess(folder, ENDPOINT, command=serve_command(folder)) as process:
        yield process.url, reader
    store.close()


@contextlib.contextmanager
def _fake(*answers: bytes) -> Iterator[tuple[str, list[threading.Event]]]:
    """A server that gives each connection one answer and then closes it, with an event for each that is closed."""
    closed: list[threading.Event] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                closed.append(threading.Event())
                with connection, connection.makefile("rb") as request:
                    head = list(iter(request.readline, b"\r\n"))
                    length = sum(
                        int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length")
                    )
                    request.read(length)
                    connection.sendall(answer)
                closed[-1].set()

        thread = threading.Thread(target=run)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", closed
        thread.join()


def _answer(status: str, content: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content


def test_rows_are_answered_with_id_and_probability(server: tuple[str, LogReader]) -> None:
    url, reader = server
    moment = datetime(2013, 4, 1, 9, 30, tzinfo=UTC)
    with PredictionClient(url) as client:
        answers = client.predict(
            [ROW, {**ROW, "distance": math.nan}], ids=["a", "b"], units=["u", None], event_ts=moment
        )
        assert answers == [("a", 0.01), ("b", 0.01)]
        ((made, probability),) = client.predict([ROW])
        assert (len(made), probability) == (32, 0.01)
        assert client.ready()
        version = client.version()
    assert (version["endpoint"], version["model"], version["version"], version["revision"]) == (
        "delays",
        "delays",
        1,
        1,
    )
    logged = reader.read_new()
    assert [(one.id, one.unit, one.event_ts) for one in logged[:2]] == [
        ("a", "u", "2013-04-01T09:30:00.000000Z"),
        ("b", None, "2013-04-01T09:30:00.000000Z"),
    ]
    assert [one.features for one in logged] == [(1.0, "AA"), (None, "AA"), (1.0, "AA")]


def test_a_refusal_is_invalid_input_and_another_fault_an_error(server: tuple[str, LogReader]) -> None:
    url, _ = server
    with PredictionClient(url) as client:
        with pytest.raises(InvalidInput, match="row 0: column 'carrier' is missing"):
            client.predict([{"distance": 1}])
        with pytest.raises(AssayError, match="delays/1 failed on these rows: ArithmeticError") as caught:
            client.predict([{**ROW, "carrier": "raise"}])
        assert not isinstance(caught.value, InvalidInput)
        with pytest.raises(InvalidInput, match="cannot be written as JSON"):
            client.predict([{"distance": object()}])
        with pytest.raises(InvalidInput, match="has no time zone"):
            client.predict([ROW], event_ts=datetime(2013, 4, 1))
        assert client.predict([ROW])[0][1] == 0.01


def test_a_connection_closed_while_idle_is_opened_again() -> None:
    good = _answer("200 OK", b'{"predictions":[{"id":"a","probability":0.5}]}')
    with _fake(good, good) as (url, closed), PredictionClient(url) as client:
        assert client.predict([ROW]) == [("a", 0.5)]
        assert closed[0].wait(5)
        assert client.predict([ROW]) == [("a", 0.5)]
        assert len(closed) == 2


def test_a_request_that_was_sent_and_not_answered_is_not_repeated() -> None:
    with _fake(b"") as (url, closed), PredictionClient(url) as client:
        with pytest.raises(AssayError, match="no answer from"):
            client.predict([ROW])
        assert len(closed) == 1


@pytest.mark.parametrize("content", [b"<html>bad gateway", b"[]"])
def test_an_answer_that_is_not_ours_is_shown(content: bytes) -> None:
    with (
        _fake(_answer("502 Bad Gateway", content)) as (url, _),
        PredictionClient(url) as client,
        pytest.raises(AssayError, match="status 502: ") as caught,
    ):
        client.version()
    assert content.decode() in str(caught.value)


def test_no_server_and_no_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with PredictionClient(url) as client:
        assert not client.ready()
        with pytest.raises(AssayError, match="does `assay serve` run there"):
            client.version()
    for wrong in ("127.0.0.1:80", "https://127.0.0.1", "http://"):
        with pytest.raises(InvalidInput, match="is not the address of a server"):
            PredictionClient(wrong)


# --- the process ------------------------------------------------------------------------------------------------------


def test_the_command_is_that_of_the_command_line(tmp_path: Path) -> None:
    command = ServerProcess(tmp_path, ENDPOINT).command
    options = ["--store", str(tmp_path), "serve", ENDPOINT, "--port", "0", "--exit-with-parent", "--json"]
    assert command == [sys.executable, "-m", "assay", *options]
    store = open_store(tmp_path)
    assert ServerProcess(store, ENDPOINT).command == command
    store.close()


def test_what_a_server_says_when_it_does_not_start_is_shown(tmp_path: Path) -> None:
    command = serve_command(tmp_path / "empty")
    with pytest.raises(AssayError, match=r"ended with exit code 1\n(.|\n)*there is no endpoint 'delays'"):
        ServerProcess("", "", command=command).__enter__()


def test_a_server_that_is_never_ready_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.operate.serving.client._TERMINATE_S", 0.1)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('hello', flush=True); time.sleep(60)"
    )
    process = ServerProcess("", "", command=[sys.executable, "-c", code], timeout_s=0.5)
    with pytest.raises(AssayError, match=r"not ready in 0\.5 s"):
        process.__enter__()
    assert process._process.returncode is not None
