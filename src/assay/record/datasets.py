"""Datasets: a named table with versions by content hash, kept as Parquet: one file, or one for each part."""

import msgspec
import pyarrow as pa

from assay.errors import InvalidInput, NotFound, nearest
from assay.record import tables
from assay.record.blobs import Blobs
from assay.record.clock import iso
from assay.record.dataset_parts import PARTS, Manifest
from assay.record.identity import new_id
from assay.record.ledger import serialise
from assay.record.store import Row, Store
from assay.record.table_files import put_table

__all__ = [
    "DatasetVersion",
    "dataset",
    "dataset_version",
    "dataset_versions",
    "enter_version",
    "find_dataset",
    "kept_table",
    "snapshot",
    "version_of",
]

_SHORT = 12


class DatasetVersion(msgspec.Struct, frozen=True):
    """A version of a dataset; `hash` identifies the content, whatever it is called."""

    artifact_id: str
    name: str
    hash: str
    rows: int
    schema_hash: str
    created: str
    source_system: str | None
    licence: str | None


def snapshot(
    store: Store, name: str, data: object, *, source_system: str | None = None, licence: str | None = None
) -> DatasetVersion:
    """Keep a table under its content hash and return the version; the same content again is the same version."""
    table = tables.as_table(data)
    content = tables.content_hash(table)
    known = store.query("artifact", {"type": "dataset", "name": name, "hash": content}, limit=1)
    if known:
        return version_of(known[0])
    row = kept_table(store.blobs, table, content, iso(store.clock.now()))
    return enter_version(store, {**row, "name": name, "source_system": source_system, "licence": licence})


def enter_version(store: Store, row: Row) -> DatasetVersion:
    """Enter a version whose content is kept, unless its dataset has one of that content."""
    same = {"type": "dataset", "name": row["name"], "hash": row["hash"]}
    with store.transaction():  # somebody else may keep the same content right now
        serialise(store)
        known = store.query("artifact", same, limit=1)
        if not known:
            store.append("artifact", {**row, "type": "dataset"})
    return version_of(known[0] if known else row)


def kept_table(blobs: Blobs, table: pa.Table, content: str, created: str) -> dict[str, str | int | None]:
    """Keep a table as a blob; what its row of `artifact` says about the content, whatever the dataset is called."""
    return {
        "artifact_id": new_id(),
        "hash": content,
        "schema_hash": tables.schema_hash(table),
        "format": "parquet",
        "rows": table.num_rows,
        "blob": put_table(blobs, table),
        "created": created,
    }


def dataset(store: Store, content: str) -> pa.Table:
    """The table with that content hash, read back and checked."""
    known = store.query("artifact", {"type": "dataset", "hash": content}, limit=1)
    if not known:
        raise NotFound(f"no dataset with hash {content[:12]}", where=store.location)
    row = known[0]
    if row["format"] != PARTS:
        return tables.from_parquet(store.blobs.get(row["blob"]))
    manifest = Manifest.read(store.blobs, row["blob"])
    return pa.concat_tables([manifest.schema.empty_table(), *(part.read(store.blobs) for part in manifest.parts)])


def dataset_versions(store: Store, name: str | None = None) -> list[DatasetVersion]:
    """All versions, newest first; only those of one dataset where `name` is given."""
    where = {"type": "dataset"} | ({"name": name} if name else {})
    return [version_of(row) for row in store.query("artifact", where, order_by=["-created", "-artifact_id"])]


def find_dataset(store: Store, which: str) -> DatasetVersion:
    """The version that `NAME` (its newest), `NAME@HASH` or `@HASH` names; the first characters of a hash are enough."""
    name, _, begins = which.partition("@")
    versions = dataset_versions(store, name or None)
    if not versions:
        names = sorted({version.name for version in dataset_versions(store)})
        close = nearest(name, names)
        hint = f"did you mean {close!r}?" if close else "`assay data ls` lists what there is"
        raise NotFound(f"there is no dataset {name!r}", where=store.location, hint=hint)
    found = {version.hash: version for version in reversed(versions) if version.hash.startswith(begins)}
    if not found:
        known = ", ".join(version.hash[:_SHORT] for version in versions[:5])
        raise NotFound(f"no version of {name or 'any dataset'} has a hash that begins with {begins}", expected=known)
    if begins and len(found) > 1:
        several = ", ".join(one[:_SHORT] for one in found)
        raise InvalidInput(f"{len(found)} versions begin with {begins}: {several}", hint="write more of the hash")
    return versions[0] if not begins else next(iter(found.values()))


def dataset_version(store: Store, content: str, name: str) -> DatasetVersion:
    """The version of the dataset of that name with that content hash."""
    known = store.query("artifact", {"type": "dataset", "hash": content, "name": name}, limit=1)
    if not known:
        raise NotFound(f"no dataset {name!r} with hash {content[:12]}", where=store.location)
    return version_of(known[0])


def version_of(row: Row) -> DatasetVersion:
    """What a row of `artifact` says."""
    return DatasetVersion(**{name: row[name] for name in DatasetVersion.__struct_fields__})
