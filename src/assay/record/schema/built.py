"""What work belongs to, and what was built."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, Table, text

from assay.record.schema.columns import METADATA, Text, by_value, evidence, key, required, texts

__all__: list[str] = []

Table(
    "project",
    METADATA,
    key("project"),
    *texts("owner", "due", "description", "closed"),
    *evidence(),
)
Table(
    "time_entry",
    METADATA,
    key("entry_id"),
    *required("project", "activity", "person", "started"),
    *texts("ended", "note"),
    *evidence(),
    Index(None, "person", "started"),
)
Table(
    "experiment",
    METADATA,
    key("experiment_id"),
    *required("name", "artifact_location", "created", "updated"),
    *texts("deleted", "project"),
    *evidence(),
    Index("uq_experiment_name", "name", unique=True),
)
Table("experiment_tag", METADATA, key("experiment_id"), key("key"), *required("value"))
Table(
    "counter",  # numbers that are never given out twice: experiments, versions of a model's name
    METADATA,
    key("name"),
    Column("value", BigInteger, nullable=False),
)
Table(
    "history",  # append-only: what was changed on things that may be changed
    METADATA,
    key("id"),
    *required("subject_kind", "subject_id", "what"),
    *texts("before", "after", "reason"),
    *evidence(),
    Index(None, "subject_id"),
)
Table(
    "run",
    METADATA,
    key("run_id"),
    Column("experiment_id", Text, nullable=False, server_default="0"),
    *required("name", "stage", "kind", "trigger_type", "status", "started"),
    *texts("model", "pipeline", "pipeline_hash", "code_sha", "commit_ts", "env_hash", "image_digest", "reason"),
    *texts("ended", "parent_run_id", "host"),
    *texts("user_id", "deleted", "seen"),  # seen: when something last came from a run that goes on
    Column("detail", Text),  # JSON: what was captured: command line, hardware, seeds, where the code's diff is
    *texts("code_authors"),  # JSON: names and addresses of those who wrote the commit
    Column("dirty", Integer),
    Column("seed", BigInteger),
    Column("pid", Integer),
    Column("cpu_s", Float),
    *evidence(),
    Index(None, "experiment_id", "started"),
    Index(None, "started"),
    Index(None, "parent_run_id"),
)
Table(
    "run_param",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    key("key"),
    *required("value"),
    Column("layer", Integer, nullable=False, server_default="0"),  # 1: came after the run had ended
    by_value("run_param"),
    sqlite_with_rowid=False,
)
Table(
    "run_tag",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    key("key"),
    *required("value"),
    by_value("run_tag"),
    sqlite_with_rowid=False,
)
Table(
    # What a search needs of a metric: the latest point is the greatest (step, ts_ms, value). Layer 0 is what came while
    # the run went on; a row of layer 1 stands where points came later, and sums up all of them.
    "run_metric",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    key("key"),
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
    key("key"),
    Column("layer", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
Table(
    "dataset_ref",  # a dataset as a client describes it; the first description in an experiment stays
    METADATA,
    key("experiment_id"),
    key("name"),
    key("digest"),
    *required("source_type", "dataset_source"),
    *texts("schema", "profile"),
    *evidence(),
)
Table(
    "run_dataset",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    key("name"),
    key("digest"),
    *texts("context", "tags"),  # tags: JSON, all of them
    Column("layer", Integer, nullable=False, server_default="0"),
    Index(None, "name", "digest"),
)
Table(
    "logged_model",
    METADATA,
    key("model_id"),
    *required("experiment_id", "name", "status", "created", "updated"),
    *texts("model_type", "source_run_id", "status_message", "deleted"),
    *evidence(),
    Index(None, "experiment_id", "created"),
    Index(None, "source_run_id"),
)
for _child in ("logged_model_param", "logged_model_tag"):
    Table(
        _child,
        METADATA,
        Column("model_id", ForeignKey("logged_model.model_id"), primary_key=True),
        key("key"),
        *required("value"),
    )
Table(
    "logged_model_metric",  # the latest point for each run and dataset
    METADATA,
    Column("model_id", ForeignKey("logged_model.model_id"), primary_key=True),
    key("key"),
    key("run_id"),
    key("dataset_name"),
    key("dataset_digest"),
    Column("step", BigInteger, nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("value", Float),
)
Table(
    "run_model",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    key("role"),  # input | output
    key("model_id"),
    Column("step", BigInteger),
    Column("layer", Integer, nullable=False, server_default="0"),
    Index(None, "model_id"),
)
Table(
    "artifact_file",  # a path below the artifact root points to a blob
    METADATA,
    key("path"),
    *required("blob"),
    Column("size", BigInteger, nullable=False),
    *evidence(),
    Index(None, "blob"),
)
Table(
    "writer",  # how much of a writer's log is in the store: applying it again changes nothing
    METADATA,
    key("writer"),
    Column("seq", BigInteger, nullable=False),
    *required("ts"),
)
Table(
    "environment",
    METADATA,
    key("env_hash"),
    Column("detail", Text, nullable=False),  # JSON: python, platform, packages with versions
    *evidence(),
)
Table(
    "step",
    METADATA,
    key("step_id"),
    Column("run_id", ForeignKey("run.run_id"), nullable=False),
    # state: done | cached | failed | cancelled | waiting; one that runs has a row in `lease`
    *required("name", "key", "components", "state", "started", "ended"),
    Column("seconds", Float, nullable=False),
    *texts("inputs", "output", "reason"),
    Column("attempt", Integer),  # 1, 2, ...; null: it did not run
    *texts("executor", "worker"),
    *texts("exit"),  # how an attempt that ran ended: returned | raised | late | lost | stopped
    *texts("log", "log_blob"),  # what it printed: short texts here, longer ones as a blob
    Column("cpu_s", Float),
    Column("memory_mb", Float),
    *evidence(),
    Index(None, "key", "state"),
    Index(None, "name", "started"),
    Index(None, "run_id"),
)
Table(
    "step_code",  # the code that keys were made of, under the hash of its text: many rows of `step` name the same
    METADATA,
    key("hash"),
    *required("detail"),
)
Table(
    "lease",  # a step that somebody computes: the right to do so, until it expires
    METADATA,
    key("key"),
    *required("step_id", "run_id", "name", "owner", "place", "started", "expires"),
    Column("pid", Integer, nullable=False),
    Index(None, "run_id"),
)
Table(
    "feature_view",  # a declared set of features; the same content is the same version
    METADATA,
    key("name"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    *required("hash", "detail"),
    *texts("facts"),  # JSON: what was seen of its rows when it was registered last
    *evidence(),
    Index(None, "hash"),
)
Table(
    "feature_log",  # the rows of a view in the order in which they came, a part of them in each row
    METADATA,
    key("view"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *required("kind"),  # rows: source | push; about the source: gone | seen; about the log: erased | rebuilt
    *[Column(name, BigInteger, nullable=False) for name in ("rows", "first_arrival", "last_arrival", "arrived_us")],
    *[Column(name, BigInteger) for name in ("least_ts", "greatest_ts", "source_rows")],
    *texts("source_hash", "blob", "detail"),  # rows of the source so far; the part's rows: a blob, or if few `data`
    Column("data", LargeBinary),
    *evidence(),
)
Table(
    "feature_use",  # which features a version of a model was trained on
    METADATA,
    Column("mv_id", ForeignKey("model_version.mv_id"), primary_key=True),
    key("view"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    key("feature"),
    *required("input"),  # the model's column that it is
    *evidence(),
    Index(None, "view", "version"),
)
Table(
    "artifact",
    METADATA,
    key("artifact_id"),
    *required("type", "hash", "created"),  # type: dataset | model | report | evaluation | split
    *texts("name", "schema_hash", "format", "source_system", "blob", "licence"),
    Column("rows", BigInteger),
    *evidence(),
    Index(None, "type", "name"),
    Index(None, "hash"),
)
Table(
    "run_io",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    key("role"),  # input | output
    Column("artifact_id", ForeignKey("artifact.artifact_id"), primary_key=True),
    *required("name"),
)
Table(
    "registered_model",
    METADATA,
    key("model_key"),
    *required("name", "created", "updated"),
    *texts("description", "deleted", "deleted_name"),  # a deleted model gives its name back
    *evidence(),
    Index("uq_registered_model_name", "name", unique=True),
)
Table("registered_model_tag", METADATA, key("model_key"), key("key"), *required("value"))
Table(
    "model_version",
    METADATA,
    key("mv_id"),
    *required("model", "hash", "created"),  # hash: of the sealed folder, empty where nothing could be sealed
    Column("version", Integer, nullable=False),
    Column("run_id", ForeignKey("run.run_id")),
    *texts("signature", "base_model", "description"),
    *texts("updated", "deleted", "origin", "run_link", "logged_model_id", "stage", "status_message"),
    Column("status", Text, nullable=False, server_default="READY"),
    Column("sealed", Text, nullable=False, server_default="sealed"),  # sealed | empty | outside
    Column("seal", Text),  # JSON: digests of run, code, data, evaluations as they stood
    *evidence(),
    Index("uq_model_version_model_version", "model", "version", unique=True),
)
Table("model_version_tag", METADATA, key("mv_id"), key("key"), *required("value"))
Table(
    "compiled_form",  # what answers in place of a version, and the proof that it says the same; or why there is none
    METADATA,
    Column("mv_id", ForeignKey("model_version.mv_id"), primary_key=True),
    *required("hash", "outcome", "report", "created"),  # hash: of the version's folder; outcome: compiled | refused
    *texts("form", "blob"),
    *evidence(),
)
Table(
    "alias_move",  # append-only: the row with the highest seq says where an alias points
    METADATA,
    key("model"),
    key("alias"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("mv_id", ForeignKey("model_version.mv_id"), nullable=False),
    Column("previous_mv_id", Text),
    Column("cleared", Integer, nullable=False, server_default="0"),  # 1: the alias was taken away from mv_id
    Column("reason", Text),
    Column("decision", Integer, nullable=False),  # ledger.seq
    *evidence(),
)
