"""Slices of the training data for quick trials: a smaller one lies inside every larger one."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from assay.build.data.split_hashes import names_of, numbers_of
from assay.build.data.split_methods import ranks_within
from assay.errors import InvalidInput
from assay.record import tables

__all__ = ["slice_of"]


def slice_of(
    data: object,
    share: float | None = None,
    *,
    rows: int | None = None,
    stratify: str | Sequence[str] = (),
    key: str | Sequence[str] = (),
    seed: int = 0,
) -> pa.Table:
    """A share of a table's rows, or so many `rows`, in their order; the 10 % of a seed are among its 30 %.

    With `stratify` the same share of each combination of those columns. `key` are columns that tell rows apart: with
    them a row is in or out wherever it stands in the table, and the hash is not that of `split`, so that a slice of
    training data is no special part of it. InvalidInput unless either a share in (0, 1] or rows of the table are asked
    for.
    """
    table = tables.as_table(data)
    if (share is None) == (rows is None):
        raise InvalidInput("how much is to be kept?", expected="share= or rows=", hint="slice_of(table, 0.1)")
    if share is not None and not 0 < share <= 1:
        raise InvalidInput(f"share is {share}", expected="above 0, at most 1")
    if rows is not None and not 1 <= rows <= table.num_rows:
        raise InvalidInput(f"rows is {rows}", expected=f"1 to {table.num_rows}, the rows of the table")
    part = share if share is not None else (rows or 0) / table.num_rows
    numbers = numbers_of(table, names_of(key), "slice", seed)
    if strata := names_of(stratify):
        ranks, sizes = ranks_within(table, strata, numbers, seed)
        numbers = ranks / sizes
    count = max(round(part * table.num_rows), 1)
    kept = np.sort(np.argsort(numbers, kind="stable")[:count])
    return table.take(pa.array(kept))
