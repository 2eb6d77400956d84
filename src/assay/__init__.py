"""Assay: MLOps on evidence. The verbs of the public face, loaded when they are first used.

>>> import assay
>>> "promote" in dir(assay)
True
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay import features as features
    from assay.build import (
        Cleaning,
        check_leakage,
        check_table,
        feature_view,
        infer_expectations,
        load_model,
        log_model,
        package_model,
        pipeline,
        run,
        search,
        source,
        split,
        split_by_time,
        step,
        suggest_features,
        train,
        wait_for,
        why,
    )
    from assay.operate import (
        examine,
        query_predictions,
        record_labels,
        serve,
    )
    from assay.prove import (
        Policy,
        Segments,
        contribution,
        evaluate,
        fairness,
        gate,
        load_policy,
        load_profile,
        parse_policy,
        profile,
        promote,
        repair,
        rollback,
        save_profile,
        thresholds,
    )
    from assay.record import (
        compare,
        dataset,
        diff,
        entries,
        find_version,
        flush,
        import_mlflow,
        list_models,
        list_runs,
        open_store,
        show_run,
        snapshot,
        start_run,
        sync,
        verify,
    )
    from assay.stats import (
        Profile,
        metric,
    )
    from assay.steer import (
        report,
    )

__version__ = "0.1.0"

_ROOMS = {
    "build": [
        "Cleaning",
        "check_leakage",
        "check_table",
        "feature_view",
        "infer_expectations",
        "load_model",
        "log_model",
        "package_model",
        "pipeline",
        "run",
        "search",
        "source",
        "split",
        "split_by_time",
        "step",
        "suggest_features",
        "train",
        "wait_for",
        "why",
    ],
    "operate": [
        "examine",
        "query_predictions",
        "record_labels",
        "serve",
    ],
    "prove": [
        "Policy",
        "Segments",
        "contribution",
        "evaluate",
        "fairness",
        "gate",
        "load_policy",
        "load_profile",
        "parse_policy",
        "profile",
        "promote",
        "repair",
        "rollback",
        "save_profile",
        "thresholds",
    ],
    "record": [
        "compare",
        "dataset",
        "diff",
        "entries",
        "find_version",
        "flush",
        "import_mlflow",
        "list_models",
        "list_runs",
        "open_store",
        "register_model",
        "show_run",
        "snapshot",
        "start_run",
        "sync",
        "verify",
    ],
    "stats": [
        "Profile",
        "metric",
    ],
    "steer": [
        "report",
    ],
}
_FACES = {"features": "assay.features"}  # verbs of one subject under a name of their own
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Cleaning",
    "Policy",
    "Profile",
    "Segments",
    "check_leakage",
    "check_table",
    "compare",
    "contribution",
    "dataset",
    "diff",
    "entries",
    "evaluate",
    "examine",
    "fairness",
    "feature_view",
    "find_version",
    "flush",
    "gate",
    "import_mlflow",
    "infer_expectations",
    "list_models",
    "list_runs",
    "load_model",
    "load_policy",
    "load_profile",
    "log_model",
    "metric",
    "open_store",
    "package_model",
    "parse_policy",
    "pipeline",
    "profile",
    "promote",
    "query_predictions",
    "record_labels",
    "register_model",
    "repair",
    "report",
    "rollback",
    "run",
    "save_profile",
    "search",
    "serve",
    "show_run",
    "snapshot",
    "source",
    "split",
    "split_by_time",
    "start_run",
    "step",
    "suggest_features",
    "sync",
    "thresholds",
    "train",
    "verify",
    "wait_for",
    "why",
]


def __getattr__(name: str) -> object:
    if name in _FACES:
        return importlib.import_module(_FACES[name])
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    return getattr(importlib.import_module(f"assay.{room}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
