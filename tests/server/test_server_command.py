"""`assay server` as a command: its options, how it ends, and what survives when it is killed."""

import base64
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.conftest import API, RunningServer, start_server

from assay.errors import InvalidInput, PortInUse
from assay.record import open_store
from assay.record.tracking.metrics import history
from assay.server.serve import check_options

OPTIONS = {
    "host": "127.0.0.1",
    "port": 0,
    "root_path": "",
    "mlflow_parity": False,
    "artifact_root": "mlflow-artifacts:",
    "late": "mark",
    "exit_with_parent": False,
}


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"host": "0.0.0.0"}, InvalidInput, "without a token anybody"),
        ({"host": "example.com"}, InvalidInput, "without a token anybody"),
        ({"port": 70_000}, InvalidInput, "port is 70000"),
        ({"late": "never"}, InvalidInput, "late is 'never'"),
        ({"artifact_root": "s3://bucket"}, InvalidInput, "artifacts cannot go to"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object], error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        check_options(**{**OPTIONS, **options})  # type: ignore[arg-type]


def test_another_address_is_taken_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_TOKEN", "secret")
    check_options(**{**OPTIONS, "host": "0.0.0.0"})  # type: ignore[arg-type]


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match="another process listens"):
            check_options(**{**OPTIONS, "port": port})
        command = [sys.executable, "-m", "assay", "--store", str(tmp_path / "none"), "server", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "another process listens" in done.stderr
    assert not (tmp_path / "none").exists(), "a refused server makes no store"


def test_it_prints_where_it_answers_and_ends_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "assay", "--store", str(tmp_path / "store"), "server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second, third = (process.stdout.readline() for _ in range(3))
        assert first.startswith("Pages and API: http://127.0.0.1:")
        assert second == f"Store: {tmp_path / 'store'}\n"
        assert third.startswith("For MLflow's clients: export MLFLOW_TRACKING_URI=http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == ""
    assert "requests" in out


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    """A server of this test's own."""
    server = start_server(str(tmp_path / "store"), *request.param["options"], **request.param.get("environment", {}))
    yield server
    server.stop()


@pytest.mark.parametrize("other", [{"options": [], "environment": {"ASSAY_TOKEN": "secret"}}], indirect=True)
def test_a_token_must_come_with_every_request(other: RunningServer) -> None:
    path = f"{API}/experiments/get?experiment_id=0"
    basic = base64.b64encode(b"anybody:secret").decode()
    wrong = base64.b64encode(b"anybody:other").decode()
    assert other.call("GET", "/health").status == 200
    for value, status in (
        (None, 401),
        ("Bearer other", 401),
        ("Bearer secret", 200),
        (f"Basic {basic}", 200),
        (f"Basic {wrong}", 401),
        ("Basic ?", 401),
    ):
        answer = other.call("GET", path, headers={"Authorization": value} if value else {})
        assert answer.status == status, value
        if status == 401:
            assert answer.json["error_code"] == "UNAUTHENTICATED"
            assert answer.headers["www-authenticate"].startswith("Basic")
    assert other.call("GET", "/").status == 401


@pytest.mark.parametrize("other", [{"options": ["--root-path", "/team/ml/"]}], indirect=True)
def test_a_path_before_every_other(other: RunningServer) -> None:
    assert other.url.endswith("/team/ml")
    assert other.get("experiments/get?experiment_id=0")["experiment"]["name"] == "Default"
    assert other.call("GET", "/health").content == b"OK"
    bare = other.url.removesuffix("/team/ml")
    assert other.call("GET", f"{bare}{API}/experiments/get?experiment_id=0").status == 404


@pytest.mark.parametrize("other", [{"options": ["--late", "refuse"]}], indirect=True)
def test_late_results_are_refused_where_that_is_set(other: RunningServer) -> None:
    run_id = other.post("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    other.post("runs/update", {"run_id": run_id, "status": "FINISHED"})
    point = {"run_id": run_id, "key": "m", "value": 1, "timestamp": 1}
    for path, body in (
        ("runs/log-metric", point),
        ("runs/log-batch", {"run_id": run_id, "metrics": [point]}),
        ("runs/log-parameter", {"run_id": run_id, "key": "p", "value": "1"}),
    ):
        refused = other.post(path, body, status=409)
        assert refused["error_code"] == "RESOURCE_CONFLICT"
    other.post("runs/set-tag", {"run_id": run_id, "key": "note", "value": "x"})
    other.post("runs/update", {"run_id": run_id, "status": "RUNNING"})
    other.post("runs/log-metric", point)


@pytest.mark.parametrize("other", [{"options": ["--late", "accept"]}], indirect=True)
def test_late_results_count_where_that_is_set(other: RunningServer) -> None:
    run_id = other.post("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    other.post("runs/update", {"run_id": run_id, "status": "FINISHED"})
    other.post("runs/log-metric", {"run_id": run_id, "key": "m", "value": 1, "timestamp": 1})
    shown = other.call("POST", "/api/assay/v1/operations/show", {"run": run_id}).json
    assert shown["run"]["metrics"] == {"m": 1.0}


@pytest.mark.parametrize("other", [{"options": []}], indirect=True)
def test_marked_late_results_are_on_the_wire_and_nowhere_else(other: RunningServer) -> None:
    run_id = other.post("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    other.post("runs/update", {"run_id": run_id, "status": "FINISHED"})
    other.post("runs/log-metric", {"run_id": run_id, "key": "m", "value": 1, "timestamp": 1})
    assert other.get(f"runs/get?run_id={run_id}")["run"]["data"]["metrics"][0]["value"] == 1.0
    shown = other.call("POST", "/api/assay/v1/operations/show", {"run": run_id}).json
    assert shown["run"]["metrics"] == {}


@pytest.mark.parametrize("other", [{"options": ["--artifact-root", "file:///srv/artifacts"]}], indirect=True)
def test_clients_are_told_another_place_for_artifacts(other: RunningServer) -> None:
    run = other.post("runs/create", {"experiment_id": "0"})["run"]["info"]
    assert run["artifact_uri"] == f"file:///srv/artifacts/0/{run['run_id']}/artifacts"


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    place = tmp_path / "store"
    acknowledged: dict[str, list[int]] = {}
    for _ in range(3):
        server = start_server(str(place))
        run_ids = [server.post("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"] for _ in range(4)]

        def log(run_id: str, server: RunningServer = server) -> None:
            done = acknowledged.setdefault(run_id, [])
            for step in range(10_000):
                body = {
                    "run_id": run_id,
                    "metrics": [{"key": k, "value": step, "timestamp": step, "step": step} for k in "ab"],
                    "params": [{"key": f"p{step}", "value": "1"}],
                }
                try:
                    server.post("runs/log-batch", body)
                except (urllib.error.URLError, ConnectionError, OSError):
                    return
                done.append(step)

        threads = [threading.Thread(target=log, args=(run_id,)) for run_id in run_ids]
        for thread in threads:
            thread.start()
        threading.Event().wait(1.0)
        server.process.kill()
        for thread in threads:
            thread.join()
        server.stop()
    store = open_store(place)
    try:
        for run_id, steps in acknowledged.items():
            assert steps, "something was acknowledged"
            kept = {key: set(history(store, run_id, key).step.tolist()) for key in "ab"}
            params = {int(row["key"][1:]) for row in store.query("run_param", {"run_id": run_id})}
            assert set(steps) <= kept["a"]
            assert kept["a"] == kept["b"] == params, "a batch is there wholly or not at all"
    finally:
        store.close()
