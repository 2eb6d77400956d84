"""Rows of Parquet files by Arrow: row groups that cannot matter are left out, of others only the columns that may."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assay.build.views.joining.engines.parquet import BATCH_ROWS, Bounds, ParquetPart

__all__ = ["rows"]


def rows(
    part: ParquetPart, columns: Sequence[str], heads: Sequence[str], wanted: Bounds
) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Batches with the positions of their rows in the file; of rows that have all expired only the columns `heads`."""
    with part.filesystem.open_input_file(part.path) as file, pq.ParquetFile(file, pre_buffer=False) as parquet:
        for group in part.groups(wanted):
            names = part.columns(columns if group.used else heads)
            start = group.start
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group.number], columns=names):
                yield np.arange(start, start + batch.num_rows), pa.table(batch)
                start += batch.num_rows
