"""Rows of the log by the values of inputs."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import InvalidInput, nearest
from assay.operate.monitors.kind import OVERALL_SEGMENT
from assay.operate.predictions.columns import FEATURES

__all__ = ["by_segment", "feature"]


def by_segment(rows: pa.Table, columns: Sequence[str]) -> dict[str, pa.Table]:
    """All rows, and those of each value of each column, such as `origin=JFK`; null is "(missing)".

    InvalidInput for a column that is no input.
    """
    found = {OVERALL_SEGMENT: rows}
    for name in columns if rows.num_rows else ():
        values = pc.fill_null(feature(rows, name).cast(pa.string()), "(missing)")
        for value in sorted(pc.unique(values).to_pylist()):
            found[f"{name}={value}"] = rows.filter(pc.equal(values, value))
    return found


def feature(rows: pa.Table, name: str) -> pa.Array:
    """An input of rows of the log; null where it has none. InvalidInput where no model has such an input."""
    there = [one.name for one in rows[FEATURES].type] if FEATURES in rows.column_names else []
    if name not in there:
        raise InvalidInput(
            f"there is no input {name!r}", expected=", ".join(there) or "inputs", hint=nearest(name, there)
        )
    return pc.struct_field(rows[FEATURES].combine_chunks(), name)
