"""Feature views: which there are, and of one what is declared, what versions changed, who uses it, what was found."""

from itertools import pairwise

from starlette.requests import Request
from starlette.responses import Response

from assay.build.views.catalogue.comparing import diff_views
from assay.build.views.catalogue.finding import search_features
from assay.build.views.catalogue.showing import list_views, show_view
from assay.build.views.registry.registered import find_view, view_versions
from assay.record.changes import changes
from assay.record.store import Store
from assay.server.pages.arrivals import arrivals
from assay.server.pages.rendering import render

__all__ = ["show", "show_all"]

_COMPARED = 20  # versions, each with the one before it
_FOUND = 200
_CHANGES = 100
_WORDS = {  # how a word of `fresh` looks, and is said
    "kept": ("pass", "as promised"),
    "broken": ("fail", "older than promised"),
    "unknown": ("inconclusive", "no row yet"),
}


def show_all(store: Store, request: Request) -> Response:
    """Views by name; where words are looked for, the features that have them."""
    words = request.query_params.get("q", "").strip()
    views = list_views(store).views
    found = search_features(store, words, limit=_FOUND) if words else None
    return render(
        store,
        request,
        "features.html",
        title="Features",
        place="/features",
        views=views,
        words=words,
        found=found,
        fresh=_WORDS,
    )


def show(store: Store, request: Request) -> Response:
    """A version of a view; without a number its newest."""
    name, number = request.path_params["name"], request.path_params.get("version")
    version = find_view(store, name if number is None else f"{name}@{number}")
    versions = view_versions(store, name)
    detail = show_view(store, version.reference)
    return render(
        store,
        request,
        "feature.html",
        title=version.reference,
        place="/features",
        view=detail,
        newest=versions[0].version,
        differences=_differences(store, name, [one.version for one in versions]),
        changes=changes(store, "feature_view", version.reference)[-_CHANGES:],
        fresh=_WORDS,
        drawing=arrivals(store, version),
        found={one.what: one for one in reversed(detail.results)},
    )


def _differences(store: Store, name: str, versions: list[int]) -> dict[int, list[str]]:
    """What each version changed of the one before it."""
    return {
        later: diff_views(store, f"{name}@{earlier}", f"{name}@{later}").changes
        for later, earlier in pairwise(versions[: _COMPARED + 1])
    }
