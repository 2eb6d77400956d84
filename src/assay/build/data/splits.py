"""Splitting by time: what is learned from lies before what it is judged on."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data import columns
from assay.errors import InvalidInput

__all__ = ["split_by_time"]


def split_by_time(table: pa.Table, column: str, cuts: Sequence[datetime]) -> list[pa.Table]:
    """The parts of a table between ascending moments: len(cuts) - 1 tables, each [cut, next cut).

    Rows outside the first and the last cut, or without a time, are in no part. Times without a zone and dates are read
    as UTC. InvalidInput for an empty part, and for a column that is missing or holds no times.
    """
    if len(cuts) < 2 or any(later <= earlier for earlier, later in pairwise(cuts)):
        raise InvalidInput(f"cuts are {[str(cut) for cut in cuts]}", expected="two or more ascending moments")
    if any(cut.tzinfo is None for cut in cuts):
        raise InvalidInput("a cut has no time zone", expected="aware datetimes")
    times = columns.column(table, column)
    if not pa.types.is_temporal(times.type) or pa.types.is_time(times.type) or pa.types.is_duration(times.type):
        raise InvalidInput(f"column {column!r} is of type {times.type}", expected="a column of times")
    if not pa.types.is_timestamp(times.type) or times.type.unit in ("s", "ms"):  # a cut may be finer than they are
        times = times.cast(pa.timestamp("us", getattr(times.type, "tz", None)))
    parts = []
    for start, end in pairwise(cuts):
        low, high = (pa.scalar(cut, times.type) for cut in (start, end))
        part = table.filter(pc.and_(pc.greater_equal(times, low), pc.less(times, high)))
        if part.num_rows == 0:
            raise InvalidInput(f"no rows of {column!r} lie from {start} to {end}", hint="choose other cuts")
        parts.append(part)
    return parts
