"""All pages under their addresses, and what is answered where there is none."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from assay.errors import AssayError, InvalidInput, NotFound, Refused, StoreUnavailable
from assay.record.store import Store
from assay.server.pages import (
    alert_pages,
    approval_pages,
    comparison,
    dataset_list,
    decisions,
    document_pages,
    endpoint_pages,
    evaluations,
    experiment_tree,
    feature_pages,
    files,
    incident_pages,
    logged_model_pages,
    model_pages,
    monitoring_pages,
    objective_pages,
    online_test_pages,
    project_pages,
    release_pages,
    run_page,
    runs_table,
    series,
    story_pages,
    talk_pages,
    trigger_pages,
    version_page,
)
from assay.server.pages.editing import edit_run, edit_version
from assay.server.pages.forms import Form, check_origin, read_form
from assay.server.pages.rendering import HEADERS, MAY_WRITE, STATIC, render

__all__ = ["Write", "routes"]

Page = Callable[[Store, Request], Response]
Edit = Callable[[Store, Request, Form], str]
Write = Callable[[Callable[[Store], str]], Awaitable[str]]

_PAGES: tuple[tuple[str, Page], ...] = (
    ("/", experiment_tree.show),
    ("/experiments/{experiment_id}", runs_table.show),
    ("/runs", runs_table.show),
    ("/runs/{run_id}", run_page.show),
    ("/runs/{run_id}/files/{path:path}", files.show),
    ("/compare", comparison.show),
    ("/models", model_pages.show_all),
    ("/models/{name:path}/{version:int}/files/{path:path}", version_page.show_file),
    ("/models/{name:path}/{version:int}/card", document_pages.show_card),
    ("/models/{name:path}/{version:int}/dossier", document_pages.show_dossier),
    ("/models/{name:path}/{version:int}", version_page.show),
    ("/models/{name:path}", model_pages.show),  # last: a name may hold slashes
    ("/logged-models", logged_model_pages.show_all),
    ("/logged-models/{model_id}", logged_model_pages.show),
    ("/logged-models/{model_id}/files/{path:path}", logged_model_pages.show_file),
    ("/projects", project_pages.show_all),
    ("/projects/{name:path}", project_pages.show),
    ("/evaluations", evaluations.show_all),
    ("/evaluations/{evaluation_id}", evaluations.show),
    ("/datasets", dataset_list.show),
    ("/datasets/{name:path}/card", document_pages.show_dataset_card),
    ("/features", feature_pages.show_all),
    ("/features/{name}", feature_pages.show),
    ("/features/{name}/{version:int}", feature_pages.show),
    ("/endpoints", endpoint_pages.show_all),
    ("/endpoints/{name:path}", endpoint_pages.show),
    ("/tests/{test_id}", online_test_pages.show),
    ("/releases/{rollout_id}", release_pages.show),
    ("/monitoring", monitoring_pages.show_all),
    ("/monitoring/{name:path}", monitoring_pages.show),
    ("/monitors/{monitor_id}", monitoring_pages.show_monitor),
    ("/alerts", alert_pages.show_all),
    ("/alerts/{alert_id}", alert_pages.show),
    ("/approvals", approval_pages.show_all),
    ("/approvals/{request_id}", approval_pages.show),
    ("/incidents", incident_pages.show_all),
    ("/incidents/{incident_id}", incident_pages.show),
    ("/triggers", trigger_pages.show),
    ("/stories", story_pages.show_all),
    ("/stories/{story_id}", story_pages.show),
    ("/objectives", objective_pages.show_all),
    ("/objectives/{name:path}", objective_pages.show),
    ("/ledger", decisions.show),
    ("/inbox", talk_pages.show_inbox),
    ("/records", talk_pages.show_records),
    ("/records/{record_id}", talk_pages.show_record),
    ("/pages/evaluation.css", evaluations.style),
    ("/pages/series", series.as_json),
    ("/pages/series.csv", series.as_csv),
    ("/pages/sparklines", series.sparklines),
)


_STATUS: dict[type[AssayError], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    InvalidInput: HTTPStatus.BAD_REQUEST,
    Refused: HTTPStatus.FORBIDDEN,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
_FORMS: tuple[tuple[str, Edit], ...] = (
    ("/runs/{run_id}", edit_run),
    ("/models/{name:path}/{version:int}", edit_version),
    ("/models/{name:path}/{version:int}/card", document_pages.edit_card),
    ("/models/{name:path}/{version:int}/dossier", document_pages.edit_dossier),
    ("/datasets/{name:path}/card", document_pages.edit_dataset_card),
    ("/alerts/{alert_id}", alert_pages.edit),
    ("/approvals", approval_pages.review),
    ("/approvals/{request_id}", approval_pages.edit),
    ("/incidents", incident_pages.add),
    ("/incidents/{incident_id}", incident_pages.edit),
    ("/stories/{story_id}", story_pages.edit),
    ("/objectives/{name:path}", objective_pages.edit),
    ("/comments", talk_pages.add_comment),
    ("/inbox", talk_pages.read),
)


def routes(store: Store, write: Write | None = None) -> list[BaseRoute]:
    """The pages of a store, to be mounted last: whatever else is asked for is answered with a page that says so.

    `write` does a piece of work on the store and returns what it returns; without it nothing can be changed from a
    page, and no page offers to.
    """
    may_write = write is not None
    pages: list[BaseRoute] = [Route(path, _bound(store, page, may_write), methods=["GET"]) for path, page in _PAGES]
    forms: list[BaseRoute] = [
        Route(path, _form(store, edit, write), methods=["POST"]) for path, edit in _FORMS if write
    ]
    files_of_pages = Mount("/pages/static", _Static(directory=STATIC))
    missing = Route("/{path:path}", _bound(store, _missing, may_write), methods=["GET"])
    return [*forms, *pages, files_of_pages, missing]


class _Static(StaticFiles):
    """Files that a browser may keep: their addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["X-Content-Type-Options"] = "nosniff"
        if b"v=" in scope["query_string"]:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _bound(store: Store, page: Page, may_write: bool) -> Callable[[Request], Response]:
    """The page as an endpoint; what a page refuses is said on a page."""

    def endpoint(request: Request) -> Response:
        request.scope[MAY_WRITE] = may_write
        try:
            return page(store, request)
        except AssayError as error:
            return _said(store, request, error)

    return endpoint


def _form(store: Store, edit: Edit, write: Write) -> Callable[[Request], Awaitable[Response]]:
    """What keeps a form as an endpoint: it leads back to the page, so that sending it twice needs two clicks."""

    async def endpoint(request: Request) -> Response:
        try:
            check_origin(request)
            form = await read_form(request)
            address = await write(lambda changed: edit(changed, request, form))
        except AssayError as error:
            return await run_in_threadpool(_said, store, request, error)
        return RedirectResponse(request.scope.get("root_path", "") + address, HTTPStatus.SEE_OTHER, headers=HEADERS)

    return endpoint


def _missing(_store: Store, request: Request) -> Response:
    raise NotFound(f"there is no page {request.url.path}", hint="the navigation above leads to all there are")


def _said(store: Store, request: Request, error: AssayError) -> Response:
    status = next((known for kind, known in _STATUS.items() if isinstance(error, kind)), HTTPStatus.CONFLICT)
    if request.url.path.startswith(request.scope.get("root_path", "") + "/pages/"):  # asked by a script
        return Response(str(error), status_code=status, media_type="text/plain", headers=HEADERS)
    title = "Not found" if status == HTTPStatus.NOT_FOUND else "That did not work"
    return render(store, request, "problem.html", title=title, status=status, problem=error)
