"""The search of `tracking_query.py` by MLflow's client on a SQLite file; run by the Python that has MLflow.

Prints one line of JSON: milliseconds of a search (median of 7) and the version. The runs are put into the tables that
MLflow made itself: logging them through its client takes long.
"""

import json
import logging
import os
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402 - only after the setting above
from benchmarks.tracking_workloads import SearchedRun, searched_runs  # noqa: E402

_T0_MS = 1_760_000_000_000


def fill(folder: Path, runs: list[SearchedRun]) -> tuple[mlflow.MlflowClient, str]:
    """A client and the experiment with the runs."""
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment_id = client.create_experiment("searched", artifact_location=str(folder))
    template = client.create_run(experiment_id).info.run_id
    database = sqlite3.connect(folder / "mlflow.db")
    names = [row[1] for row in database.execute("PRAGMA table_info(runs)")]
    found = database.execute("SELECT * FROM runs WHERE run_uuid = ?", (template,)).fetchone()
    row = dict(zip(names, found, strict=True))
    ids = [uuid.uuid5(uuid.NAMESPACE_OID, run.name).hex for run in runs]
    database.executemany(
        f"INSERT INTO runs({','.join(names)}) VALUES ({','.join('?' * len(names))})",
        [
            tuple(({**row, "run_uuid": key, "name": run.name, "start_time": _T0_MS + number})[name] for name in names)
            for number, (key, run) in enumerate(zip(ids, runs, strict=True))
        ],
    )
    both = list(zip(ids, runs, strict=True))
    params = [(key, name, value) for key, run in both for name, value in run.params.items()]
    database.executemany("INSERT INTO params(run_uuid, key, value) VALUES (?, ?, ?)", params)
    tags = [(key, "mlflow.runName", run.name) for key, run in both]
    database.executemany("INSERT INTO tags(run_uuid, key, value) VALUES (?, ?, ?)", tags)
    metrics = [(key, name, value, _T0_MS, 0, False) for key, run in both for name, value in run.metrics.items()]
    for table in ("metrics", "latest_metrics"):
        columns = "run_uuid, key, value, timestamp, step, is_nan"
        database.executemany(f"INSERT INTO {table}({columns}) VALUES (?, ?, ?, ?, ?, ?)", metrics)
    database.commit()
    database.execute("ANALYZE")
    database.close()
    return client, experiment_id


def main() -> None:
    """Fill and measure."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        client, experiment_id = fill(Path(name), searched_runs(int(sys.argv[1])))
        seconds = []
        for _ in range(7):
            started = time.perf_counter()
            found = client.search_runs(
                [experiment_id],
                "metrics.auc > 0.8 and params.lr = '0.1'",
                order_by=["metrics.auc DESC"],
                max_results=100,
            )
            seconds.append(time.perf_counter() - started)
            assert found
    print(json.dumps({"ms": round(statistics.median(seconds) * 1000, 2), "version": mlflow.__version__}))


if __name__ == "__main__":
    main()
