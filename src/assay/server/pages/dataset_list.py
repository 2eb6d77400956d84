"""Datasets: their versions by content, and the runs that used or made each."""

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from assay.record.schema import TABLES
from assay.record.store import Row, Store
from assay.server.pages.rendering import render

__all__ = ["show"]

_LISTED = 200
_RUNS = 6


def show(store: Store, request: Request) -> Response:
    """Datasets that are kept, and those that clients described, newest first; only `name` where it is given."""
    name = request.query_params.get("name")
    only: dict[str, object] = {"name": name} if name else {}
    kept = store.query("artifact", {"type": "dataset", **only}, order_by=["-created"], limit=_LISTED)
    described = store.query("dataset_ref", only, order_by=["-ts"], limit=_LISTED)
    return render(
        store,
        request,
        "datasets.html",
        title=name or "Datasets",
        place="/datasets",
        name=name,
        kept=kept,
        described=described,
        kept_by=_users_of_kept(store, [row["artifact_id"] for row in kept]),
        described_by=_users_of_described(store, described),
        shown_runs=_RUNS,
    )


def _users_of_kept(store: Store, artifact_ids: list[str]) -> dict[str, list[Row]]:
    link, run = TABLES["run_io"], TABLES["run"]
    statement = (
        sa.select(link.c.artifact_id, link.c.role, run.c.run_id, run.c.name)
        .join_from(link, run, link.c.run_id == run.c.run_id)
        .where(link.c.artifact_id.in_(artifact_ids), run.c.deleted.is_(None))
        .order_by(run.c.started)
    )
    found: dict[str, list[Row]] = {}
    for row in store.select(statement) if artifact_ids else []:
        found.setdefault(row["artifact_id"], []).append(row)
    return found


def _users_of_described(store: Store, described: list[Row]) -> dict[tuple[str, str], list[Row]]:
    link, run = TABLES["run_dataset"], TABLES["run"]
    statement = (
        sa.select(link.c.name.label("dataset"), link.c.digest, link.c.context.label("role"), run.c.run_id, run.c.name)
        .join_from(link, run, link.c.run_id == run.c.run_id)
        .where(link.c.digest.in_({row["digest"] for row in described}), run.c.deleted.is_(None))
        .order_by(run.c.started)
        .limit(5_000)
    )
    found: dict[tuple[str, str], list[Row]] = {}
    for row in store.select(statement) if described else []:
        found.setdefault((row["dataset"], row["digest"]), []).append(row)
    return found
