"""The point-in-time join beside a hand-written plan on the same engine, and beside Feast.

    python -m benchmarks.feature_join [--repeat 5] [--large 40000000]        0 leaves out the one or the other

100,000 label rows and three views of 2,000,000 rows (50,000 entities, four features, a created column, a ttl of 30
days) in Parquet files. A hand-written plan sorts and joins as of the time, and knows nothing of ties, of corrections,
of rows that expired or of what each row found; ours does all of it. All are measured in turn, so that a busy machine is
busy for all. FEAST_PYTHON is the Python of an environment with Feast (`feast[duckdb]`); without it that figure is left
out. `--large` joins a table of that many rows in a process of its own and says how much memory that took.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.measured import peak_mb, say

from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.reading import ENGINES
from assay.build.views.joining.training_set import training_set

VIEWS, FEATURES, ENTITIES, DAYS, TTL_DAYS = 3, 4, 50_000, 120, 30
_BEGIN = 1_735_689_600  # 2025-01-01, in seconds
_DAY = 86_400
_KIND = pa.timestamp("us", "UTC")
_RATIO = 1.2
_LARGE_MB = 800.0
_BATCH = 2_000_000


def history(path: Path, number: int, rows: int) -> None:
    """Rows of a view in no order, a file as any program writes it."""
    with pq.ParquetWriter(path, _rows(number, 0, 1).schema) as writer:
        for start in range(0, rows, _BATCH):
            writer.write_table(_rows(number, start, min(_BATCH, rows - start)))


def label_rows(rows: int = 100_000) -> pa.Table:
    """Entities and times, from the tenth day on."""
    random = np.random.default_rng(59)
    times = _BEGIN + random.integers(10 * _DAY, DAYS * _DAY, rows)
    return pa.table({"entity_id": random.integers(0, ENTITIES, rows), "event_timestamp": _moments(times)})


def views(folder: Path) -> list[FeatureView]:
    """The three views over their files."""
    return [
        feature_view(
            f"view{number}",
            entity="entity_id",
            time="event_timestamp",
            created="created",
            source=str(folder / f"{number}.parquet"),
            ttl=f"{TTL_DAYS}d",
        )
        for number in range(VIEWS)
    ]


def by_duckdb(folder: Path, labels: pa.Table) -> pa.Table:
    """Three as-of joins in SQL."""
    import duckdb

    chosen, joins = [], []
    for number in range(VIEWS):
        ttl = f"v{number}.event_timestamp >= l.event_timestamp - interval {TTL_DAYS} day"
        names = [f"view{number}_f{feature}" for feature in range(FEATURES)]
        chosen += [f"case when {ttl} then v{number}.{name} end as {name}" for name in names]
        joins.append(
            f"asof left join read_parquet('{folder / f'{number}.parquet'}') v{number}"
            f" on l.entity_id = v{number}.entity_id and l.event_timestamp >= v{number}.event_timestamp"
        )
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("l", labels)
        return connection.sql(f"select l.*, {', '.join(chosen)} from l {' '.join(joins)}").to_arrow_table()


def by_polars(folder: Path, labels: pa.Table) -> pa.Table:
    """Each view sorted by time, then an as-of join."""
    import polars as pl

    rows = pl.DataFrame(labels).sort("event_timestamp")
    for number in range(VIEWS):
        file = pl.scan_parquet(folder / f"{number}.parquet").drop("created")
        view = file.sort("event_timestamp").collect()
        rows = rows.join_asof(view, on="event_timestamp", by="entity_id", tolerance=f"{TTL_DAYS}d")
    return rows.to_arrow()


_FEAST = """
import json, os, sys, tempfile, time, warnings
from datetime import timedelta
warnings.filterwarnings("ignore")
os.environ.update(FEAST_USAGE="False", FEAST_TELEMETRY="False")
import pandas as pd
import pyarrow.parquet as pq
import yaml
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64
folder, kind, repeat, views, features, ttl = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7])
labels = pq.read_table(folder + "/labels.parquet").to_pandas()
taken = []
for _ in range(repeat):
    with tempfile.TemporaryDirectory() as place:
        config = {
            "project": "bench", "provider": "local", "registry": place + "/registry.db",
            "offline_store": {"type": kind},
            "online_store": {"type": "sqlite", "path": place + "/online.db"}, "entity_key_serialization_version": 3,
        }
        with open(place + "/feature_store.yaml", "w") as file:
            yaml.safe_dump(config, file)
        store = FeatureStore(repo_path=place)
        entity = Entity(name="entity", join_keys=["entity_id"], value_type=ValueType.INT64)
        store.apply([entity] + [
            FeatureView(
                name=f"view{view}", entities=[entity], ttl=timedelta(days=ttl), online=True,
                schema=[Field(name=f"view{view}_f{one}", dtype=Float64) for one in range(features)],
                source=FileSource(
                    path=f"{folder}/{view}.parquet", timestamp_field="event_timestamp",
                    created_timestamp_column="created",
                ),
            ) for view in range(views)
        ])
        names = [f"view{view}:view{view}_f{one}" for view in range(views) for one in range(features)]
        began = time.perf_counter()
        rows = len(store.get_historical_features(entity_df=labels, features=names).to_df())
        taken.append(time.perf_counter() - began)
