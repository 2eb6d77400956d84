"""Rows into sums: one table by (segment, bucket), from a few passes over the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.stats.binary import Contributions
from assay.stats.grouping import Integers, compress, fold, sum_by
from assay.stats.segmentation import Grouping

__all__ = ["Counted", "count_rows"]

_COLUMNS_BEFORE = 2  # rows, rows without a label


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Sums of all segmentations, one after the other: row i of `table` belongs to segment[i] and bucket[i]."""

    segment: Integers
    bucket: Integers
    table: Integers


def count_rows(
    groups: Sequence[Grouping],
    bucket: Integers,
    buckets: int,
    labelled: NDArray[np.bool_],
    contributions: Contributions,
) -> Counted:
    """The sums of every segmentation; `contributions` are of the labelled rows only, in their order."""
    tables: dict[tuple[int, ...], tuple[Integers, Integers]] = {}
    values = {name: value.astype(np.float64) for name, value in contributions.values.items()}
    everything = bool(labelled.all())
    for group in groups:
        if group.row is not None:
            inside = None if everything else labelled
            tables[group.columns] = _count(group, bucket, buckets, inside, contributions, values)
    for group in groups:
        if group.parent is not None and group.of_parent is not None:
            keys, table = tables[group.parent]
            tables[group.columns] = fold(group.of_parent[keys // buckets] * buckets + keys % buckets, table)
    before = np.cumsum([0, *(len(group.segments) for group in groups)])
    parts = [tables[group.columns] for group in groups]
    all_keys = np.concatenate([own + start * buckets for (own, _), start in zip(parts, before, strict=False)])
    return Counted(all_keys // buckets, all_keys % buckets, np.concatenate([table for _, table in parts]))


def _count(
    group: Grouping,
    bucket: Integers,
    buckets: int,
    labelled: NDArray[np.bool_] | None,
    contributions: Contributions,
    values: dict[str, NDArray[np.float64]],
) -> tuple[Integers, Integers]:
    """The occupied keys segment·buckets + bucket, increasing, and their sums."""
    assert group.row is not None
    keys, row = compress(group.row * buckets + bucket, len(group.segments) * buckets)
    size, kinds = len(keys), len(contributions.kind_columns)
    width = _COLUMNS_BEFORE + len(contributions.counted) + len(values)
    table = np.zeros((size, width), dtype=np.int64)
    table[:, 0] = sum_by(row, size)
    if labelled is not None:
        row = row[labelled]
        table[:, 1] = table[:, 0] - sum_by(row, size)
    by_kind = sum_by(row * kinds + contributions.kinds, size * kinds).reshape(size, kinds)
    table[:, _COLUMNS_BEFORE : _COLUMNS_BEFORE + len(contributions.counted)] = by_kind @ contributions.kind_columns
    for column, value in enumerate(values.values(), start=_COLUMNS_BEFORE + len(contributions.counted)):
        table[:, column] = sum_by(row, size, value)
    return keys, table
