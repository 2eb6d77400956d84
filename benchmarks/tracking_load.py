"""Many clients that log at a steady pace, whatever the server does: how long one log call takes.

Open loop: each call is due at its own time, and its latency counts from then, so that a server that stalls is not
excused by clients that wait for it.

    python -m benchmarks.tracking_load [--url http://127.0.0.1:5000] [--clients 50] [--rate 10] [--seconds 20]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measured import say

TARGET_P99_MS = 20.0
WARM_S = 3.0  # meanwhile the server imports its pages


@dataclass
class Figures:
    """Latencies in milliseconds from when a call was due, and what failed."""

    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Connection:
    """One kept-alive connection, bare: the client must cost less than the server."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def post(self, path: str, body: object) -> tuple[int, bytes]:
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        status = int((await self._reader.readline()).split()[1])
        length = 0
        while (line := await self._reader.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, await self._reader.readexactly(length)


async def opened(address: tuple[str, int]) -> tuple[Connection, str]:
    """A connection and the id of a new run."""
    connection = Connection(*address)
    await connection.open()
    _, answer = await connection.post("/api/2.0/mlflow/runs/create", {"experiment_id": "0", "start_time": 1})
    return connection, json.loads(answer)["run"]["info"]["run_id"]


async def client(
    connection: Connection, run_id: str, first: float, rate: float, seconds: float, figures: Figures
) -> None:
    """Log one point `rate` times a second from the moment `first` on; what comes while the server warms up is not
    counted.
    """
    started = time.perf_counter() + first
    for step in range(int(rate * (WARM_S + seconds))):
        due = started + step / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        point = {"run_id": run_id, "key": "loss", "value": 1 / (step + 1), "timestamp": 1_000_000 + step, "step": step}
        status, answer = await connection.post("/api/2.0/mlflow/runs/log-metric", point)
        if step >= rate * WARM_S:
            figures.latencies.append((time.perf_counter() - due) * 1000)
        if status != 200:
            figures.failures.append(answer.decode())


async def load(url: str, clients: int, rate: float, seconds: float) -> Figures:
    host, _, port = url.removeprefix("http://").partition(":")
    figures = Figures()
    address = (host, int(port))
    runs = [await opened(address) for _ in range(clients)]
    logging = [client(*run, n / clients / rate, rate, seconds, figures) for n, run in enumerate(runs)]
    await asyncio.gather(*logging)
    return figures


async def batches(url: str, count: int) -> list[float]:
    """Milliseconds of each of so many batches of 1,000 points, one after another."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = Connection(host, int(port))
    await connection.open()
    _, answer = await connection.post("/api/2.0/mlflow/runs/create", {"experiment_id": "0", "start_time": 1})
    run_id = json.loads(answer)["run"]["info"]["run_id"]
    taken = []
    for number in range(count):
        points = [
            {"key": f"m{k}", "value": k / 7, "timestamp": number * 100 + step, "step": number * 100 + step}
            for step in range(100)
            for k in range(10)
        ]
        started = time.perf_counter()
        status, answer = await connection.post("/api/2.0/mlflow/runs/log-batch", {"run_id": run_id, "metrics": points})
        assert status == 200, answer
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _cpu_s(process: "subprocess.Popen[str] | None") -> float:
    """Seconds of CPU a process has used."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url")
    options.add_argument("--clients", type=int, default=50)
    options.add_argument("--rate", type=float, default=10.0, help="log calls a second of each client")
    options.add_argument("--seconds", type=float, default=20.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process = None
        url = given.url
        if url is None:
            store = str(Path(folder) / "store")
            command = [sys.executable, "-m", "assay", "--json", "--store", store, "server", "--port", "0"]
            process = subprocess.Popen([*command, "--exit-with-parent"], stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            text = ""
            while not text.endswith("}\n"):
                text += process.stdout.readline()
            url = json.loads(text)["url"]
        before = _cpu_s(process)
        figures = asyncio.run(load(url, given.clients, given.rate, given.seconds))
        used = _cpu_s(process) - before
        taken = sorted(asyncio.run(batches(url, 40)))
        if process is not None:
            process.terminate()
            process.wait(30)
    more: dict[str, Any] = {
        name: round(figures.quantile(share), 2) for name, share in (("p50", 0.5), ("p95", 0.95), ("longest", 1.0))
    }
    calls = len(figures.latencies)
    if process is not None:
        more["server_cpu_ms_a_call"] = round(used / (given.clients * given.rate * (WARM_S + given.seconds)) * 1000, 2)
    say("log-call-p99-ms", TARGET_P99_MS, figures.quantile(0.99), clients=given.clients, rate=given.rate, **more)
    say("log-call-failed", 0, len(figures.failures), calls=calls, first=figures.failures[:1])
    say("log-batch-1000-ms", None, taken[len(taken) // 2], longest=round(taken[-1], 2))


if __name__ == "__main__":
    main()
