"""What a dataset came from, and what came of it: runs that made or used a version, their steps, and their models."""

import msgspec
import sqlalchemy as sa

from assay.operation import operation
from assay.record.canonical import digest
from assay.record.datasets import DatasetVersion, dataset_versions, find_dataset
from assay.record.models.version_lineage import versions_from
from assay.record.schema import TABLES
from assay.record.store import Row, Store

__all__ = ["DatasetLineage", "DatasetRun", "DatasetStep", "VersionUse", "dataset_lineage"]

_SHORT_DIGEST = 36


class DatasetStep(msgspec.Struct, frozen=True):
    """A step that took the version as an input, or returned a table of the same content."""

    run_id: str
    name: str
    role: str
    state: str


class DatasetRun(msgspec.Struct, frozen=True):
    """A run that used the version as an input or made it as an output; `models` are the versions it made."""

    run_id: str
    name: str
    role: str
    status: str
    started: str
    models: list[str]


class VersionUse(msgspec.Struct, frozen=True):
    """A version, with the names under which the same content is kept, and all that used it."""

    name: str
    hash: str
    rows: int
    created: str
    origin: str | None
    licence: str | None
    same_content: list[str]
    runs: list[DatasetRun]
    steps: list[DatasetStep]
    evaluations: list[str]


class DatasetLineage(msgspec.Struct, frozen=True):
    """The versions of a dataset, newest first."""

    name: str
    versions: list[VersionUse]


@operation("data lineage")
def dataset_lineage(store: Store, name: str) -> DatasetLineage:
    """Show what a dataset came from, and which runs, steps and models made it or used it.

    NAME are all its versions, NAME@HASH is one of them.
    """
    found = find_dataset(store, name)
    versions = [found] if "@" in name else dataset_versions(store, found.name)
    return DatasetLineage(found.name, [_use(store, version) for version in versions])


def _use(store: Store, version: DatasetVersion) -> VersionUse:
    artifacts = store.query("artifact", {"type": "dataset", "hash": version.hash})
    links = store.query("run_io", {"artifact_id in": [one["artifact_id"] for one in artifacts]})
    evaluations = store.query("evaluation", {"dataset_hash": version.hash}, order_by=["ts"])
    return VersionUse(
        **{key: getattr(version, key) for key in ("name", "hash", "rows", "created", "licence")},
        origin=version.source_system,
        same_content=sorted({one["name"] for one in artifacts if one["name"]} - {version.name}),
        runs=_runs(store, version.hash, links),
        steps=_steps(store, version.hash),
        evaluations=[one["evaluation_id"] for one in evaluations],
    )


def _runs(store: Store, content: str, links: list[Row]) -> list[DatasetRun]:
    roles = {link["run_id"]: link["role"] for link in links}
    for said in (content, content[:_SHORT_DIGEST]):  # what a run that logs without waiting says of its data
        for used in store.query("run_dataset", {"digest": said, "layer": 0}):
            roles.setdefault(used["run_id"], "input")
    runs = store.query("run", {"run_id in": sorted(roles), "deleted": None}, order_by=["started"])
    return [
        DatasetRun(
            **{key: run[key] for key in ("run_id", "name", "status", "started")},
            role=roles[run["run_id"]],
            models=versions_from(store, run_id=run["run_id"]) if roles[run["run_id"]] == "input" else [],
        )
        for run in runs
    ]


def _steps(store: Store, content: str) -> list[DatasetStep]:
    step = TABLES["step"]
    as_argument = digest(["table", content])  # as the key of a step has it
    mentions = sa.or_(step.c.inputs.contains(as_argument), step.c.output.contains(content))
    columns = [step.c[name] for name in ("run_id", "name", "state", "inputs", "output")]
    found = store.select(sa.select(*columns).where(mentions).order_by(step.c.started))
    return [
        DatasetStep(row["run_id"], row["name"], role, row["state"])
        for row in found
        for role, text, mention in (("input", row["inputs"], as_argument), ("output", row["output"], content))
        if mention in (text or "")
    ]
