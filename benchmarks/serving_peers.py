"""Requests a second of one row, beside other servers with the same model, each as its documentation says.

    python -m benchmarks.serving_peers --seconds 3 --rounds 3

The same load takes turns between Assay, with one process and its prediction log, and a peer with one worker. A peer is
measured where the environment that has it is named: SERVING_PYTHON (FastAPI, BentoML, LitServe, Ray Serve),
MLFLOW_PYTHON, MLSERVER_PYTHON. Whoever answers anything but 200, or another probability than the estimator, ends it.
"""

import argparse
import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pyarrow as pa
from benchmarks.measured import say
from benchmarks.serving_world import ENDPOINT, Load, body_of, endpoint_of, listening, loaded, requests, started
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from assay.build.models.packaging import load_model, matrix
from assay.demo.pipeline import CATEGORIES, FEATURES
from assay.operate.serving.client import ServerProcess
from assay.record.models.registry import ModelVersion
from assay.record.store import Store

_TARGET = 10.0
_OF_ARRAYS = "of_arrays.joblib"
_OF_TABLES = "of_tables.joblib"
_PLACE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Peer:
    """A server: the variable that names its Python, its packages, and how it is started and asked.

    `body` is a request for a row, `number` the probability in an answer.
    """

    name: str
    variable: str
    package: str
    command: Callable[["Start"], list[str]]
    path: str = "/predict"
    body: Callable[[dict[str, object]], object] = field(default=lambda row: {"rows": [row]})
    number: Callable[[Any], float] = field(default=lambda answer: answer["predictions"][0])
    model: str = _OF_ARRAYS
    target: float | None = _TARGET


@dataclass(frozen=True)
class Start:
    """With what a peer is started: the programs of its environment, a folder of its own, a port, and a row."""

    programs: Path
    environment: dict[str, str]
    folder: Path
    port: int
    row: dict[str, object]


def fastapi(start: Start) -> list[str]:
    """The application under uvicorn."""
    options = ["--port", str(start.port), "--log-level", "warning"]
    return [str(start.programs / "python"), "-m", "uvicorn", "benchmarks.peers.fastapi_app:app", *options]


def bentoml(start: Start) -> list[str]:
    """Its command line."""
    options = ["--port", str(start.port), "--host", "127.0.0.1", "--working-dir", str(_PLACE), "-q"]
    return [str(start.programs / "bentoml"), "serve", "benchmarks.peers.bentoml_service:Flights", *options]


def litserve(start: Start) -> list[str]:
    """A program."""
    return [str(start.programs / "python"), "-m", "benchmarks.peers.litserve_server", str(start.port)]


def ray_serve(start: Start) -> list[str]:
    """A program."""
    return [str(start.programs / "python"), "-m", "benchmarks.peers.ray_deployment", str(start.port)]


def mlflow(start: Start) -> list[str]:
    """Its command line on a model that was saved with its signature."""
    save = [str(start.programs / "python"), "-m", "benchmarks.peers.mlflow_model", str(start.folder / "model")]
    rows = json.dumps([start.row])
    subprocess.run(save, input=rows, text=True, check=True, env=start.environment, cwd=_PLACE)
    options = ["-p", str(start.port), "-h", "127.0.0.1", "--env-manager", "local", "-w", "1"]
    return [str(start.programs / "mlflow"), "models", "serve", "-m", str(start.folder / "model"), *options]


