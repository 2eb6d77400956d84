"""Serving and online tests: workers, the compacted prediction log, labels of units, tests and rollouts."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "compiled_form",
        *_texts("mv_id", "hash", "outcome", "report", "created"),
        *_texts("form", "blob", nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("mv_id", name=op.f("pk_compiled_form")),
        sa.ForeignKeyConstraint(["mv_id"], ["model_version.mv_id"], name=op.f("fk_compiled_form_mv_id")),
    )
    op.create_table(
        "serving_worker",
        *_texts("endpoint", "worker", "url", "host", "started", "seen"),
        *_texts("ended", "detail", nullable=True),
        sa.Column("pid", sa.Integer(), nullable=False),
        *_evidence(),
        sa.PrimaryKeyConstraint("endpoint", "worker", name=op.f("pk_serving_worker")),
    )
    op.create_table(
        "prediction_part",
        *_texts("part_id", "endpoint", "day", "path", "hash", "segments", "first_ts", "last_ts", "gaps"),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in ("rows", "bytes")],
        *_texts("deleted", nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("part_id", name=op.f("pk_prediction_part")),
    )
    op.create_index(op.f("ix_prediction_part_endpoint_day"), "prediction_part", ["endpoint", "day"], unique=False)
    op.create_table(
        "unit_label",
        *_texts("endpoint", "unit", "name", "event"),
        _number("revision"),
        sa.Column("value", sa.Float(), nullable=False),
        *_texts("event_ts", "ingest_ts", "source"),
        sa.PrimaryKeyConstraint("endpoint", "unit", "name", "event", "revision", name=op.f("pk_unit_label")),
    )
    op.create_table(
        "online_test",
        *_texts("test_id", "name", "endpoint", "model", "kind", "status", "detail", "started"),
        *_texts("ended", "outcome", "reason", "rollout_id", nullable=True),
        sa.Column("decision", sa.Integer(), nullable=False),
        *_evidence(),
        sa.PrimaryKeyConstraint("test_id", name=op.f("pk_online_test")),
    )
    op.create_index(op.f("ix_online_test_endpoint_started"), "online_test", ["endpoint", "started"], unique=False)
    op.create_table(
        "test_phase",
        *_texts("test_id"),
        _number("phase"),
        sa.Column("revision", sa.Integer(), nullable=False),
        *_texts("started", "detail"),
        *_texts("ended", nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("test_id", "phase", name=op.f("pk_test_phase")),
        sa.ForeignKeyConstraint(["test_id"], ["online_test.test_id"], name=op.f("fk_test_phase_test_id")),
    )
    op.create_table(
        "test_reading",
        *_texts("test_id"),
        _number("seq"),
        *_texts("as_of", "outcome", "detail"),
        *_evidence(),
        sa.PrimaryKeyConstraint("test_id", "seq", name=op.f("pk_test_reading")),
        sa.ForeignKeyConstraint(["test_id"], ["online_test.test_id"], name=op.f("fk_test_reading_test_id")),
    )
    op.create_table(
        "rollout",
        *_texts(
            "rollout_id", "endpoint", "model", "mv_id", "baseline_mv_id", "strategy", "status", "detail", "started"
        ),
        *_texts("ended", "reason", "lease", "lease_until", nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        *_evidence(),
        sa.PrimaryKeyConstraint("rollout_id", name=op.f("pk_rollout")),
    )
    op.create_index(op.f("ix_rollout_endpoint_started"), "rollout", ["endpoint", "started"], unique=False)
    op.create_table(
        "rollout_event",
        *_texts("rollout_id"),
        _number("seq"),
        *_texts("kind", "inputs", "detail"),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("rollout_id", "seq", name=op.f("pk_rollout_event")),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.rollout_id"], name=op.f("fk_rollout_event_rollout_id")),
    )


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=nullable) for name in names]


def _evidence() -> list[sa.Column[str]]:
    return [*_texts("actor", "actor_kind", "source", "ts"), *_texts("event_ts", nullable=True)]
