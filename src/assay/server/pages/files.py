"""Files of a run: what lies below its place, and each file as far as a page can show it."""

import msgspec
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from assay.record.artifacts import artifact_file, run_root
from assay.record.schema import TABLES
from assay.record.store import Row, Store
from assay.record.tracking.run_changes import run_row
from assay.server.pages.preview import as_download, preview
from assay.server.pages.rendering import render

__all__ = ["FileLine", "files_below", "files_of", "show", "shown_file"]

_MOST = 500


class FileLine(msgspec.Struct, frozen=True):
    """A file below a run's place."""

    path: str
    size: int
    blob: str


def files_of(store: Store, run: Row) -> list[FileLine]:
    """The first files of a run in order of their paths."""
    return files_below(store, run_root(run))


def files_below(store: Store, folder: str) -> list[FileLine]:
    """The first files below a folder of artifacts, in order of their paths."""
    root = f"{folder}/"
    table = TABLES["artifact_file"]
    statement = (
        sa.select(table.c.path, table.c.size, table.c.blob)
        .where(table.c.path > root, table.c.path < root[:-1] + "0")  # "0" follows "/"
        .order_by(table.c.path)
        .limit(_MOST)
    )
    return [FileLine(row["path"][len(root) :], row["size"], row["blob"]) for row in store.select(statement)]


def show(store: Store, request: Request) -> Response:
    """A file of a run as a page, or itself with `raw`."""
    run = run_row(store, request.path_params["run_id"])
    above = (f"/runs/{run['run_id']}", run["name"])
    return shown_file(store, request, run_root(run), place="/runs", above=above)


def shown_file(store: Store, request: Request, root: str, *, place: str, above: tuple[str, str]) -> Response:
    """The file below a root that the request's path names; `above` is the address and the name of what it is of."""
    name = request.path_params["path"]
    file = artifact_file(store, f"{root}/{name}")
    if "raw" in request.query_params:
        return as_download(store, name, file.blob, inline=request.query_params["raw"] == "show")
    return render(
        store,
        request,
        "file.html",
        title=name,
        place=place,
        above=above,
        name=name,
        blob=file.blob,
        shown=preview(store, name, file.blob),
    )
