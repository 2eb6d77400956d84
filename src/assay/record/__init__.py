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
    from assay.record.audit.anchors import anchor
    from assay.record.audit.bundle import export_ledger
    from assay.record.audit.keys import list_keys, new_key, revoke_key
    from assay.record.audit.personal import commit_personal, erase_person, revealed
    from assay.record.audit.signatures import list_signatures, sign
    from assay.record.audit.signed_checkpoints import checkpoint
    from assay.record.audit.signed_models import sign_model, verify_model_signature
    from assay.record.audit.verification import verify
    from assay.record.clearing.gc import gc
    from assay.record.clock import Clock
    from assay.record.datasets import DatasetVersion, dataset, snapshot
    from assay.record.exchange.exporting import export_runs, runs_table
    from assay.record.exchange.mlflow_import import import_mlflow
    from assay.record.identity import Actor, current_actor
    from assay.record.ledger import entries
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
    from assay.record.people import end_role, grant_role, list_roles
    from assay.record.search.run_listing import list_runs
    from assay.record.store import Store
    from assay.record.talk.deciding import list_records, record_decision, show_record, supersede_record
    from assay.record.talk.digest import digest_for
    from assay.record.talk.exporting import export_records, export_talk
    from assay.record.talk.importing import import_talk
    from assay.record.talk.measuring import measure_communication
    from assay.record.talk.notices import list_notices, read_notices
    from assay.record.talk.rules import notice_rule, notice_rules
    from assay.record.talk.talking import ask_about, comment_on, list_comments
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
    "anchor",
    "ask_about",
    "checkpoint",
    "close_project",
    "comment_on",
    "commit_personal",
    "compare",
    "current_actor",
    "current_run",
    "dataset",
    "deliver",
    "diff",
    "digest_for",
    "end_incident",
    "end_role",
    "entries",
    "erase_person",
    "export_ledger",
    "export_records",
    "export_runs",
    "export_talk",
    "find_version",
    "flush",
    "gc",
    "grant_role",
    "import_mlflow",
    "import_talk",
    "list_alerts",
    "list_comments",
    "list_incidents",
    "list_keys",
    "list_models",
    "list_notices",
    "list_projects",
    "list_records",
    "list_roles",
    "list_runs",
    "list_signatures",
    "mark_restored",
    "measure_communication",
    "model_folder",
    "new_key",
    "new_project",
    "note_incident",
    "notice_rule",
    "notice_rules",
    "open_store",
    "put_into_project",
    "read_notices",
    "record_decision",
    "register",
    "register_model",
    "remove_webhook",
    "report_incident",
    "rerun",
    "resolve_alert",
    "revealed",
    "revoke_key",
    "run",
    "runs_table",
    "show_incident",
    "show_record",
    "show_run",
    "show_version",
    "sign",
    "sign_model",
    "snapshot",
    "snooze_alert",
    "start_run",
    "start_time",
    "stop_time",
    "supersede_record",
    "sync",
    "time_report",
    "try_channel",
    "verify",
    "verify_model_signature",
    "webhooks",
]

__getattr__ = on_demand(__name__, __file__)
