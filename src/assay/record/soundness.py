"""Is everything that the store acknowledged there, and is it what it was? And what may be cleared away.

Problems mean lost or changed content. Notes are harmless traces of interrupted processes; `mend` removes those.
"""

import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from assay.errors import Conflict, NotFound, StoreUnavailable, Tampered
from assay.record import ledger
from assay.record.canonical import digest_file
from assay.record.clock import iso, moment
from assay.record.dataset_parts import PARTS, Manifest
from assay.record.faults import storage_faults
from assay.record.migrations import HEAD, version_of
from assay.record.sqlstore import SqlStore
from assay.record.store import Row, Store

__all__ = ["Soundness", "check", "goes_on", "mend"]

_LEFT_OVER_S = 3600  # a temporary file that nobody has touched for so long belongs to nobody
_CLOCK_SLACK = timedelta(seconds=2)  # the system tells to the second when it was started

_VERSIONS = (
    ("alias_move", "mv_id"),
    ("alias_move", "previous_mv_id"),
    ("deployment", "mv_id"),
    ("evaluation", "mv_id"),
    ("evaluation", "baseline_mv_id"),
    ("gate", "mv_id"),
    ("gate", "baseline_mv_id"),
)


class Soundness(msgspec.Struct):
    """`sound` says that there are no problems; `blobs` counts the different blobs that rows name."""

    sound: bool
    problems: list[str]
    notes: list[str]
    runs: int
    blobs: int
    ledger_entries: int


def check(store: Store, deep: bool = True) -> Soundness:
    """Check the database, the blobs that rows name, the ledger, and what rows say about each other.

    `deep` reads every blob and compares its content with its hash; otherwise only its presence is checked. Changes
    nothing, and raises nothing for what it finds.
    """
    found = Soundness(sound=False, problems=[], notes=[], runs=0, blobs=0, ledger_entries=0)
    for part in (_database, _blobs, _ledger, _references, _runs):
        try:
            part(store, found, deep)
        except StoreUnavailable as error:  # damage that keeps the rows from being read
            if error.what not in found.problems:
                found.problems.append(error.what)
    left = len(_left_over(store))
    if left:
        found.notes.append(_counted(left, "temporary file was left behind", "temporary files were left behind"))
    found.sound = not found.problems
    return found


def mend(store: Store) -> list[str]:
    """Clear away what interrupted processes left; returns what was done, a sentence each.

    Runs whose process is gone become `killed`; temporary files that are older than an hour are removed. Nothing that
    was acknowledged is touched.
    """
    ended = 0
    for run in _interrupted(store):
        changes = {"status": "killed", "reason": "its process ended without a word", "ended": iso(store.clock.now())}
        try:
            store.amend("run", {"run_id": run["run_id"]}, changes, expect={"status": "running"})
        except Conflict:  # somebody else was first
            continue
        ended += 1
    removed = 0
    for path in _left_over(store):
        with storage_faults(str(path)):
            if time.time() - path.stat().st_mtime < _LEFT_OVER_S:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            removed += 1
    done = [_counted(ended, "interrupted run was marked as killed", "interrupted runs were marked as killed")]
    done.append(_counted(removed, "temporary file was removed", "temporary files were removed"))
    return [sentence for sentence, count in zip(done, (ended, removed), strict=True) if count]


def _database(store: Store, found: Soundness, _deep: bool) -> None:
    if not isinstance(store, SqlStore):
        return
    with storage_faults(store.location), store.engine.connect() as connection:
        version = version_of(connection)
        if version != HEAD:
            found.problems.append(f"the store has schema version {version}, expected {HEAD}")
        if store.engine.dialect.name != "sqlite":
            return
        for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if line != "ok":
                found.problems.append(f"the database file is damaged: {line}")
        for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
            found.problems.append(f"a record of kind {table} names a {parent} that is not there")


def _blobs(store: Store, found: Soundness, deep: bool) -> None:
    seen: dict[str, str | None] = {}
    for digest, whose in _named(store):
        if digest not in seen:
            seen[digest] = _damage(store, digest, deep)
        if seen[digest]:
            found.problems.append(f"blob {digest[:12]} {seen[digest]}: {whose} needs it")
    found.blobs = len(seen)


