"""What is learned of each input column when a model is packaged, so that serving can tell what training never saw."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import column
from assay.build.models.inputs import Column
from assay.record.models.column_policy import ColumnPolicy

__all__ = ["LearnedColumn", "learned_columns", "learned_written", "policies_written"]

_MOST_CATEGORIES = 1000  # a column with more values is taken for an open one, such as names: any text is fine


class LearnedColumn(msgspec.Struct, frozen=True, omit_defaults=True):
    """What training had in a column.

    `missing` of its `rows` had no value. `low` and `high` are the least and the greatest number, `categories` the texts
    and how often each came; None for a text column with more than 1,000 of them, which is not checked. `fill` is the
    value in the middle, the median or the most frequent text, to be imputed; None where training had gaps itself, as
    the model then has its own way with them.
    """

    name: str
    rows: int
    missing: int = 0
    low: float | None = None
    high: float | None = None
    categories: dict[str, int] | None = None
    fill: float | str | None = None


def learned_columns(table: pa.Table, columns: Sequence[Column]) -> list[LearnedColumn]:
    """What a training table says of the columns of a model, in their order."""
    return [_numbers(table, one.name) if one.is_number else _texts(table, one.name) for one in columns]


def learned_written(description: Mapping[str, object]) -> list[LearnedColumn]:
    """What an MLmodel file says of it; nothing in one that was written elsewhere."""
    return msgspec.convert(_metadata(description).get("columns", []), list[LearnedColumn])


def policies_written(description: Mapping[str, object]) -> list[ColumnPolicy]:
    """The policies that an MLmodel file says."""
    return msgspec.convert(_metadata(description).get("policies", []), list[ColumnPolicy])


def _metadata(description: Mapping[str, object]) -> Mapping[str, object]:
    metadata = description.get("metadata") or {}
    assert isinstance(metadata, Mapping)
    return metadata


def _numbers(table: pa.Table, name: str) -> LearnedColumn:
    values = column(table, name).cast(pa.float64()).to_numpy()
    known = values[np.isfinite(values)]
    missing = int(np.isnan(values).sum())
    if not len(known):
        return LearnedColumn(name, len(values), missing)
    fill = None if missing else float(np.median(known))
    return LearnedColumn(name, len(values), missing, float(known.min()), float(known.max()), fill=fill)


def _texts(table: pa.Table, name: str) -> LearnedColumn:
    values = column(table, name)
    counted = pc.value_counts(values.drop_null()).to_pylist()
    counts = {one["values"]: one["counts"] for one in sorted(counted, key=lambda one: (-one["counts"], one["values"]))}
    fill = None if values.null_count or not counts else next(iter(counts))
    bounded = counts if 0 < len(counts) <= _MOST_CATEGORIES else None
    return LearnedColumn(name, len(values), values.null_count, categories=bounded, fill=fill)
