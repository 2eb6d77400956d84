"""The tables. Names and fields follow one evidence vocabulary, so that later questions are joins, not migrations.

Times are UTC text (`clock.iso`): the same order and comparison on every backend. `ts` is the wall clock,
`event_ts` the simulated moment of a replay. A run's params, metrics and tags
inherit who wrote them from the run.
"""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, text
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


def _by_value(kind: str) -> Index:
    """Finds rows by key and the beginning of the value: PostgreSQL refuses long texts in an index."""
    return Index(f"ix_{kind}_key_value", "key", text("substr(value, 1, 200)"))


# --- what work belongs to -----------------------------------------------------------------------------------------

Table(
    "project",
    METADATA,
    _key("project"),
    *_text("owner", "due", "description", "closed"),
    *_evidence(),
)
Table(
    "time_entry",
    METADATA,
    _key("entry_id"),
    *_required("project", "activity", "person", "started"),
    *_text("ended", "note"),
    *_evidence(),
    Index(None, "person", "started"),
)
Table(
    "experiment",
    METADATA,
    _key("experiment_id"),
    *_required("name", "artifact_location", "created", "updated"),
    *_text("deleted", "project"),
    *_evidence(),
    Index("uq_experiment_name", "name", unique=True),
)
Table("experiment_tag", METADATA, _key("experiment_id"), _key("key"), *_required("value"))
Table(
    "counter",  # numbers that are never given out twice: experiments, versions of a model's name
    METADATA,
    _key("name"),
    Column("value", BigInteger, nullable=False),
)
Table(
    "history",  # append-only: what was changed on things that may be changed
    METADATA,
    _key("id"),
    *_required("subject_kind", "subject_id", "what"),
    *_text("before", "after", "reason"),
    *_evidence(),
    Index(None, "subject_id"),
)

# --- what was built -----------------------------------------------------------------------------------------------

