"""Logged models: a model of an experiment before it is registered, with its files, params, tags and metrics."""

from collections.abc import Mapping, Sequence

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.record.artifacts import model_root
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.store import Row, Store
from assay.record.tracking.experiments import experiment

__all__ = [
    "FAILED",
    "PENDING",
    "READY",
    "LoggedModel",
    "ModelMetric",
    "create_logged_model",
    "delete_logged_model",
    "delete_logged_model_tag",
    "finish_logged_model",
    "log_model_params",
    "logged_model",
    "logged_models",
    "put_model_metrics",
    "set_logged_model_tags",
]

PENDING, READY, FAILED = "PENDING", "READY", "UPLOAD_FAILED"
_FORBIDDEN = set("/:.%\"'")
_LONGEST = 255


class ModelMetric(msgspec.Struct, frozen=True):
    """The latest value of a metric of a logged model, by the run and the dataset it was measured on."""

    key: str
    value: float
    step: int
    ts_ms: int
    run_id: str
    dataset_name: str
    dataset_digest: str


class LoggedModel(msgspec.Struct, frozen=True):
    """A logged model; `root` is the folder of its files below the artifact root."""

    model_id: str
    experiment_id: str
    name: str
    status: str
    status_message: str | None
    model_type: str | None
    source_run_id: str | None
    created: str
    updated: str
    root: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[ModelMetric]


