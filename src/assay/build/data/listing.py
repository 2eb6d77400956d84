"""Which datasets there are, and what is in a version of one."""

from typing import Annotated, Any

import msgspec

from assay.build.data.column_summary import ColumnSummary, summaries
from assay.build.data.column_values import Value, plain
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.datasets import DatasetVersion, dataset, dataset_versions, find_dataset
from assay.record.store import Store

__all__ = ["DatasetDetail", "DatasetList", "DatasetSummary", "list_datasets", "show_dataset"]

_MOST_ROWS = 1_000


class DatasetSummary(msgspec.Struct, frozen=True):
    """A version of a dataset; `versions` counts those of that name."""

    name: str
    hash: str
    rows: int
    versions: int
    created: str
    origin: str | None
    licence: str | None


class DatasetList(msgspec.Struct, frozen=True):
    """Datasets by name, or the versions of one, newest first."""

    datasets: list[DatasetSummary]


class DatasetDetail(msgspec.Struct, frozen=True):
    """A version of a dataset with its columns; `first` are its first rows, as many as were asked for."""

    name: str
    hash: str
    rows: int
    versions: int
    created: str
    origin: str | None
    licence: str | None
    schema_hash: str
    bytes: int
    columns: list[ColumnSummary]
    first: list[dict[str, Value | None]]


@operation("data ls")
def list_datasets(store: Store, name: str | None = None) -> DatasetList:
    """List datasets with their newest version, or all versions of the one that is named."""
    counts: dict[str, int] = {}
    newest: dict[str, DatasetVersion] = {}
    versions = dataset_versions(store) if name is None else dataset_versions(store, find_dataset(store, name).name)
    for version in versions:
        counts[version.name] = counts.get(version.name, 0) + 1
        newest.setdefault(version.name, version)
    shown = versions if name is not None else [newest[one] for one in sorted(newest)]
    return DatasetList([DatasetSummary(**_facts(version, counts[version.name])) for version in shown])


@operation("data show")
def show_dataset(
    store: Store, name: str, *, rows: Annotated[int, "How many of its first rows to print"] = 0
) -> DatasetDetail:
    """Show a dataset: where it is from, and what the values of each column look like.

    NAME is the newest version, NAME@HASH another one; the first characters of a hash are enough. Of text with more than
    1,000 different values, which may name people, none is printed unless rows are asked for.
    """
    if not 0 <= rows <= _MOST_ROWS:
        raise InvalidInput(f"rows is {rows}", expected=f"0 to {_MOST_ROWS}")
    version = find_dataset(store, name)
    table = dataset(store, version.hash)
    first = [{key: plain(value) for key, value in row.items()} for row in table.slice(0, rows).to_pylist()]
    return DatasetDetail(
        **_facts(version, len(dataset_versions(store, version.name))),
        schema_hash=version.schema_hash,
        bytes=table.nbytes,
        columns=summaries(table),
        first=first,
    )


def _facts(version: DatasetVersion, versions: int) -> dict[str, Any]:
    kept = {name: getattr(version, name) for name in ("name", "hash", "rows", "created", "licence")}
    return {**kept, "versions": versions, "origin": version.source_system}
