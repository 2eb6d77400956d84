"""A version of a dataset from files, of which only those are read that changed since the version before."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import takewhile
from typing import Protocol

import pyarrow as pa

from assay.errors import Conflict
from assay.progress import tell
from assay.record import tables
from assay.record.blobs import Blobs
from assay.record.clock import iso
from assay.record.dataset_parts import PARTS, Manifest, Part
from assay.record.datasets import DatasetVersion, enter_version, version_of
from assay.record.identity import new_id
from assay.record.store import Row, Store
from assay.record.table_files import put_table
from assay.record.table_hash import BLOCK_ROWS, DIGEST_BYTES, ContentHash

__all__ = ["PartSource", "snapshot_parts"]

_AT_ONCE = 4
_NOTHING = Manifest(pa.schema([]), [], b"")


class PartSource(Protocol):
    """Files that are one table together, in an order."""

    @property
    def paths(self) -> Sequence[str]:
        """Where they are."""
        ...

    def signature(self, path: str) -> str | None:
        """What is another text when the file may have changed; None where that could not be told."""
        ...

    def read_some(self, paths: Sequence[str], known: pa.Schema | None = None) -> list[pa.Table]:
        """The rows of some of them, all with one schema: what they and `known` have in common."""
        ...


def snapshot_parts(
    store: Store, name: str, source: PartSource, *, source_system: str | None = None, licence: str | None = None
) -> DatasetVersion:
    """Keep what the files hold now as a version; the same content is the same version, in however many files it came.

    A file that has the signature of the newest version is not read. Its rows are read from the store only where they
    stand behind others that changed, because the hash covers rows in their order.
    """
    before = store.query("artifact", {"type": "dataset", "name": name}, order_by=["-created"], limit=1)
    old = Manifest.read(store.blobs, before[0]["blob"]) if before and before[0]["format"] == PARTS else _NOTHING
    signatures = [source.signature(path) for path in source.paths]  # before reading: what changes meanwhile is seen
    kept: dict[str | None, Part] = {part.signature: part for part in old.parts if part.signature}
    fresh = [path for path, signature in zip(source.paths, signatures, strict=True) if signature not in kept]
    if not fresh and [kept[signature] for signature in signatures] == old.parts:
        return version_of(before[0])
    read = source.read_some(fresh, old.schema if len(fresh) < len(source.paths) else None)
    if read and kept and read[0].schema != old.schema:  # what was kept of the others has other types
        kept, old, fresh = {}, _NOTHING, list(source.paths)
        read = source.read_some(fresh)
    schema = read[0].schema if read else old.schema
    news = dict(zip(fresh, read, strict=True))
    rows = [
        news[path] if path in news else kept[signature]
        for path, signature in zip(source.paths, signatures, strict=True)
    ]
    state = _hashed(store.blobs, schema, rows, old)
    content = state.hexdigest()
    known = store.query("artifact", {"type": "dataset", "name": name, "hash": content}, limit=1)
    parts = _kept_before(store.blobs, known, rows) or _put(store.blobs, rows)
    parts = [Part(part.blob, part.rows, sign) for part, sign in zip(parts, signatures, strict=True)]
    blob = Manifest(schema, parts, state.blocks).keep(store.blobs)
    if known:
        return _said_anew(store, known[0], blob)
    row: Row = {
        **{"artifact_id": new_id(), "hash": content, "schema_hash": tables.schema_hash(schema.empty_table())},
        **{"format": PARTS, "rows": state.rows, "blob": blob, "created": iso(store.clock.now())},
        **{"name": name, "source_system": source_system, "licence": licence},
    }
    return enter_version(store, row)


def _hashed(blobs: Blobs, schema: pa.Schema, rows: Sequence[pa.Table | Part], old: Manifest) -> ContentHash:
    """The hash of all rows; those before the first change are not looked at, but for what is no whole block."""
    same = sum(
        part.rows for part, now in takewhile(lambda pair: pair[0] is pair[1], zip(old.parts, rows, strict=False))
    )
    known = min(same // BLOCK_ROWS, len(old.blocks) // DIGEST_BYTES)
    state = ContentHash(schema, old.blocks[: known * DIGEST_BYTES])
    skipped, place = known * BLOCK_ROWS, 0
    for part in rows:
        count = part.num_rows if isinstance(part, pa.Table) else part.rows
        if place + count > skipped:
            table = part if isinstance(part, pa.Table) else part.read(blobs).cast(schema)
            state.add(table.slice(max(0, skipped - place)))
        place += count
    return state


def _kept_before(blobs: Blobs, known: Sequence[Row], rows: Sequence[pa.Table | Part]) -> list[Part]:
    """The parts of the version with the same content, where they are cut in the same places."""
    if not known or known[0]["format"] != PARTS:
        return []
    parts = Manifest.read(blobs, known[0]["blob"]).parts
    counts = [part.num_rows if isinstance(part, pa.Table) else part.rows for part in rows]
    return parts if [part.rows for part in parts] == counts else []


def _put(blobs: Blobs, rows: Sequence[pa.Table | Part]) -> list[Part]:
    """Keep the tables; several at once, because each waits for the disk."""

    def put(part: pa.Table | Part) -> Part:
        return part if isinstance(part, Part) else Part(put_table(blobs, part), part.num_rows, None)

    found = []
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for part in threads.map(put, rows):
            found.append(part)
            if len(rows) > 1:
                tell("keeping", len(found) / len(rows))
    return found


def _said_anew(store: Store, row: Row, blob: str) -> DatasetVersion:
    """The version that is known; from now on its manifest says where its rows were found the last time."""
    if row["blob"] != blob and row["format"] == PARTS:
        with suppress(Conflict):  # somebody else just did the same
            store.amend("artifact", {"artifact_id": row["artifact_id"]}, {"blob": blob}, expect={"blob": row["blob"]})
    return version_of(row)
