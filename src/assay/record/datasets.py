"""Datasets: a named table with versions by content hash, kept as Parquet."""

import msgspec
import pyarrow as pa

from assay.errors import NotFound
from assay.record import tables
from assay.record.blobs import Blobs
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.ledger import serialise
from assay.record.store import Row, Store

__all__ = ["DatasetVersion", "dataset", "kept_table", "snapshot"]


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
        return _version(known[0])
    row: Row = {
        **kept_table(store.blobs, table, content, iso(store.clock.now())),
        "type": "dataset",
        "name": name,
        "source_system": source_system,
        "licence": licence,
    }
    with store.transaction():  # somebody else may keep the same content right now
        serialise(store)
        known = store.query("artifact", {"type": "dataset", "name": name, "hash": content}, limit=1)
        if not known:
            store.append("artifact", row)
    return _version(known[0] if known else row)


def kept_table(blobs: Blobs, table: pa.Table, content: str, created: str) -> dict[str, str | int | None]:
    """Keep a table as a blob; what its row of `artifact` says about the content, whatever the dataset is called."""
    return {
        "artifact_id": new_id(),
        "hash": content,
        "schema_hash": tables.schema_hash(table),
        "format": "parquet",
        "rows": table.num_rows,
        "blob": blobs.put(tables.to_parquet(table)),
        "created": created,
    }


def dataset(store: Store, content: str) -> pa.Table:
    """The table with that content hash, read back and checked."""
    known = store.query("artifact", {"type": "dataset", "hash": content}, limit=1)
    if not known:
        raise NotFound(f"no dataset with hash {content[:12]}", where=store.location)
    return tables.from_parquet(store.blobs.get(known[0]["blob"]))


def _version(row: Row) -> DatasetVersion:
    return DatasetVersion(**{name: row[name] for name in DatasetVersion.__struct_fields__})