Table(
    "run",
    METADATA,
    _key("run_id"),
    Column("experiment_id", Text, nullable=False, server_default="0"),
    *_required("name", "stage", "kind", "trigger_type", "status", "started"),
    *_text("model", "pipeline", "pipeline_hash", "code_sha", "commit_ts", "env_hash", "image_digest", "reason"),
    *_text("ended", "parent_run_id", "host"),
    *_text("user_id", "deleted", "seen"),  # seen: when something last came from a run that goes on
    Column("detail", Text),  # JSON: what was captured: command line, hardware, seeds, where the code's diff is
    *_text("code_authors"),  # JSON: names and addresses of those who wrote the commit
    Column("dirty", Integer),
    Column("seed", BigInteger),
    Column("pid", Integer),
    Column("cpu_s", Float),
    *_evidence(),
    Index(None, "experiment_id", "started"),
    Index(None, "started"),
    Index(None, "parent_run_id"),
)
Table(
    "run_param",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    _key("key"),
    *_required("value"),
    Column("layer", Integer, nullable=False, server_default="0"),  # 1: came after the run had ended
    _by_value("run_param"),
    sqlite_with_rowid=False,
)
Table(
    "run_tag",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    _key("key"),
    *_required("value"),
    _by_value("run_tag"),
    sqlite_with_rowid=False,
)
Table(
    # What a search needs of a metric: the latest point is the greatest (step, ts_ms, value). Layer 0 is what came while
    # the run went on; a row of layer 1 stands where points came later, and sums up all of them.
    "run_metric",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    _key("key"),
    Column("layer", Integer, primary_key=True, autoincrement=False),
    Column("step", BigInteger, nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("value", Float),  # null: not a number
    *[Column(name, Float) for name in ("first", "low", "high", "total")],  # null: no point is a number
    Column("count", BigInteger, nullable=False),
    Column("numbers", BigInteger, nullable=False),  # points that are numbers: the mean is total / numbers
    Column("last_ms", BigInteger, nullable=False),  # greatest ts_ms of all points, and the greatest step then
    Column("last_step", BigInteger, nullable=False),
    Column("chunks", BigInteger, nullable=False),  # seq of the last chunk of this layer
    Index("ix_run_metric_key_value", "key", "value", "run_id"),
    # few have late points: a search learns at once that there are none
    Index("ix_run_metric_late", "key", sqlite_where=text("layer = 1"), postgresql_where=text("layer = 1")),
    sqlite_with_rowid=False,
)
Table(
    "metric_chunk",  # the points themselves, packed: `points.py`
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    _key("key"),
    Column("layer", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
Table(
    "dataset_ref",  # a dataset as a client describes it; the first description in an experiment stays
    METADATA,
    _key("experiment_id"),
    _key("name"),
    _key("digest"),
    *_required("source_type", "dataset_source"),
    *_text("schema", "profile"),
    *_evidence(),
)
Table(
    "run_dataset",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    _key("name"),
    _key("digest"),
    *_text("context", "tags"),  # tags: JSON, all of them
    Column("layer", Integer, nullable=False, server_default="0"),
    Index(None, "name", "digest"),
)
Table(
    "logged_model",
    METADATA,
    _key("model_id"),
    *_required("experiment_id", "name", "status", "created", "updated"),
    *_text("model_type", "source_run_id", "status_message", "deleted"),
    *_evidence(),
    Index(None, "experiment_id", "created"),
    Index(None, "source_run_id"),
)
for _child in ("logged_model_param", "logged_model_tag"):
    Table(
        _child,
        METADATA,
        Column("model_id", ForeignKey("logged_model.model_id"), primary_key=True),
        _key("key"),
        *_required("value"),
    )
Table(
    "logged_model_metric",  # the latest point for each run and dataset
    METADATA,
    Column("model_id", ForeignKey("logged_model.model_id"), primary_key=True),
    _key("key"),
    _key("run_id"),
    _key("dataset_name"),
    _key("dataset_digest"),
    Column("step", BigInteger, nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("value", Float),
)
Table(
    "run_model",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    _key("role"),  # input | output
    _key("model_id"),
    Column("step", BigInteger),
    Column("layer", Integer, nullable=False, server_default="0"),
    Index(None, "model_id"),
)
Table(
    "artifact_file",  # a path below the artifact root points to a blob
    METADATA,
    _key("path"),
    *_required("blob"),
    Column("size", BigInteger, nullable=False),
    *_evidence(),
    Index(None, "blob"),
)
Table(
    "writer",  # how much of a writer's log is in the store: applying it again changes nothing
    METADATA,
    _key("writer"),
    Column("seq", BigInteger, nullable=False),
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
    # state: done | cached | failed | cancelled | waiting; one that runs has a row in `lease`
    *_required("name", "key", "components", "state", "started", "ended"),
    Column("seconds", Float, nullable=False),
    *_text("inputs", "output", "reason"),
    Column("attempt", Integer),  # 1, 2, ...; null: it did not run
    *_text("executor", "worker"),
    *_text("exit"),  # how an attempt that ran ended: returned | raised | late | lost | stopped
    *_text("log", "log_blob"),  # what it printed: short texts here, longer ones as a blob
    Column("cpu_s", Float),
    Column("memory_mb", Float),
    *_evidence(),
    Index(None, "key", "state"),
    Index(None, "name", "started"),
    Index(None, "run_id"),
)
Table(
    "step_code",  # the code that keys were made of, under the hash of its text: many rows of `step` name the same
    METADATA,
    _key("hash"),
    *_required("detail"),
)
Table(
    "lease",  # a step that somebody computes: the right to do so, until it expires
    METADATA,
    _key("key"),
    *_required("step_id", "run_id", "name", "owner", "place", "started", "expires"),
    Column("pid", Integer, nullable=False),
    Index(None, "run_id"),
)
Table(
    "feature_view",  # a declared set of features; the same content is the same version
    METADATA,
    _key("name"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    *_required("hash", "detail"),
    *_text("facts"),  # JSON: what was seen of its rows when it was registered last
    *_evidence(),
    Index(None, "hash"),
)
Table(
    "feature_log",  # the rows of a view in the order in which they came, a part of them in each row
    METADATA,
    _key("view"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *_required("kind"),  # rows: source | push; about the source: gone | seen; about the log: erased | rebuilt
    *[Column(name, BigInteger, nullable=False) for name in ("rows", "first_arrival", "last_arrival", "arrived_us")],
    *[Column(name, BigInteger) for name in ("least_ts", "greatest_ts", "source_rows")],
    *_text("source_hash", "blob", "detail"),  # rows of the source so far; the part's rows: a blob, or if few `data`
    Column("data", LargeBinary),
    *_evidence(),
)
Table(
    "feature_use",  # which features a version of a model was trained on
    METADATA,
    Column("mv_id", ForeignKey("model_version.mv_id"), primary_key=True),
    _key("view"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    _key("feature"),
    *_required("input"),  # the model's column that it is
    *_evidence(),
    Index(None, "view", "version"),
)
Table(
    "artifact",
    METADATA,
    _key("artifact_id"),
    *_required("type", "hash", "created"),  # type: dataset | model | report | evaluation | split
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
    "registered_model",
    METADATA,
    _key("model_key"),
    *_required("name", "created", "updated"),
    *_text("description", "deleted", "deleted_name"),  # a deleted model gives its name back
    *_evidence(),
    Index("uq_registered_model_name", "name", unique=True),
)
Table("registered_model_tag", METADATA, _key("model_key"), _key("key"), *_required("value"))
Table(
    "model_version",
    METADATA,
    _key("mv_id"),
    *_required("model", "hash", "created"),  # hash: of the sealed folder, empty where nothing could be sealed
    Column("version", Integer, nullable=False),
    Column("run_id", ForeignKey("run.run_id")),
    *_text("signature", "base_model", "description"),
    *_text("updated", "deleted", "origin", "run_link", "logged_model_id", "stage", "status_message"),
    Column("status", Text, nullable=False, server_default="READY"),
    Column("sealed", Text, nullable=False, server_default="sealed"),  # sealed | empty | outside
    Column("seal", Text),  # JSON: digests of run, code, data, evaluations as they stood
    *_evidence(),
    Index("uq_model_version_model_version", "model", "version", unique=True),
)
Table("model_version_tag", METADATA, _key("mv_id"), _key("key"), *_required("value"))
Table(
    "compiled_form",  # what answers in place of a version, and the proof that it says the same; or why there is none
    METADATA,
    Column("mv_id", ForeignKey("model_version.mv_id"), primary_key=True),
    *_required("hash", "outcome", "report", "created"),  # hash: of the version's folder; outcome: compiled | refused
    *_text("form", "blob"),
    *_evidence(),
)
Table(
    "alias_move",  # append-only: the row with the highest seq says where an alias points
    METADATA,
    _key("model"),
    _key("alias"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("mv_id", ForeignKey("model_version.mv_id"), nullable=False),
    Column("previous_mv_id", Text),
    Column("cleared", Integer, nullable=False, server_default="0"),  # 1: the alias was taken away from mv_id
    Column("reason", Text),
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
Table(
    "idea",  # what might make a model better, before anybody knows
    METADATA,
    _key("idea_id"),
    *_required("model", "text"),
    *_text("technique", "origin", "metric"),
    Column("expected_gain", Float),  # an improvement of the metric: above 0 whatever its direction
    *_evidence(),
    Index(None, "model"),
)
Table(
    "idea_try",  # append-only: what came of it, also where it did not help
    METADATA,
    _key("try_id"),
    Column("idea_id", ForeignKey("idea.idea_id"), nullable=False),
    *_required("mv_id", "baseline_mv_id", "evaluation_id", "metric", "outcome"),  # outcome: better | worse | unclear
    *_text("gate_id", "verdict"),
    *[Column(name, Float) for name in ("gain", "low", "high")],
    *_evidence(),
    Index(None, "idea_id"),
)

# --- what was operated --------------------------------------------------------------------------------------------

Table(
    "deployment",
    METADATA,
    _key("dep_id"),
    *_required("model", "endpoint", "mv_id", "env", "strategy", "started", "cause"),
    *_text("full_at", "ended", "outcome", "rollback_of"),
    *_text("subject_hash"),  # of all that an approval binds to, as it stood; null where none was asked for
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "endpoint", "started"),
)
Table(
    "route",  # append-only: the highest revision is the routing table of the endpoint
    METADATA,
    _key("endpoint"),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    *_required("detail"),  # JSON: {"variants": [{"mv_id", "hash", "weight", "name"}], "shadows", "split"}
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
    Index(None, "name", "ingest_ts"),
)
Table(
    "serving_worker",  # a process that serves an endpoint; who has been seen lately has to acknowledge
    METADATA,
    _key("endpoint"),
    _key("worker"),
    *_required("url", "host", "started", "seen"),
    *_text("ended", "detail"),
    Column("pid", Integer, nullable=False),
    *_evidence(),
)
Table(
    "prediction_part",  # a Parquet file that segments of a prediction log were compacted into
    METADATA,
    _key("part_id"),
    *_required("endpoint", "day", "path", "hash", "segments", "first_ts", "last_ts"),  # segments: lengths by name
    *[Column(name, BigInteger, nullable=False) for name in ("rows", "bytes")],
    *_required("gaps"),  # a JSON list
    *_text("deleted"),
    *_evidence(),
    Index(None, "endpoint", "day"),
)
Table(
    "unit_label",  # a label that names a unit and what happened to it, not a prediction
    METADATA,
    _key("endpoint"),
    _key("unit"),
    _key("name"),
    _key("event"),  # the caller's id of what happened
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("value", Float, nullable=False),
    *_required("event_ts", "ingest_ts", "source"),
    Index(None, "endpoint", "name", "ingest_ts"),
)
Table(
    "online_test",  # an A/B, shadow or bandit test at an endpoint
    METADATA,
    _key("test_id"),
    *_required("name", "endpoint", "model", "kind", "status", "detail", "started"),  # status: running | stopped
    *_text("ended", "outcome", "reason", "rollout_id"),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "endpoint", "started"),
)
Table(
    "test_phase",  # a period of constant shares; with the revision of the route that made it
    METADATA,
    Column("test_id", ForeignKey("online_test.test_id"), primary_key=True),
    Column("phase", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    *_required("started", "detail"),
    *_text("ended"),
    *_evidence(),
)
Table(
    "test_reading",  # append-only: what a look at a test saw and said
    METADATA,
    Column("test_id", ForeignKey("online_test.test_id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *_required("as_of", "outcome", "detail"),
    *_evidence(),
)
Table(
    "rollout",
    METADATA,
    _key("rollout_id"),
    *_required("endpoint", "model", "mv_id", "baseline_mv_id", "strategy", "status", "detail", "started"),
    *_text("ended", "reason", "lease", "lease_until"),  # status: running | held | promoted | rolled_back | stopped
    Column("step", Integer, nullable=False),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "endpoint", "started"),
)
Table(
    "rollout_event",  # append-only: each decision of the engine with all it was made from
    METADATA,
    Column("rollout_id", ForeignKey("rollout.rollout_id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *_required("kind", "inputs", "detail"),  # kind: start | advance | hold | resume | rollback | promote | stop
    Column("step", Integer, nullable=False),
    Column("decision", Integer),
    *_evidence(),
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
    *_text("name", "mv_id", "updated"),  # mv_id: the version watched, where it is one and not whoever answers
    # looked: windows until then were looked at; since: from when on the champion `version` shows what is usual
    *_text("looked", "since", "version"),
    *_text("reference"),  # JSON: by segment, what its metric is held against
    Column("enabled", Integer, nullable=False),
    Column("every_s", Integer, nullable=False),
    *_evidence(),
    Index(None, "model"),
)
Table(
    "window_profile",  # what the rows of a window looked like, or those a version was trained on; adds up
    METADATA,
    _key("profile_id"),
    *_required("model", "endpoint", "role", "window", "started", "ended", "blob"),  # role: training | window
    *_text("mv_id", "segments"),  # segments: the columns by which it is parted, joined by commas
    Column("rows", BigInteger, nullable=False),
    *_evidence(),
    Index(None, "endpoint", "role", "window"),
    Index(None, "mv_id"),
)
Table(
    "monitor_check",
    METADATA,
    _key("monitor_id"),
    _key("window"),
    *_required("status"),  # ok | watch | alarm | uncalibrated | no_data
    *_text("started", "ended", "mv_id"),
    Column("rows", BigInteger),
    Column("value", Float),
    Column("detail", Text),
    *_evidence(),
    Index(None, "monitor_id", "ended"),
)
Table(
    "monitor_finding",  # what a check found of one column or metric in one segment
    METADATA,
    _key("monitor_id"),
    _key("window"),
    _key("subject"),
    _key("segment"),
    _key("measure"),
    *_required("state"),  # ok | watch | drift | uncalibrated | no_data
    *_text("words", "detail"),
    *[Column(name, Float) for name in ("value", "expected", "bound", "low", "high", "p", "harm")],
    Column("rows", BigInteger),
    Column("raised", Integer, nullable=False, server_default="0"),  # too far in this window, whatever those before say
)
Table(
    "alert",
    METADATA,
    _key("alert_id"),
    *_required("opened", "message"),
    *_text("monitor_id", "acked", "closed", "action", "linked_run"),
    Column("severity", Text, nullable=False, server_default="warning"),  # info | warning | critical
    Column("times", Integer, nullable=False, server_default="1"),  # how often what it tells of was seen
    # key: what it tells of; one alert of a key is open at a time
    *_text("key", "model", "endpoint", "owner", "runbook", "seen", "acked_by", "snoozed", "closed_by", "reason"),
    *_text("escalated", "incident_id"),
    *_evidence(),
    Index(None, "key"),
    Index(None, "model"),
)
Table(
    "alert_rule",  # how alerts of a model are handled, of all where the model is empty
    METADATA,
    _key("model"),
    *_text("escalate_after", "critical_after", "same_within", "owner", "runbook"),
    *_text("routes"),  # JSON: [{"least", "kinds", "channels", "owner", ...}], the first that fits an alert counts
    *_evidence(),
)
Table(
    "incident",
    METADATA,
    _key("incident_id"),
    *_required("title", "severity", "opened_by", "detected"),  # opened_by: rollback | alert | human
    *_text("model", "endpoint", "owner", "started", "restored", "closed", "found_by", "cause", "learnt", "alert_id"),
    *_text("dep_id"),  # the deployment at fault
    Column("decision", Integer),
    Column("detail", Text),
    *_evidence(),
    Index(None, "model"),
)
Table(
    "trigger_def",
    METADATA,
    _key("trigger_id"),
    *_required("model", "type", "pipeline"),
    *_text("name", "detail", "state", "updated"),  # state: what the last look left for the next one
    Column("enabled", Integer, nullable=False),
    *_evidence(),
)
Table(
    "trigger_fire",
    METADATA,
    _key("fire_id"),
    *_required("trigger_id", "reason"),
    *_text("alert_id", "linked_run"),
    *_text("identity", "outcome", "evidence", "planned"),  # outcome: fired | blocked | drill
    *_evidence(),
    Index("uq_trigger_fire_identity", "trigger_id", "identity", unique=True),
)
Table(
    "retraining",  # one story: from a firing to the version that was released, refused or taken back
    METADATA,
    _key("story_id"),
    *_required("model", "fire_id", "status", "stage", "detail", "started"),
    *_text("endpoint", "ended", "reason", "run_id", "mv_id", "rollout_id", "lease", "lease_until"),
    *_evidence(),
    Index("uq_retraining_fire_id", "fire_id", unique=True),
    Index(None, "model", "started"),
)
Table(
    "retraining_event",  # append-only: each stage of a story with all it was decided from
    METADATA,
    Column("story_id", ForeignKey("retraining.story_id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *_required("stage", "outcome", "words", "detail"),
    Column("decision", Integer),
    *_evidence(),
)
Table(
    "watcher",  # who runs the loop of this store now: a lease
    METADATA,
    _key("name"),
    *_required("holder", "until", "started", "seen"),
    *_text("host", "detail"),
    Column("pid", Integer),
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

# --- who agreed, and on what --------------------------------------------------------------------------------------

Table(
    "owner",  # who has a role for a model, for all of them where the model is empty, from when to when
    METADATA,
    _key("owner_id"),
    *_required("model", "role", "person", "from_ts"),
    *_text("to_ts"),
    *_evidence(),
    Index(None, "model"),
    Index(None, "person"),
)
Table(
    "objective",  # append-only by version: what a model is for, and what it is worth
    METADATA,
    _key("objective_id"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    *_required("model", "statement", "kpi", "direction", "owner", "review_due", "hash", "detail"),
    *_text("value_matrix_version", "valid_until", "ended"),
    Column("target", Float),
    Column("floor", Float),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "model"),
)
Table(
    "kpi_obs",  # append-only: what a KPI was in a period; basis: measured | observed | estimated
    METADATA,
    _key("obs_id"),
    *_required("model", "kpi", "basis", "started", "ended"),
    *_text("link", "note"),
    Column("value", Float, nullable=False),
    Column("low", Float),
    Column("high", Float),
    *_evidence(),
    Index(None, "model", "kpi"),
)
Table(
    "objective_review",  # opened by what changed; outcome: keep | retrain | rescope | retire
    METADATA,
    _key("review_id"),
    *_required("objective_id", "model", "cause", "reason", "opened", "due", "detail"),
    *_text("closed", "outcome", "words", "closed_by"),
    Column("decision", Integer),
    *_evidence(),
    Index(None, "model"),
)
Table(
    "approval_rule",  # who has to agree to versions of a model: its risk tier (low | medium | high)
    METADATA,
    _key("model"),
    *_required("tier", "detail"),
    *_evidence(),
)
Table(
    "approval_request",  # append-only, by the database too; subject: JSON, all that is approved, with hashes
    METADATA,
    _key("request_id"),
    *_required("mv_id", "model", "subject_hash", "subject", "requester", "tier", "detail"),
    *_text("expires", "comment"),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "mv_id"),
)
Table(
    "approval",  # append-only, by the database too; outcome: approve | reject | withdraw
    METADATA,
    _key("approval_id"),
    *_required("request_id", "mv_id", "subject_hash", "requester", "approver", "approver_kind", "role", "outcome"),
    *_text("comment", "conditions", "expires", "withdraws"),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "mv_id"),
    Index(None, "request_id"),
)
Table(
    "approval_exception",  # live without the approval it needs; kind: break_glass | one_person
    METADATA,
    _key("exception_id"),
    *_required("mv_id", "model", "subject_hash", "kind", "reason", "review_due"),
    *_text("not_before", "reviewed", "reviewer", "outcome", "words", "gate_id"),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "model"),
)
Table(
    "card",  # append-only: a card as it was written; content_hash: of the model's or dataset's content then
    METADATA,
    _key("card_id"),
    *_required("kind", "subject", "hash", "content_hash", "blob", "sections"),
    *_text("model", "name"),
    *_evidence(),
    Index(None, "subject"),
)
Table(
    "card_text",  # append-only: what only a person can say, of a model, a version or a dataset
    METADATA,
    _key("text_id"),
    *_required("subject_kind", "subject", "section", "text", "owner"),
    *_text("valid_until"),
    *_evidence(),
    Index(None, "subject"),
)
Table(
    "signing_key",  # public halves
    METADATA,
    _key("key_id"),
    *_required("algorithm", "public_key", "holder"),
    *_text("revoked", "reason"),
    *_evidence(),
)
Table(
    "ledger_checkpoint",  # append-only: up to entry `seq` the chain was this, and who holds the key says so
    METADATA,
    _key("checkpoint_id"),
    *_required("hash", "key_id", "signature", "content"),
    Column("seq", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    *_evidence(),
    Index(None, "seq"),
)
Table(
    "ledger_anchor",  # append-only: the same, said where the writer of the store cannot reach
    METADATA,
    _key("anchor_id"),
    *_required("hash", "kind", "place", "proof"),
    *_text("checkpoint_id"),
    Column("seq", Integer, nullable=False),
    *_evidence(),
    Index(None, "seq"),
)
Table(
    "signature",  # a person signs a report, a card, an evaluation
    METADATA,
    _key("signature_id"),
    *_required("subject_kind", "subject_id", "content_hash", "key_id", "signature"),
    *_evidence(),
    Index(None, "subject_id"),
)
Table(
    "personal_data",  # what the ledger only commits to: erasing it leaves the chain valid
    METADATA,
    _key("ref"),
    *_required("person", "field", "commitment"),
    *_text("salt", "value", "erased"),
    *_evidence(),
    Index(None, "person"),
)

# --- conversation -------------------------------------------------------------------------------------------------

Table(
    "comment",  # kind: comment | question | answer; a thread has the id of its first
    METADATA,
    _key("comment_id"),
    *_required("subject_kind", "subject_id", "thread", "kind", "text"),
    *_text("mentions", "due", "closed", "closed_by", "outcome", "origin"),
    *_evidence(),
    Index(None, "subject_id"),
    Index(None, "thread"),
)
Table(
    "decision_record",  # append-only: why something was decided so (MADR), with the hashes of its evidence
    METADATA,
    _key("record_id"),
    *_required("title", "kind", "status", "detail"),
    *_text("model", "subject_kind", "subject_id", "review_due", "supersedes", "origin"),
    Column("decision", Integer, nullable=False),
    *_evidence(),
    Index(None, "model"),
)
Table(
    "notice_rule",  # which role has to know of which events, how soon
    METADATA,
    _key("rule_id"),
    *_required("event", "role", "severity", "detail"),
    *_text("model", "ended"),
    *_evidence(),
)
Table(
    "notice",  # who had to know, was told, read it, acted
    METADATA,
    _key("notice_id"),
    *_required("event_id", "event", "role", "person", "severity", "subject_kind", "subject_id", "words"),
    *_text("model", "due", "sent", "read", "acted", "how", "escalated"),
    *_evidence(),
    Index(None, "person"),
    Index(None, "event_id"),
    Index(None, "subject_id"),
)

# --- who is told --------------------------------------------------------------------------------------------------

Table(
    "webhook",
    METADATA,
    _key("webhook_id"),
    *_required("name", "url", "events", "status", "form", "created", "updated"),
    *_text("description", "secret", "deleted"),
    *_text("least", "digest"),  # the lowest severity that is told; how long several things wait for one message
    *_text("audience"),  # a person, or role:NAME, whose notices alone go there
    *_evidence(),
)
Table(
    "outbox",  # written in the transaction of the change it tells of
    METADATA,
    _key("event_id"),
    *_required("event", "payload"),
    *_text("noticed"),  # when it was found out who has to know
    *_evidence(),
    Index(None, "noticed"),
)
Table(
    "delivery",
    METADATA,
    Column("event_id", ForeignKey("outbox.event_id"), primary_key=True),
    Column("webhook_id", ForeignKey("webhook.webhook_id"), primary_key=True),
    *_required("state"),  # waiting | delivered | dead
    Column("attempts", Integer, nullable=False),
    *_text("due", "delivered", "answer"),
    Index(None, "state", "due"),
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