def create_logged_model(
    store: Store,
    experiment_id: str,
    name: str | None = None,
    *,
    model_id: str | None = None,
    model_type: str | None = None,
    source_run_id: str | None = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> LoggedModel:
    """A new model whose files are still to come. One without a name gets one."""
    model_id = model_id or f"m-{new_id()}"
    name = name or f"model-{model_id[2:10]}"
    if set(name) & _FORBIDDEN or len(name) > _LONGEST or not name.strip():
        raise InvalidInput(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and cannot contain the "
            "following characters: ('/', ':', '.', '%', '\"', \"'\")"
        )
    with store.transaction():
        if experiment(store, experiment_id).deleted:
            raise InvalidInput(f"The experiment {experiment_id} must be in the 'active' state.")
        now = iso(store.clock.now())
        row = {"model_id": model_id, "experiment_id": experiment_id, "name": name, "status": PENDING}
        more = {"created": now, "updated": now, "model_type": model_type, "source_run_id": source_run_id}
        store.append("logged_model", {**row, **more})
        _put(store, "logged_model_param", model_id, params or {})
        _put(store, "logged_model_tag", model_id, tags or {})
    return logged_model(store, model_id)


def logged_model(store: Store, model_id: str) -> LoggedModel:
    """The model with that id; NotFound for one that is deleted."""
    return logged_models(store, [_row(store, model_id)])[0]


def logged_models(store: Store, rows: Sequence[Row]) -> list[LoggedModel]:
    """Rows of `logged_model` with their params, tags and metrics, in the same order, in three more questions."""
    ids = {"model_id in": [row["model_id"] for row in rows]}
    params, tags = (_texts(store, kind, ids) for kind in ("logged_model_param", "logged_model_tag"))
    metrics: dict[str, list[ModelMetric]] = {}
    order = ["model_id", "key", "dataset_name", "dataset_digest", "run_id"]
    for row in store.query("logged_model_metric", ids, order_by=order):
        value = float("nan") if row["value"] is None else row["value"]
        fields = {name: row[name] for name in ModelMetric.__struct_fields__ if name != "value"}
        metrics.setdefault(row["model_id"], []).append(ModelMetric(value=value, **fields))
    kept = [name for name in LoggedModel.__struct_fields__ if name not in ("root", "params", "tags", "metrics")]
    return [
        LoggedModel(
            **{name: row[name] for name in kept},
            root=model_root(row["experiment_id"], row["model_id"]),
            params=params.get(row["model_id"], {}),
            tags=tags.get(row["model_id"], {}),
            metrics=metrics.get(row["model_id"], []),
        )
        for row in rows
    ]


def finish_logged_model(store: Store, model_id: str, status: str) -> LoggedModel:
    """Say that the files are all there (READY), or that they did not come (UPLOAD_FAILED)."""
    if status not in (READY, FAILED):
        raise InvalidInput(f"a model cannot become {status!r}", expected=f"{READY} | {FAILED}")
    with store.transaction():
        _row(store, model_id)
        _touch(store, model_id, status=status)
    return logged_model(store, model_id)


def delete_logged_model(store: Store, model_id: str) -> None:
    """Hide a model; versions that were made from it keep their files."""
    with store.transaction():
        _row(store, model_id)
        now = iso(store.clock.now())
        store.amend("logged_model", {"model_id": model_id}, {"deleted": now})
        note_change(store, "logged_model", model_id, "deleted", after=now)


def set_logged_model_tags(store: Store, model_id: str, tags: Mapping[str, str]) -> None:
    """Set tags; the last value of a tag stands."""
    with store.transaction():
        _row(store, model_id)
        _put(store, "logged_model_tag", model_id, tags)
        _touch(store, model_id)


def delete_logged_model_tag(store: Store, model_id: str, key: str) -> None:
    """Take a tag away; NotFound where it is not set."""
    with store.transaction():
        _row(store, model_id)
        if not store.remove("logged_model_tag", {"model_id": model_id, "key": key}):
            raise NotFound(f"No tag with key {key!r} found for model with ID {model_id!r}.")


def log_model_params(store: Store, model_id: str, params: Mapping[str, str]) -> None:
    """Add params; one that is there is not changed."""
    with store.transaction():
        _row(store, model_id)
        rows = [{"model_id": model_id, "key": key, "value": value} for key, value in params.items()]
        store.append_many("logged_model_param", rows, skip_existing=True)


def put_model_metrics(store: Store, model_id: str, metrics: Sequence[ModelMetric]) -> None:
    """Keep the latest value for each key, run and dataset: the greatest step, time and value."""
    with store.transaction():
        _row(store, model_id)
        known = {_identity(row): _rank(row) for row in store.query("logged_model_metric", {"model_id": model_id})}
        fresh: dict[tuple[str, ...], Row] = {}
        for metric in metrics:
            row: Row = {"model_id": model_id, **msgspec.structs.asdict(metric)}
            row["value"] = None if metric.value != metric.value else metric.value
            identity = _identity(row)
            if identity not in known or _rank(row) >= known[identity]:
                known[identity] = _rank(row)
                fresh[identity] = row
        store.put_many("logged_model_metric", fresh.values())


def _row(store: Store, model_id: str) -> Row:
    rows = store.query("logged_model", {"model_id": model_id, "deleted": None})
    if not rows:
        raise NotFound(f"Logged model with ID '{model_id}' not found.", where=store.location)
    return rows[0]


def _touch(store: Store, model_id: str, **changes: object) -> None:
    store.amend("logged_model", {"model_id": model_id}, {**changes, "updated": iso(store.clock.now())})


def _put(store: Store, kind: str, model_id: str, values: Mapping[str, str]) -> None:
    for key in values:
        if not key:
            raise InvalidInput("a param or a tag of a model has no name", expected="at least one character")
    store.put_many(kind, [{"model_id": model_id, "key": key, "value": value} for key, value in values.items()])


def _texts(store: Store, kind: str, ids: Mapping[str, object]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in store.query(kind, ids, order_by=["key"]):
        found.setdefault(row["model_id"], {})[row["key"]] = row["value"]
    return found


def _identity(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("key", "run_id", "dataset_name", "dataset_digest"))


def _rank(row: Row) -> tuple[int, int, float]:
    return row["step"], row["ts_ms"], float("-inf") if row["value"] is None else row["value"]
