"""All pages under their addresses, and what is answered where there is none."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from assay.errors import AssayError, InvalidInput, NotFound, StoreUnavailable
from assay.record.store import Store
from assay.server.pages import (
    comparison,
    dataset_list,
    decisions,
    evaluations,
    experiment_tree,
    files,
    model_pages,
    run_page,
    runs_table,
    series,
    version_page,
)
from assay.server.pages.rendering import HEADERS, STATIC, render

__all__ = ["routes"]

Page = Callable[[Store, Request], Response]

_PAGES: tuple[tuple[str, Page], ...] = (
    ("/", experiment_tree.show),
    ("/experiments/{experiment_id}", runs_table.show),
    ("/runs", runs_table.show),
    ("/runs/{run_id}", run_page.show),
    ("/runs/{run_id}/files/{path:path}", files.show),
    ("/compare", comparison.show),
    ("/models", model_pages.show_all),
    ("/models/{name:path}/{version:int}/files/{path:path}", version_page.show_file),
    ("/models/{name:path}/{version:int}", version_page.show),
    ("/models/{name:path}", model_pages.show),  # last: a name may hold slashes
    ("/evaluations", evaluations.show_all),
    ("/evaluations/{evaluation_id}", evaluations.show),
    ("/datasets", dataset_list.show),
    ("/ledger", decisions.show),
    ("/pages/series", series.as_json),
    ("/pages/series.csv", series.as_csv),
    ("/pages/sparklines", series.sparklines),
)


def routes(store: Store) -> list[BaseRoute]:
    """The pages of a store, to be mounted last: whatever else is asked for is answered with a page that says so."""
    pages: list[BaseRoute] = [Route(path, _bound(store, page), methods=["GET"]) for path, page in _PAGES]
    files_of_pages = Mount("/pages/static", _Static(directory=STATIC))
    return [*pages, files_of_pages, Route("/{path:path}", _bound(store, _missing), methods=["GET"])]


class _Static(StaticFiles):
    """Files that a browser may keep: their addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["X-Content-Type-Options"] = "nosniff"
        if b"v=" in scope["query_string"]:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _bound(store: Store, page: Page) -> Callable[[Request], Response]:
    """The page as an endpoint; what a page refuses is said on a page."""

    def endpoint(request: Request) -> Response:
        try:
            return page(store, request)
        except NotFound as error:
            return _said(store, request, error, HTTPStatus.NOT_FOUND)
        except InvalidInput as error:
            return _said(store, request, error, HTTPStatus.BAD_REQUEST)
        except StoreUnavailable as error:
            return _said(store, request, error, HTTPStatus.SERVICE_UNAVAILABLE)
        except AssayError as error:
            return _said(store, request, error, HTTPStatus.CONFLICT)

    return endpoint


def _missing(_store: Store, request: Request) -> Response:
    raise NotFound(f"there is no page {request.url.path}", hint="the navigation above leads to all there are")


def _said(store: Store, request: Request, error: AssayError, status: HTTPStatus) -> Response:
    if request.url.path.startswith(request.scope.get("root_path", "") + "/pages/"):  # asked by a script
        return Response(str(error), status_code=status, media_type="text/plain", headers=HEADERS)
    title = "Not found" if status == HTTPStatus.NOT_FOUND else "That did not work"
    return render(store, request, "problem.html", title=title, status=status, problem=error)
