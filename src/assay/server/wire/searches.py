"""Searches over the wire: MLflow's filters and orders, whole rows of a page, and where the next one begins."""

from collections.abc import Mapping
from typing import Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from assay.record.models.logged_models import logged_models
from assay.record.models.registered_models import registered_models
from assay.record.models.versions import versions_of
from assay.record.search import finding
from assay.record.store import Row
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.experiments import experiment_answers
from assay.server.wire.limits import page_size
from assay.server.wire.logged_models import logged_model_answers
from assay.server.wire.models import model_answers
from assay.server.wire.reading import Int, Name
from assay.server.wire.run_answers import run_answers
from assay.server.wire.versions import version_answer

__all__ = [
    "search_experiments",
    "search_logged_models",
    "search_model_versions",
    "search_registered_models",
    "search_runs",
]

_MOST_RUNS = 50_000
_MOST_MODELS = 1_000
_MOST_VERSIONS = 200_000

ViewType = Literal["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]
_VIEWS: Mapping[str, finding.View] = {"ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all"}


class Question(msgspec.Struct):
    """A filter, an order and a page."""

    filter: str = ""
    order_by: list[str] = []
    max_results: Int | None = None
    page_token: str | None = None


class SearchExperiments(Question):
    """Experiments of a view."""

    view_type: ViewType = "ACTIVE_ONLY"


class ExperimentsFound(msgspec.Struct):
    """A page of experiments."""

    experiments: list[messages.Experiment] | UnsetType = UNSET
    next_page_token: str | UnsetType = UNSET


class SearchRuns(Question):
    """Runs of some experiments and a view."""

    experiment_ids: list[str] = []
    run_view_type: ViewType = "ACTIVE_ONLY"


class RunsFound(msgspec.Struct):
    """A page of runs."""

    runs: list[messages.Run] | UnsetType = UNSET
    next_page_token: str | UnsetType = UNSET


class GivenOrder(msgspec.Struct):
    """An order of logged models."""

    field_name: Name
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


class OnDataset(msgspec.Struct):
    """Metrics count on this dataset only."""

    dataset_name: Name
    dataset_digest: str | None = None


class SearchLoggedModels(msgspec.Struct):
    """Logged models of some experiments."""

    experiment_ids: list[str] = []
    filter: str = ""
    datasets: list[OnDataset] = []
    order_by: list[GivenOrder] = []
    max_results: Int | None = None
    page_token: str | None = None


class LoggedModelsFound(msgspec.Struct):
    """A page of logged models."""

    models: list[messages.LoggedModel] | UnsetType = UNSET
    next_page_token: str | UnsetType = UNSET


class ModelsFound(msgspec.Struct):
    """A page of registered models."""

    registered_models: list[messages.RegisteredModel] | UnsetType = UNSET
    next_page_token: str | UnsetType = UNSET


class VersionsFound(msgspec.Struct):
    """A page of versions."""

    model_versions: list[messages.ModelVersion] | UnsetType = UNSET
    next_page_token: str | UnsetType = UNSET


def search_experiments(call: Call, request: SearchExperiments) -> ExperimentsFound:
    """A page of the experiments that a filter finds."""
    page = finding.search_experiments(
        call.store,
        request.filter,
        view=_VIEWS[request.view_type],
        order_by=request.order_by,
        limit=page_size(request.max_results, 0, _MOST_RUNS),
        token=request.page_token,
        dialect="mlflow",
    )
    return ExperimentsFound(experiment_answers(call, page.ids) or UNSET, page.next_token or UNSET)


def search_runs(call: Call, request: SearchRuns) -> RunsFound:
    """A page of the runs that a filter finds, with their data."""
    page = finding.search_runs(
        call.store,
        request.filter,
        experiment_ids=request.experiment_ids,
        view=_VIEWS[request.run_view_type],
        order_by=request.order_by,
        limit=page_size(request.max_results, 1_000, _MOST_RUNS),
        token=request.page_token,
        dialect="mlflow",
        late=True,
    )
    return RunsFound(run_answers(call, page.ids) or UNSET, page.next_token or UNSET)


def search_logged_models(call: Call, request: SearchLoggedModels) -> LoggedModelsFound:
    """A page of the logged models that a filter finds."""
    page = finding.search_logged_models(
        call.store,
        request.filter,
        experiment_ids=request.experiment_ids,
        datasets=[(dataset.dataset_name, dataset.dataset_digest) for dataset in request.datasets],
        order_by=[
            finding.MetricOrder(by.field_name, by.ascending, by.dataset_name, by.dataset_digest)
            for by in request.order_by
        ],
        limit=page_size(request.max_results, 50, _MOST_RUNS),
        token=request.page_token,
        dialect="mlflow",
    )
    rows = _in_order(call, "logged_model", "model_id", page.ids)
    found = logged_model_answers(call, logged_models(call.store, rows))
    return LoggedModelsFound(found or UNSET, page.next_token or UNSET)


def search_registered_models(call: Call, request: Question) -> ModelsFound:
    """A page of the registered models that a filter finds; prompts only where it asks for them."""
    page = finding.search_models(
        call.store,
        request.filter,
        order_by=request.order_by,
        limit=page_size(request.max_results, 100, _MOST_MODELS),
        token=request.page_token,
        dialect="mlflow",
    )
    rows = _in_order(call, "registered_model", "model_key", page.ids)
    return ModelsFound(model_answers(call, registered_models(call.store, rows)) or UNSET, page.next_token or UNSET)


def search_model_versions(call: Call, request: Question) -> VersionsFound:
    """A page of the versions that a filter finds, without their aliases."""
    page = finding.search_versions(
        call.store,
        request.filter,
        order_by=request.order_by,
        limit=page_size(request.max_results, _MOST_VERSIONS, _MOST_VERSIONS),
        token=request.page_token,
        dialect="mlflow",
    )
    rows = _in_order(call, "model_version", "mv_id", page.ids)
    found = [version_answer(version, with_aliases=False) for version in versions_of(call.store, rows)]
    return VersionsFound(found or UNSET, page.next_token or UNSET)


def _in_order(call: Call, kind: str, key: str, ids: list[str]) -> list[Row]:
    rows = {cast(str, row[key]): row for row in call.store.query(kind, {f"{key} in": ids})}
    return [rows[found] for found in ids if found in rows]
