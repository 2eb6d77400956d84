"""Logged models: what runs kept of models before any was registered, and the versions that were made of them."""

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from assay.record.models.logged_models import LoggedModel, logged_model, logged_models
from assay.record.schema import TABLES
from assay.record.search.finding import search_logged_models
from assay.record.store import Row, Store
from assay.record.tracking.experiments import experiment
from assay.server.pages.editing import own_tags
from assay.server.pages.files import files_below, shown_file
from assay.server.pages.rendering import render
from assay.server.pages.wording import quoted

__all__ = ["show", "show_all", "show_file"]

_LISTED = 100
_METRICS = 4


def show_all(store: Store, request: Request) -> Response:
    """Logged models, newest first, of `experiment` where it is given, from `token` on."""
    asked = request.query_params
    number = asked.get("experiment") or None
    found = experiment(store, number) if number else None
    page = search_logged_models(
        store, experiment_ids=[number] if number else None, limit=_LISTED, token=asked.get("token")
    )
    rows = {row["model_id"]: row for row in store.query("logged_model", {"model_id in": page.ids})}
    models = logged_models(store, [rows[model_id] for model_id in page.ids if model_id in rows])
    versions = _versions(store, page.ids)
    return render(
        store,
        request,
        "logged_models.html",
        title=f"Logged models of {found.name}" if found else "Logged models",
        place="/models",
        experiment=found,
        models=models,
        metrics=_metric_keys(models),
        runs=_runs(store, models),
        versions=versions,
        experiments=_experiments(store, models),
        more=page.next_token,
    )


def show(store: Store, request: Request) -> Response:
    """A logged model: params, metrics, tags and files, the run that made it, and what was made of it."""
    model = logged_model(store, request.path_params["model_id"])
    link, run = TABLES["run_model"], TABLES["run"]
    used = (
        sa.select(link.c.role, link.c.step, link.c.layer, run.c.run_id, run.c.name)
        .join_from(link, run, link.c.run_id == run.c.run_id)
        .where(link.c.model_id == model.model_id, run.c.deleted.is_(None))
        .order_by(run.c.started, link.c.role)
        .limit(_LISTED)
    )
    return render(
        store,
        request,
        "logged_model.html",
        title=model.name,
        place="/models",
        model=model,
        experiment=experiment(store, model.experiment_id),
        runs=_runs(store, [model]),
        used=store.select(used),
        versions=_versions(store, [model.model_id]).get(model.model_id, []),
        own_tags=own_tags(model.tags),
        files=files_below(store, model.root),
    )


def show_file(store: Store, request: Request) -> Response:
    """A file of a logged model as a page, or itself with `raw`."""
    model = logged_model(store, request.path_params["model_id"])
    above = (f"/logged-models/{quoted(model.model_id)}", model.name)
    return shown_file(store, request, model.root, place="/models", above=above)


def _versions(store: Store, model_ids: list[str]) -> dict[str, list[Row]]:
    rows = store.query(
        "model_version", {"logged_model_id in": model_ids, "deleted": None}, order_by=["model", "version"]
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["logged_model_id"], []).append(row)
    return found


def _runs(store: Store, models: list[LoggedModel]) -> dict[str, str]:
    """Names of the runs that made or measured these models; those that are deleted are left out."""
    ids = {model.source_run_id for model in models if model.source_run_id}
    ids |= {metric.run_id for model in models for metric in model.metrics if metric.run_id}
    rows = store.query("run", {"run_id in": sorted(ids), "deleted": None})
    return {row["run_id"]: row["name"] for row in rows}


def _experiments(store: Store, models: list[LoggedModel]) -> dict[str, str]:
    rows = store.query("experiment", {"experiment_id in": sorted({model.experiment_id for model in models})})
    return {row["experiment_id"]: row["name"] for row in rows}


def _metric_keys(models: list[LoggedModel]) -> list[str]:
    """The metrics that most of the models have, as columns."""
    counts: dict[str, int] = {}
    for model in models:
        for key in {metric.key for metric in model.metrics}:
            counts[key] = counts.get(key, 0) + 1
    return sorted(sorted(counts, key=lambda key: (-counts[key], key))[:_METRICS])
