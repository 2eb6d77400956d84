"""Datasets: hashing, snapshots, and what the commands take on 3,000,000 rows.

    python -m benchmarks.datasets [flights.parquet]     # the file of 3,000,000 flights; without it, rows like them

Each figure is the best of several runs, those of a ratio taken in turns, because a machine that others use is slower at
one moment than at the next. Files come from the page cache; what is compared writes to the same disk, without a flush.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.measured import say

from assay.build import diff_datasets, show_dataset, source
from assay.record import open_store, snapshot
from assay.record.table_hash import content_hash

ROWS = 3_000_000
TURNS = 7


def flights(path: Path | None) -> pa.Table:
    """Date, delay, distance, origin and destination, sorted by date."""
    if path is not None:
        return pq.read_table(path)
    generator = np.random.default_rng(0)
    airports = np.array([f"A{number:02X}" for number in range(229)])
    chosen = (generator.pareto(1.0, (2, ROWS)) * 8).astype(int) % len(airports)
    minutes = np.sort(generator.integers(0, 260_000, ROWS)) * 60_000_000
    return pa.table(
        {
            "date": pa.array(978_307_200_000_000 + minutes, pa.timestamp("us")),
            "delay": generator.gamma(0.5, 30, ROWS).astype(np.int64) - 10,
            "distance": (generator.gamma(2, 300, ROWS) // 1).astype(np.int64),
            "origin": airports[chosen[0]],
            "destination": airports[chosen[1]],
        }
    )


def wide() -> pa.Table:
    """Fifty columns of measured numbers."""
    generator = np.random.default_rng(1)
    return pa.table({f"x{place}": generator.normal(size=1_000_000) for place in range(50)})


def seconds(work: Callable[[], object]) -> float:
    """Of wall time."""
    return both(work)[0]


def both(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall time, and of processor time on all threads."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def main() -> None:
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, table in (("flights", flights(given)), ("wide", wide())):
            measure(name, table, folder)
        commands(flights(given), folder)
        appended(flights(given), folder)


def measure(name: str, table: pa.Table, folder: Path) -> None:
    """Hashing by the bytes that Arrow holds, and a snapshot beside pyarrow's own write."""
    hashing, busy = map(min, zip(*(both(lambda: content_hash(table)) for _ in range(TURNS)), strict=True))
    size = table.nbytes / 1e9
    say(f"hash {name}, GB/s", 1, size / hashing, at_least=True, by_processor_time=round(size / busy, 3))
    ours, theirs = [], []
    for turn in range(TURNS):
        theirs.append(both(lambda: pq.write_table(table, folder / "plain.parquet")))
        store = open_store(folder / f"{name}{turn}")
        ours.append(both(lambda store=store: snapshot(store, name, table)))  # type: ignore[misc]
        kept = sum(path.stat().st_size for path in store.blobs.root.rglob("*") if path.is_file())
        store.close()
        shutil.rmtree(folder / f"{name}{turn}")
    (wall, busy), (plain_wall, plain_busy) = (
        [min(one) for one in zip(*found, strict=True)] for found in (ours, theirs)
    )
    sizes = {"megabytes": round(kept / 1e6, 1), "plain": round((folder / "plain.parquet").stat().st_size / 1e6, 1)}
    more = {"seconds": round(wall, 3), "write_table": round(plain_wall, 3), **sizes}
    say(f"snapshot {name}, of write_table", 0.6, plain_wall / wall, at_least=True, **more)
    say(f"snapshot {name}, of write_table by processor time", None, plain_busy / busy)


def commands(table: pa.Table, folder: Path) -> None:
    """`data show` and `data diff`, without the start of Python."""
    store = open_store(folder / "commands")
    snapshot(store, "flights", table)
    snapshot(store, "later", table.slice(table.num_rows // 2))
    say("show 3,000,000 rows, s", 2, min(seconds(lambda: show_dataset(store, "flights")) for _ in range(TURNS)))
    say(
        "diff 3,000,000 rows, s",
        2,
        min(seconds(lambda: diff_datasets(store, "flights", "later")) for _ in range(TURNS)),
    )
    store.close()


def appended(table: pa.Table, folder: Path) -> None:
    """A snapshot of 30 files of 100,000 rows, one of them new, beside the first of all."""
    store, rows = open_store(folder / "appended"), table.num_rows // 30
    files = folder / "files"
    for part in range(30):
        path = files / f"part={part:02}" / "rows.parquet"
        path.parent.mkdir(parents=True)
        if part < 29:
            pq.write_table(table.slice(part * rows, rows), path)
    time.sleep(2.1)  # until what was just written counts as settled
    first = seconds(lambda: source(files).snapshot(store, "parts"))
    pq.write_table(table.slice(29 * rows), path)
    again = seconds(lambda: source(files).snapshot(store, "parts"))
    say(
        "snapshot with one of 30 files new, of the first",
        0.2,
        again / first,
        seconds=round(again, 3),
        first=round(first, 3),
    )
    store.close()


if __name__ == "__main__":
    main()
