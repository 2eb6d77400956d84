"""The prediction log and labels against what the machine can do at most: lines of JSON.

Writing a row beside the raw write of the same bytes, compaction beside pyarrow writing the same table, reading parts
and tails, and loading labels beside SQLite's own insertion. The best of several rounds counts where one is short.

    python -m benchmarks.prediction_log --rows 1000000
"""

import argparse
import os
import random
import sqlite3
import tempfile
import time
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.measured import peak_mb, say

from assay.operate.labels.loading import load_labels
from assay.operate.predictions.compacting import compact_predictions
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.rows import rows
from assay.operate.predictions.tail import Tail
from assay.record.location import open_store
from assay.record.store import Store

ENDPOINT = "delays"
DAYS = 3
ROUND = 20_000


def some_predictions(count: int, seed: int) -> list[Prediction]:
    """Rows of an A/B test with four inputs, spread over a few days."""
    draw = random.Random(seed)
    return [
        Prediction(
            id=f"{draw.getrandbits(128):032x}",
            ts=f"2026-01-0{draw.randint(1, DAYS)}T10:00:00.000000Z",
            event_ts=None,
            request_id=f"{draw.getrandbits(128):032x}",
            row=0,
            endpoint=ENDPOINT,
            model="delays",
            version=3,
            mv_id="0" * 32,
            role="live",
            unit=f"customer-{draw.randrange(10**6)}",
            propensity=0.5,
            features=(draw.random(), draw.random(), draw.choice("ABCD"), None),
            output=draw.random(),
            status="ok",
            error=None,
            latency_us=draw.randint(200, 900),
            variant=draw.choice(["champion", "challenger"]),
            revision=7,
            reason="hash",
            experiment="ab",
            phase=1,
            salt="s",
            hash_version="murmur3",
            bucket=draw.getrandbits(32),
        )
        for _ in range(count)
    ]


def measure_writing(folder: Path, some: list[Prediction]) -> None:
    """A row at a time, and 64 of them, beside the write of bytes that are encoded already."""
    encoded = [msgspec.msgpack.encode(one) + bytes(8) for one in some]
    for at_once in (1, 64):
        raw, logged = [], []
        for number in range(5):
            raw.append(_raw_seconds(folder / f"raw-{at_once}-{number}", encoded, at_once))
            with LogWriter(folder / f"log-{at_once}-{number}", durability="process") as writer:
                started = time.perf_counter()
                for start in range(0, len(some), at_once):
                    writer.append(some[start : start + at_once])
                logged.append(time.perf_counter() - started)
        each, limit = 1e6 * min(logged) / len(some), 1e6 * min(raw) / len(some)
        say(
            f"log {at_once} rows at once, microseconds a row",
            3.8 if at_once == 1 else 1.7,
            each,
            raw_write=round(limit, 3),
        )


def _raw_seconds(path: Path, encoded: list[bytes], at_once: int) -> float:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    contents = [b"".join(encoded[start : start + at_once]) for start in range(0, len(encoded), at_once)]
    started = time.perf_counter()
    for content in contents:
        os.write(file, content)
    seconds = time.perf_counter() - started
    os.close(file)
    path.unlink()
    return seconds


def measure_compaction(store: Store, folder: Path, some: list[Prediction], count: int) -> None:
    """So many rows from segments to parts, and read from either."""
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        for _ in range(count // len(some)):
            for start in range(0, len(some), 64):
                writer.append(some[start : start + 64])
    started = time.perf_counter()
    found = compact_predictions(store, ENDPOINT)
    seconds = time.perf_counter() - started
    millions = found.rows / 1e6
    started, read = time.perf_counter(), 0
    for batch in rows(store, ENDPOINT, columns=["id", "unit", "output", "moment"]):
        read += batch.num_rows
    assert read == found.rows
    reading = time.perf_counter() - started
    table = pa.Table.from_batches(list(rows(store, ENDPOINT)))
    started = time.perf_counter()
    pq.write_table(table, folder / "same.parquet", compression="zstd")
    written = time.perf_counter() - started
    say("compact, seconds a million rows", 20, seconds / millions, pyarrow_write=round(written / millions, 2))
    say("read four columns of parts, seconds a million rows", 1, reading / millions)
    say("compact, peak memory in MB", 1500, peak_mb())


def measure_tail(store: Store, some: list[Prediction]) -> None:
    """A look at what is new: at nothing, and at a thousand rows."""
    tail = Tail(store, ENDPOINT)
    tail.read_new()
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        nothing, thousand = [], []
        for _ in range(20):
            started = time.perf_counter()
            assert tail.read_new().num_rows == 0
            nothing.append(time.perf_counter() - started)
            writer.append(some[:1000])
            started = time.perf_counter()
            assert tail.read_new().num_rows == 1000
            thousand.append(time.perf_counter() - started)
    say("tail without new rows, milliseconds", 5, 1000 * min(nothing))
    say("tail with 1,000 new rows, milliseconds", 30, 1000 * min(thousand))


def measure_labels(store: Store, folder: Path, count: int) -> None:
    """Labels of so many predictions from a Parquet file, and once more."""
    ids = [f"{number:032x}" for number in range(count)]
    moments = pa.array([1_767_225_600_000_000] * count).cast(pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"prediction_id": ids, "value": [1.0] * count, "event_ts": moments}), folder / "l.parquet")
    text = "2026-01-01T00:00:00.000000Z"
    plain = sqlite3.connect(folder / "plain.db")
    columns = "prediction_id, name, revision, value, event_ts, ingest_ts, source"
    plain.execute(f"create table label ({columns}, primary key (prediction_id, name, revision))")
    started = time.perf_counter()
    plain.executemany(
        "insert into label values (?, ?, ?, ?, ?, ?, ?)", ((id, "label", 0, 1.0, text, text, "n") for id in ids)
    )
    plain.commit()
    limit = time.perf_counter() - started
    plain.close()
    for workload, new in (("load labels, seconds a million", count), ("load them again, seconds a million", 0)):
        started = time.perf_counter()
        assert load_labels(store, str(folder / "l.parquet")).new == new
        seconds = time.perf_counter() - started
        say(workload, 60, seconds / count * 1e6, sqlite_insert=round(limit / count * 1e6, 2))


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    count = parser.parse_args().rows
    some = some_predictions(ROUND, 1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store = open_store(folder / "store")
        measure_writing(folder, some)
        measure_compaction(store, folder, some, count)
        measure_tail(store, some)
        measure_labels(store, folder, count)
        store.close()


if __name__ == "__main__":
    main()
