"""A server as its users start it: a process of its own, one for a session and a kind of store."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mlflow import MlflowClient

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}  # read when it is imported

API = "/api/2.0/mlflow"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Message
    content: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.content)


@dataclass
class RunningServer:
    """A server process and where it answers."""

    process: "subprocess.Popen[str]"
    url: str
    store: str

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def call(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """One request; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        address = path if path.startswith("http") else f"{self.url}{path}"
        request = urllib.request.Request(address, data, {**kind, **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def post(self, path: str, body: object, *, status: int = 200) -> Any:
        """The JSON that a POST below MLflow's prefix is answered with."""
        answer = self.call("POST", f"{API}/{path}", body)
        assert answer.status == status, answer.content
        return answer.json

    def get(self, path: str, *, status: int = 200) -> Any:
        """The JSON that a GET below MLflow's prefix is answered with."""
        answer = self.call("GET", f"{API}/{path}")
        assert answer.status == status, answer.content
        return answer.json


def start_server(store: str, *options: str, folder: Path | None = None, **environment: str) -> RunningServer:
    """A server on a free port that is ready, started in a folder."""
    command = [sys.executable, "-m", "assay", "--json", "--store", store, "server", "--port", "0", *options]
    process = subprocess.Popen(
        [*command, "--exit-with-parent"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        cwd=folder,
    )
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.startswith("}"):
            break
    return RunningServer(process, json.loads(text)["url"], store)


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on a store in a folder."""
    found = start_server(str(tmp_path_factory.mktemp("control") / "store"))
    yield found
    assert found.stop() == 0


@pytest.fixture(scope="session")
def postgres_server(
    tmp_path_factory: pytest.TempPathFactory, postgres_database: Callable[[], str]
) -> Iterator[RunningServer]:
    """A server on a database."""
    found = start_server(postgres_database(), folder=tmp_path_factory.mktemp("control"))
    yield found
    assert found.stop() == 0


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> RunningServer:
    """A server on SQLite, then one on PostgreSQL; what other tests left is there."""
    found = request.getfixturevalue("sqlite_server" if request.param == "sqlite" else "postgres_server")
    assert isinstance(found, RunningServer)
    return found


@pytest.fixture
def client(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> "Iterator[MlflowClient]":
    """MLflow's client, unmodified, with the server as the place where `mlflow` logs."""
    import mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    yield mlflow.MlflowClient(server.url)
    while mlflow.active_run() is not None:
        mlflow.end_run()


@pytest.fixture
def experiment_id(client: "MlflowClient") -> str:
    """A new experiment, the one that `mlflow` logs to."""
    import mlflow

    name = f"experiment {os.urandom(4).hex()}"
    made = client.create_experiment(name)
    mlflow.set_experiment(name)
    return str(made)
