"""How one table differs from another: columns, rows, and the values of each column, in words."""

from pathlib import Path
from typing import Annotated

import msgspec
import pyarrow as pa

from assay.build.data import columns as columns_of
from assay.build.data.column_change import ColumnChange, column_change
from assay.build.data.columns import is_number, is_text
from assay.build.data.source_files import format_of
from assay.build.data.sources import source
from assay.errors import InvalidInput, NotFound
from assay.operation import operation
from assay.progress import tell
from assay.record.datasets import dataset, find_dataset
from assay.record.store import Store
from assay.record.table_hash import content_hash

__all__ = ["ComparedTable", "DatasetDifference", "Retyped", "diff_datasets"]


class ComparedTable(msgspec.Struct, frozen=True):
    """A side of the comparison; `dataset` is its name and the beginning of its hash, or the path of a file."""

    dataset: str
    hash: str
    rows: int


class Retyped(msgspec.Struct, frozen=True):
    """A column whose type changed."""

    name: str
    before: str
    after: str


class DatasetDifference(msgspec.Struct, frozen=True):
    """What changed; `same` says that nothing did. `columns` are those that both have, with comparable types."""

    before: ComparedTable
    after: ComparedTable
    same: bool
    added: list[str]
    removed: list[str]
    retyped: list[Retyped]
    columns: list[ColumnChange]
    words: list[str]


@operation("data diff", local=True)
def diff_datasets(
    store: Store,
    before: str,
    after: str,
    *,
    columns: Annotated[str | None, "Only these, with commas"] = None,
) -> DatasetDifference:
    """Say how one dataset differs from another: columns, rows, and how the values of each column changed.

    Either is NAME, NAME@HASH with the first characters of a hash, or the path of a file. With one name twice, as in
    `assay data diff flights flights@3f2a`, versions are compared.

    Raises NotFound for what is neither a dataset nor a file.
    """
    (first, old), (second, new) = _side(store, before), _side(store, after)
    common = [name for name in new.column_names if name in old.column_names]
    chosen = [name.strip() for name in columns.split(",")] if columns else common
    for name in chosen:
        if name not in common:
            raise InvalidInput(f"no column {name!r} stands in both", expected=", ".join(common))
    kinds = [{field.name: _kind(field.type) for field in table.schema} for table in (old, new)]
    retyped = [
        Retyped(name, str(kinds[0][name]), str(kinds[1][name])) for name in common if kinds[0][name] != kinds[1][name]
    ]
    comparable = [name for name in chosen if _comparable(kinds[0][name], kinds[1][name])]
    changes = [] if first.hash == second.hash else _changes(old, new, comparable)
    added = [name for name in new.column_names if name not in old.column_names]
    removed = [name for name in old.column_names if name not in new.column_names]
    words = []
    if first.rows != second.rows:
        share = f" ({second.rows / first.rows - 1:+.1%})" if first.rows else ""
        words.append(f"rows {first.rows:,} -> {second.rows:,}{share}")
    words += [f"column {name!r} is new" for name in added] + [f"column {name!r} is gone" for name in removed]
    if common != [name for name in old.column_names if name in common]:
        words.append("columns stand in another order")
    words += [f"column {one.name!r} was {one.before} and is {one.after}" for one in retyped]
    words += [f"{change.name}: {'; '.join(change.words)}" for change in changes if change.words]
    is_same = first.hash == second.hash
    if not is_same and not words:
        words.append("rows differ, but nothing of note about their values: perhaps their order, or single values")
    return DatasetDifference(first, second, is_same, added, removed, retyped, changes, words)


def _side(store: Store, which: str) -> tuple[ComparedTable, pa.Table]:
    try:
        version = find_dataset(store, which)
    except NotFound:
        if "://" not in which and not Path(which).exists() and format_of(which) is None:
            raise
        table = source(which).read()
        return ComparedTable(which, content_hash(table), table.num_rows), table
    return ComparedTable(f"{version.name}@{version.hash[:12]}", version.hash, version.rows), dataset(
        store, version.hash
    )


def _changes(old: pa.Table, new: pa.Table, names: list[str]) -> list[ColumnChange]:
    found: list[ColumnChange] = []
    for name in names:
        before, after = columns_of.column(old, name), columns_of.column(new, name)
        if before.type != after.type:
            kind = _common(before.type, after.type)
            before, after = before.cast(kind), after.cast(kind)
        found.append(column_change(name, before, after))
        tell("comparing columns", len(found) / len(names), name)
    return found


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type in which values of both can be compared."""
    if is_number(one):
        whole = pa.types.is_integer(one) and pa.types.is_integer(other) and pa.uint64() not in (one, other)
        return pa.int64() if whole else pa.float64()
    return pa.large_string() if is_text(one) else pa.timestamp("us", getattr(one, "tz", None))


def _kind(kind: pa.DataType) -> pa.DataType:
    """The type as people think of it: text is text, however Arrow holds it."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if is_text(kind) else kind


def _comparable(one: pa.DataType, other: pa.DataType) -> bool:
    return bool(
        one == other
        or (is_number(one) and is_number(other))
        or (_is_moment(one) and _is_moment(other) and getattr(one, "tz", None) == getattr(other, "tz", None))
    )


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))
