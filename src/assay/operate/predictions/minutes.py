"""Rows counted by minute, version, role, outcome and latency: small, exact, and they add up.

A part has its counts with it, so that nobody reads its rows to draw a line. Latencies are in bins: eight of them double
it, so each is 9 % wide.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from assay.operate.predictions.prediction import Prediction
from assay.record.clock import moment

__all__ = [
    "METADATA",
    "MINUTE_S",
    "Cell",
    "Minutes",
    "cell_of",
    "latency_us",
    "minutes_in",
    "minutes_of",
    "minutes_of_predictions",
    "packed",
]

MINUTE_S = 60
METADATA = b"assay.minutes"
_OCTAVE = 8
_READ = ["moment", "mv_id", "role", "status", "latency_us"]
_KEYS = ["minute", "mv_id", "role", "failed", "bin"]
_SCHEMA = pa.schema(
    [
        ("minute", pa.int32()),  # after 1970
        ("mv_id", pa.dictionary(pa.int32(), pa.string())),
        ("role", pa.dictionary(pa.int32(), pa.string())),
        ("failed", pa.bool_()),
        ("bin", pa.int16()),
        ("rows", pa.int64()),
    ]
)

Cell = tuple[str, str, str, bool, int]  # the minute as text, version, role, whether it failed, bin


class Minutes(NamedTuple):
    """Counts: row by row the minute after 1970, a place in `who` (a version's id and a role), whether it failed, a bin,
    and how many.
    """

    who: list[tuple[str, str]]
    minutes: NDArray[np.int64]
    places: NDArray[np.int64]
    failed: NDArray[np.bool_]
    bins: NDArray[np.int64]
    rows: NDArray[np.int64]


def latency_us(bin: float) -> float:
    """Where a bin begins; a half more is its middle."""
    return float(2 ** (bin / _OCTAVE))


def minutes_of(table: pa.Table) -> pa.Table:
    """The counts of rows with the columns of `columns.SCHEMA`; replays are no answers."""
    table = table.filter(pc.not_equal(table["role"], "replay")).select(_READ)
    seconds = pc.floor_temporal(table["moment"], unit="minute").cast(pa.timestamp("s", "UTC")).cast(pa.int64())
    sizes = np.maximum(table["latency_us"].to_numpy(), 1)
    keys = pa.table(
        {
            "minute": pc.divide(seconds, MINUTE_S),
            "mv_id": table["mv_id"],
            "role": table["role"],
            "failed": pc.equal(table["status"], "error"),
            "bin": pa.array(np.floor(_OCTAVE * np.log2(sizes)).astype(np.int16)),
        }
    )
    counted = keys.group_by(_KEYS, use_threads=False).aggregate([([], "count_all")])
    return counted.rename_columns([*_KEYS, "rows"]).cast(_SCHEMA).sort_by("minute")


def packed(counts: pa.Table) -> bytes:
    """As it stands in the metadata of a part."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, counts.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(counts.combine_chunks())
    return base64.b64encode(sink.getvalue())


def minutes_in(path: Path) -> Minutes:
    """The counts of a part."""
    kept = (pq.read_schema(path).metadata or {}).get(METADATA)
    if kept is None:  # it was written before parts had them
        counts = minutes_of(pq.read_table(path, columns=_READ, partitioning=None))
    else:
        counts = pa.ipc.open_stream(base64.b64decode(kept)).read_all()
    pairs = list(zip(counts["mv_id"].to_pylist(), counts["role"].to_pylist(), strict=True))
    return _minutes(pairs, *(counts[name].to_numpy() for name in ("minute", "failed", "bin", "rows")))


def minutes_of_predictions(counts: Mapping[Cell, int]) -> Minutes:
    """Counts of the cells of predictions."""
    texts, versions, roles, failed, bins = zip(*counts, strict=True) if counts else ((),) * 5
    known = {text: int(moment(f"{text}:00Z").timestamp()) // MINUTE_S for text in set(texts)}
    pairs = list(zip(versions, roles, strict=True))
    return _minutes(pairs, [known[text] for text in texts], failed, bins, list(counts.values()))


def cell_of(row: Prediction) -> Cell:
    """Where a prediction counts."""
    size = int(_OCTAVE * math.log2(row.latency_us)) if row.latency_us > 1 else 0
    return (row.event_ts or row.ts)[:16], row.mv_id, row.role, row.status == "error", size


def _minutes(
    pairs: Sequence[tuple[str, str]], minutes: ArrayLike, failed: ArrayLike, bins: ArrayLike, rows: ArrayLike
) -> Minutes:
    who = list(dict.fromkeys(pairs))
    order = {one: number for number, one in enumerate(who)}
    places = np.array([order[one] for one in pairs], dtype=np.int64)
    whole = [np.asarray(values).astype(np.int64) for values in (minutes, bins, rows)]
    return Minutes(who, whole[0], places, np.asarray(failed).astype(bool), whole[1], whole[2])
