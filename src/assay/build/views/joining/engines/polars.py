"""Rows of Parquet files by Polars: it leaves out what no label row can use, and gives the rest in batches."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.joining.engines.parquet import BATCH_ROWS, POSITION, Bounds, ParquetPart, RowGroup
from assay.errors import MissingExtra

if TYPE_CHECKING:
    import polars as pl

__all__ = ["frame_rows", "rows"]

_SPAN_ROWS = 1 << 20


def rows(
    part: ParquetPart, columns: Sequence[str], heads: Sequence[str], wanted: Bounds
) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Batches with the positions of their rows in the file; of rows that have expired for all only `heads`.

    A span of row groups is read at a time: Polars would read on, however slowly its batches are taken.
    """
    pl = _polars()
    file = pl.scan_parquet(part.local, row_index_name=POSITION, glob=False, hive_partitioning=False)
    kinds = file.collect_schema()
    asked = {}
    for name in part.columns(list(wanted.keys)):
        keys = pl.from_arrow(pa.table({name: wanted.keys[name]})).lazy()
        asked[name] = keys.with_columns(pl.col(name).cast(kinds[name], strict=False)).drop_nulls()
    is_timed = part.has_all(wanted.time) and part.is_exact_time(wanted.time)
    for start, end, used in _spans(part.groups(wanted)):
        frame = file.slice(start, end - start)
        for name, keys in asked.items():
            frame = frame.join(keys, on=name, how="semi")
        if is_timed:
            frame = frame.filter(pl.col(wanted.time) <= pl.lit(wanted.latest).cast(kinds[wanted.time]))
        yield from _selected(frame, part, columns if used else heads)


def frame_rows(frame: Any, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of a LazyFrame in batches, in its order."""
    oldest = _polars().CompatLevel.oldest()
    for batch in frame.select(columns).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
        yield batch.to_arrow(compat_level=oldest)


def _spans(groups: Sequence[RowGroup]) -> Iterator[tuple[int, int, bool]]:
    """Row groups side by side and of the same use as one span, of about a million rows: first row, end, use."""
    start, end, used = 0, 0, False
    for group in groups:
        if group.start != end or group.used != used or end - start >= _SPAN_ROWS:
            if end > start:
                yield start, end, used
            start, used = group.start, group.used
        end = group.start + group.rows
    if end > start:
        yield start, end, used


def _selected(
    frame: "pl.LazyFrame", part: ParquetPart, columns: Sequence[str]
) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    pl = _polars()
    chosen = frame.select([*part.columns(columns), POSITION])
    for batch in chosen.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False):
        table = batch.to_arrow(compat_level=pl.CompatLevel.oldest())
        yield table.column(POSITION).cast(pa.int64()).to_numpy(), table.drop_columns([POSITION])


def _polars() -> Any:
    try:
        import polars
    except ImportError as error:
        raise MissingExtra("polars", "Polars") from error
    return polars
