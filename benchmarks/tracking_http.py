"""Logging and searching over HTTP: Assay's server beside MLflow's own, in one run on one machine.

    python -m benchmarks.tracking_http [--runs 10]

With MLFLOW_PYTHON, the Python of an environment that has the whole of MLflow, its own server is measured as well.
The unmodified client of this environment logs to both: 20 params, 5 tags and 1,000 points a run, in as few calls as its
interface allows. Our own client logs call by call. Both servers keep their records in SQLite.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measured import say
from benchmarks.tracking_ingest import log_runs
from benchmarks.tracking_workloads import LoggedRun, many_runs

_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
_QUIET |= {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
_START_S = 180


@contextmanager
def serving(command: list[str], port: int, folder: Path) -> Iterator[str]:
    """A server that answers its /health, ended with all its processes."""
    url = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("w") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, cwd=folder, start_new_session=True, env={**os.environ, **_QUIET}
        )
        try:
            until = time.monotonic() + _START_S
            while time.monotonic() < until:
                try:
                    with urllib.request.urlopen(f"{url}/health", timeout=5):
                        break
                except OSError:
                    time.sleep(0.1)
            else:
                raise RuntimeError((folder / "server.log").read_text()[-500:])
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def log_with_client(url: str, runs: list[LoggedRun]) -> None:
    """The unmodified client, as few calls as it allows."""
    import mlflow
    from mlflow.entities import Metric, Param, RunTag

    client = mlflow.MlflowClient(url, url)
    found = client.get_experiment_by_name("bench")
    number = found.experiment_id if found else client.create_experiment("bench")
    for run in runs:
        run_id = client.create_run(number, run_name=run.name).info.run_id
        points = [Metric(key, value, ts, step) for step, ts, values in run.steps for key, value in values.items()]
        client.log_batch(
            run_id,
            metrics=points[:975],
            params=[Param(key, value) for key, value in run.params.items()],
            tags=[RunTag(key, value) for key, value in run.tags.items()],
        )
        client.log_batch(run_id, metrics=points[975:])
        client.set_terminated(run_id)


def search_with_client(url: str) -> Callable[[], Any]:
    """The search of the query benchmark, as the client asks it."""
    import mlflow

    client = mlflow.MlflowClient(url, url)
    number = client.get_experiment_by_name("bench").experiment_id  # type: ignore[union-attr] # it was logged to
    return lambda: client.search_runs([number], "metrics.m00 > 0.5", order_by=["metrics.m00 DESC"], max_results=100)


def rate(work: Callable[[list[LoggedRun]], None], runs: list[LoggedRun]) -> float:
    """Points a second."""
    started = time.perf_counter()
    work(runs)
    return len(runs) * 1000 / (time.perf_counter() - started)


def milliseconds(work: Callable[[], Any], repeats: int = 7) -> float:
    """Median of some calls."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def main() -> None:
    """Ours first, then MLflow's on the same input."""
    os.environ.update(_QUIET)
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    runs = many_runs(options.runs)
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        command = [sys.executable, "-m", "assay", "--store", str(folder / ".assay"), "server", "--port", str(port)]
        with serving(command, port, folder) as url:
            log_with_client(url, runs[:1])
            client = rate(lambda some: log_with_client(url, some), runs)
            log_runs(url, runs[:1])
            ours = rate(lambda some: log_runs(url, some), runs * 5)
            search = milliseconds(search_with_client(url))
    python = os.environ.get("MLFLOW_PYTHON")
    if python is None:
        say("http-client-points-per-s", None, client)
        say("http-ours-points-per-s", None, ours)
        say("http-search-ms", None, search)
        return
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        database = ["--backend-store-uri", f"sqlite:///{folder}/m.db", "--artifacts-destination", str(folder / "files")]
        place = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        with serving([python, "-m", "mlflow", "server", *database, *place], port, folder) as url:
            log_with_client(url, runs[:1])
            theirs = rate(lambda some: log_with_client(url, some), runs[: max(options.runs // 2, 1)])
            their_search = milliseconds(search_with_client(url))
    for name, target, points in (("client", 3, client), ("ours", 20, ours)):
        more = {"points_per_s": round(points), "mlflow_points_per_s": round(theirs)}
        say(f"http-{name}-beside-mlflow", target, points / theirs, at_least=True, **more)
    say("http-search-beside-mlflow", 1, their_search / search, at_least=True, ms=round(search, 2))


if __name__ == "__main__":
    main()