print(json.dumps({"seconds": sorted(taken)[len(taken) // 2], "rows": rows}))
"""


def feast(python: str, folder: Path, kind: str, repeat: int) -> tuple[float, int]:
    """Seconds (a median) and rows of the same join by Feast, in its own environment."""
    arguments = [str(folder), kind, *map(str, (repeat, VIEWS, FEATURES, TTL_DAYS))]
    done = subprocess.run([python, "-c", _FEAST, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Feast failed: {done.stderr.strip().splitlines()[-1:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return said["seconds"], said["rows"]


def compare(folder: Path, repeat: int) -> None:
    """Ours on each engine beside the hand-written plans, in turn; then Feast."""
    labels = label_rows()
    pq.write_table(labels, folder / "labels.parquet")
    for number in range(VIEWS):
        history(folder / f"{number}.parquet", number, 2_000_000)
    declared = views(folder)
    ways: dict[str, Callable[[], object]] = {
        "plan on duckdb": lambda: by_duckdb(folder, labels),
        "plan on polars": lambda: by_polars(folder, labels),
        **{name: lambda name=name: training_set(labels, declared, engine=name) for name in ENGINES},  # type: ignore[misc]
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(repeat):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for engine in ("duckdb", "polars"):
        plan = medians[f"plan on {engine}"]
        say(f"features: join on {engine}, s", _RATIO * plan, medians[engine], plan=round(plan, 3))
    plan = min(medians["plan on duckdb"], medians["plan on polars"])
    say("features: join on arrow, s", _RATIO * plan, medians["arrow"], plan=round(plan, 3))
    best = min(medians[name] for name in ENGINES)
    python = os.environ.get("FEAST_PYTHON")
    for kind, share, times in (("duckdb", 0.5, repeat), ("dask", 0.1, min(repeat, 2))):
        if python is None:
            say(f"features: join, s, without Feast's {kind} store beside it", None, best)
            continue
        seconds, rows = feast(python, folder, kind, times)
        say(f"features: join beside Feast's {kind} store, s", share * seconds, best, feast=round(seconds, 3), rows=rows)


def large(folder: Path, rows: int) -> None:
    """A table of many rows, joined in a process of its own whose memory is told."""
    history(folder / "0.parquet", 0, rows)
    for engine in ENGINES:
        command = [sys.executable, "-m", "benchmarks.feature_join", "--inside", str(folder), "--engine", engine]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        said = json.loads(done.stdout.splitlines()[-1])
        size = (folder / "0.parquet").stat().st_size / 1e6
        more = {
            "seconds": round(said["seconds"], 1),
            "rows": rows,
            "file_mb": round(size),
            "arrow_mb": rows * 56 // 10**6,
        }
        say(f"features: memory of a join of {rows // 10**6}M rows on {engine}, MB", _LARGE_MB, said["mb"], **more)


def _inside(folder: Path, engine: str) -> None:
    began = time.perf_counter()
    found = training_set(label_rows(), [views(folder)[0]], engine=engine)  # type: ignore[arg-type]
    seconds = time.perf_counter() - began
    assert found.report is not None
    print(json.dumps({"seconds": seconds, "mb": peak_mb(), "present": found.report.views[0].present}))


def _rows(number: int, start: int, rows: int) -> pa.Table:
    random = np.random.default_rng((51, number, start))
    entities = random.integers(0, ENTITIES, rows)
    times = _moments(_BEGIN + random.integers(0, DAYS * _DAY, rows))
    values = {f"view{number}_f{one}": random.normal(one, 1, rows) for one in range(FEATURES)}
    return pa.table({"entity_id": entities, "event_timestamp": times, "created": times, **values})


def _moments(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds * 1_000_000, _KIND)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--large", type=int, default=40_000_000)
    parser.add_argument("--inside", type=Path)
    parser.add_argument("--engine", default="arrow")
    given = parser.parse_args()
    if given.inside is not None:
        _inside(given.inside, given.engine)
        return
    with tempfile.TemporaryDirectory() as folder:
        if given.repeat:
            compare(Path(folder), given.repeat)
        if given.large:
            large(Path(folder), given.large)


if __name__ == "__main__":
    main()
