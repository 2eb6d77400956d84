"""Rows of the prediction log as a release looks at them: columns of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["EVENTS", "LogRows", "log_rows"]

EVENTS = {"errors": 1, "slow": 2, "invalid": 4, "schema": 8}  # a bit of each


@dataclass(frozen=True, slots=True)
class LogRows:
    """Rows in the order of the log. `arms` are 0 for the champion and 1 for the challenger, `keys` hashes of units.

    `counted` rows are live traffic that the split is for, `part` those of them assigned by their hash. `outputs` are
    NaN where there is none.
    """

    arms: NDArray[np.int8]
    keys: NDArray[np.int64]
    counted: NDArray[np.bool_]
    part: NDArray[np.bool_]
    forced: NDArray[np.bool_]
    fallback: NDArray[np.bool_]
    events: NDArray[np.uint8]
    outputs: NDArray[np.float64]
    ids: Sequence[str]


def log_rows(table: pa.Table, challenger: str, slow_us: int | None, *, by_row: bool) -> LogRows:
    """The rows of a table of predictions, live and shadow, in which the version `challenger` is one of two.

    Without a unit, or `by_row`, each row is a unit of its own.
    """
    outputs = _floats(table, "output")
    live = _is(table, "role", "live")
    failed = _is(table, "status", "error")
    # pyarrow counts the entries of lists, not of maps
    flags = table["flags"].combine_chunks()
    entries = (
        pa.ListArray.from_arrays(flags.offsets, flags.items) if len(flags) else pa.array([], pa.list_(pa.string()))
    )
    flagged = _bools(pc.greater(pc.list_value_length(entries), 0))
    events = failed * EVENTS["errors"] + flagged * EVENTS["schema"]
    events = events + (~failed & ~np.isfinite(outputs)) * EVENTS["invalid"]
    if slow_us is not None:
        events = events + (table["latency_us"].to_numpy() > slow_us) * EVENTS["slow"]
    part = live & _is(table, "reason", "hash")
    # Outside the segment of a split the champion answers everything: such rows say nothing about shares.
    outside = live & _is(table, "reason", "outside") & (_floats(table, "propensity") < 1.0)
    ids = table["id"].to_pylist()
    units = ids if by_row else pc.coalesce(table["unit"], table["id"]).to_pylist()
    return LogRows(
        arms=_is(table, "mv_id", challenger).astype(np.int8),
        keys=np.fromiter(map(hash, units), dtype=np.int64, count=len(units)),
        counted=part | outside,
        part=part,
        forced=live & _is(table, "reason", "forced"),
        fallback=live & _is(table, "reason", "fallback"),
        events=events.astype(np.uint8),
        outputs=outputs,
        ids=ids,
    )


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = table[name].to_numpy().astype(np.float64)
    return values


def _is(table: pa.Table, name: str, value: str) -> NDArray[np.bool_]:
    return _bools(pc.equal(table[name], value))


def _bools(values: pa.ChunkedArray | pa.Array) -> NDArray[np.bool_]:
    filled = pc.fill_null(values, False)
    if isinstance(filled, pa.ChunkedArray):
        filled = filled.combine_chunks()
    found: NDArray[np.bool_] = filled.to_numpy(zero_copy_only=False)
    return found
