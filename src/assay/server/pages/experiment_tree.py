"""The first page: experiments as a tree of the folders in their names."""

from dataclasses import dataclass

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from assay.record.schema import TABLES
from assay.record.store import Row, Store
from assay.server.pages.rendering import render

__all__ = ["show"]

_FOUND_RUNS = 20


@dataclass(slots=True)
class Line:
    """A line of the tree: an experiment, or a folder with what all experiments in it have."""

    name: str
    level: int
    folder: str | None  # the whole name where it is a folder
    experiment: Row | None
    experiments: int
    runs: int
    last: str | None


def show(store: Store, request: Request) -> Response:
    """All experiments, or those below `folder`, or those that `q` finds by name, with runs it finds by id or name."""
    asked, folder = request.query_params.get("q", "").strip(), request.query_params.get("folder", "")
    rows = _experiments(store)
    nothing = not any(row["runs"] for row in rows)
    there = len(rows)
    if folder:
        rows = [row for row in rows if row["name"].startswith(f"{folder}/")]
    if asked:
        rows = [row for row in rows if asked.lower() in row["name"].lower()]
    return render(
        store,
        request,
        "experiments.html",
        title="Experiments",
        place="/",
        asked=asked,
        folder=folder,
        there=there,
        nothing=nothing,
        lines=_tree(rows, folder),
        runs=_runs_found(store, asked) if asked else [],
        has_projects=any(row["project"] for row in rows),
    )


def _experiments(store: Store) -> list[Row]:
    experiment, run = TABLES["experiment"], TABLES["run"]
    counted = (
        sa.select(run.c.experiment_id, sa.func.count().label("runs"), sa.func.max(run.c.started).label("last"))
        .where(run.c.deleted.is_(None))
        .group_by(run.c.experiment_id)
        .subquery()
    )
    statement = (
        sa.select(
            experiment.c.experiment_id,
            experiment.c.name,
            experiment.c.project,
            sa.func.coalesce(counted.c.runs, 0).label("runs"),
            counted.c.last,
        )
        .outerjoin_from(experiment, counted, experiment.c.experiment_id == counted.c.experiment_id)
        .where(experiment.c.deleted.is_(None))
        .order_by(experiment.c.name)
    )
    return store.select(statement)


def _runs_found(store: Store, asked: str) -> list[Row]:
    run = TABLES["run"]
    statement = (
        sa.select(*(run.c[name] for name in ("run_id", "name", "status", "seen", "started", "detail")))
        .where(run.c.deleted.is_(None))
        .where(run.c.run_id.startswith(asked, autoescape=True) | run.c.name.icontains(asked, autoescape=True))
        .order_by(run.c.started.desc())
        .limit(_FOUND_RUNS)
    )
    return store.select(statement)


def _tree(rows: list[Row], folder: str) -> list[Line]:
    """Experiments in order of name, with a line for each folder that holds any; folders above `folder` are left out."""
    skipped = folder.count("/") + 1 if folder else 0
    lines: list[Line] = []
    folders: dict[str, Line] = {}
    for row in sorted(rows, key=lambda one: one["name"].split("/")):
        parts = row["name"].split("/")
        for depth in range(skipped + 1, len(parts)):
            whole = "/".join(parts[:depth])
            if whole not in folders:
                folders[whole] = Line(parts[depth - 1] + "/", depth - 1 - skipped, whole, None, 0, 0, None)
                lines.append(folders[whole])
            above = folders[whole]
            above.experiments += 1
            above.runs += row["runs"]
            above.last = max(above.last or "", row["last"] or "")
        level = min(len(parts) - 1 - skipped, 4)
        lines.append(Line(parts[-1] or row["name"], level, None, row, 1, row["runs"], row["last"]))
    return lines