def mlserver(start: Start) -> list[str]:
    """Its command line on a folder of settings."""
    with listening() as one, listening() as other:
        free = {"grpc_port": one.getsockname()[1], "metrics_port": other.getsockname()[1]}
    settings = {"http_port": start.port, "host": "127.0.0.1", "parallel_workers": 0, "debug": False, **free}
    model = {"uri": start.environment["MODEL"], "version": "1"}
    described = {"name": "flights", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": model}
    (start.folder / "settings.json").write_text(json.dumps(settings))
    (start.folder / "model-settings.json").write_text(json.dumps(described))
    return [str(start.programs / "mlserver"), "start", str(start.folder)]


def tensors(row: dict[str, object]) -> object:
    """A row as the Open Inference Protocol has a table: a tensor for each column."""
    text = {"datatype": "BYTES", "parameters": {"content_type": "str"}}
    inputs = [
        {"name": name, "shape": [1, 1], "data": [value], **(text if isinstance(value, str) else {"datatype": "FP64"})}
        for name, value in row.items()
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": [{"name": "predict_proba"}]}


def split(row: dict[str, object]) -> object:
    """A row as MLflow has a table."""
    return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}


PEERS = [
    Peer("MLServer", "MLSERVER_PYTHON", "mlserver", mlserver, "/v2/models/flights/infer", tensors,
         lambda answer: answer["outputs"][0]["data"][1], _OF_TABLES),
    Peer("MLflow", "MLFLOW_PYTHON", "mlflow", mlflow, "/invocations", split,
         lambda answer: answer["predictions"][0][1], _OF_TABLES),
    Peer("BentoML", "SERVING_PYTHON", "bentoml", bentoml, number=lambda answer: answer[0]),
    Peer("Ray Serve", "SERVING_PYTHON", "ray", ray_serve),
    Peer("LitServe", "SERVING_PYTHON", "litserve", litserve, target=None),
    Peer("FastAPI by hand", "SERVING_PYTHON", "fastapi", fastapi, target=None),
]  # fmt: skip


@contextlib.contextmanager
def served(peer: Peer, models: Path, row: dict[str, object], expected: float) -> Iterator[tuple[str, bytes]]:
    """The address and body to ask a peer by, once it has given the right answer."""
    programs = Path(os.environ[peer.variable]).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(_PLACE),
        "MODEL": str(models / peer.model),
        "COLUMNS": ",".join(FEATURES),
        "TEXT_COLUMNS": ",".join(CATEGORIES),
        "OMP_NUM_THREADS": "1",
        "BENTOML_DO_NOT_TRACK": "True",
        "RAY_USAGE_STATS_ENABLED": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        environment |= {"BENTOML_HOME": temporary, "RAY_TMPDIR": temporary}
        with listening() as listener:
            port = listener.getsockname()[1]
        command = peer.command(Start(programs, environment, Path(temporary), port, row))
        url, body = f"http://127.0.0.1:{port}{peer.path}", json.dumps(peer.body(row)).encode()
        with started(command, url, body, env=environment):
            request = urllib.request.Request(url, body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                number = peer.number(json.load(answer))
            if not math.isclose(number, expected, abs_tol=1e-9):
                raise RuntimeError(f"{peer.name} answers {number}, the estimator {expected}")
            yield url, body


def version_of(peer: Peer) -> str:
    """Of its package."""
    code = f"import importlib.metadata as metadata; print(metadata.version({peer.package!r}))"
    command = [os.environ[peer.variable], "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def ours(folder: Path, workers: str) -> ServerProcess:
    """Assay's server."""
    options = ["--port", "0", "--exit-with-parent", "--json", "--workers", workers]
    command = [sys.executable, "-m", "assay", "--store", str(folder), "serve", ENDPOINT, *options]
    return ServerProcess(folder, ENDPOINT, command=command)


def saved(store: Store, version: ModelVersion, folder: Path, row: dict[str, object]) -> float:
    """Files of joblib in a folder, and what the estimator says to the row: the estimator as it was trained, and behind
    a step that makes an array of a table, because some peers hand over tables and it takes arrays.
    """
    estimator: Any = load_model(store, version).estimator
    joblib.dump(estimator, folder / _OF_ARRAYS)
    to_array = FunctionTransformer(np.asarray, kw_args={"dtype": object})
    joblib.dump(Pipeline([("array", to_array), ("estimator", estimator)]), folder / _OF_TABLES)
    return float(estimator.predict_proba(matrix(pa.Table.from_pylist([row]), FEATURES))[0, 1])


def compare(
    peer: Peer, assay: str, models: Path, row: dict[str, object], expected: float, given: argparse.Namespace
) -> None:
    """A peer beside the server at the address `assay`: which of them begins changes from round to round."""
    with served(peer, models, row, expected) as (url, body):
        asked = {"assay": (assay, body_of([row])), "peer": (url, body)}
        for place in asked.values():
            loaded(*place, given.seconds)
        rounds: list[dict[str, Load]] = []
        for number in range(given.rounds):
            order = sorted(asked, reverse=bool(number % 2))
            rounds.append({name: loaded(*asked[name], given.seconds) for name in order})
    say(
        f"times the requests a second of {peer.name}",
        peer.target,
        statistics.median(one["assay"].rate / one["peer"].rate for one in rounds),
        at_least=True,
        assay=max(one["assay"].rate for one in rounds),
        peer=max(one["peer"].rate for one in rounds),
        p99_ms=[min(one[name].p99_ms for one in rounds) for name in asked],
        version=version_of(peer),
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="+", default=[peer.name for peer in PEERS])
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers are ended then, too
    (row,) = requests()
    with tempfile.TemporaryDirectory() as temporary, endpoint_of() as (folder, store, (version,)):
        models = Path(temporary)
        expected = saved(store, version, models, row)
        with ours(folder, "1") as server:
            assay = f"{server.url}/predict"
            loaded(assay, body_of([row]), 5)  # the estimator beside the compiled form is loaded meanwhile
            for peer in PEERS:
                if peer.name in given.peers and peer.variable in os.environ:
                    compare(peer, assay, models, row, expected, given)
        with ours(folder, "auto") as server:
            assay = f"{server.url}/predict"
            loaded(assay, body_of([row]), 5)
            load = loaded(assay, body_of([row]), given.seconds)
    say("requests a second with a process for each core", None, load.rate, p99_ms=load.p99_ms)


if __name__ == "__main__":
    main()
