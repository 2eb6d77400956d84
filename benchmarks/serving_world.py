"""What the benchmarks of serving share: a store with the demo's model, servers as child processes, and load on them."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.models.packaging import package_model
from assay.demo.pipeline import CATEGORIES, CONFIGURATIONS, FEATURES, LABEL, train
from assay.prove.promotion import promote
from assay.record.location import open_store
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.record.tracking.runs import start_run

__all__ = [
    "ENDPOINT",
    "Heavy",
    "Load",
    "endpoint_of",
    "flights",
    "listening",
    "loaded",
    "register",
    "requests",
    "started",
]

ENDPOINT = "flights"
CONNECTIONS = 16


def flights(rows: int, seed: int) -> pa.Table:
    """A table with the columns of the demo's model, and its label."""
    random = np.random.default_rng(seed)
    places = [f"P{number:02d}" for number in range(40)]
    columns: dict[str, object] = {name: random.choice(places, rows) for name in CATEGORIES}
    numbers = [name for name in FEATURES if name not in CATEGORIES]
    values = random.normal(size=(len(numbers), rows))
    columns |= dict(zip(numbers, values, strict=True))
    columns[LABEL] = (values[:3].sum(axis=0) + random.normal(size=rows) > 0).astype(int)
    return pa.table(columns)


def register(store: Store, seed: int = 1) -> ModelVersion:
    """The demo's gradient boosting as it trains it, as the model's next version."""
    table = flights(5000, seed)
    settings = CONFIGURATIONS["medium"]
    fitted = train(table, int(settings["max_iter"]), settings["learning_rate"], int(settings["max_leaf_nodes"]), seed)
    with start_run(store, "benchmark") as run:
        return package_model(store, ENDPOINT, fitted, table, FEATURES, run=run)


@contextlib.contextmanager
def endpoint_of(versions: int = 1) -> Iterator[tuple[Path, Store, list[ModelVersion]]]:
    """The folder of a store in which the first of some versions is the champion."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "store"
        store = open_store(folder)
        made = [register(store, seed + 1) for seed in range(versions)]
        promote(store, ENDPOINT, made[0].version, override="benchmark")
        yield folder, store, made
        store.close()


def requests(count: int = 1) -> list[dict[str, object]]:
    """Rows for the model."""
    return [dict(row) for row in flights(count, 9).select(FEATURES).to_pylist()]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its children have used."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(path.parent.name) == pid or int(fields[1]) == pid:
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket of this machine that listens."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        yield listener


@contextlib.contextmanager
def started(
    command: Sequence[str], url: str, body: bytes, *, fds: Sequence[int] = (), env: Mapping[str, str] | None = None
) -> Iterator[tuple[int, float]]:
    """A server as a child process that answers a POST with 200; gives its process id and the seconds until it did.

    `env` is added to the environment. At the end all processes that it began are gone, whoever their parent is by then.
    """
    began = time.perf_counter()
    mark = f"BENCHMARK_SERVER={uuid.uuid4().hex}"
    environment = {**os.environ, **(env or {}), **dict([mark.split("=")])}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            list(command), stdout=output, stderr=output, pass_fds=tuple(fds), env=environment, start_new_session=True
        )
        try:
            while not _answers(url, body):
                if process.poll() is not None or time.perf_counter() - began > 180:
                    said = os.pread(output.fileno(), 1 << 20, 0).decode(errors="replace")
                    raise RuntimeError(f"{command} does not answer: {said[-2000:]}")
                time.sleep(0.01)
            yield process.pid, time.perf_counter() - began
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            for pid in _marked(mark):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def _marked(mark: str) -> list[int]:
    """Processes that were begun with this in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # somebody else's, or gone
            if mark.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def _answers(url: str, body: bytes) -> bool:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True)
class Load:
    """What a server answered: requests a second, milliseconds, microseconds of processor time for each request, and how
    many they were.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    requests: int


def loaded(url: str, body: bytes, seconds: float, *, pid: int = 0, connections: int = CONNECTIONS) -> Load:
    """As many requests as a server answers on some connections, all of them with 200. By wrk, a Debian package.

    `pid` is the process whose processor time is looked at, with its children.
    """
    before = cpu_seconds(pid)
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk makes the load: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method="POST"\nwrk.headers["content-type"]="application/json"\n')
        script.write(f"wrk.body=[==[{body.decode()}]==]\n")
        script.flush()
        shape = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s"]  # slow is no failure
        command = [wrk, *shape, "--latency", "-s", script.name, url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"not all requests were answered: {said}")
    times = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", said, re.MULTILINE))
    rate = re.search(r"Requests/sec:\s+(\S+)", said)
    assert rate is not None
    count = re.search(r"(\d+) requests in", said)
    assert count is not None
    answered = int(count.group(1))
    cpu_us = (cpu_seconds(pid) - before) / answered * 1e6
    return Load(float(rate.group(1)), _milliseconds(times["50"]), _milliseconds(times["99"]), cpu_us, answered)


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr] # as wrk prints them
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def body_of(rows: Sequence[Mapping[str, object]]) -> bytes:
    """A request in Assay's own JSON."""
    return json.dumps({"rows": list(rows)}).encode()


class Heavy:
    """A model that works for so many seconds when it is loaded, as one that builds trees from a large file does."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __setstate__(self, state: dict[str, float]) -> None:
        self.__dict__ = state
        end, built = time.monotonic() + self.seconds, 0
        while time.monotonic() < end:
            built += len({number: str(number) for number in range(100)})
        self.built = float(built)

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        """[rows, 2]."""
        return np.tile([0.25, 0.75], (len(X), 1))
