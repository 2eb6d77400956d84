"""The subjects: runs, experiments, registered models, versions, logged models."""

from assay.record.search.keys import Child, Key, Subject

__all__ = ["EXPERIMENTS", "LOGGED_MODELS", "MODELS", "RUNS", "VERSIONS"]

_TAGS = {"tag": "tag", "tags": "tag"}
_OWN = {"attribute": "attribute", "attributes": "attribute", "attr": "attribute"}
_PARAMS = dict.fromkeys(("param", "params", "parameter", "parameters"), "param")
_METRICS = {"metric": "metric", "metrics": "metric"}

_DURATION = Key("attribute", "duration", "number", "MS(run.ended) - MS(run.started)", "end_time - start_time")
RUNS = Subject(
    name="runs",
    table="run",
    id="run_id",
    attributes={
        "run_id": ("text", "run.run_id"),
        "run_name": ("text", "run.name"),
        "user_id": ("text", "run.user_id"),
        "status": ("text", "run.status"),
        "start_time": ("time", "run.started"),
        "end_time": ("time", "run.ended"),
        "artifact_uri": (
            "text",
            "(SELECT e.artifact_location || '/' || run.run_id || '/artifacts' FROM experiment e"
            " WHERE e.experiment_id = run.experiment_id)",
        ),
        "experiment.name": (
            "text",
            "(SELECT e.name FROM experiment e WHERE e.experiment_id = run.experiment_id)",
        ),
        "experiment_id": ("text", "run.experiment_id"),
        **{
            name: ("text", f"run.{name}")
            for name in (
                *("kind", "stage", "trigger_type", "model", "pipeline", "code_sha", "parent_run_id", "host"),
                *("reason", "actor", "source"),
            )
        },
    },
    required=frozenset(("run_id", "run_name", "status", "start_time", "experiment_id", "kind", "stage")),
    children={
        "metric": Child("run_metric", "run_id", "number", layers="sums"),
        "param": Child("run_param", "run_id", "text", layers="each"),
        "tag": Child("run_tag", "run_id", "text"),
        "dataset": Child(
            "run_dataset",
            "run_id",
            "text",
            keyed=False,
            single=False,
            layers="each",
            names={name: f"{{row}}.{name}" for name in ("name", "digest", "context")},
        ),
    },
    entities={
        **_METRICS,
        **_PARAMS,
        **_TAGS,
        **_OWN,
        "run": "attribute",
        "dataset": "dataset",
        "datasets": "dataset",
        "experiment": "experiment",
    },
    aliases={
        **dict.fromkeys(("created", "Created", "started"), "start_time"),
        **dict.fromkeys(("run name", "Run name", "Run Name", "name"), "run_name"),
        "ended": "end_time",
        "experiment": "experiment.name",
        "experiment.id": "experiment_id",
        "experiment.experiment_id": "experiment_id",
    },
    examples="metrics.auc, params.lr, tags.team or status",
    folds={"status": str.lower},
    differences={
        ("end_time", "start_time"): _DURATION,
        ("end_time", "started"): _DURATION,
        ("end_time", "created"): _DURATION,
    },
    parts=True,
)

EXPERIMENTS = Subject(
    name="experiments",
    table="experiment",
    id="experiment_id",
    attributes={
        "name": ("text", "experiment.name"),
        "experiment_id": ("text", "experiment.experiment_id"),
        "creation_time": ("time", "experiment.created"),
        "last_update_time": ("time", "experiment.updated"),
    },
    required=frozenset(("name", "experiment_id", "creation_time", "last_update_time")),
    children={"tag": Child("experiment_tag", "experiment_id", "text")},
    entities={**_TAGS, **_OWN, "experiment": "attribute"},
    aliases={"created": "creation_time", "updated": "last_update_time"},
    examples="name, tags.team or creation_time",
    # ids are numbers as text: with zeros before them they sort as numbers do
    sorts={
        "experiment_id": f"substr('{'0' * 64}', 1, 64 - length(experiment.experiment_id)) || experiment.experiment_id"
    },
)

MODELS = Subject(
    name="registered models",
    table="registered_model",
    id="model_key",
    attributes={
        "name": ("text", "registered_model.name"),
        "description": ("text", "registered_model.description"),
        "creation_timestamp": ("time", "registered_model.created"),
        "last_updated_timestamp": ("time", "registered_model.updated"),
    },
    required=frozenset(("name", "creation_timestamp", "last_updated_timestamp")),
    children={"tag": Child("registered_model_tag", "model_key", "text")},
    entities={**_TAGS, **_OWN},
    aliases={
        "timestamp": "last_updated_timestamp",
        "created": "creation_timestamp",
        "updated": "last_updated_timestamp",
    },
    examples="name or tags.team",
)

VERSIONS = Subject(
    name="versions",
    table="model_version",
    id="mv_id",
    attributes={
        "name": ("text", "model_version.model"),
        "version_number": ("number", "model_version.version"),
        "run_id": ("text", "model_version.run_id"),
        "source_path": ("text", "model_version.origin"),
        "hash": ("text", "model_version.hash"),
        "status": ("text", "model_version.status"),
        "creation_timestamp": ("time", "model_version.created"),
        "last_updated_timestamp": ("time", "coalesce(model_version.updated, model_version.created)"),
    },
    required=frozenset(("name", "version_number", "creation_timestamp", "last_updated_timestamp", "status")),
    children={"tag": Child("model_version_tag", "mv_id", "text")},
    entities={**_TAGS, **_OWN},
    aliases={"version": "version_number", "model": "name", "source": "source_path"},
    examples="name, version_number or tags.team",
)

LOGGED_MODELS = Subject(
    name="logged models",
    table="logged_model",
    id="model_id",
    attributes={
        "name": ("text", "logged_model.name"),
        "model_id": ("text", "logged_model.model_id"),
        "model_type": ("text", "logged_model.model_type"),
        "status": ("text", "replace(upper(logged_model.status), 'LOGGED_MODEL_', '')"),
        "source_run_id": ("text", "logged_model.source_run_id"),
        "experiment_id": ("text", "logged_model.experiment_id"),
        "creation_timestamp_ms": ("time", "logged_model.created"),
        "last_updated_timestamp_ms": ("time", "logged_model.updated"),
    },
    required=frozenset(("name", "model_id", "status", "creation_timestamp_ms", "last_updated_timestamp_ms")),
    children={
        "metric": Child("logged_model_metric", "model_id", "number", single=False),
        "param": Child("logged_model_param", "model_id", "text"),
        "tag": Child("logged_model_tag", "model_id", "text"),
    },
    entities={**_METRICS, **_PARAMS, **_TAGS, **_OWN},
    aliases={
        **dict.fromkeys(("creation_time", "creation_timestamp", "created"), "creation_timestamp_ms"),
        **dict.fromkeys(("last_updated_timestamp", "last_updated_time", "updated"), "last_updated_timestamp_ms"),
    },
    examples="name, metrics.auc or params.lr",
    folds={"status": lambda text: text.upper().replace("LOGGED_MODEL_", "")},
)
