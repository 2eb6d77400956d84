"""Cards and dossiers as pages: what the records say now, what people add, and the same as files."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput, NotFound
from assay.record.datasets import DatasetVersion, find_dataset
from assay.record.models.registry import ModelVersion, version_of
from assay.record.store import Store
from assay.server.pages.forms import Form, acting_as
from assay.server.pages.rendering import HEADERS, render
from assay.server.pages.wording import quoted
from assay.steer.cards.commands import keep_dataset_card, keep_model_card
from assay.steer.cards.dataset_card import dataset_card
from assay.steer.cards.document import Document
from assay.steer.cards.files import as_csv
from assay.steer.cards.keeping import CardState, card_rows, card_state
from assay.steer.cards.markdown import as_markdown
from assay.steer.cards.model_card import model_card
from assay.steer.cards.pages import as_fragment, as_page
from assay.steer.cards.texts import DATASET_PARTS, MODEL_PARTS, write_text
from assay.steer.dossier.dossier import coverage_of, dossier_of
from assay.steer.dossier.points import POINTS
from assay.steer.dossier.saying import write_point

__all__ = ["edit_card", "edit_dataset_card", "edit_dossier", "show_card", "show_dataset_card", "show_dossier"]

_MOST_VERSIONS = 2**31  # what a column holds
_FORMS: dict[str, tuple[str, Callable[[Document, datetime], str]]] = {
    "md": ("text/markdown; charset=utf-8", as_markdown),
    "html": ("text/html; charset=utf-8", as_page),
    "csv": ("text/csv; charset=utf-8", as_csv),
}


def show_card(store: Store, request: Request) -> Response:
    """The card of a version as the records are now; with `form` as a file."""
    version = _version(store, request)
    document = model_card(store, version)
    name = f"{version.model}/{version.version}"
    return _shown(
        store,
        request,
        document,
        template="card.html",
        file=f"card-{version.version}",
        name=name,
        address=f"/models/{quoted(version.model)}/{version.version}",
        place="/models",
        parts={part: one.question for part, one in MODEL_PARTS.items()},
        stands=_state(store, "model", version.mv_id),
        versioned=True,
    )


def show_dataset_card(store: Store, request: Request) -> Response:
    """The card of a dataset, of the version that `hash` begins or of the newest."""
    found = _dataset(store, request)
    return _shown(
        store,
        request,
        dataset_card(store, found),
        template="card.html",
        file="dataset-card",
        name=found.name,
        address="/datasets",
        place="/datasets",
        parts={part: one.question for part, one in DATASET_PARTS.items()},
        stands=_state(store, "dataset", found.artifact_id),
        versioned=False,
    )


def show_dossier(store: Store, request: Request) -> Response:
    """The dossier of a version with the coverage of each point; with `form` as a file."""
    version = _version(store, request)
    document = dossier_of(store, version)
    points = coverage_of(document, store)
    return _shown(
        store,
        request,
        document,
        template="dossier.html",
        file=f"annex-iv-{version.version}",
        name=f"{version.model}/{version.version}",
        model=version.model,
        address=f"/models/{quoted(version.model)}/{version.version}",
        place="/models",
        points=points,
        counts={state: sum(one.coverage == state for one in points) for state in ("records", "person", "empty")},
        asked=POINTS,
    )


def edit_card(store: Store, request: Request, form: Form) -> str:
    """Keep what somebody says of a part, or the card itself; returns the address of its page."""
    store = acting_as(store, request, form)
    version = _version(store, request)
    if form.one("do") == "keep":
        keep_model_card(store, version)
    else:
        of = str(version.version) if form.one("scope") == "version" else None
        write_text(store, version.model, form.one("part"), form.one("text"), version=of, valid_until=_until(form))
    return f"/models/{quoted(version.model)}/{version.version}/card"


def edit_dataset_card(store: Store, request: Request, form: Form) -> str:
    """The same of a dataset."""
    store = acting_as(store, request, form)
    found = _dataset(store, request)
    if form.one("do") == "keep":
        keep_dataset_card(store, found)
    else:
        write_text(store, found.name, form.one("part"), form.one("text"), dataset=True, valid_until=_until(form))
    return f"/datasets/{quoted(found.name)}/card"


def edit_dossier(store: Store, request: Request, form: Form) -> str:
    """Keep what somebody says of a point; returns the address of the page."""
    store = acting_as(store, request, form)
    version = _version(store, request)
    model = None if form.one("scope") == "all" else version.model
    write_point(store, form.one("point"), form.one("text"), model=model, valid_until=_until(form))
    return f"/models/{quoted(version.model)}/{version.version}/dossier"


def _shown(
    store: Store, request: Request, document: Document, *, template: str, file: str, place: str, **values: Any
) -> Response:
    at = store.clock.latest()
    form = request.query_params.get("form")
    if form is not None:
        if form not in _FORMS:
            raise InvalidInput(f"there is no form {form!r}", expected=", ".join(_FORMS))
        media, written = _FORMS[form]
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{file}.{form}"'}
        return Response(written(document, at), HTTPStatus.OK, headers, media)
    fragment = as_fragment(document, at, root=request.scope.get("root_path", ""))
    drawn = Markup(fragment)  # noqa: S704 - escaped by its own template
    return render(
        store, request, template, title=document.title, place=place, drawn=drawn, forms=list(_FORMS), **values
    )


def _until(form: Form) -> str | None:
    """Until when it counts, where that is said."""
    return form.one("valid_until").strip() or None


def _state(store: Store, kind: str, subject: str) -> CardState | None:
    rows = card_rows(store, kind, subject)
    return card_state(store, rows[0]) if rows else None


def _version(store: Store, request: Request) -> ModelVersion:
    name, number = request.path_params["name"], request.path_params["version"]
    rows = store.query("model_version", {"model": name, "version": number}) if number < _MOST_VERSIONS else []
    if not rows:
        raise NotFound(f"{name} has no version {number}", hint="the page of the model lists its versions")
    return version_of(rows[0])


def _dataset(store: Store, request: Request) -> DatasetVersion:
    begins = request.query_params.get("hash", "")
    return find_dataset(store, request.path_params["name"] + (f"@{begins}" if begins else ""))