def _named(store: Store) -> Iterator[tuple[str, str]]:
    """Every hash of a blob that a row names, with the row in words."""
    for row in store.query("artifact", {"blob !=": None}):
        whose = f"{row['type']} {row['name'] or row['artifact_id']}"
        yield row["blob"], whose
        if row["format"] == PARTS:
            with suppress(NotFound, Tampered):  # told for the manifest itself
                yield from ((part.blob, f"a part of {whose}") for part in Manifest.read(store.blobs, row["blob"]).parts)
    for row in store.query("evaluation"):
        yield row["profile_blob"], f"evaluation {row['evaluation_id'][:12]}"
    for row in store.query("card"):
        yield row["blob"], f"the card of {row['name']}"
    for row in store.query("step", {"output !=": None}):
        for digest in _encoded(json.loads(row["output"])):
            yield digest, f"step {row['name']}"
    for row in store.query("artifact_file", order_by=["path"]):
        yield row["blob"], f"file {row['path']}"
    for row in store.query("model_version", {"hash !=": ""}):  # those without files name none
        whose = f"model {row['model']}/{row['version']}"
        yield row["hash"], whose
        try:
            files = store.blobs.manifest(row["hash"])
        except (NotFound, Tampered):
            continue  # told for the manifest itself
        for name, digest in files.items():
            yield digest, f"{name} of {whose}"


def _encoded(value: object) -> Iterator[str]:
    """The blobs of an encoded value; what stands in it as plain JSON is content and names none."""
    if isinstance(value, list):
        for item in value:
            yield from _encoded(item)
    elif isinstance(value, dict) and value.get("as") != "json":
        if isinstance(value.get("blob"), str):
            yield value["blob"]
        for item in value.values():
            yield from _encoded(item)


def _damage(store: Store, digest: str, deep: bool) -> str | None:
    if not store.blobs.has(digest):
        return "is missing"
    try:
        if deep and digest_file(store.blobs.path(digest)) != digest:
            return "does not match its hash"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def _ledger(store: Store, found: Soundness, _deep: bool) -> None:
    verified = ledger.verify(store)
    found.problems += [f"ledger: {problem}" for problem in verified.problems]
    found.ledger_entries = verified.entries


def _references(store: Store, found: Soundness, _deep: bool) -> None:
    versions = {row["mv_id"] for row in store.query("model_version")}
    evaluations = {row["evaluation_id"] for row in store.query("evaluation")}
    named = [(kind, row[column], "model version", versions) for kind, column in _VERSIONS for row in store.query(kind)]
    named += [("gate", row["evaluation_id"], "evaluation", evaluations) for row in store.query("gate")]
    for kind, key, what, known in named:
        if key and key not in known:  # an override of no verdict names no evaluation
            found.problems.append(f"a record of kind {kind} names the {what} {key[:12]}, which is not there")


def _runs(store: Store, found: Soundness, _deep: bool) -> None:
    found.runs = len(store.query("run"))
    count = len(_interrupted(store))
    if count:
        found.notes.append(_counted(count, "run was interrupted", "runs were interrupted"))


def _interrupted(store: Store) -> list[Row]:
    """Runs of this host that are said to go on, and whose process is gone."""
    running = store.query("run", {"status": "running", "host": platform.node(), "pid !=": None}, order_by=["started"])
    return [run for run in running if not goes_on(run)]


def goes_on(run: Row) -> bool:
    """Whether the process of a run, which is one of this host, is there."""
    try:
        os.kill(run["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there, and somebody else's
        pass
    # A process that began after the last word of the run only has the same number, as in a restarted container.
    began, last = _began(run["pid"]), moment(run["seen"] or run["started"])
    return began is None or began <= last + _CLOCK_SLACK


def _began(pid: int) -> datetime | None:
    """When a process was started, None where the system does not tell."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, StopIteration):
        return None
    seconds = int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(seconds, UTC)


def _left_over(store: Store) -> list[Path]:
    """Files and folders that a process was about to move to their place."""
    root = store.blobs.root
    return sorted([*root.glob("*/.new-*"), *(root.parent / "models").glob(".new-*")])


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
