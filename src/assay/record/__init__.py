"""Floor 1: the record. Everything that happens is a row about something with a content hash.

Rows live in a store (SQLite or PostgreSQL), content in blobs, decisions in a hash-chained ledger.
"""

from typing import TYPE_CHECKING

from assay.on_demand import on_demand

if TYPE_CHECKING:
    from assay.record.alerts.handling import ack_alert, alert_history, list_alerts, resolve_alert, snooze_alert
    from assay.record.alerts.incident_commands import (
        end_incident,
        list_incidents,
        mark_restored,
        note_incident,
        report_incident,
        show_incident,
    )
    from assay.record.alerts.rules import alert_rules
    from assay.record.clearing.gc import gc
    from assay.record.clock import Clock
    from assay.record.datasets import DatasetVersion, dataset, snapshot
    from assay.record.exchange.exporting import export_runs, runs_table
    from assay.record.exchange.mlflow_import import import_mlflow
    from assay.record.identity import Actor, current_actor
    from assay.record.ledger import entries, verify
    from assay.record.live.leftover import sync
    from assay.record.live.live_run import LiveRun, flush, run
    from assay.record.live.rerun import rerun
    from assay.record.location import open_store
    from assay.record.models.aliases import alias_at, alias_log
    from assay.record.models.registering import register_model
    from assay.record.models.registry import CHAMPION, ModelVersion, find_version, list_models, model_folder, register
    from assay.record.models.version_lineage import show_version
    from assay.record.notify.delivery import deliver, try_channel
    from assay.record.notify.webhooks import add_webhook, remove_webhook, webhooks
    from assay.record.search.run_listing import list_runs
    from assay.record.store import Store
    from assay.record.tracking.comparing import compare, diff
    from assay.record.tracking.projects import close_project, list_projects, new_project, put_into_project
    from assay.record.tracking.runs import Run, current_run, show_run, start_run
    from assay.record.tracking.timekeeping import add_time, start_time, stop_time, time_report

__all__ = [
    "CHAMPION",
    "Actor",
    "Clock",
    "DatasetVersion",
    "LiveRun",
    "ModelVersion",
    "Run",
    "Store",
    "ack_alert",
    "add_time",
    "add_webhook",
    "alert_history",
    "alert_rules",
    "alias_at",
    "alias_log",
    "close_project",
    "compare",
    "current_actor",
    "current_run",
    "dataset",
    "deliver",
    "diff",
    "end_incident",
    "entries",
    "export_runs",
    "find_version",
    "flush",
    "gc",
    "import_mlflow",
    "list_alerts",
    "list_incidents",
    "list_models",
    "list_projects",
    "list_runs",
    "mark_restored",
    "model_folder",
    "new_project",
    "note_incident",
    "open_store",
    "put_into_project",
    "register",
    "register_model",
    "remove_webhook",
    "report_incident",
    "rerun",
    "resolve_alert",
    "run",
    "runs_table",
    "show_incident",
    "show_run",
    "show_version",
    "snapshot",
    "snooze_alert",
    "start_run",
    "start_time",
    "stop_time",
    "sync",
    "time_report",
    "try_channel",
    "verify",
    "webhooks",
]

__getattr__ = on_demand(__name__, __file__)
