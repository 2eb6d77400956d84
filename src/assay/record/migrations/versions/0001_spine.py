"""The spine: runs, evidence, operation and the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_REFUSE = {
    "sqlite": """
        CREATE TRIGGER ledger_no_{verb} BEFORE {verb} ON ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    "postgresql": """
        CREATE TRIGGER ledger_no_{verb} BEFORE {verb} ON ledger
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()""",
}


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("alert_id", _TEXT, nullable=False),
        sa.Column("monitor_id", _TEXT, nullable=False),
        sa.Column("opened", _TEXT, nullable=False),
        sa.Column("message", _TEXT, nullable=False),
        sa.Column("acked", _TEXT, nullable=True),
        sa.Column("closed", _TEXT, nullable=True),
        sa.Column("action", _TEXT, nullable=True),
        sa.Column("linked_run", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alert")),
    )
    op.create_table(
        "artifact",
        sa.Column("artifact_id", _TEXT, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("created", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=True),
        sa.Column("schema_hash", _TEXT, nullable=True),
        sa.Column("format", _TEXT, nullable=True),
        sa.Column("source_system", _TEXT, nullable=True),
        sa.Column("blob", _TEXT, nullable=True),
        sa.Column("licence", _TEXT, nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("artifact_id", name=op.f("pk_artifact")),
    )
    op.create_index(op.f("ix_artifact_hash"), "artifact", ["hash"], unique=False)
    op.create_index(op.f("ix_artifact_type_name"), "artifact", ["type", "name"], unique=False)
    op.create_table(
        "deployment",
        sa.Column("dep_id", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("endpoint", _TEXT, nullable=False),
        sa.Column("mv_id", _TEXT, nullable=False),
        sa.Column("env", _TEXT, nullable=False),
        sa.Column("strategy", _TEXT, nullable=False),
        sa.Column("started", _TEXT, nullable=False),
        sa.Column("cause", _TEXT, nullable=False),
        sa.Column("full_at", _TEXT, nullable=True),
        sa.Column("ended", _TEXT, nullable=True),
        sa.Column("outcome", _TEXT, nullable=True),
        sa.Column("rollback_of", _TEXT, nullable=True),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("dep_id", name=op.f("pk_deployment")),
    )
    op.create_index(op.f("ix_deployment_endpoint_started"), "deployment", ["endpoint", "started"], unique=False)
    op.create_table(
        "drill",
        sa.Column("drill_id", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("result", _TEXT, nullable=False),
        sa.Column("initiated", _TEXT, nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("detail", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("drill_id", name=op.f("pk_drill")),
    )
    op.create_table(
        "environment",
        sa.Column("env_hash", _TEXT, nullable=False),
        sa.Column("detail", _TEXT, nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("env_hash", name=op.f("pk_environment")),
    )
    op.create_table(
        "gate",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("mv_id", _TEXT, nullable=False),
        sa.Column("subject_hash", _TEXT, nullable=False),
        sa.Column("evaluation_id", _TEXT, nullable=False),
        sa.Column("policy_version", _TEXT, nullable=False),
        sa.Column("checks", _TEXT, nullable=False),
        sa.Column("outcome", _TEXT, nullable=False),
        sa.Column("mode", _TEXT, nullable=False),
        sa.Column("baseline_mv_id", _TEXT, nullable=True),
        sa.Column("override_by", _TEXT, nullable=True),
        sa.Column("override_reason", _TEXT, nullable=True),
        sa.Column("detail", _TEXT, nullable=True),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate")),
    )
    op.create_index(op.f("ix_gate_mv_id"), "gate", ["mv_id"], unique=False)
    op.create_table(
        "label",
        sa.Column("prediction_id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("event_ts", _TEXT, nullable=False),
        sa.Column("ingest_ts", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "name", "revision", name=op.f("pk_label")),
    )
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prev_hash", _TEXT, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("body", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ledger")),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_head")),
    )
    op.create_table(
        "monitor",
        sa.Column("monitor_id", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("endpoint", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("detail", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("every_s", sa.Integer(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("monitor_id", name=op.f("pk_monitor")),
    )
    op.create_table(
        "monitor_check",
        sa.Column("monitor_id", _TEXT, nullable=False),
        sa.Column("window", _TEXT, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("detail", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("monitor_id", "window", name=op.f("pk_monitor_check")),
    )
    op.create_table(
        "route",
        sa.Column("endpoint", _TEXT, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("detail", _TEXT, nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("endpoint", "revision", name=op.f("pk_route")),
    )
    op.create_table(
        "route_ack",
        sa.Column("endpoint", _TEXT, nullable=False),
        sa.Column("worker", _TEXT, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("endpoint", "worker", "revision", name=op.f("pk_route_ack")),
    )
    op.create_table(
        "run",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("experiment", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("stage", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("trigger_type", _TEXT, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("started", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=True),
        sa.Column("pipeline", _TEXT, nullable=True),
        sa.Column("pipeline_hash", _TEXT, nullable=True),
        sa.Column("code_sha", _TEXT, nullable=True),
        sa.Column("commit_ts", _TEXT, nullable=True),
        sa.Column("env_hash", _TEXT, nullable=True),
        sa.Column("image_digest", _TEXT, nullable=True),
        sa.Column("reason", _TEXT, nullable=True),
        sa.Column("ended", _TEXT, nullable=True),
        sa.Column("parent_run_id", _TEXT, nullable=True),
        sa.Column("host", _TEXT, nullable=True),
        sa.Column("dirty", sa.Integer(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run")),
    )
    op.create_index(op.f("ix_run_experiment_started"), "run", ["experiment", "started"], unique=False)
    op.create_table(
        "serving_window",
        sa.Column("endpoint", _TEXT, nullable=False),
        sa.Column("mv_id", _TEXT, nullable=False),
        sa.Column("day", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("predictions", sa.BigInteger(), nullable=False),
        sa.Column("logged", sa.BigInteger(), nullable=False),
        sa.Column("labelled", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("p50_ms", sa.Float(), nullable=True),
        sa.Column("p95_ms", sa.Float(), nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("endpoint", "mv_id", "day", name=op.f("pk_serving_window")),
    )
    op.create_table(
        "store_meta",
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_store_meta")),
    )
    op.create_table(
        "test_result",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("subject_kind", _TEXT, nullable=False),
        sa.Column("subject_id", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("result", _TEXT, nullable=False),
        sa.Column("mode", _TEXT, nullable=False),
        sa.Column("report_id", _TEXT, nullable=True),
        sa.Column("detail", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_result")),
    )
    op.create_index(op.f("ix_test_result_subject_id"), "test_result", ["subject_id"], unique=False)
    op.create_table(
        "trigger_def",
        sa.Column("trigger_id", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("pipeline", _TEXT, nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("trigger_id", name=op.f("pk_trigger_def")),
    )
    op.create_table(
        "trigger_fire",
        sa.Column("fire_id", _TEXT, nullable=False),
        sa.Column("trigger_id", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("alert_id", _TEXT, nullable=True),
        sa.Column("linked_run", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("fire_id", name=op.f("pk_trigger_fire")),
    )
    op.create_table(
        "evaluation",
        sa.Column("evaluation_id", _TEXT, nullable=False),
        sa.Column("mv_id", _TEXT, nullable=False),
        sa.Column("dataset_hash", _TEXT, nullable=False),
        sa.Column("profile_blob", _TEXT, nullable=False),
        sa.Column("detail", _TEXT, nullable=False),
        sa.Column("run_id", _TEXT, nullable=True),
        sa.Column("baseline_mv_id", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_evaluation_run_id")),
        sa.PrimaryKeyConstraint("evaluation_id", name=op.f("pk_evaluation")),
    )
    op.create_index(op.f("ix_evaluation_mv_id"), "evaluation", ["mv_id"], unique=False)
    op.create_table(
        "model_version",
        sa.Column("mv_id", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("created", _TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("run_id", _TEXT, nullable=True),
        sa.Column("signature", _TEXT, nullable=True),
        sa.Column("base_model", _TEXT, nullable=True),
        sa.Column("description", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_model_version_run_id")),
        sa.PrimaryKeyConstraint("mv_id", name=op.f("pk_model_version")),
    )
    op.create_index("uq_model_version_model_version", "model_version", ["model", "version"], unique=True)
    op.create_table(
        "run_io",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("role", _TEXT, nullable=False),
        sa.Column("artifact_id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifact.artifact_id"], name=op.f("fk_run_io_artifact_id")),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_run_io_run_id")),
        sa.PrimaryKeyConstraint("run_id", "role", "artifact_id", name=op.f("pk_run_io")),
    )
    op.create_table(
        "run_metric",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_run_metric_run_id")),
        sa.PrimaryKeyConstraint("run_id", "key", "step", name=op.f("pk_run_metric")),
    )
    op.create_table(
        "run_param",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_run_param_run_id")),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_run_param")),
    )
    op.create_table(
        "run_tag",
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_run_tag_run_id")),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_run_tag")),
    )
    op.create_table(
        "step",
        sa.Column("step_id", _TEXT, nullable=False),
        sa.Column("run_id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("components", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("started", _TEXT, nullable=False),
        sa.Column("ended", _TEXT, nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("inputs", _TEXT, nullable=True),
        sa.Column("output", _TEXT, nullable=True),
        sa.Column("reason", _TEXT, nullable=True),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_step_run_id")),
        sa.PrimaryKeyConstraint("step_id", name=op.f("pk_step")),
    )
    op.create_index(op.f("ix_step_key"), "step", ["key"], unique=False)
    op.create_index(op.f("ix_step_run_id"), "step", ["run_id"], unique=False)
    op.create_table(
        "alias_move",
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("alias", _TEXT, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mv_id", _TEXT, nullable=False),
        sa.Column("previous_mv_id", _TEXT, nullable=True),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("actor_kind", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.ForeignKeyConstraint(["mv_id"], ["model_version.mv_id"], name=op.f("fk_alias_move_mv_id")),
        sa.PrimaryKeyConstraint("model", "alias", "seq", name=op.f("pk_alias_move")),
    )
    op.execute("INSERT INTO ledger_head (id, seq, hash) VALUES (1, 0, '" + "0" * 64 + "')")
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$"
        )
    for verb in ("UPDATE", "DELETE", "TRUNCATE") if dialect == "postgresql" else ("UPDATE", "DELETE"):
        op.execute(_REFUSE[dialect].format(verb=verb))
    if dialect == "sqlite":  # REPLACE does not call the trigger of DELETE
        op.execute(
            "CREATE TRIGGER ledger_no_REPLACE BEFORE INSERT ON ledger "
            "WHEN EXISTS (SELECT 1 FROM ledger WHERE seq = NEW.seq) "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
