"""The whole of MLflow, unmodified, in an environment of its own: `make test-peers` runs these."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from tests.server.conftest import RunningServer

pytestmark = pytest.mark.peers
HERE = Path(__file__).parent
STARTS_WITHIN_S = 120


@pytest.fixture
def server(sqlite_server: RunningServer) -> RunningServer:
    """One database is enough: what the libraries send, the other tests of clients send to both."""
    return sqlite_server


def _surroundings(server: RunningServer) -> dict[str, str]:
    folder = str(_python().parent)
    return {**os.environ, "MLFLOW_TRACKING_URI": server.url, "PATH": f"{folder}:{os.environ['PATH']}"}


def _python() -> Path:
    """The Python of that environment (MLFLOW_PYTHON)."""
    return Path(os.environ["MLFLOW_PYTHON"]).absolute()


def _said(server: RunningServer, *words: str | Path, **more: str) -> str:
    """What a command of that Python prints."""
    environment = {**_surroundings(server), **more}
    done = subprocess.run([_python(), *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def trained(client: MlflowClient, experiment_id: str, server: RunningServer) -> tuple[str, Any]:
    """A registered model with the alias `champion`, and what it says about its data."""
    name = f"iris-{os.urandom(4).hex()}"
    experiment = client.get_experiment(experiment_id).name
    printed = _said(server, HERE / "peers_training.py", name, MLFLOW_EXPERIMENT_NAME=experiment)
    return name, json.loads(printed.splitlines()[-1])


@contextmanager
def _serving(server: RunningServer, model: str, folder: Path) -> Iterator[str]:
    """`mlflow models serve` on a free port, ready to answer, ended with all its processes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    options = ["-m", model, "--env-manager", "local", "--host", "127.0.0.1", "--port", port]
    command = [str(_python()), "-m", "mlflow", "models", "serve", *options]
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=_surroundings(server), cwd=folder, start_new_session=True
        )
        try:
            until = time.monotonic() + STARTS_WITHIN_S
            while not _answers(f"http://127.0.0.1:{port}/ping"):
                if process.poll() is not None or time.monotonic() > until:
                    raise AssertionError((folder / "serve.log").read_text()[-3000:])
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def test_a_model_is_trained_registered_loaded_by_its_alias_and_served(
    trained: tuple[str, Any], server: RunningServer, tmp_path: Path
) -> None:
    name, said = trained
    assert said["loaded"] == said["expected"]
    rows = load_iris(as_frame=True).data
    body = json.dumps({"dataframe_split": rows.to_dict(orient="split")}).encode()
    with _serving(server, f"models:/{name}@champion", tmp_path) as address:
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer) == {"predictions": said["expected"]}


def test_its_commands_list_describe_and_search(client: MlflowClient, experiment_id: str, server: RunningServer) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    client.log_param(run_id, "lr", "0.1")
    client.log_metric(run_id, "auc", 0.7)
    assert run_id in _said(server, "-m", "mlflow", "runs", "list", "--experiment-id", experiment_id)
    described = json.loads(_said(server, "-m", "mlflow", "runs", "describe", "--run-id", run_id))
    assert (described["data"]["params"], described["data"]["metrics"]) == ({"lr": "0.1"}, {"auc": 0.7})
    assert client.get_experiment(experiment_id).name in _said(server, "-m", "mlflow", "experiments", "search")
