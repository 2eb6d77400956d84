"""Which blobs something points to: every hash that stands in a text of a row, and those in manifests among them.

Rather one too many than one too few: whatever has the form of a hash counts, in whichever column, and a blob that is
JSON may be a manifest.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from assay.errors import StoreUnavailable
from assay.record.clearing.leaving import Leaving
from assay.record.schema import TABLES
from assay.record.store import Store

__all__ = ["all_blobs", "reachable"]

_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_LENGTH = 64
_NAME_NONE = {  # what was decided, changed and told, not content; and points of metrics
    *("ledger", "ledger_head", "history", "outbox", "delivery", "webhook", "run_metric", "metric_chunk", "run_io"),
    "step_code",  # fingerprints of functions
}


def all_blobs(root: Path) -> Iterator[Path]:
    """Every blob that is on disk; temporary files are none."""
    for folder in sorted(root.glob("[0-9a-f][0-9a-f]")):
        yield from (path for path in sorted(folder.iterdir()) if _HASH.fullmatch(path.name))


def reachable(store: Store, without: Leaving) -> set[str]:
    """Hashes that rows and manifests name, when the rows that leave are gone."""
    found: set[str] = set()
    for kind, table in TABLES.items():
        if kind not in _NAME_NONE:
            found |= _in_table(store, table, without)
    waiting = list(found)
    while waiting:
        fresh = _in_blob(store, waiting.pop()) - found
        found |= fresh
        waiting += fresh
    return found


def _in_table(store: Store, table: sa.Table, without: Leaving) -> set[str]:
    gone = {column: keys for kind, column, keys in without.takes if kind == table.name and keys}
    texts = [column for column in table.c if column.type.python_type is str]
    if not texts:
        return set()
    statement = sa.select(*[column for column in table.c if column in texts or column.name in gone]).where(
        sa.or_(*[sa.func.length(column) >= _LENGTH for column in texts])
    )
    found: set[str] = set()
    roots = without.roots
    for row in store.select(statement):
        if any(row[column] in keys for column, keys in gone.items()):
            continue
        if table.name == "artifact_file" and _is_below(row["path"], roots):
            continue
        for value in row.values():
            if isinstance(value, str) and len(value) >= _LENGTH:
                found.update(_HASH.findall(value))
    return found


def _is_below(path: str, roots: set[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:count]) in roots for count in (1, 3, 4))


def _in_blob(store: Store, digest: str) -> set[str]:
    """The hashes in a blob that may be a manifest."""
    path = store.blobs.path(digest)
    try:
        with path.open("rb") as file:
            if file.read(1) != b"{":
                return set()
            file.seek(0)
            return set(_HASH.findall(file.read().decode(errors="replace")))
    except FileNotFoundError:  # what looks like a hash of a blob may be one of something else
        return set()
    except OSError as error:
        raise StoreUnavailable(f"a blob cannot be read: {error.strerror}", where=str(path)) from error
