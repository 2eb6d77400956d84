"""Rows into sums: one table by (segment, bucket), from a few passes over the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.stats.contributions import Contributions, fixed
from assay.stats.grouping import Integers, compress, fold, sum_by
from assay.stats.segmentation import Grouping

__all__ = ["Counted", "count_rows"]


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
    weight: NDArray[np.float64] | None,
) -> Counted:
    """The sums of every segmentation; `contributions` and `weight` are of the labelled rows only, in their order."""
    tables: dict[tuple[int, ...], tuple[Integers, Integers]] = {}
    inside = None if bool(labelled.all()) else labelled
    if weight is not None:
        values = {name: np.rint(value * weight) for name, value in contributions.values.items()}
        contributions = Contributions(contributions.kinds, values)
    for group in groups:
        if group.row is not None:
            tables[group.columns] = _count(group, bucket, buckets, inside, contributions, weight)
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
    weight: NDArray[np.float64] | None,
) -> tuple[Integers, Integers]:
    """The occupied keys segment·buckets + bucket, increasing, and their sums."""
    assert group.row is not None
    keys, row = compress(group.row * buckets + bucket, len(group.segments) * buckets)
    size = len(keys)
    columns = [sum_by(row, size), np.zeros(size, dtype=np.int64)]
    if labelled is not None:
        row = row[labelled]
        columns[1] = columns[0] - sum_by(row, size)
    units = None
    if weight is not None:
        units = fixed(weight)
        columns += [sum_by(row, size, units), sum_by(row, size, fixed(weight**2))]
    for one in contributions.kinds:
        kinds = len(one.columns)
        by_kind = sum_by(row * kinds + one.of_rows, size * kinds, units).reshape(size, kinds)
        columns += list((by_kind @ one.columns).T)
    columns += [sum_by(row, size, value) for value in contributions.values.values()]
    return keys, np.stack(columns, axis=1)
