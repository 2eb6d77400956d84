"""What was operated."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, Table

from assay.record.schema.columns import METADATA, Text, evidence, key, required, texts

__all__: list[str] = []

Table(
    "deployment",
    METADATA,
    key("dep_id"),
    *required("model", "endpoint", "mv_id", "env", "strategy", "started", "cause"),
    *texts("full_at", "ended", "outcome", "rollback_of"),
    *texts("subject_hash"),  # of all that an approval binds to, as it stood; null where none was asked for
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "endpoint", "started"),
)
Table(
    "route",  # append-only: the highest revision is the routing table of the endpoint
    METADATA,
    key("endpoint"),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    *required("detail"),  # JSON: {"variants": [{"mv_id", "hash", "weight", "name"}], "shadows", "split"}
    Column("decision", Integer, nullable=False),
    *evidence(),
)
Table(
    "route_ack",
    METADATA,
    key("endpoint"),
    key("worker"),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    *evidence(),
)
Table(
    "label",
    METADATA,
    key("prediction_id"),
    key("name"),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("value", Float, nullable=False),
    *required("event_ts", "ingest_ts", "source"),
    Index(None, "name", "ingest_ts"),
)
Table(
    "serving_worker",  # a process that serves an endpoint; who has been seen lately has to acknowledge
    METADATA,
    key("endpoint"),
    key("worker"),
    *required("url", "host", "started", "seen"),
    *texts("ended", "detail"),
    Column("pid", Integer, nullable=False),
    *evidence(),
)
Table(
    "prediction_part",  # a Parquet file that segments of a prediction log were compacted into
    METADATA,
    key("part_id"),
    *required("endpoint", "day", "path", "hash", "segments", "first_ts", "last_ts"),  # segments: lengths by name
    *[Column(name, BigInteger, nullable=False) for name in ("rows", "bytes")],
    *required("gaps"),  # a JSON list
    *texts("deleted"),
    *evidence(),
    Index(None, "endpoint", "day"),
)
Table(
    "unit_label",  # a label that names a unit and what happened to it, not a prediction
    METADATA,
    key("endpoint"),
    key("unit"),
    key("name"),
    key("event"),  # the caller's id of what happened
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("value", Float, nullable=False),
    *required("event_ts", "ingest_ts", "source"),
    Index(None, "endpoint", "name", "ingest_ts"),
)
Table(
    "online_test",  # an A/B, shadow or bandit test at an endpoint
    METADATA,
    key("test_id"),
    *required("name", "endpoint", "model", "kind", "status", "detail", "started"),  # status: running | stopped
    *texts("ended", "outcome", "reason", "rollout_id"),
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "endpoint", "started"),
)
Table(
    "test_phase",  # a period of constant shares; with the revision of the route that made it
    METADATA,
    Column("test_id", ForeignKey("online_test.test_id"), primary_key=True),
    Column("phase", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    *required("started", "detail"),
    *texts("ended"),
    *evidence(),
)
Table(
    "test_reading",  # append-only: what a look at a test saw and said
    METADATA,
    Column("test_id", ForeignKey("online_test.test_id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *required("as_of", "outcome", "detail"),
    *evidence(),
)
Table(
    "rollout",
    METADATA,
    key("rollout_id"),
    *required("endpoint", "model", "mv_id", "baseline_mv_id", "strategy", "status", "detail", "started"),
    *texts("ended", "reason", "lease", "lease_until"),  # status: running | held | promoted | rolled_back | stopped
    Column("step", Integer, nullable=False),
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "endpoint", "started"),
)
Table(
    "rollout_event",  # append-only: each decision of the engine with all it was made from
    METADATA,
    Column("rollout_id", ForeignKey("rollout.rollout_id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *required("kind", "inputs", "detail"),  # kind: start | advance | hold | resume | rollback | promote | stop
    Column("step", Integer, nullable=False),
    Column("decision", Integer),
    *evidence(),
)
Table(
    "serving_window",
    METADATA,
    key("endpoint"),
    key("mv_id"),
    key("day"),
    *required("model"),
    *[Column(name, BigInteger, nullable=False) for name in ("predictions", "logged", "labelled", "known", "errors")],
    *[Column(name, Float) for name in ("p50_ms", "p95_ms")],
    *evidence(),
)
Table(
    "monitor",
    METADATA,
    key("monitor_id"),
    *required("model", "endpoint", "kind", "detail", "owner"),
    *texts("name", "mv_id", "updated"),  # mv_id: the version watched, where it is one and not whoever answers
    # looked: windows until then were looked at; since: from when on the champion `version` shows what is usual
    *texts("looked", "since", "version"),
    *texts("reference"),  # JSON: by segment, what its metric is held against
    Column("enabled", Integer, nullable=False),
    Column("every_s", Integer, nullable=False),
    *evidence(),
    Index(None, "model"),
)
Table(
    "window_profile",  # what the rows of a window looked like, or those a version was trained on; adds up
    METADATA,
    key("profile_id"),
    *required("model", "endpoint", "role", "window", "started", "ended", "blob"),  # role: training | window
    *texts("mv_id", "segments"),  # segments: the columns by which it is parted, joined by commas
    Column("rows", BigInteger, nullable=False),
    *evidence(),
    Index(None, "endpoint", "role", "window"),
    Index(None, "mv_id"),
)
Table(
    "monitor_check",
    METADATA,
    key("monitor_id"),
    key("window"),
    *required("status"),  # ok | watch | alarm | uncalibrated | no_data
    *texts("started", "ended", "mv_id"),
    Column("rows", BigInteger),
    Column("value", Float),
    Column("detail", Text),
    *evidence(),
    Index(None, "monitor_id", "ended"),
)
Table(
    "monitor_finding",  # what a check found of one column or metric in one segment
    METADATA,
    key("monitor_id"),
    key("window"),
    key("subject"),
    key("segment"),
    key("measure"),
    *required("state"),  # ok | watch | drift | uncalibrated | no_data
    *texts("words", "detail"),
    *[Column(name, Float) for name in ("value", "expected", "bound", "low", "high", "p", "harm")],
    Column("rows", BigInteger),
    Column("raised", Integer, nullable=False, server_default="0"),  # too far in this window, whatever those before say
)
Table(
    "alert",
    METADATA,
    key("alert_id"),
    *required("opened", "message"),
    *texts("monitor_id", "acked", "closed", "action", "linked_run"),
    Column("severity", Text, nullable=False, server_default="warning"),  # info | warning | critical
    Column("times", Integer, nullable=False, server_default="1"),  # how often what it tells of was seen
    # key: what it tells of; one alert of a key is open at a time
    *texts("key", "model", "endpoint", "owner", "runbook", "seen", "acked_by", "snoozed", "closed_by", "reason"),
    *texts("escalated", "incident_id"),
    *evidence(),
    Index(None, "key"),
    Index(None, "model"),
)
Table(
    "alert_rule",  # how alerts of a model are handled, of all where the model is empty
    METADATA,
    key("model"),
    *texts("escalate_after", "critical_after", "same_within", "owner", "runbook"),
    *texts("routes"),  # JSON: [{"least", "kinds", "channels", "owner", ...}], the first that fits an alert counts
    *evidence(),
)
Table(
    "incident",
    METADATA,
    key("incident_id"),
    *required("title", "severity", "opened_by", "detected"),  # opened_by: rollback | alert | human
    *texts("model", "endpoint", "owner", "started", "restored", "closed", "found_by", "cause", "learnt", "alert_id"),
    *texts("dep_id"),  # the deployment at fault
    Column("decision", Integer),
    Column("detail", Text),
    *evidence(),
    Index(None, "model"),
)
Table(
    "trigger_def",
    METADATA,
    key("trigger_id"),
    *required("model", "type", "pipeline"),
    *texts("name", "detail", "state", "updated"),  # state: what the last look left for the next one
    Column("enabled", Integer, nullable=False),
    *evidence(),
)
Table(
    "trigger_fire",
    METADATA,
    key("fire_id"),
    *required("trigger_id", "reason"),
    *texts("alert_id", "linked_run"),
    *texts("identity", "outcome", "evidence", "planned"),  # outcome: fired | blocked | drill
    *evidence(),
    Index("uq_trigger_fire_identity", "trigger_id", "identity", unique=True),
)
Table(
    "retraining",  # one story: from a firing to the version that was released, refused or taken back
    METADATA,
    key("story_id"),
    *required("model", "fire_id", "status", "stage", "detail", "started"),
    *texts("endpoint", "ended", "reason", "run_id", "mv_id", "rollout_id", "lease", "lease_until"),
    *evidence(),
    Index("uq_retraining_fire_id", "fire_id", unique=True),
    Index(None, "model", "started"),
)
Table(
    "retraining_event",  # append-only: each stage of a story with all it was decided from
    METADATA,
    Column("story_id", ForeignKey("retraining.story_id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *required("stage", "outcome", "words", "detail"),
    Column("decision", Integer),
    *evidence(),
)
Table(
    "watcher",  # who runs the loop of this store now: a lease
    METADATA,
    key("name"),
    *required("holder", "until", "started", "seen"),
    *texts("host", "detail"),
    Column("pid", Integer),
)
Table(
    "drill",
    METADATA,
    key("drill_id"),
    *required("model", "kind", "result", "initiated"),
    Column("seconds", Float, nullable=False),
    Column("detail", Text),
    *evidence(),
)
