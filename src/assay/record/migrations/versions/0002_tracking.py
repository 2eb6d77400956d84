"""Tracking: experiments with ids, metrics as packed points, logged and registered models, files, projects, outbox."""

from itertools import groupby

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_EVIDENCE = (("actor", False), ("actor_kind", False), ("source", False), ("ts", False), ("event_ts", True))
_NOW = "1970-01-01T00:00:00.000000Z"


def upgrade() -> None:
    _new_tables()
    _experiments()
    _texts_of_runs()
    _metrics()
    _versions()


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=False, primary_key=True)


def _required(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=False) for name in names]


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=True) for name in names]


def _whole(*names: str, key: bool = False) -> list[sa.Column[int]]:
    return [
        sa.Column(name, sa.BigInteger(), nullable=False, primary_key=key, autoincrement=False if key else "auto")
        for name in names
    ]


def _small(name: str, **options: object) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, **options)  # type: ignore[arg-type] # alembic's own options


def _parent(name: str, target: str) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=False, primary_key=True, info={"parent": target})


def _create(table: str, *columns: sa.Column, evidence: bool = False, **options: bool) -> None:  # type: ignore[type-arg]
    listed = [*columns, *[sa.Column(n, _TEXT, nullable=nullable) for n, nullable in _EVIDENCE if evidence]]
    keys = [column.name for column in listed if column.primary_key]
    parents = [
        sa.ForeignKeyConstraint([column.name], [column.info["parent"]], name=op.f(f"fk_{table}_{column.name}"))
        for column in listed
        if "parent" in column.info
    ]
    for column in listed:
        column.primary_key = False
    op.create_table(table, *listed, *parents, sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{table}")), **options)


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns), unique=False)


def _new_tables() -> None:
    _create("project", _key("project"), *_text("owner", "due", "description", "closed"), evidence=True)
    _create(
        "time_entry",
        _key("entry_id"),
        *_required("project", "activity", "person", "started"),
        *_text("ended", "note"),
        evidence=True,
    )
    _index("time_entry", "person", "started")
    _create(
        "experiment",
        _key("experiment_id"),
        *_required("name", "artifact_location", "created", "updated"),
        *_text("deleted", "project"),
        evidence=True,
    )
    op.create_index("uq_experiment_name", "experiment", ["name"], unique=True)
    _create("experiment_tag", _key("experiment_id"), _key("key"), *_required("value"))
    _create("counter", _key("name"), *_whole("value"))
    _create(
        "history",
        _key("id"),
        *_required("subject_kind", "subject_id", "what"),
        *_text("before", "after", "reason"),
        evidence=True,
    )
    _index("history", "subject_id")
    _create(
        "dataset_ref",
        *[_key(name) for name in ("experiment_id", "name", "digest")],
        *_required("source_type", "dataset_source"),
        *_text("schema", "profile"),
        evidence=True,
    )
    _create(
        "run_dataset",
        _parent("run_id", "run.run_id"),
        _key("name"),
        _key("digest"),
        *_text("context", "tags"),
        _small("layer", server_default="0"),
    )
    _index("run_dataset", "name", "digest")
    _create(
        "logged_model",
        _key("model_id"),
        *_required("experiment_id", "name", "status", "created", "updated"),
        *_text("model_type", "source_run_id", "status_message", "deleted"),
        evidence=True,
    )
    _index("logged_model", "experiment_id", "created")
    _index("logged_model", "source_run_id")
    for child in ("logged_model_param", "logged_model_tag"):
        _create(child, _parent("model_id", "logged_model.model_id"), _key("key"), *_required("value"))
    _create(
        "logged_model_metric",
        _parent("model_id", "logged_model.model_id"),
        *[_key(name) for name in ("key", "run_id", "dataset_name", "dataset_digest")],
        *_whole("step", "ts_ms"),
        sa.Column("value", sa.Float(), nullable=True),
    )
    _create(
        "run_model",
        _parent("run_id", "run.run_id"),
        _key("role"),
        _key("model_id"),
        sa.Column("step", sa.BigInteger(), nullable=True),
        _small("layer", server_default="0"),
    )
    _index("run_model", "model_id")
    _create("artifact_file", _key("path"), *_required("blob"), *_whole("size"), evidence=True)
    _index("artifact_file", "blob")
    _create("writer", _key("writer"), *_whole("seq"), *_required("ts"))
    _create(
        "registered_model",
        _key("model_key"),
        *_required("name", "created", "updated"),
        *_text("description", "deleted", "deleted_name"),
        evidence=True,
    )
    op.create_index("uq_registered_model_name", "registered_model", ["name"], unique=True)
    _create("registered_model_tag", _key("model_key"), _key("key"), *_required("value"))
    _create("model_version_tag", _key("mv_id"), _key("key"), *_required("value"))
    _create(
        "webhook",
        _key("webhook_id"),
        *_required("name", "url", "events", "status", "form", "created", "updated"),
        *_text("description", "secret", "deleted"),
        evidence=True,
    )
    _create("outbox", _key("event_id"), *_required("event", "payload"), evidence=True)
    _create(
        "delivery",
        _parent("event_id", "outbox.event_id"),
        _parent("webhook_id", "webhook.webhook_id"),
        *_required("state"),
        _small("attempts"),
        *_text("due", "delivered", "answer"),
    )
    _index("delivery", "state", "due")


