"""What a version came from and what came of it; and from a run or its data to the versions made of them."""

import json
from typing import Annotated

import msgspec

from assay.operation import operation
from assay.record.models.seals import records_of
from assay.record.models.versions import version_row, versions_of
from assay.record.store import Row, Store

__all__ = ["DatasetUse", "Judged", "Served", "VersionLineage", "show_version", "version_lineage", "versions_from"]


class DatasetUse(msgspec.Struct, frozen=True):
    """Data the version's run read: a dataset with its digest, or an artifact with its hash."""

    name: str
    digest: str
    context: str | None


class Judged(msgspec.Struct, frozen=True):
    """A verdict of the gate, or an override of it, and its entry in the ledger."""

    outcome: str
    mode: str
    decision: int
    evaluation_id: str
    ts: str
    reason: str | None


class Served(msgspec.Struct, frozen=True):
    """A time the version served an endpoint; `ended` is null while it does."""

    endpoint: str
    started: str
    ended: str | None
    outcome: str | None
    decision: int


class VersionLineage(msgspec.Struct, frozen=True):
    """A version with all that leads to it and all that it led to. `copies` are versions that share its sealed files."""

    mv_id: str
    model: str
    version: int
    hash: str
    sealed: str
    stage: str
    aliases: list[str]
    source: str
    created: str
    actor: str
    description: str | None
    run_id: str | None
    run: str | None
    experiment: str | None
    code: str | None
    dirty: bool
    environment: str | None
    logged_model_id: str | None
    datasets: list[DatasetUse]
    evaluations: list[str]
    verdicts: list[Judged]
    deployments: list[Served]
    decisions: list[int]
    copies: list[str]
    run_changed: bool


@operation("lineage")
def show_version(store: Store, model: str, version: Annotated[int, "Its number"]) -> VersionLineage:
    """Show what a version came from, and what came of it."""
    return version_lineage(store, version_row(store, model, version)["mv_id"])


def version_lineage(store: Store, mv_id: str) -> VersionLineage:
    """The lineage of a version; also of a deleted one. `run_changed`: its run says something else now than then."""
    row = store.get("model_version", {"mv_id": mv_id})
    known = versions_of(store, [row])[0]
    key = {"mv_id": mv_id}
    run = store.get("run", {"run_id": row["run_id"]}) if row["run_id"] else None
    experiment = store.query("experiment", {"experiment_id": run["experiment_id"]}) if run else []
    verdicts = [_judged(gate) for gate in store.query("gate", key, order_by=["decision"])]
    deployments = [
        Served(**{name: found[name] for name in Served.__struct_fields__})
        for found in store.query("deployment", key, order_by=["started"])
    ]
    moves = store.query("alias_move", key, order_by=["decision"])
    copies = store.query("model_version", {"hash": row["hash"], "mv_id !=": mv_id}) if row["hash"] else []
    kept = ("model", "version", "hash", "sealed", "stage", "aliases", "source", "created", "actor", "description")
    return VersionLineage(
        mv_id=mv_id,
        **{name: getattr(known, name) for name in kept},
        run_id=row["run_id"],
        run=run["name"] if run else None,
        experiment=experiment[0]["name"] if experiment else None,
        code=run["code_sha"] if run else None,
        dirty=bool(run and run["dirty"]),
        environment=run["env_hash"] if run else None,
        logged_model_id=row["logged_model_id"],
        datasets=_datasets(store, row["run_id"]) if row["run_id"] else [],
        evaluations=[found["evaluation_id"] for found in store.query("evaluation", key, order_by=["ts"])],
        verdicts=verdicts,
        deployments=deployments,
        decisions=sorted(
            {move["decision"] for move in moves}
            | {verdict.decision for verdict in verdicts}
            | {served.decision for served in deployments}
        ),
        copies=sorted(f"{copy['model']}/{copy['version']}" for copy in copies),
        run_changed=_run_changed(store, row),
    )


def versions_from(store: Store, *, run_id: str | None = None, data: str | None = None) -> list[str]:
    """Versions such as `churn/3` that were made by a run, or by runs that read data of that digest or hash."""
    runs = {run_id} if run_id else set()
    if data is not None:
        runs |= {use["run_id"] for use in store.query("run_dataset", {"digest": data})}
        artifacts = [one["artifact_id"] for one in store.query("artifact", {"hash": data})]
        inputs = store.query("run_io", {"artifact_id in": artifacts, "role": "input"})
        runs |= {link["run_id"] for link in inputs}
    found = store.query("model_version", {"run_id in": sorted(runs), "deleted": None}, order_by=["model", "version"])
    return [f"{row['model']}/{row['version']}" for row in found]


def _datasets(store: Store, run_id: str) -> list[DatasetUse]:
    used = store.query("run_dataset", {"run_id": run_id, "layer": 0}, order_by=["name", "digest"])
    uses = [DatasetUse(use["name"], use["digest"], use["context"]) for use in used]
    links = store.query("run_io", {"run_id": run_id, "role": "input"}, order_by=["name"])
    hashes = {
        found["artifact_id"]: found["hash"]
        for found in store.query("artifact", {"artifact_id in": [link["artifact_id"] for link in links]})
    }
    return uses + [DatasetUse(link["name"], hashes[link["artifact_id"]], "input") for link in links]


def _judged(gate: Row) -> Judged:
    kept = {name: gate[name] for name in ("outcome", "mode", "decision", "evaluation_id", "ts")}
    return Judged(**kept, reason=gate["override_reason"])


def _run_changed(store: Store, row: Row) -> bool:
    """Whether the params or metrics of the run differ from those the version was sealed with."""
    then, now = json.loads(row["seal"] or "{}"), json.loads(records_of(store, row["run_id"]))
    return any(name in then and then[name] != now.get(name) for name in ("params", "metrics"))
