"""What other processes do in tests of materialising and pushing."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assay.build.views.arriving import applying
from assay.build.views.arriving.materialize import materialize
from assay.build.views.arriving.push import push
from assay.build.views.online.store import open_online
from assay.record import open_store

START_US = 1_700_000_000_000_000


def in_small_pieces(location: str) -> None:
    """Materialise all views, online in many small writes."""
    applying._AT_ONCE, applying._HELD = 50, 10_000
    store = open_store(location)
    materialize(store, sample=0)
    store.close()


def push_some(location: str, first: int, count: int) -> None:
    """Push rows one by one, each at a moment of its own."""
    store = open_store(location)
    online = open_online(store)
    for number in range(first, first + count):
        row = {"customer": number % 3, "at": "2026-01-01", "amount": number, "word": None}
        push("spend", row, store=store, online=online, now_us=START_US + number)
    online.close()
    store.close()


def measured(location: str, answer: str) -> None:
    """Materialise all views; writes the peak of memory before and after, in bytes, into a file."""
    before = peak()
    store = open_store(location)
    found = materialize(store, sample=50).views[0]
    assert found.agreement is not None
    assert not found.agreement.differing
    Path(answer).write_text(f"{before} {peak()} {found.source.logged}")
    store.close()


def peak() -> int:
    """The most memory this process has had, in bytes. Not ru_maxrss: that begins with what the parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def write_large(path: Path, rows: int, columns: int, entities: int) -> int:
    """A Parquet file, written piece by piece; returns how many bytes its rows take in memory."""
    random = np.random.default_rng(1)
    size = 0
    writer = None
    for first in range(0, rows, 250_000):
        count = min(250_000, rows - first)
        times = pa.array(START_US + np.arange(first, first + count), pa.timestamp("us", "UTC"))
        values = {f"x{place}": random.random(count) for place in range(columns)}
        table = pa.table({"customer": random.integers(0, entities, count), "at": times, **values})
        size += table.nbytes
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return size