def _experiments() -> None:
    """Names of experiments become rows with an id; `Default` is number 0, as every MLflow client expects."""
    connection = op.get_bind()
    names = connection.execute(sa.text("SELECT experiment, min(started) FROM run GROUP BY 1 ORDER BY 2, 1")).all()
    ids = {"Default": ("0", _NOW)}
    for name, started in names:
        ids.setdefault(name, (str(len(ids)), started))
    for name, (number, created) in ids.items():
        row = {"id": number, "name": name, "place": f"mlflow-artifacts:/{number}", "ts": created}
        connection.execute(
            sa.text(
                "INSERT INTO experiment (experiment_id, name, artifact_location, created, updated, actor, actor_kind, "
                "source, ts) VALUES (:id, :name, :place, :ts, :ts, 'assay', 'service', 'native', :ts)"
            ),
            row,
        )
    connection.execute(sa.text("INSERT INTO counter (name, value) VALUES ('experiment', :n)"), {"n": len(ids) - 1})
    op.add_column("run", sa.Column("experiment_id", _TEXT, nullable=False, server_default="0"))
    for name, (number, _) in ids.items():
        connection.execute(
            sa.text("UPDATE run SET experiment_id = :id WHERE experiment = :name"), {"id": number, "name": name}
        )
    op.drop_index(op.f("ix_run_experiment_started"), "run")
    op.drop_column("run", "experiment")
    for name in ("user_id", "deleted", "seen", "detail"):
        op.add_column("run", sa.Column(name, _TEXT, nullable=True))
    op.add_column("run", sa.Column("cpu_s", sa.Float(), nullable=True))
    _index("run", "experiment_id", "started")
    _index("run", "started")
    _index("run", "parent_run_id")


def _texts_of_runs() -> None:
    """Params and tags, found by key and the beginning of the value."""
    for table in ("run_param", "run_tag"):
        op.rename_table(table, f"old_{table}")
        layer = [_small("layer", server_default="0")] if table == "run_param" else []
        parent = sa.Column("run_id", _TEXT, nullable=False)
        names = {"pk": f"pk_{table}", "fk": f"fk_{table}_run_id"}
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"ALTER TABLE old_{table} RENAME CONSTRAINT pk_{table} TO pk_old_{table}")
        op.create_table(
            table,
            parent,
            *_required("key", "value"),
            *layer,
            sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f(names["fk"])),
            sa.PrimaryKeyConstraint("run_id", "key", name=op.f(names["pk"])),
            sqlite_with_rowid=False,
        )
        op.execute(f"INSERT INTO {table} (run_id, key, value) SELECT run_id, key, value FROM old_{table}")  # noqa: S608 - our own names
        op.drop_table(f"old_{table}")
        op.create_index(f"ix_{table}_key_value", table, ["key", sa.text("substr(value, 1, 200)")])


