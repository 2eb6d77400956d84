"""Searching runs beside indexed SQLite on the same runs: the best 100, with params, metrics and tags loaded.

    python -m benchmarks.tracking_query [--repeats 30] [--runs 5000 100000]

One line of JSON a number of runs. `limit` is sqlite3 with whole numbers for runs, covering indexes and its statistics;
it asks for params and metrics only. Both take turns, and the median of each counts. With MLFLOW_PYTHON, the Python of
an environment that has MLflow, its client on a SQLite file with the same runs is measured as well.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measured import say
from benchmarks.tracking_workloads import SearchedRun, searched_runs

from assay.record import open_store
from assay.record.clock import from_ms
from assay.record.search.finding import search_runs
from assay.record.search.run_rows import load_runs
from assay.record.store import Row, Store
from assay.record.tracking.experiments import create_experiment

_FILTER = "metrics.auc > 0.8 and params.lr = '0.1'"
_ORDER = "metrics.auc DESC"
_VALUES = ("value", "first", "low", "high", "total")
_T0_MS = 1_760_000_000_000
_TARGET_MS = {5_000: 15.0, 100_000: 100.0}
_TARGET_RATIO = 4.0


class Limit:
    """The leanest tables and the indexes that this search needs."""

    def __init__(self, folder: Path, runs: list[SearchedRun]) -> None:
        self.database = sqlite3.connect(folder / "limit.db", isolation_level=None)
        self.database.executescript("""
            PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
            CREATE TABLE params(run INTEGER, k TEXT, v TEXT, PRIMARY KEY(run, k)) WITHOUT ROWID;
            CREATE TABLE latest(run INTEGER, k TEXT, v REAL, PRIMARY KEY(run, k)) WITHOUT ROWID;
            CREATE INDEX by_param ON params(k, v, run);
            CREATE INDEX by_value ON latest(k, v, run);
            BEGIN;
        """)
        params = [(number, key, text) for number, run in enumerate(runs) for key, text in run.params.items()]
        metrics = [(number, key, value) for number, run in enumerate(runs) for key, value in run.metrics.items()]
        self.database.executemany("INSERT INTO params VALUES(?, ?, ?)", params)
        self.database.executemany("INSERT INTO latest VALUES(?, ?, ?)", metrics)
        self.database.execute("COMMIT")
        self.database.execute("ANALYZE")

    def search(self) -> int:
        """How many runs were found and loaded."""
        found = self.database.execute(
            "SELECT m.run FROM latest m JOIN params p ON p.run = m.run AND p.k = 'lr' AND p.v = '0.1'"
            " WHERE m.k = 'auc' AND m.v > 0.8 ORDER BY m.v DESC LIMIT 100"
        )
        ids = [row[0] for row in found]
        places = ",".join("?" * len(ids))
        loaded: dict[int, tuple[dict[str, str], dict[str, float]]] = {number: ({}, {}) for number in ids}
        for number, key, text in self.database.execute(f"SELECT run, k, v FROM params WHERE run IN ({places})", ids):
            loaded[number][0][key] = text
        for number, key, value in self.database.execute(f"SELECT run, k, v FROM latest WHERE run IN ({places})", ids):
            loaded[number][1][key] = value
        return len(loaded)


def fill(store: Store, runs: list[SearchedRun]) -> str:
    """The runs as rows of the store, which is quicker than logging them; returns their experiment."""
    experiment_id = create_experiment(store, "searched").experiment_id
    common = {"experiment_id": experiment_id, "kind": "train", "stage": "dev", "trigger_type": "manual"}
    point = {"layer": 0, "step": 0, "ts_ms": _T0_MS, "count": 1, "numbers": 1, "last_ms": _T0_MS, "last_step": 0}
    for start in range(0, len(runs), 2_000):
        rows: dict[str, list[Row]] = {"run": [], "run_tag": [], "run_param": [], "run_metric": []}
        for number, run in enumerate(runs[start : start + 2_000], start):
            key = {"run_id": f"{number * 2_654_435_761 % 2**32:032x}"}
            started = from_ms(_T0_MS + number * 1000)
            rows["run"].append({**key, **common, "name": run.name, "status": "finished", "started": started})
            rows["run_tag"].append({**key, "key": "mlflow.runName", "value": run.name})
            rows["run_param"] += [{**key, "key": name, "value": value} for name, value in run.params.items()]
            rows["run_metric"] += [
                {
                    **key,
                    **point,
                    "key": name,
                    "chunks": 1,
                    **dict.fromkeys(("value", "first", "low", "high", "total"), v),
                }
                for name, v in run.metrics.items()
            ]
        with store.transaction():
            for kind, listed in rows.items():
                store.append_many(kind, listed)
    return experiment_id


def measure(count: int, repeats: int) -> None:
    """Say how long a search takes among so many runs."""
    runs = searched_runs(count)
    with tempfile.TemporaryDirectory() as name:
        limit = Limit(Path(name), runs)
        store = open_store(Path(name) / ".assay")
        experiment_id = fill(store, runs)

        def search() -> int:
            page = search_runs(store, _FILTER, experiment_ids=[experiment_id], order_by=[_ORDER], limit=100)
            return len(load_runs(store, page.ids, parts=("params", "metrics", "tags")))

        assert search() == limit.search() == 100, "both find the same number"
        bare, ours = [], []
        for _ in range(repeats):
            bare.append(_timed(limit.search))
            ours.append(_timed(search))
        ms, limit_ms = (statistics.median(values) * 1000 for values in (ours, bare))
        more: dict[str, Any] = {
            "limit_ms": round(limit_ms, 2),
            "fastest_ms": round(min(ours) * 1000, 2),
            "repeats": repeats,
        }
        say(f"search-{count}-ms", _TARGET_MS.get(count, 100.0), ms, **more)
        if count <= 5_000:
            say(f"search-{count}-beside-sqlite", _TARGET_RATIO, ms / limit_ms)
        store.close()
    if os.environ.get("MLFLOW_PYTHON"):
        command = [os.environ["MLFLOW_PYTHON"], str(Path(__file__).with_name("tracking_query_mlflow.py")), str(count)]
        theirs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        say(f"search-{count}-beside-mlflow", 1.0, ms / theirs["ms"], mlflow_ms=theirs["ms"], version=theirs["version"])


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure each number of runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--runs", type=int, nargs="+", default=[5_000])
    given = parser.parse_args()
    for count in given.runs:
        measure(count, given.repeats)


if __name__ == "__main__":
    main()
