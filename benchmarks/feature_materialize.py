"""What it costs to bring rows of a view into its log and online, as lines of JSON; the best of several runs.

    python -m benchmarks.feature_materialize [--rows 2000000] [--entities 20000] [--rounds 3]

The source is a Parquet file with four numbers and a text a row. `first` logs all of it and writes the newest row of
each entity into SQLite, in a process of its own whose memory is measured; `nothing-new` finds the file as it was;
`rewritten` reads it, because the file is another one with the same rows; `grown` has a hundredth more rows at its end;
`shuffled` compares all rows by content. Pushes are of one row and of 1,000, logged and served when the call returns.
"""

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.measured import peak_mb, say

from assay.build.views.arriving.materialize import materialize
from assay.build.views.arriving.push import push
from assay.build.views.declared.view import feature_view
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import register
from assay.record import open_store

START_US = 1_700_000_000_000_000
SETTLES_S = 2.1  # a file that was changed before that says that it is the same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.rows, given.entities, given.rounds)


def measure(folder: Path, rows: int, entities: int, rounds: int) -> None:
    """Every workload, on stores below the folder."""
    path, place = folder / "rows.parquet", folder / "store"
    table = written(path, rows, entities)
    source_mb = round(table.nbytes / 1e6)
    time.sleep(SETTLES_S)
    found = []
    for _ in range(rounds):
        shutil.rmtree(place, ignore_errors=True)
        with closing(open_store(place)) as store:
            register(store, feature_view("spend", entity="customer", time="at", source=str(path)))
        found.append(in_a_process(place))
    seconds, grown_mb = min(one[0] for one in found), max(one[1] for one in found)
    say("materialize-first", None, seconds, rows=rows, entities=entities, rows_a_s=round(rows / seconds))
    say("materialize-first-memory-mb", 300, grown_mb, source_mb=source_mb)
    store = open_store(place)
    say("materialize-nothing-new", 0.1, best(rounds, lambda: run(place)), rows=rows)
    more = written(folder / "more.parquet", rows // 100, entities, rows)
    random = np.random.default_rng(0)
    for workload in ("rewritten", "grown", "shuffled"):
        if workload == "grown":
            table = pa.concat_tables([table, more])
        if workload == "shuffled":
            table = table.take(pa.array(random.permutation(table.num_rows)))
        pq.write_table(table, path)
        seconds = best(1, lambda: run(place))
        say(f"materialize-{workload}", None, seconds, rows=table.num_rows, rows_a_s=round(table.num_rows / seconds))
    online = open_online(store)
    names = table.column_names
    few = [dict(zip(names, row, strict=True)) for row in zip(*table.slice(0, 100).to_pydict().values(), strict=True)]
    calls = iter(few * 100)
    one = best(100, lambda: push("spend", next(calls), store=store, online=online))
    say("push-1", 0.01, one, ms=round(one * 1000, 2))
    thousand = table.slice(0, 1_000)
    many = best(10, lambda: push("spend", thousand, store=store, online=online))
    say("push-1000", 0.2, many, rows_a_s=round(1_000 / many))
    online.close()
    store.close()


def written(path: Path, rows: int, entities: int, first: int = 0) -> pa.Table:
    """The rows, which are also in a file."""
    random = np.random.default_rng(first)
    times = pa.array(START_US + np.arange(first, first + rows) * 1_000, pa.timestamp("us", "UTC"))
    numbers = {f"x{place}": random.random(rows) for place in range(4)}
    words = pa.array([f"w{number}" for number in range(100)]).take(pa.array(random.integers(0, 100, rows)))
    table = pa.table({"customer": random.integers(0, entities, rows), "at": times, **numbers, "word": words})
    pq.write_table(table, path)
    return table


def run(place: Path) -> None:
    """Materialise all views of a store."""
    with closing(open_store(place)) as store:
        found = materialize(store)
    assert found.sound


def in_a_process(place: Path) -> tuple[float, float]:
    """Seconds of a run, and by how many megabytes it made a process grow."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(place, theirs))
    child.start()
    seconds, grown = ours.recv()
    child.join()
    return seconds, grown


def _child(place: Path, answer: Connection) -> None:
    before = peak_mb()
    began = time.perf_counter()
    run(place)
    seconds = time.perf_counter() - began
    answer.send((seconds, peak_mb() - before))


def best(rounds: int, call: Callable[[], object]) -> float:
    """The seconds of the fastest round."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


if __name__ == "__main__":
    main()
