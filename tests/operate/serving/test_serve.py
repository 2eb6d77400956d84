import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.operate.serving_helpers import ENDPOINT, ROOT, ROW, add_route, add_version, serve_command

from assay.errors import AssayError, InvalidInput, NotFound, PortInUse
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import read_all
from assay.operate.serve_endpoint import serve
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.operate.serving.process import Serving
from assay.operation import OPERATIONS
from assay.progress import announcing
from assay.record.models.routes import wait_acknowledged
from assay.record.sqlstore import SqlStore


@pytest.fixture
def store(store: SqlStore) -> SqlStore:
    add_route(store, add_version(store))
    return store


def _server(tmp_path: Path) -> ServerProcess:
    return ServerProcess(tmp_path / "store", ENDPOINT, command=serve_command(tmp_path / "store"))


def test_it_is_an_operation() -> None:
    assert OPERATIONS["serve"].summary == "Serve an endpoint over HTTP until interrupted"


# --- refused before anything starts -----------------------------------------------------------------------------------


def test_an_unknown_endpoint_is_refused(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="did you mean 'delays'"):
        serve(store, "delay", port=0)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.com", "::", ""])
def test_an_address_that_others_could_reach_is_refused(store: SqlStore, host: str) -> None:
    with pytest.raises(InvalidInput, match="the server has no authentication"):
        serve(store, ENDPOINT, host=host)


def test_a_server_without_a_name_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="the name of the server is empty"):
        serve(store, ENDPOINT, port=0, name=" ")


def test_a_port_that_is_none_or_taken_or_not_ours_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="port is 70000"):
        serve(store, ENDPOINT, port=70_000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"another process listens on localhost:{port}"):
            serve(store, ENDPOINT, host="localhost", port=port)


def test_an_address_this_machine_does_not_give_is_refused(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(InvalidInput, match=r"cannot listen on 127\.0\.0\.1:80: Permission denied"):
        serve(store, ENDPOINT, port=80)


# --- in this process --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_says_when_it_is_ready_and_what_it_did(
    store: SqlStore, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[object] = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    if "port" not in locals():
        pytest.skip("this machine has no such address")
    before = signal.getsignal(signal.SIGTERM), sys.getswitchinterval()
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def use() -> None:
        with PredictionClient(url) as client:
            while not client.ready():
                time.sleep(0.01)
            client.predict([ROW, ROW])
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=use)
    thread.start()
    with announcing(begun.append):
        served = serve(store, ENDPOINT, host=host, port=port)
    thread.join()
    assert (served.endpoint, served.url, served.requests, served.predictions) == (ENDPOINT, url, 1, 2)
    assert served.seconds > 0
    assert begun == [Serving(url, os.getpid(), "delays", "delays", 1)]
    assert capsys.readouterr().out == ""
    assert (signal.getsignal(signal.SIGTERM), sys.getswitchinterval()) == before
    assert len(read_all(log_folder(store, ENDPOINT))) == 2


# --- as a process -----------------------------------------------------------------------------------------------------


def test_what_was_answered_before_a_kill_is_in_the_log(store: SqlStore, tmp_path: Path) -> None:
    answered: list[str] = []
    with _server(tmp_path) as server, PredictionClient(server.url) as client:
        timer = threading.Timer(0.5, os.kill, (server.pid, signal.SIGKILL))
        timer.start()
        with contextlib.suppress(AssayError):
            while True:
                answered += [id for id, _ in client.predict([ROW, ROW])]
        timer.join()
    logged = [one.id for one in read_all(log_folder(store, ENDPOINT))]
    assert len(answered) > 20
    assert logged[: len(answered)] == answered
    assert len(logged) - len(answered) in (0, 2), "at most the request under way was logged and not answered"


def test_a_swap_fails_no_request_and_splits_none(store: SqlStore, tmp_path: Path) -> None:
    second = add_version(store)
    answers: list[set[float]] = []
    stop = threading.Event()
    faults: list[AssayError] = []

    def ask(url: str) -> None:
        try:
            with PredictionClient(url) as client:
                while not stop.is_set():
                    answers.append({probability for _, probability in client.predict([ROW] * 3)})
        except AssayError as fault:
            faults.append(fault)

    with _server(tmp_path) as server:
        threads = [threading.Thread(target=ask, args=(server.url,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        revision = add_route(store, second)
        assert wait_acknowledged(store, ENDPOINT, revision) < 5
        known = len(answers)
        while len(answers) < known + 20 and not faults:
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
    assert faults == []
    assert {0.01} in answers
    assert all(len(answer) == 1 for answer in answers)
    assert all(answer == {0.02} for answer in answers[known + 2 :]), "after the acknowledgement only the new version"


def test_a_request_under_way_is_finished_at_the_end(store: SqlStore, tmp_path: Path) -> None:
    with _server(tmp_path) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            body = b'{"rows":[{"distance":1,"carrier":"AA"}]}'
            head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            connection.sendall(head + body[:10])
            time.sleep(0.2)
            os.kill(server.pid, signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(body[10:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_it_ends_with_its_parent(store: SqlStore, tmp_path: Path) -> None:
    command = serve_command(tmp_path / "store")
    code = (
        f"import os, sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}]\n"
        "from assay.operate.serving.client import ServerProcess\n"
        f"server = ServerProcess('', '', command={command!r}).__enter__()\n"
        "print(server.url, flush=True)\n"
        "os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    with PredictionClient(done.stdout.strip(), timeout_s=2) as client:
        deadline = time.monotonic() + 10
        while client.ready():
            assert time.monotonic() < deadline, "the server outlived its parent"
            time.sleep(0.05)
