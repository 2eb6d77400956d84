"""Rows as numbers that tell them apart, where no unit does."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.stats import text_hashes

__all__ = ["identities"]


def identities(data: pa.Table) -> list[NDArray[np.float64] | NDArray[np.uint64]]:
    """The columns as numbers that tell rows apart."""
    return [part for name in data.column_names for part in _identity(data.column(name))]


def _identity(column: pa.ChunkedArray) -> list[NDArray[np.float64] | NDArray[np.uint64]]:
    """A column as numbers that tell its values apart, for identifying rows; nothing for lists and structs."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return [column.cast(pa.float64(), safe=False).to_numpy()]
    if pa.types.is_temporal(kind):
        whole = pa.int64() if kind.bit_width == 64 else pa.int32()
        return [column.cast(whole).cast(pa.float64(), safe=False).to_numpy()]
    if pa.types.is_nested(kind):
        return []
    return [text_hashes(pc.fill_null(column.cast(pa.string()), "missing"))]