def _metrics() -> None:
    """Points become packed columns of a run and key, and a row that sums them up."""
    connection = op.get_bind()
    op.rename_table("run_metric", "old_run_metric")
    if connection.dialect.name == "postgresql":
        op.execute("ALTER TABLE old_run_metric RENAME CONSTRAINT pk_run_metric TO pk_old_run_metric")
    _create(
        "run_metric",
        _parent("run_id", "run.run_id"),
        _key("key"),
        sa.Column("layer", sa.Integer(), nullable=False, primary_key=True, autoincrement=False),
        *_whole("step", "ts_ms"),
        *[sa.Column(name, sa.Float(), nullable=True) for name in ("value", "first", "low", "high", "total")],
        *_whole("count", "numbers", "last_ms", "last_step", "chunks"),
        sqlite_with_rowid=False,
    )
    _create(
        "metric_chunk",
        _parent("run_id", "run.run_id"),
        _key("key"),
        sa.Column("layer", sa.Integer(), nullable=False, primary_key=True, autoincrement=False),
        *_whole("seq", key=True),
        *_whole("count", "last_ms"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    old = connection.execute(
        sa.text("SELECT run_id, key, step, value, ts FROM old_run_metric ORDER BY run_id, key, step")
    ).all()
    summary = sa.table("run_metric", *[sa.column(name) for name in _SUMMARY])
    chunk = sa.table("metric_chunk", *[sa.column(name) for name in _CHUNK])
    for (run_id, key), group in groupby(old, lambda row: (row[0], row[1])):
        points = list(group)
        steps = np.array([point[2] for point in points], "<i8")
        times = np.array([_milliseconds(point[4]) for point in points], "<i8")
        values = np.array([point[3] for point in points], "<f8")
        data = steps.tobytes() + times.tobytes() + values.tobytes()
        head = {"run_id": run_id, "key": key, "layer": 0, "count": len(points)}
        last_ms = int(times.max())
        connection.execute(sa.insert(chunk).values(**head, seq=1, last_ms=last_ms, data=data))
        connection.execute(
            sa.insert(summary).values(
                **head,
                step=int(steps[-1]),
                ts_ms=int(times[-1]),
                value=float(values[-1]),
                first=float(values[0]),
                low=float(values.min()),
                high=float(values.max()),
                total=float(values.sum()),
                numbers=len(points),
                last_ms=last_ms,
                last_step=int(steps[times == last_ms].max()),
                chunks=1,
            )
        )
    op.drop_table("old_run_metric")
    op.create_index("ix_run_metric_key_value", "run_metric", ["key", "value", "run_id"])
    late = sa.text("layer = 1")
    op.create_index("ix_run_metric_late", "run_metric", ["key"], sqlite_where=late, postgresql_where=late)


_SUMMARY = (
    *("run_id", "key", "layer", "step", "ts_ms", "value", "first", "low", "high", "total"),
    *("count", "numbers", "last_ms", "last_step", "chunks"),
)
_CHUNK = ("run_id", "key", "layer", "seq", "count", "last_ms", "data")


def _milliseconds(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "us").astype(np.int64) // 1000)


def _versions() -> None:
    """Every model gets a row of its own, and its name a counter of version numbers."""
    connection = op.get_bind()
    for name in ("updated", "deleted", "origin", "run_link", "logged_model_id", "stage", "status_message"):
        op.add_column("model_version", sa.Column(name, _TEXT, nullable=True))
    op.add_column("model_version", sa.Column("status", _TEXT, nullable=False, server_default="READY"))
    op.add_column("model_version", sa.Column("sealed", _TEXT, nullable=False, server_default="sealed"))
    op.add_column("model_version", sa.Column("seal", _TEXT, nullable=True))
    op.add_column("alias_move", sa.Column("cleared", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alias_move", sa.Column("reason", _TEXT, nullable=True))
    models = connection.execute(
        sa.text("SELECT model, min(created), max(created), max(version), min(mv_id) FROM model_version GROUP BY model")
    ).all()
    for name, created, updated, version, key in models:
        connection.execute(
            sa.text(
                "INSERT INTO registered_model (model_key, name, created, updated, actor, actor_kind, source, ts) "
                "VALUES (:key, :name, :created, :updated, 'assay', 'service', 'native', :created)"
            ),
            {"key": key, "name": name, "created": created, "updated": updated},
        )
        connection.execute(
            sa.text("INSERT INTO counter (name, value) VALUES (:name, :value)"),
            {"name": f"version:{name}", "value": version},
        )
