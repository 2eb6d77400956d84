"""Floor 1: the record. Everything that happens is a row about something with a content hash.

Rows live in a store (SQLite or PostgreSQL), content in blobs, decisions in a hash-chained ledger.
"""

from assay.record.clock import Clock
from assay.record.comparing import compare, diff
from assay.record.datasets import DatasetVersion, dataset, snapshot
from assay.record.identity import Actor, current_actor
from assay.record.ledger import entries, verify
from assay.record.location import open_store
from assay.record.registry import CHAMPION, ModelVersion, find_version, list_models, model_folder, register
from assay.record.runs import Run, current_run, list_runs, show_run, start_run
from assay.record.store import Store

__all__ = [
    "CHAMPION",
    "Actor",
    "Clock",
    "DatasetVersion",
    "ModelVersion",
    "Run",
    "Store",
    "compare",
    "current_actor",
    "current_run",
    "dataset",
    "diff",
    "entries",
    "find_version",
    "list_models",
    "list_runs",
    "model_folder",
    "open_store",
    "register",
    "show_run",
    "snapshot",
    "start_run",
    "verify",
]
