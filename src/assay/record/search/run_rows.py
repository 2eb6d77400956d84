"""Whole runs of a page of a search, in a constant number of questions however many runs there are."""

import json
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from assay.record.search.sql import Compiler
from assay.record.search.subjects import RUNS
from assay.record.store import Row, Sql, Store

__all__ = ["DatasetInput", "MetricValue", "ModelUse", "RunRow", "load_runs"]


class DatasetInput(msgspec.Struct, frozen=True):
    """A dataset that a run used, as its experiment describes it."""

    name: str
    digest: str
    context: str | None
    tags: dict[str, str]
    source_type: str
    source: str
    schema: str | None
    profile: str | None


class ModelUse(msgspec.Struct, frozen=True):
    """A logged model that a run used or made; the step is that of an output."""

    role: str
    model_id: str
    step: int | None


class MetricValue(msgspec.Struct, frozen=True, gc=False):
    """The point of a metric with the greatest step, time and value; `metrics.latest` knows more of it."""

    value: float
    step: int
    ts_ms: int


class RunRow(msgspec.Struct, frozen=True):
    """A run with what was logged to it; `info` holds the columns of `run`."""

    run_id: str
    experiment_id: str
    experiment: str
    artifact_uri: str
    info: dict[str, Any]
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, MetricValue]
    datasets: list[DatasetInput]
    models: list[ModelUse]


_DECODER = msgspec.json.Decoder(dict[str, str])
_NAN = float("nan")
PARTS = ("params", "tags", "metrics", "datasets", "models")


def load_runs(
    store: Store,
    run_ids: Sequence[str],
    *,
    late: bool = False,
    parts: Collection[str] = PARTS,
    keys: Collection[str] | None = None,
) -> list[RunRow]:
    """The runs in the order given, those that are gone left out.

    parts: what is loaded besides the run itself. keys: only these names of params, metrics and tags. late: what came
    after a run had ended as well.
    """
    if not run_ids:
        return []
    ids = list(run_ids)
    infos = {row["run_id"]: row for row in store.query("run", {"run_id in": ids})}
    experiments = _experiments(store, infos.values())
    params = _texts(store, "run_param", ids, keys, late=late) if "params" in parts else {}
    tags = _texts(store, "run_tag", ids, keys, late=True) if "tags" in parts else {}
    metrics = _metrics(store, ids, keys, late=late) if "metrics" in parts else {}
    datasets = _datasets(store, ids, infos, late=late) if "datasets" in parts else {}
    models = _models(store, ids, late=late) if "models" in parts else {}
    found = []
    for run_id in ids:
        info = infos.get(run_id)
        if info is None:
            continue
        name, location = experiments.get(info["experiment_id"], ("", ""))
        found.append(
            RunRow(
                run_id=run_id,
                experiment_id=info["experiment_id"],
                experiment=name,
                artifact_uri=f"{location}/{run_id}/artifacts",
                info=info,
                params=params.get(run_id, {}),
                tags=tags.get(run_id, {}),
                metrics=metrics.get(run_id, {}),
                datasets=datasets.get(run_id, []),
                models=models.get(run_id, []),
            )
        )
    return found


def _experiments(store: Store, infos: Collection[Row]) -> dict[str, tuple[str, str]]:
    wanted = sorted({row["experiment_id"] for row in infos})
    rows = store.query("experiment", {"experiment_id in": wanted})
    return {row["experiment_id"]: (row["name"], row["artifact_location"]) for row in rows}


