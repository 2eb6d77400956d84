"""The loop: profiles of windows, findings, alerts with an owner, incidents, firings with an identity, stories."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_OF_MONITOR = {  # what an alert says itself now, and its monitor said before
    "key": "'monitor:' || m.kind || ':' || m.endpoint",
    "model": "m.model",
    "endpoint": "m.endpoint",
    "owner": "m.owner",
}


def upgrade() -> None:
    op.create_index(op.f("ix_label_name_ingest_ts"), "label", ["name", "ingest_ts"], unique=False, if_not_exists=True)
    op.create_index(
        op.f("ix_unit_label_endpoint_name_ingest_ts"),
        "unit_label",
        ["endpoint", "name", "ingest_ts"],
        unique=False,
        if_not_exists=True,
    )
    for name in ("name", "mv_id", "updated", "looked", "since", "version"):
        op.add_column("monitor", sa.Column(name, _TEXT, nullable=True))
    op.add_column("monitor", sa.Column("reference", _TEXT, nullable=True))
    op.create_index(op.f("ix_monitor_model"), "monitor", ["model"], unique=False)
    op.create_table(
        "window_profile",
        *_texts("profile_id", "model", "endpoint", "role", "window", "started", "ended", "blob"),
        *_texts("mv_id", "segments", nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        *_evidence(),
        sa.PrimaryKeyConstraint("profile_id", name=op.f("pk_window_profile")),
    )
    op.create_index(
        op.f("ix_window_profile_endpoint_role_window"), "window_profile", ["endpoint", "role", "window"], unique=False
    )
    op.create_index(op.f("ix_window_profile_mv_id"), "window_profile", ["mv_id"], unique=False)
    for name in ("started", "ended", "mv_id"):
        op.add_column("monitor_check", sa.Column(name, _TEXT, nullable=True))
    op.add_column("monitor_check", sa.Column("rows", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_monitor_check_monitor_id_ended"), "monitor_check", ["monitor_id", "ended"], unique=False)
    op.create_table(
        "monitor_finding",
        *_texts("monitor_id", "window", "subject", "segment", "measure", "state"),
        *_texts("words", "detail", nullable=True),
        *[
            sa.Column(name, sa.Float(), nullable=True)
            for name in ("value", "expected", "bound", "low", "high", "p", "harm")
        ],
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("raised", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint(
            "monitor_id", "window", "subject", "segment", "measure", name=op.f("pk_monitor_finding")
        ),
    )
    _alerts()
    op.create_table(
        "incident",
        *_texts("incident_id", "title", "severity", "opened_by", "detected"),
        *_texts("model", "endpoint", "owner", "started", "restored", "closed", nullable=True),
        *_texts("found_by", "cause", "learnt", "alert_id", "dep_id", nullable=True),
        sa.Column("decision", sa.Integer(), nullable=True),
        *_texts("detail", nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incident")),
    )
    op.create_index(op.f("ix_incident_model"), "incident", ["model"], unique=False)
    for name in ("least", "digest"):
        op.add_column("webhook", sa.Column(name, _TEXT, nullable=True))
    for name in ("name", "detail", "state", "updated"):
        op.add_column("trigger_def", sa.Column(name, _TEXT, nullable=True))
    for name in ("identity", "outcome", "evidence", "planned"):
        op.add_column("trigger_fire", sa.Column(name, _TEXT, nullable=True))
    op.create_index("uq_trigger_fire_identity", "trigger_fire", ["trigger_id", "identity"], unique=True)
    _stories()


def _alerts() -> None:
    """An alert need not come from a monitor any more: SQLite makes the table anew for that, with its rows."""
    with op.batch_alter_table("alert") as table:
        table.alter_column("monitor_id", existing_type=_TEXT, nullable=True)
    op.add_column("alert", sa.Column("severity", _TEXT, nullable=False, server_default="warning"))
    op.add_column("alert", sa.Column("times", sa.Integer(), nullable=False, server_default="1"))
    for name in ("key", "model", "endpoint", "owner", "runbook", "seen", "acked_by", "snoozed", "closed_by", "reason"):
        op.add_column("alert", sa.Column(name, _TEXT, nullable=True))
    for name in ("escalated", "incident_id"):
        op.add_column("alert", sa.Column(name, _TEXT, nullable=True))
    op.create_index(op.f("ix_alert_key"), "alert", ["key"], unique=False)
    op.create_index(op.f("ix_alert_model"), "alert", ["model"], unique=False)
    for name, found in _OF_MONITOR.items():
        value = f"(SELECT {found} FROM monitor m WHERE m.monitor_id = alert.monitor_id)"  # noqa: S608 - names of ours
        op.execute(f"UPDATE alert SET {name} = {value}")  # noqa: S608
    op.execute("UPDATE alert SET seen = opened")
    op.create_table(
        "alert_rule",
        *_texts("model"),
        *_texts("escalate_after", "critical_after", "same_within", "owner", "runbook", nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_alert_rule")),
    )


def _stories() -> None:
    op.create_table(
        "retraining",
        *_texts("story_id", "model", "fire_id", "status", "stage", "detail", "started"),
        *_texts("endpoint", "ended", "reason", "run_id", "mv_id", "rollout_id", nullable=True),
        *_texts("lease", "lease_until", nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("story_id", name=op.f("pk_retraining")),
    )
    op.create_index("uq_retraining_fire_id", "retraining", ["fire_id"], unique=True)
    op.create_index(op.f("ix_retraining_model_started"), "retraining", ["model", "started"], unique=False)
    op.create_table(
        "retraining_event",
        *_texts("story_id"),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        *_texts("stage", "outcome", "words", "detail"),
        sa.Column("decision", sa.Integer(), nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("story_id", "seq", name=op.f("pk_retraining_event")),
        sa.ForeignKeyConstraint(["story_id"], ["retraining.story_id"], name=op.f("fk_retraining_event_story_id")),
    )
    op.create_table(
        "watcher",
        *_texts("name", "holder", "until", "started", "seen"),
        *_texts("host", "detail", nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_watcher")),
    )


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=nullable) for name in names]


def _evidence() -> list[sa.Column[str]]:
    return [*_texts("actor", "actor_kind", "source", "ts"), *_texts("event_ts", nullable=True)]
