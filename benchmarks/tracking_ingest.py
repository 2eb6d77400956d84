"""Logging into the embedded store beside bare SQLite on the same input, until another process can read it all.

    python -m benchmarks.tracking_ingest [--repeats 3]

One line of JSON a measurement. `limit` is sqlite3 doing one transaction a run (or one for the series), with the
smallest tables that hold the same. What is ours goes through `assay.run`, call by call, as a training loop does.
"""

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measured import say
from benchmarks.tracking_workloads import LoggedRun, many_runs, one_series

import assay
from assay.record import open_store
from assay.record.live.live_run import LiveRun
from assay.record.tracking.metrics import history
from assay.record.tracking.points import downsample

_READ = """
import sys
from assay.record import open_store
store = open_store(sys.argv[1])
print(sum(row["count"] for row in store.query("run_metric")))
"""


class Limit:
    """The leanest tables: whole numbers for runs and keys, no index but the keys'."""

    def __init__(self, folder: Path) -> None:
        self.database = sqlite3.connect(folder / "limit.db", isolation_level=None)
        self.database.executescript("""
            PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
            CREATE TABLE runs(id INTEGER PRIMARY KEY, name TEXT);
            CREATE TABLE params(run INTEGER, k TEXT, v TEXT, PRIMARY KEY(run, k)) WITHOUT ROWID;
            CREATE TABLE tags(run INTEGER, k TEXT, v TEXT, PRIMARY KEY(run, k)) WITHOUT ROWID;
            CREATE TABLE metrics(run INTEGER, k INTEGER, step INTEGER, ts INTEGER, v REAL);
            CREATE TABLE series(step INTEGER, ts INTEGER, v REAL, PRIMARY KEY(step, ts)) WITHOUT ROWID;
        """)
        self.keys: dict[str, int] = {}

    def runs(self, runs: list[LoggedRun]) -> None:
        """One transaction a run."""
        for run in runs:
            self.database.execute("BEGIN")
            number = self.database.execute("INSERT INTO runs(name) VALUES(?)", (run.name,)).lastrowid
            self.database.executemany(
                "INSERT INTO params VALUES(?,?,?)", [(number, k, v) for k, v in run.params.items()]
            )
            self.database.executemany("INSERT INTO tags VALUES(?,?,?)", [(number, k, v) for k, v in run.tags.items()])
            points = [
                (number, self.keys.setdefault(key, len(self.keys)), step, ts, value)
                for step, ts, values in run.steps
                for key, value in values.items()
            ]
            self.database.executemany("INSERT INTO metrics VALUES(?,?,?,?,?)", points)
            self.database.execute("COMMIT")

    def series(self, series: list[tuple[int, int, float]]) -> None:
        """One transaction."""
        self.database.execute("BEGIN")
        self.database.executemany("INSERT INTO series VALUES(?,?,?)", series)
        self.database.execute("COMMIT")

    def read(self) -> int:
        """The series by its index."""
        return len(self.database.execute("SELECT step, ts, v FROM series ORDER BY step").fetchall())


def log_runs(store: Path | str, runs: list[LoggedRun]) -> None:
    """Through the public API, a call a step, waiting once at the end."""
    for one in runs:
        run = _run(store, one.name)
        run.params(one.params)
        run.tags(one.tags)
        for step, _, values in one.steps:
            run.log(values, step)
        run.finish(wait=False)
    assert assay.flush()


def log_series(store: Path, series: list[tuple[int, int, float]]) -> str:
    """One call a point."""
    run = _run(store, "series")
    for step, _, value in series:
        run.log({"loss": value}, step)
    run.finish()
    return run.run_id


def _run(store: Path | str, name: str) -> LiveRun:
    return assay.run("bench", name=name, store=store, system_metrics=False)


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure each after the other, limit and ours in turn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    runs, series = many_runs(), one_series()
    limits: dict[str, list[float]] = {"runs": [], "series": [], "read": []}
    ours: dict[str, list[float]] = {"runs": [], "series": [], "read": [], "chart": [], "call": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            limit = Limit(folder)
            limits["runs"].append(timed(lambda: limit.runs(runs)))  # noqa: B023 - called at once
            limits["series"].append(timed(lambda: limit.series(series)))  # noqa: B023
            limits["read"].append(timed(limit.read))
            place = folder / ".assay"
            open_store(place).close()
            _run(place, "warm").finish()
            ours["runs"].append(timed(lambda: log_runs(place, runs)))  # noqa: B023
            read = subprocess.run([sys.executable, "-c", _READ, str(place)], capture_output=True, text=True, check=True)
            assert int(read.stdout) == len(runs) * 1000, "another process reads every point"
            ids: list[str] = []
            ours["series"].append(timed(lambda: ids.append(log_series(place, series))))  # noqa: B023
            store = open_store(place)
            assert len(history(store, ids[0], "loss")) == len(series)
            ours["read"].append(timed(lambda: history(store, ids[0], "loss")))  # noqa: B023
            ours["chart"].append(timed(lambda: downsample(history(store, ids[0], "loss"), 2000)))  # noqa: B023
            ours["call"].append(_call_cost(place))
            store.close()
    medians = {name: statistics.median(values) for name, values in ours.items()}
    bare = {name: statistics.median(values) for name, values in limits.items()}
    points = len(runs) * 1000
    for name, target in (("runs", 3.0), ("series", 4.0), ("read", 2.0)):
        what = {"runs": "ingest-runs", "series": "ingest-series", "read": "history"}[name]
        rate = round((points if name == "runs" else len(series)) / medians[name])
        say(what, target, medians[name] / bare[name], seconds=medians[name], limit_s=bare[name], points_per_s=rate)
    say("chart-ms", 200.0, medians["chart"] * 1000)
    say("log-call-us", 2.0, medians["call"] * 1e6)


def _call_cost(place: Path, count: int = 100_000) -> float:
    """Seconds that a point costs its caller in a tight loop: the time of the caller's thread."""
    run = _run(place, "tight")
    started = time.thread_time()
    for step in range(count):
        run.log({"loss": 0.5}, step)
    cost = (time.thread_time() - started) / count
    run.finish()
    return cost


if __name__ == "__main__":
    main()