def _texts(
    store: Store, table: str, ids: list[str], keys: Collection[str] | None, *, late: bool
) -> dict[str, dict[str, str]]:
    """Values by key for each run: the database makes one JSON text a run, which is read faster than many rows."""
    compiler, postgresql = _compiler(store)
    where = _where(compiler, keys, late=late)
    if postgresql:
        text = (
            f"SELECT t.run_id, CAST(json_object_agg(t.key, t.value) AS text) FROM {table} t"
            f" WHERE {compiler.text('IN', 't.run_id', ids)}{where} GROUP BY t.run_id"
        )
    else:
        listed = compiler.bind(json.dumps(ids))
        text = (
            f"SELECT i.value, (SELECT json_group_object(t.key, t.value) FROM {table} t WHERE t.run_id = i.value{where})"
            f" FROM json_each({listed}) i"
        )
    rows = store.tuples(Sql(text, compiler.values))
    return {run_id: _DECODER.decode(values) for run_id, values in rows}


def _metrics(
    store: Store, ids: list[str], keys: Collection[str] | None, *, late: bool
) -> dict[str, dict[str, MetricValue]]:
    compiler, postgresql = _compiler(store)
    found: list[dict[str, MetricValue]] = [{} for _ in ids]
    # places in the list instead of ids: thousands of rows do not repeat a text of 32 characters
    if postgresql:
        listed = f"unnest(CAST({compiler.bind(ids)} AS text[])) WITH ORDINALITY AS i(value, key)"
    else:
        listed = f"json_each({compiler.bind(json.dumps(ids))}) i"
    text = (
        f"SELECT i.key, t.key, t.value, t.step, t.ts_ms FROM {listed} CROSS JOIN run_metric t"
        f" WHERE t.run_id = i.value{_where(compiler, keys, late=late)}"
        # a row of layer 1 comes after that of layer 0 and sums up all points: it takes the place
        f"{' ORDER BY t.layer' if late else ''}"
    )
    first = 1 if postgresql else 0
    for place, key, value, step, ts_ms in store.tuples(Sql(text, compiler.values)):
        found[place - first][key] = MetricValue(_NAN if value is None else value, step, ts_ms)
    return dict(zip(ids, found, strict=True))


def _compiler(store: Store) -> tuple[Compiler, bool]:
    postgresql = store.backend == "postgresql"
    return Compiler(RUNS, postgresql=postgresql), postgresql


def _where(compiler: Compiler, keys: Collection[str] | None, *, late: bool) -> str:
    named = f" AND {compiler.text('IN', 't.key', list(keys))}" if keys is not None else ""
    return named + ("" if late else " AND t.layer = 0")


def _datasets(store: Store, ids: list[str], infos: dict[str, Row], *, late: bool) -> dict[str, list[DatasetInput]]:
    where = {"run_id in": ids} if late else {"run_id in": ids, "layer": 0}
    uses = store.query("run_dataset", where, order_by=["run_id", "name", "digest"])
    if not uses:
        return {}
    names = sorted({use["name"] for use in uses})
    wanted = sorted({infos[use["run_id"]]["experiment_id"] for use in uses if use["run_id"] in infos})
    refs = {
        (ref["experiment_id"], ref["name"], ref["digest"]): ref
        for ref in store.query("dataset_ref", {"experiment_id in": wanted, "name in": names})
    }
    found: dict[str, list[DatasetInput]] = {}
    for use in uses:
        info = infos.get(use["run_id"])
        ref = refs.get((info["experiment_id"], use["name"], use["digest"])) if info else None
        if ref is None:
            continue
        found.setdefault(use["run_id"], []).append(
            DatasetInput(
                name=use["name"],
                digest=use["digest"],
                context=use["context"],
                tags=msgspec.json.decode(use["tags"] or "{}", type=dict[str, str]),
                source_type=ref["source_type"],
                source=ref["dataset_source"],
                schema=ref["schema"],
                profile=ref["profile"],
            )
        )
    return found


def _models(store: Store, ids: list[str], *, late: bool) -> dict[str, list[ModelUse]]:
    found: dict[str, list[ModelUse]] = {}
    where = {"run_id in": ids} if late else {"run_id in": ids, "layer": 0}
    for row in store.query("run_model", where, order_by=["run_id", "role", "model_id"]):
        found.setdefault(row["run_id"], []).append(ModelUse(row["role"], row["model_id"], row["step"]))
    return found
