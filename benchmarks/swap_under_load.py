"""Promote and roll back while requests arrive, and print what they noticed as one line of JSON.

Requests of one row arrive at a fixed rate whether or not earlier ones were answered (open loop); latency counts from
the moment a request was due. `swap_seconds` counts from the commit of a decision to the first answer of its version,
and to the last answer of the one before.

    python benchmarks/swap_under_load.py --seconds 15 --rate 200 --swaps 5
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from assay.build.models.packaging import matrix, package_model
from assay.operate.serving.client import ServerProcess
from assay.prove.promotion import promote, rollback
from assay.record.location import open_store
from assay.record.models.registry import ModelVersion
from assay.record.models.routes import wait_acknowledged
from assay.record.store import Store
from assay.record.tracking.runs import start_run

ENDPOINT = "delays"
TEXTS, NUMBERS = 3, 11


@dataclass
class Answers:
    """What the requests met: seconds each took, and when which version answered."""

    seconds: list[float] = field(default_factory=list)
    versions: list[tuple[float, int]] = field(default_factory=list)
    failed: int = 0


def training_table(rows: int, seed: int) -> pa.Table:
    """Three columns of text, eleven of numbers, and whether it was late."""
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {
        f"text{i}": random.choice([f"value{k}" for k in range(20)], rows) for i in range(TEXTS)
    }
    numbers = random.normal(size=(NUMBERS, rows))
    columns |= {f"number{i}": numbers[i] for i in range(NUMBERS)}
    columns["late"] = (numbers[:3].sum(axis=0) + random.normal(size=rows) > 0).astype(int)
    return pa.table(columns)


def register_version(store: Store, seed: int) -> ModelVersion:
    """A boosted model of 100 trees behind an encoder, on columns by position."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    table = training_table(2000, seed)
    columns = [name for name in table.column_names if name != "late"]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    pipeline = make_pipeline(
        ColumnTransformer(
            [("text", encoder, list(range(TEXTS))), ("number", "passthrough", list(range(TEXTS, TEXTS + NUMBERS)))]
        ),
        HistGradientBoostingClassifier(
            max_iter=100, categorical_features=list(range(TEXTS)), early_stopping=False, random_state=seed
        ),
    )
    pipeline.fit(matrix(table, columns), table.column("late").to_numpy())
    with start_run(store, "benchmark") as run:
        return package_model(store, ENDPOINT, pipeline, table, columns, run=run)


def decide(store: Store, number: int, version: ModelVersion) -> tuple[float, int]:
    """Promote the version, or every second time roll back to it; returns the moment of commit and the revision."""
    if number % 2:
        done = promote(store, ENDPOINT, version.version, override="benchmark")
    else:
        done = rollback(store, ENDPOINT, reason="benchmark")
    assert done.version == version.version
    return time.monotonic(), done.revision


class Load:
    """Sends requests on as many connections as it takes."""

    def __init__(self, url: str, rows: list[dict[str, object]]) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._address = host, int(port)
        self._requests = [_request(row) for row in rows]
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.answers = Answers()

    async def run(self, rate: float, seconds: float) -> None:
        """`rate` requests a second for so many seconds."""
        start = time.monotonic()
        tasks = []
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(self._ask(self._requests[number % len(self._requests)], due)))
        await asyncio.gather(*tasks)
        for _, writer in self._idle:
            writer.close()
            await writer.wait_closed()

    async def _ask(self, request: bytes, due: float) -> None:
        try:
            reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(*self._address)
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            content = await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self.answers.failed += 1
            return
        now = time.monotonic()
        self._idle.append((reader, writer))
        if not head.startswith(b"HTTP/1.1 200"):
            self.answers.failed += 1
            return
        self.answers.seconds.append(now - due)
        self.answers.versions.append((now, msgspec.json.decode(content)["version"]))


def _request(row: dict[str, object]) -> bytes:
    body = msgspec.json.encode({"rows": [row]})
    return f"POST /predict HTTP/1.1\r\nhost: benchmark\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def measure(
    store: Store, url: str, versions: list[ModelVersion], options: argparse.Namespace
) -> dict[str, object]:
    """Run the load with its swaps and say what it met."""
    rows = training_table(500, seed=9).drop_columns(["late"]).to_pylist()
    load = Load(url, rows)
    loading = asyncio.create_task(load.run(options.rate, options.seconds))
    swaps: list[tuple[float, int, float]] = []
    for number in range(1, options.swaps + 1):
        await asyncio.sleep(options.seconds / (options.swaps + 1))
        version = versions[number % 2]
        committed, revision = await asyncio.to_thread(decide, store, number, version)
        acknowledged = await asyncio.to_thread(wait_acknowledged, store, ENDPOINT, revision)
        swaps.append((committed, version.version, acknowledged))
    await loading
    answers = load.answers
    p50, p99 = np.percentile(answers.seconds, [50, 99]) * 1000
    ends = [*(committed for committed, _, _ in swaps), float("inf")][1:]
    seconds = []
    for (committed, version_number, acknowledged), end in zip(swaps, ends, strict=True):
        window = [(moment - committed, answered) for moment, answered in answers.versions if committed < moment < end]
        first = min(after for after, answered in window if answered == version_number)
        last = max((after for after, answered in window if answered != version_number), default=0.0)
        seconds.append({"first_new": first, "last_old": last, "acknowledged": acknowledged})
    return {
        "requests": len(answers.seconds) + answers.failed,
        "failed": answers.failed,
        "p50_ms": round(float(p50), 3),
        "p99_ms": round(float(p99), 3),
        "max_ms": round(max(answers.seconds) * 1000, 3),
        "swap_seconds": [{name: round(value, 4) for name, value in swap.items()} for swap in seconds],
    }


def main() -> None:
    """Make a store with two versions, serve it, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--swaps", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "store"
        store = open_store(folder)
        versions = [register_version(store, seed) for seed in (1, 2)]
        promote(store, ENDPOINT, versions[0].version, override="benchmark")
        with ServerProcess(store, ENDPOINT) as server:
            result = asyncio.run(measure(store, server.url, versions, options))
        store.close()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
