"""The tables. Names and fields follow one evidence vocabulary, so that later questions are joins, not migrations.

Times are UTC text (`clock.iso`): the same order and comparison on every backend. `ts` is the wall clock,
`event_ts` the simulated moment of a replay. A run's params, metrics and tags
inherit who wrote them from the run.
"""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, Table
from sqlalchemy import Text as AnyText

__all__ = ["METADATA", "TABLES"]

# Text sorts and compares by code point on every backend, whatever the language of a PostgreSQL database.
Text = AnyText().with_variant(AnyText(collation="C"), "postgresql")

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _evidence() -> list[Column[str]]:
    """Who recorded the row, when, and how strong it is as evidence."""
    return [
        Column("actor", Text, nullable=False),
        Column("actor_kind", Text, nullable=False),  # human | service
        Column("source", Text, nullable=False),  # native | imported | attested
        Column("ts", Text, nullable=False),
        Column("event_ts", Text),
    ]


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text) for name in names]


def _required(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


# --- what was built -----------------------------------------------------------------------------------------------

Table(
    "run",
    METADATA,
    _key("run_id"),
    *_required("experiment", "name", "stage", "kind", "trigger_type", "status", "started"),
    *_text("model", "pipeline", "pipeline_hash", "code_sha", "commit_ts", "env_hash", "image_digest", "reason"),
    *_text("ended", "parent_run_id", "host"),
    Column("dirty", Integer),
    Column("seed", BigInteger),
    Column("pid", Integer),
    *_evidence(),
    Index(None, "experiment", "started"),
)
for _child in ("run_param", "run_tag"):
    Table(
        _child,
        METADATA,
        Column("run_id", ForeignKey("run.run_id"), primary_key=True),
        _key("key"),
        *_required("value"),
    )
Table(
    "run_metric",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    _key("key"),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Float, nullable=False),
    *_required("ts"),
)
Table(
    "environment",
    METADATA,
    _key("env_hash"),
    Column("detail", Text, nullable=False),  # JSON: python, platform, packages with versions
    *_evidence(),
)
Table(
    "step",
    METADATA,
    _key("step_id"),
    Column("run_id", ForeignKey("run.run_id"), nullable=False),
    *_required("name", "key", "components", "state", "started", "ended"),
    Column("seconds", Float, nullable=False),
    *_text("inputs", "output", "reason"),
    *_evidence(),
    Index(None, "key"),
    Index(None, "run_id"),
)
Table(
    "artifact",
    METADATA,
    _key("artifact_id"),
    *_required("type", "hash", "created"),  # type: dataset | model | report | evaluation
    *_text("name", "schema_hash", "format", "source_system", "blob", "licence"),
    Column("rows", BigInteger),
    *_evidence(),
    Index(None, "type", "name"),
    Index(None, "hash"),
)
Table(
    "run_io",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    _key("role"),  # input | output
    Column("artifact_id", ForeignKey("artifact.artifact_id"), primary_key=True),
    *_required("name"),
)
Table(
    "model_version",
    METADATA,
    _key("mv_id"),
    *_required("model", "hash", "created"),
    Column("version", Integer, nullable=False),
    Column("run_id", ForeignKey("run.run_id")),
    *_text("signature", "base_model", "description"),
    *_evidence(),
    Index("uq_model_version_model_version", "model", "version", unique=True),
)
Table(
    "alias_move",  # append-only: the row with the highest seq says where an alias points
    METADATA,
    _key("model"),
    _key("alias"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("mv_id", ForeignKey("model_version.mv_id"), nullable=False),
    Column("previous_mv_id", Text),
    Column("decision", Integer, nullable=False),  # ledger.seq
    *_evidence(),
)

# --- what was proven ----------------------------------------------------------------------------------------------

Table(
    "test_result",
    METADATA,
    _key("id"),
    *_required("subject_kind", "subject_id", "tag", "kind", "result", "mode"),
    *_text("report_id", "detail"),
    *_evidence(),
    Index(None, "subject_id"),
)
Table(
    "evaluation",
    METADATA,
    _key("evaluation_id"),
    *_required("mv_id", "dataset_hash", "profile_blob", "detail"),
    Column("run_id", ForeignKey("run.run_id")),
    *_text("baseline_mv_id"),
    *_evidence(),
    Index(None, "mv_id"),
)
Table(
    "gate",
    METADATA,
    _key("id"),
    *_required("mv_id", "subject_hash", "evaluation_id", "policy_version", "checks", "outcome", "mode"),
    *_text("baseline_mv_id", "override_by", "override_reason", "detail"),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "mv_id"),
)

# --- what was operated --------------------------------------------------------------------------------------------

Table(
    "deployment",
    METADATA,
    _key("dep_id"),
    *_required("model", "endpoint", "mv_id", "env", "strategy", "started", "cause"),
    *_text("full_at", "ended", "outcome", "rollback_of"),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "endpoint", "started"),
)
Table(
    "route",  # append-only: the highest revision is the routing table of the endpoint
    METADATA,
    _key("endpoint"),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    *_required("detail"),  # JSON: {"variants": [{"mv_id", "hash", "weight"}]}
    Column("decision", Integer, nullable=False),
    *_evidence(),
)
Table(
    "route_ack",
    METADATA,
    _key("endpoint"),
    _key("worker"),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    *_evidence(),
)
Table(
    "label",
    METADATA,
    _key("prediction_id"),
    _key("name"),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("value", Float, nullable=False),
    *_required("event_ts", "ingest_ts", "source"),
)
Table(
    "serving_window",
    METADATA,
    _key("endpoint"),
    _key("mv_id"),
    _key("day"),
    *_required("model"),
    *[Column(name, BigInteger, nullable=False) for name in ("predictions", "logged", "labelled", "known", "errors")],
    *[Column(name, Float) for name in ("p50_ms", "p95_ms")],
    *_evidence(),
)
Table(
    "monitor",
    METADATA,
    _key("monitor_id"),
    *_required("model", "endpoint", "kind", "detail", "owner"),
    Column("enabled", Integer, nullable=False),
    Column("every_s", Integer, nullable=False),
    *_evidence(),
)
Table(
    "monitor_check",
    METADATA,
    _key("monitor_id"),
    _key("window"),
    *_required("status"),  # ok | alarm | no_data
    Column("value", Float),
    Column("detail", Text),
    *_evidence(),
)
Table(
    "alert",
    METADATA,
    _key("alert_id"),
    *_required("monitor_id", "opened", "message"),
    *_text("acked", "closed", "action", "linked_run"),
    *_evidence(),
)
Table(
    "trigger_def",
    METADATA,
    _key("trigger_id"),
    *_required("model", "type", "pipeline"),
    Column("enabled", Integer, nullable=False),
    *_evidence(),
)
Table(
    "trigger_fire",
    METADATA,
    _key("fire_id"),
    *_required("trigger_id", "reason"),
    *_text("alert_id", "linked_run"),
    *_evidence(),
)
Table(
    "drill",
    METADATA,
    _key("drill_id"),
    *_required("model", "kind", "result", "initiated"),
    Column("seconds", Float, nullable=False),
    Column("detail", Text),
    *_evidence(),
)

# --- the ledger ---------------------------------------------------------------------------------------------------

Table(
    "ledger",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *_required("prev_hash", "hash", "kind", "body"),
)
Table(
    "ledger_head",  # one row: what the last entry is, so that a removed tail is noticed
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    *_required("hash"),
)
Table("store_meta", METADATA, _key("key"), *_required("value"))

TABLES: dict[str, Table] = dict(METADATA.tables)
