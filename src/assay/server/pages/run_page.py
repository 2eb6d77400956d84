"""The page of a run: all that it recorded."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from assay.errors import NotFound
from assay.record.changes import changes
from assay.record.clock import moment
from assay.record.schema import TABLES
from assay.record.store import Row, Store
from assay.record.tracking.metrics import Latest, latest_of
from assay.record.tracking.run_changes import NAME_TAG, PARENT_TAG
from assay.record.tracking.run_steps import question_of
from assay.server.pages.editing import NOTE, own_tags, run_state, run_tags
from assay.server.pages.files import files_of
from assay.server.pages.forms import seen_of
from assay.server.pages.rendering import render
from assay.server.pages.run_columns import SYSTEM
from assay.server.pages.sparkline import paths
from assay.server.pages.wording import size, state_of

__all__ = ["MetricLine", "metric_lines", "show"]

_DIFF_SHOWN = 100_000  # characters
_CHILDREN = 200
_CHANGES = 100
_SAID_ELSEWHERE = (NAME_TAG, PARENT_TAG, NOTE)  # tags whose values have places of their own on the page


class MetricLine(msgspec.Struct, frozen=True):
    """A metric of a run; `late` says that points came after the run had ended, which the numbers leave out."""

    key: str
    latest: Latest | None
    late: int
    path: str = ""


def show(store: Store, request: Request) -> Response:
    """A run by its id, or by the first characters of it where they are enough."""
    run = _run(store, request.path_params["run_id"])
    key = {"run_id": run["run_id"]}
    experiment = store.get("experiment", {"experiment_id": run["experiment_id"]})
    tags = run_tags(store, run["run_id"])
    state = state_of(run, store.clock.now()).word
    detail = _object(run["detail"])
    metrics = metric_lines(store, run["run_id"])
    steps = store.query("step", key, order_by=["started", "step_id"])
    return render(
        store,
        request,
        "run.html",
        title=run["name"] or run["run_id"][:8],
        place="/runs",
        run=run,
        experiment=experiment,
        seconds=_seconds(store, run),
        parent=_first(store, run["parent_run_id"]),
        children=_children(store, run["run_id"]),
        metrics=metrics,
        charted=[line.key for line in metrics if line.latest and line.latest.count > 1],
        drawn={line.key: (line.latest.count if line.latest else 0) + line.late for line in metrics},
        params=store.query("run_param", key, order_by=["key"]),
        many=any(line.latest and line.latest.count > 1 for line in metrics),
        live=state in ("running", "scheduled"),
        note=tags.get(NOTE),
        tags=own_tags(tags),
        system_tags={
            name: value for name, value in tags.items() if name.startswith("mlflow.") and name not in _SAID_ELSEWHERE
        },
        seen=seen_of(run_state(run, tags)),
        changes=changes(store, "run", run["run_id"])[-_CHANGES:],
        datasets=_datasets(store, run),
        models=_models(store, run["run_id"]),
        versions=store.query("model_version", {**key, "deleted": None}, order_by=["model", "version"]),
        evaluations=store.query("evaluation", key, order_by=["ts"]),
        steps=steps,
        question=question_of(store, run["run_id"], steps),
        files=files_of(store, run),
        command=_command(detail.get("command")),
        detail=_flat({name: value for name, value in detail.items() if name != "command"}),
        diff=_diff(store, detail),
        environment=_environment(store, run["env_hash"]),
    )


def metric_lines(store: Store, run_id: str) -> list[MetricLine]:
    """What the metrics of a run say, in order of their keys; those of the machine come last."""
    kept: dict[str, dict[int, Row]] = {}
    for row in store.query("run_metric", {"run_id": run_id}, order_by=["key", "layer"]):
        kept.setdefault(row["key"], {})[row["layer"]] = row
    counts = {(run_id, key): layers[0]["count"] for key, layers in kept.items() if 0 in layers}
    drawn = paths(store, [run_id], list(kept), counts)
    lines = []
    for key, layers in sorted(kept.items(), key=lambda item: (item[0].startswith(SYSTEM), item[0])):
        own = layers.get(0)
        late = layers[1]["count"] - (own["count"] if own else 0) if 1 in layers else 0
        lines.append(MetricLine(key, latest_of(own) if own else None, late, drawn.get((run_id, key), "")))
    return lines


def _run(store: Store, asked: str) -> Row:
    rows = store.query("run", {"run_id": asked}) or (
        store.query("run", {"run_id prefix": asked}, limit=2) if len(asked) >= 6 else []
    )
    if len(rows) != 1:
        raise NotFound(f"no run has the id {asked}", where=store.location, hint="the table of runs lists them")
    return rows[0]


def _first(store: Store, run_id: str | None) -> Row | None:
    rows = store.query("run", {"run_id": run_id}) if run_id else []
    return rows[0] if rows else None


def _children(store: Store, run_id: str) -> list[Row]:
    return store.query("run", {"parent_run_id": run_id, "deleted": None}, order_by=["started"], limit=_CHILDREN)


def _seconds(store: Store, run: Row) -> float | None:
    """How long the run took, or has taken until now; of a lost one until something last came."""
    now = store.clock.now()
    word = state_of(run, now).word
    if word == "scheduled":
        return None
    last = moment(run["ended"] or run["seen"] or run["started"])
    return ((now if word == "running" else last) - moment(run["started"])).total_seconds()


def _datasets(store: Store, run: Row) -> list[Row]:
    """Datasets that went in, as a client described them, and those that were kept."""
    io, artifact = TABLES["run_io"], TABLES["artifact"]
    kept = (
        sa.select(io.c.role, io.c.name, artifact.c.type, artifact.c.hash.label("digest"), artifact.c.rows)
        .join_from(io, artifact, io.c.artifact_id == artifact.c.artifact_id)
        .where(io.c.run_id == run["run_id"], artifact.c.type != "model")
        .order_by(io.c.role, io.c.name)
    )
    used, ref = TABLES["run_dataset"], TABLES["dataset_ref"]
    described = (
        sa.select(used.c.name, used.c.digest, used.c.context, used.c.layer, ref.c.source_type, ref.c.dataset_source)
        .outerjoin_from(
            used,
            ref,
            (ref.c.experiment_id == run["experiment_id"])
            & (ref.c.name == used.c.name)
            & (ref.c.digest == used.c.digest),
        )
        .where(used.c.run_id == run["run_id"])
        .order_by(used.c.name, used.c.digest)
    )
    listed: list[Row] = [{**row, "context": None, "layer": 0, "origin": None} for row in store.select(kept)]
    there = {(row["name"], row["digest"]): row for row in listed if row["role"] == "input"}
    for row in store.select(described):
        if (row["name"], row["digest"]) in there:
            there[row["name"], row["digest"]].update(context=row["context"], layer=row["layer"])
        else:
            listed.append({**row, "role": "input", "rows": None, "type": "dataset", "origin": row["source_type"]})
    return listed


def _models(store: Store, run_id: str) -> list[Row]:
    link, model = TABLES["run_model"], TABLES["logged_model"]
    statement = (
        sa.select(link.c.role, link.c.step, link.c.layer, model.c.model_id, model.c.name, model.c.status)
        .join_from(link, model, link.c.model_id == model.c.model_id)
        .where(link.c.run_id == run_id, model.c.deleted.is_(None))
        .order_by(link.c.role, model.c.name)
    )
    return store.select(statement)


def _environment(store: Store, env_hash: str | None) -> dict[str, Any] | None:
    rows = store.query("environment", {"env_hash": env_hash}) if env_hash else []
    return _object(rows[0]["detail"]) if rows else None


def _diff(store: Store, detail: dict[str, Any]) -> list[tuple[str, str]]:
    """What was not committed, line by line with what kind of line it is."""
    git = detail.get("git")
    digest = git.get("diff") if isinstance(git, dict) else None
    if not isinstance(digest, str) or not store.blobs.has(digest):
        return []
    text = store.blobs.get(digest).decode("utf-8", errors="replace")[:_DIFF_SHOWN]
    return [(_kind(line), line) for line in text.splitlines()]


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "diff ", "index ", "@@")):
        return "at"
    return {"+": "add", "-": "del"}.get(line[:1], "")


def _object(text: str | None) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _command(found: object) -> str:
    return " ".join(map(str, found)) if isinstance(found, list) else str(found or "")


def _flat(detail: dict[str, Any]) -> list[tuple[str, str]]:
    """What was captured, as lines of text; what has lines of its own on the page is left out."""

    def lines(prefix: str, value: object) -> Iterable[tuple[str, str]]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from lines(f"{prefix} {name}".strip(), inner)
        elif isinstance(value, list):
            yield prefix, " ".join(map(str, value))
        elif isinstance(value, bool):
            yield prefix, "yes" if value else "no"
        elif isinstance(value, int) and prefix.endswith("_bytes"):
            yield prefix.removesuffix("_bytes"), size(value)
        elif value is not None:
            yield prefix, str(value)

    return [line for line in lines("", detail) if line[0] != "git diff"]
