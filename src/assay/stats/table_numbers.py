"""Columns of two tables as numbers that mean the same in both, as trees want them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_numbers"]

_MOST_CODES = 255  # categories that a tree tells apart; the others are one


def as_numbers(tables: "Sequence[pa.Table]", names: Sequence[str]) -> tuple[list[NDArray[np.float64]], list[int]]:
    """By table [rows, columns]: numbers, booleans and times as they are, text as codes by how often it comes, NaN null.

    Also the places of the columns that are such codes. The 254 most frequent texts of all tables together have a code
    of their own, the others one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns: list[NDArray[np.float64]] = []
    categorical = []
    for place, name in enumerate(names):
        parts = [table[name].combine_chunks() for table in tables]
        kind = parts[0].type
        if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            whole = pa.chunked_array([one.cast(pa.large_string()) for one in parts]).combine_chunks()
            counted = sorted(
                zip(*(side.to_pylist() for side in pc.value_counts(whole).flatten()), strict=True),
                key=lambda pair: (-pair[1], pair[0] or ""),
            )
            common = pa.array(
                [value for value, _ in counted if value is not None][: _MOST_CODES - 1], pa.large_string()
            )
            codes = pc.index_in(whole, common)
            values = pc.if_else(pc.and_(codes.is_null(), whole.is_valid()), len(common), codes).cast(pa.float64())
            categorical.append(place)
        else:
            whole = pa.chunked_array(parts, kind).combine_chunks()
            if pa.types.is_temporal(kind):
                whole = whole.cast(pa.timestamp("us") if pa.types.is_date(kind) else kind).cast(pa.int64())
            values = whole.cast(pa.float64(), safe=False)
        columns.append(values.to_numpy(zero_copy_only=False))
    ends = np.cumsum([table.num_rows for table in tables])[:-1]
    return np.split(np.stack(columns, axis=1), ends), categorical
