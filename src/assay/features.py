"""Feature views from Python: `assay.features.training_set`, `assay.features.get`, ... Loaded when they are first used.

What they do lives in the rooms `build` and `operate`; this is the face under which people know it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.build.views.declared.aggregates import count, distinct, last, mean, sum_of
    from assay.build.views.registry.registered import find_view, register, view_of
    from assay.build.views.declared.view import feature_view

_PLACES = {
    "count": "assay.build.views.declared.aggregates",
    "distinct": "assay.build.views.declared.aggregates",
    "feature_view": "assay.build.views.declared.view",
    "find_view": "assay.build.views.registry.registered",
    "last": "assay.build.views.declared.aggregates",
    "mean": "assay.build.views.declared.aggregates",
    "register": "assay.build.views.registry.registered",
    "sum_of": "assay.build.views.declared.aggregates",
    "view_of": "assay.build.views.registry.registered",
}

__all__ = [
    "count",
    "distinct",
    "feature_view",
    "find_view",
    "last",
    "mean",
    "register",
    "sum_of",
    "view_of",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'assay.features' has no attribute {name!r}")
    return getattr(importlib.import_module(place), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
