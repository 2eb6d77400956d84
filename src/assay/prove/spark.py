"""Rows in a Spark frame, profiled where they lie: each partition by the code that profiles a table.

Nothing is translated into Spark's own functions. Executors run Assay (it must be installed there) on batches of Arrow
and send back profiles, whose sums are whole numbers; the driver adds them. So the result is that of one table, bit for
bit, however the rows are partitioned. Models and functions travel by pickle.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import InvalidInput
from assay.prove.identities import identities
from assay.prove.sources import BATCH_ROWS, Prepare
from assay.record.canonical import digest
from assay.record.tables import gathered
from assay.stats import Influence, Profile, Task, row_identities

__all__ = ["SparkRows"]

_SAMPLE = 1000


class SparkRows:
    """A Spark frame.

    It is computed several times, so it should be read from files or cached: each time it must give the same rows.
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.schema: pa.Schema = frame.limit(0).toArrow().schema
        self._rows: int | None = None

    @property
    def num_rows(self) -> int:
        """Rows of all partitions."""
        if self._rows is None:
            self._rows = int(self._frame.count())
        return self._rows

    def first(self) -> pa.Table:
        """Some rows, whichever come first."""
        return self._frame.limit(_SAMPLE).toArrow()

    def values(self, column: str) -> Iterator[pa.ChunkedArray]:
        """The distinct values of a column."""
        yield self._frame.select(f"`{column}`").distinct().toArrow().column(0)

    def content_hash(self) -> str:
        """SHA-256 over the columns, the number of rows and the sum of their 64-bit hashes, whatever their order."""

        def summed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for table in _tables(batches):
                hashes = row_identities(identities(table))
                yield pa.record_batch({"rows": [len(hashes)], "sum": [str(hashes.sum(dtype=np.uint64))]})

        parts = self._frame.mapInArrow(summed, "rows long, sum string").toArrow()
        total = sum(map(int, parts["sum"].to_pylist())) % 2**64
        return digest(["spark rows", self.schema.names, sum(parts["rows"].to_pylist()), str(total)])

    def profile(
        self, prepare: Prepare, thresholds: dict[str, float], task: Task, *, buckets: int, seed: int, cross: int
    ) -> Profile:
        """The profile of all rows: one job for the sums, a second for what compares areas."""

        def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            tables = map(prepare, _tables(batches))
            first = next(tables, None)
            if first is not None:
                part = Profile.stream(
                    lambda: _chained(first, tables), thresholds, buckets, seed, cross=cross, task=task, influence=False
                )
                yield pa.record_batch({"part": [part.to_bytes()]})

        parts = [Profile.from_bytes(part) for part in _column(self._frame.mapInArrow(counted, "part binary"), "part")]
        if not parts:
            raise InvalidInput("there are no rows to profile", expected="at least one row")
        whole = Profile.total(parts)
        if not task.has_scores:
            return whole
        content = whole.to_bytes()

        def moved(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            profile = Profile.from_bytes(content)
            total: Influence | None = None
            for table in _tables(batches):
                part = profile.influence_of(prepare(table))
                total = part if total is None else total + part
            if total is not None:
                yield pa.record_batch({"buckets": [total.buckets.tobytes()], "squares": [total.squares.tobytes()]})

        found = self._frame.mapInArrow(moved, "buckets binary, squares binary").toArrow()
        shapes = (len(whole.table), -1), (len(whole.segments), -1, 2, 2)
        arrays = (
            [np.frombuffer(value, dtype=np.int64).reshape(shape) for value in found[name].to_pylist()]
            for name, shape in zip(("buckets", "squares"), shapes, strict=True)
        )
        return whole.with_influence(Influence(*both) for both in zip(*arrays, strict=True))


def _column(frame: Any, name: str) -> list[bytes]:
    found: list[bytes] = frame.toArrow()[name].to_pylist()
    return found


def _chained(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _tables(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Spark's small batches put together: a profile costs as much for ten rows as for ten thousand."""
    return gathered(batches, BATCH_ROWS)
