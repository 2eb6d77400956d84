"""Materialising as a process that is killed, as one of several, and as one with little memory."""

import multiprocessing
import os
import random
import signal
import sys
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.build.views import materialize_children as children

from assay.build.views.declared.history import ARRIVAL, TS
from assay.build.views.declared.view import feature_view
from assay.build.views.log.log import logged_rows
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import ViewVersion, register
from assay.record import open_store
from assay.record.sqlstore import SqlStore

KEYS, FILES, ROWS = 30, 8, 150
LIMIT_MB = 300  # by which memory may grow, whatever the source holds


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Children that begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([children.__name__])
    return context


def numbers(first: int, count: int) -> pa.Table:
    places = np.arange(first, first + count)
    times = pa.array(children.START_US + (places * 7919 % 100_003) * 1000, pa.timestamp("us", "UTC"))
    return pa.table({"customer": places % KEYS, "at": times, "value": places * 1.0})


def write_days(folder: Path, seed: int | None = None) -> None:
    """Some files; with a seed the same rows and some more in another order, and some of them gone."""
    folder.mkdir(exist_ok=True)
    tables = [numbers(day * ROWS, ROWS) for day in range(FILES)]
    if seed is not None:
        rows = pa.concat_tables([*tables, numbers(FILES * ROWS, 300)])
        rows = rows.take(np.random.default_rng(seed).permutation(rows.num_rows)).slice(100)
        tables = [rows.slice(day * 175, 175) for day in range(FILES)]
    for day, table in enumerate(tables):
        pq.write_table(table, folder / f"{day:02}.parquet")


def opened(place: Path, days: Path) -> tuple[SqlStore, ViewVersion]:
    store = open_store(place)
    return store, register(store, feature_view("days", entity="customer", time="at", source=str(days)))


def content(store: SqlStore, version: ViewVersion) -> tuple[list[Any], list[Any]]:
    """The rows of the log without when they came, and what is served."""
    rows = pa.concat_tables(logged_rows(store, version)).select([ARRIVAL, "customer", TS, "value"]).to_pylist()
    online = open_online(store)
    answers = online.table(version).read([(key,) for key in range(KEYS)], 2 * children.START_US)
    online.close()
    return rows, [(one.row[0], one.row[2:]) if one.row else None for one in answers]


def run(processes: ForkServerContext, place: Path, kill_after_s: float | None = None) -> float:
    """Seconds that a run took, or before it was killed."""
    started = time.perf_counter()
    child = processes.Process(target=children.in_small_pieces, args=(str(place),))
    child.start()
    child.join(kill_after_s)
    if child.is_alive():
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    else:
        assert child.exitcode == 0
    return time.perf_counter() - started


def test_killed_again_and_again_it_gives_what_it_gives_at_once(tmp_path: Path, processes: ForkServerContext) -> None:
    seed = random.randrange(1000)
    random.seed(seed)
    days, whole, killed = tmp_path / "days", tmp_path / "whole", tmp_path / "killed"
    write_days(days)
    for place in (whole, killed):
        opened(place, days)[0].close()
    cut = 0
    for change in (None, seed):  # at first all is new, then it is compared
        write_days(days, change)
        took = run(processes, whole)
        for _ in range(4):
            cut += run(processes, killed, random.uniform(0.05, 0.9) * took) < took
        run(processes, killed)
        (one, version), (other, _) = opened(whole, days), opened(killed, days)
        assert content(other, version) == content(one, version), f"seed {seed}"
        one.close()
        other.close()
    assert cut >= 3, "some were killed before they were done"


def test_two_processes_beside_each_other_log_each_row_once(tmp_path: Path, processes: ForkServerContext) -> None:
    days, place = tmp_path / "days", tmp_path / "store"
    write_days(days)
    opened(place, days)[0].close()
    beside = [processes.Process(target=children.in_small_pieces, args=(str(place),)) for _ in range(2)]
    for one in beside:
        one.start()
    for one in beside:
        one.join()
    assert [one.exitcode for one in beside] == [0, 0]
    store, version = opened(place, days)
    rows, served = content(store, version)
    assert [row["value"] for row in rows] == list(range(FILES * ROWS))
    newest = {row["customer"]: row for row in sorted(rows, key=lambda row: row[TS])}
    assert served == [(newest[key][TS], (newest[key][ARRIVAL], newest[key]["value"])) for key in range(KEYS)]
    store.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only there a process says how much memory it has had")
def test_a_source_larger_than_the_memory_that_it_may_take(tmp_path: Path) -> None:
    path, answer = tmp_path / "large.parquet", tmp_path / "answer"
    size = children.write_large(path, 3_000_000, 16, 20_000)
    assert size > LIMIT_MB * 1e6 * 1.3
    store = open_store(tmp_path / "store")
    register(store, feature_view("large", entity="customer", time="at", source=str(path)))
    store.close()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=children.measured, args=(str(tmp_path / "store"), str(answer)))
    child.start()
    child.join()
    assert child.exitcode == 0
    before, after, logged = map(int, answer.read_text().split())
    assert logged == 3_000_000
    assert after - before < LIMIT_MB * 1e6, f"memory grew by {(after - before) / 1e6:.0f} MB"
