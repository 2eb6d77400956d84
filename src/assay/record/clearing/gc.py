"""What was deleted long ago goes for good: its rows in one transaction, then the blobs that nothing points to.

A crash between the two leaves blobs that nothing points to; the next clearing takes them. Numbers and ids are never
given out again, and what the ledger and the histories tell stays told.
"""

import shutil
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.clearing.leaving import Leaving, leaving
from assay.record.clearing.reachable import all_blobs, reachable
from assay.record.clock import iso
from assay.record.faults import storage_faults
from assay.record.live.targets import spool_folder, target_of
from assay.record.store import Store

__all__ = ["GarbageReport", "gc"]

_YOUNG_S = 24 * 3600  # a blob that is younger may belong to an upload under way
_AT_ONCE = 500  # keys in one statement
_LONGEST = 36_500


class GarbageReport(msgspec.Struct, frozen=True):
    """What went, or would go where `deleted` is false: counts, `bytes` of blobs, names; and in words what stays."""

    deleted: bool
    older_than_days: int
    runs: int
    experiments: int
    logged_models: int
    registered_models: int
    versions: int
    files: int
    blobs: int
    bytes: int
    going: list[str]
    kept: list[str]


@operation("gc")
def gc(
    store: Store,
    *,
    older_than: Annotated[int, "Days since the deletion"] = 30,
    delete: Annotated[bool, "Do it; otherwise only say what would go"] = False,
) -> GarbageReport:
    """Say what was deleted long ago and can go for good, with blobs that nothing points to, or take it away."""
    if not 0 <= older_than <= _LONGEST:
        raise InvalidInput(f"older_than is {older_than}", expected=f"days, from 0 to {_LONGEST}")
    before = iso(store.clock.now() - timedelta(days=older_than))
    with store.transaction():  # nobody restores a run between the question and the removal
        plan = leaving(store, before)
        files = _files(store, plan)
        kept = list(plan.kept)
        blobs = _unreachable(store, plan, kept)
        if delete:
            _remove_rows(store, plan)
    sizes = {path: path.stat().st_size for path in blobs}
    if delete:
        sizes = _remove_blobs(store, sizes)
    return GarbageReport(
        deleted=delete,
        older_than_days=older_than,
        runs=len(plan.runs),
        experiments=len(plan.experiments),
        logged_models=len(plan.logged_models),
        registered_models=len(plan.registered_models),
        versions=len(plan.versions),
        files=files,
        blobs=len(sizes),
        bytes=sum(sizes.values()),
        going=_in_words(plan),
        kept=kept,
    )


def _in_words(plan: Leaving) -> list[str]:
    return [
        *[f"experiment {row['name']} ({key})" for key, row in sorted(plan.experiments.items())],
        *[f"run {row['name']} ({key[:12]})" for key, row in sorted(plan.runs.items())],
        *[f"logged model {row['name']} ({key[:12]})" for key, row in sorted(plan.logged_models.items())],
        *[f"model {row['deleted_name'] or row['name']}" for _, row in sorted(plan.registered_models.items())],
        *[f"version {row['model']}/{row['version']}" for _, row in sorted(plan.versions.items())],
    ]


def _files(store: Store, plan: Leaving) -> int:
    roots = sorted(plan.roots)
    return len({row["path"] for root in roots for row in store.query("artifact_file", {"path prefix": f"{root}/"})})


def _remove_rows(store: Store, plan: Leaving) -> None:
    for root in sorted(plan.roots):
        store.remove("artifact_file", {"path prefix": f"{root}/"})
    for kind, column, keys in plan.takes:
        ordered = sorted(keys)
        for start in range(0, len(ordered), _AT_ONCE):
            store.remove(kind, {f"{column} in": ordered[start : start + _AT_ONCE]})


def _unreachable(store: Store, plan: Leaving, kept: list[str]) -> list[Path]:
    """Blobs that nothing points to when the plan is carried out; says in `kept` why some must wait."""
    if journals := _waiting(store):
        kept.append(f"no blob goes: journals of runs that wait or are written to may point to them: {journals}")
        return []
    named = reachable(store, plan)
    free = [path for path in all_blobs(store.blobs.root) if path.name not in named]
    young = [path for path in free if _is_young(path)]
    if young:
        kept.append(f"blobs younger than a day to which nothing points stay: {len(young)}")
    waiting = set(young)
    return [path for path in free if path not in waiting]


def _waiting(store: Store) -> int:
    """How many journals with content runs for this store have left or write to; its address may have a password."""
    folder = spool_folder(target_of(store.location))
    folders: Iterable[Path] = [folder]
    if store.backend != "sqlite":
        folders = folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*")
    return sum(1 for place in folders for path in place.glob("*.journal") if path.stat().st_size)


def _is_young(path: Path) -> bool:
    return time.time() - path.stat().st_mtime < _YOUNG_S


def _remove_blobs(store: Store, sizes: dict[Path, int]) -> dict[Path, int]:
    """Take blobs away, and unpacked models of that hash; returns which. One that was just kept again stays."""
    removed = {}
    for path, size in sizes.items():
        with storage_faults(str(path)):
            if _is_young(path):
                continue
            path.unlink()
            shutil.rmtree(store.blobs.root.parent / "models" / path.name, ignore_errors=True)
        removed[path] = size
    return removed
