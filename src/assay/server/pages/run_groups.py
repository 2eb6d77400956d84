"""Runs counted by the values of a param or tag, with what their metrics say."""

import json
from dataclasses import dataclass, field
from urllib.parse import urlencode

import sqlalchemy as sa
from starlette.requests import Request

from assay.record.schema import TABLES
from assay.record.search.finding import search_runs
from assay.record.store import Row, Store
from assay.server.pages.run_columns import ENTITIES, Column

__all__ = ["Group", "groups_of"]

_MOST_RUNS = 100_000
_MOST_GROUPS = 200


@dataclass(slots=True)
class Group:
    """Runs with one value, None: without one. `metrics` by key: mean, low and high of their latest values."""

    value: str | None
    runs: int
    href: str | None = None
    metrics: dict[str, Row] = field(default_factory=dict)


def groups_of(
    store: Store, request: Request, column: Column, columns: list[Column], experiment_id: str | None
) -> list[Group]:
    """The groups of all runs that the filter of the address finds, the largest first."""
    filter = request.query_params.get("filter", "").strip()
    table = TABLES[ENTITIES[column.entity]]
    chosen, count = _chosen(store, filter, experiment_id)
    where = [table.c.key == column.key, table.c.run_id.in_(chosen)]
    if "layer" in table.c:
        where.append(table.c.layer == 0)
    counted = store.select(
        sa.select(table.c.value, sa.func.count().label("runs"))
        .where(*where)
        .group_by(table.c.value)
        .order_by(sa.func.count().desc(), table.c.value)
        .limit(_MOST_GROUPS)
    )
    groups = {
        row["value"]: Group(row["value"], row["runs"], _href(request, column, row["value"], filter)) for row in counted
    }
    keys = [one.key for one in columns if one.entity == "metrics"]
    metric = TABLES["run_metric"]
    summed = (
        sa.select(
            table.c.value.label("group"),
            metric.c.key,
            sa.func.avg(metric.c.value).label("mean"),
            sa.func.min(metric.c.value).label("low"),
            sa.func.max(metric.c.value).label("high"),
        )
        .join_from(table, metric, table.c.run_id == metric.c.run_id)
        .where(*where, metric.c.layer == 0, metric.c.key.in_(keys))
        .group_by(table.c.value, metric.c.key)
    )
    for row in store.select(summed) if keys else []:
        if row["group"] in groups:
            groups[row["group"]].metrics[row["key"]] = row
    listed = list(groups.values())
    missing = count - sum(group.runs for group in listed)
    if missing and len(counted) < _MOST_GROUPS:
        listed.append(Group(None, missing, _address(request, f"{_and(filter)}{column.name} IS NULL")))
    return listed


def _chosen(store: Store, filter: str, experiment_id: str | None) -> "tuple[sa.Select[tuple[str]], int]":
    """The ids of the runs as a question inside another one, and how many they are."""
    if not filter:
        run = TABLES["run"]
        where = [run.c.deleted.is_(None), *([run.c.experiment_id == experiment_id] if experiment_id else [])]
        counted = store.select(sa.select(sa.func.count().label("count")).select_from(run).where(*where))
        return sa.select(run.c.run_id).where(*where), int(counted[0]["count"])
    experiments = [experiment_id] if experiment_id else None
    ids = search_runs(store, filter, experiment_ids=experiments, limit=_MOST_RUNS).ids
    text = json.dumps(ids)  # one value: there may be more ids than a statement has places for
    if store.backend == "postgresql":
        listed = sa.func.json_array_elements_text(sa.cast(sa.literal(text), sa.JSON)).column_valued("listed")
        return sa.select(listed), len(ids)
    return sa.select(sa.func.json_each(text).table_valued("value").c.value), len(ids)


def _href(request: Request, column: Column, value: str, filter: str) -> str | None:
    """The runs of a group; None for a value that no quotes can hold."""
    quote = next((sign for sign in ("'", '"') if sign not in value), None)
    if quote is None or "\\" in value:
        return None
    return _address(request, f"{_and(filter)}{column.name} = {quote}{value}{quote}")


def _and(filter: str) -> str:
    return f"({filter}) and " if filter else ""


def _address(request: Request, filter: str) -> str:
    dropped = ("token", "filter", "group")
    kept = [(key, value) for key, value in request.query_params.multi_items() if key not in dropped]
    return f"{request.url.path}?{urlencode([*kept, ('filter', filter)])}"
