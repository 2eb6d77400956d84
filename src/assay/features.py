"""Feature views from Python: `assay.features.training_set`, `assay.features.get`, ... Loaded when they are first used.

What they do lives in the rooms `build` and `operate`; this is the face under which people know it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.build.views.arriving.erasing import erase
    from assay.build.views.arriving.materialize import materialize
    from assay.build.views.arriving.push import push
    from assay.build.views.audits.audit import audit
    from assay.build.views.audits.audited_set import known_then
    from assay.build.views.catalogue.comparing import diff_views
    from assay.build.views.catalogue.duplicates import duplicate_features
    from assay.build.views.catalogue.finding import search_features
    from assay.build.views.catalogue.registering import register_file
    from assay.build.views.catalogue.reuse import feature_usage
    from assay.build.views.catalogue.showing import list_views, show_view
    from assay.build.views.declared.aggregates import count, distinct, last, max_of, mean, min_of, sum_of
    from assay.build.views.declared.view import feature_view
    from assay.build.views.joining.training_set import TrainingSet, training_set
    from assay.build.views.log.freshness import freshness
    from assay.build.views.online.store import open_online
    from assay.build.views.registry.registered import find_view, register, view_of
    from assay.operate.features.reading import FeatureReader, get
    from assay.operate.features.replay import replay
    from assay.prove.leakage_cost import leakage_cost
    from assay.steer.feature_store_ladder import feature_store_worth


_PLACES = {
    "FeatureReader": "assay.operate.features.reading",
    "TrainingSet": "assay.build.views.joining.training_set",
    "audit": "assay.build.views.audits.audit",
    "count": "assay.build.views.declared.aggregates",
    "diff_views": "assay.build.views.catalogue.comparing",
    "distinct": "assay.build.views.declared.aggregates",
    "duplicate_features": "assay.build.views.catalogue.duplicates",
    "erase": "assay.build.views.arriving.erasing",
    "feature_store_worth": "assay.steer.feature_store_ladder",
    "feature_usage": "assay.build.views.catalogue.reuse",
    "feature_view": "assay.build.views.declared.view",
    "find_view": "assay.build.views.registry.registered",
    "freshness": "assay.build.views.log.freshness",
    "get": "assay.operate.features.reading",
    "known_then": "assay.build.views.audits.audited_set",
    "last": "assay.build.views.declared.aggregates",
    "leakage_cost": "assay.prove.leakage_cost",
    "list_views": "assay.build.views.catalogue.showing",
    "materialize": "assay.build.views.arriving.materialize",
    "max_of": "assay.build.views.declared.aggregates",
    "mean": "assay.build.views.declared.aggregates",
    "min_of": "assay.build.views.declared.aggregates",
    "open_online": "assay.build.views.online.store",
    "push": "assay.build.views.arriving.push",
    "register": "assay.build.views.registry.registered",
    "register_file": "assay.build.views.catalogue.registering",
    "replay": "assay.operate.features.replay",
    "search_features": "assay.build.views.catalogue.finding",
    "show_view": "assay.build.views.catalogue.showing",
    "sum_of": "assay.build.views.declared.aggregates",
    "training_set": "assay.build.views.joining.training_set",
    "view_of": "assay.build.views.registry.registered",
}

__all__ = [
    "FeatureReader",
    "TrainingSet",
    "audit",
    "count",
    "diff_views",
    "distinct",
    "duplicate_features",
    "erase",
    "feature_store_worth",
    "feature_usage",
    "feature_view",
    "find_view",
    "freshness",
    "get",
    "known_then",
    "last",
    "leakage_cost",
    "list_views",
    "materialize",
    "max_of",
    "mean",
    "min_of",
    "open_online",
    "push",
    "register",
    "register_file",
    "replay",
    "search_features",
    "show_view",
    "sum_of",
    "training_set",
    "view_of",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'assay.features' has no attribute {name!r}")
    return getattr(importlib.import_module(place), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
