"""What happens to a run while it is tracked: made, logged to, ended, opened again, deleted, restored.

Every function is one transaction. A run that has ended takes no new results unless it is opened again: what comes
anyway goes to its late layer, is refused, or counts, as `late` says.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from assay.errors import Conflict, InvalidInput, NotFound
from assay.record.changes import note_change
from assay.record.clock import iso, moment
from assay.record.identity import new_id
from assay.record.names import check_key
from assay.record.store import Row, Store
from assay.record.tracking.metrics import add_points
from assay.record.tracking.points import Points

__all__ = [
    "ENDS",
    "NAME_TAG",
    "PARENT_TAG",
    "DatasetUse",
    "Late",
    "create_run",
    "delete_run",
    "delete_tag",
    "layer_of",
    "log",
    "log_datasets",
    "log_models",
    "note_seen",
    "put_datasets",
    "require_active",
    "restore_run",
    "run_row",
    "update_run",
]

Late = Literal["mark", "refuse", "accept"]
ENDS = ("finished", "failed", "killed", "stopped", "pruned")  # pruned: a trial that others had beaten on the way
_STATES = ("running", "scheduled", "waiting", *ENDS)
NAME_TAG = "mlflow.runName"  # a run's name and this tag are one value
PARENT_TAG = "mlflow.parentRunId"
_SEEN_EVERY_S = 30


class DatasetUse(msgspec.Struct, frozen=True):
    """A dataset that a run used: (name, digest) in its experiment. The first description of it stays."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str] = {}


def run_row(store: Store, run_id: str) -> Row:
    """The run with that id, deleted ones too."""
    rows = store.query("run", {"run_id": run_id})
    if not rows:
        raise NotFound(f"Run with id={run_id} not found", where=store.location)
    return rows[0]


def create_run(
    store: Store,
    experiment_id: str,
    *,
    name: str,
    run_id: str | None = None,
    started: str | None = None,
    tags: Mapping[str, str] | None = None,
    kind: str = "train",
    stage: str = "dev",
    trigger_type: str = "manual",
    **columns: object,
) -> str:
    """Begin a run in an experiment that is not deleted and return its id; `columns` are further ones of `run`."""
    given = dict(tags or {})
    for key in given:
        check_key("tag", key)
    with store.transaction():
        found = store.query("experiment", {"experiment_id": experiment_id})
        if not found:
            raise NotFound(f"No Experiment with id={experiment_id} exists", where=store.location)
        if found[0]["deleted"]:
            raise InvalidInput(
                f"The experiment {experiment_id} must be in the 'active' state. Current state is deleted."
            )
        now = iso(store.clock.now())
        row: Row = {
            "run_id": run_id or new_id(),
            "experiment_id": experiment_id,
            "name": name,
            "kind": kind,
            "stage": stage,
            "trigger_type": trigger_type,
            "status": "running",
            "started": started or now,
            "seen": now,
            "parent_run_id": given.get(PARENT_TAG),
            **columns,
        }
        store.append("run", row)
        given[NAME_TAG] = name
        _put_texts(store, "run_tag", row["run_id"], given)
    return str(row["run_id"])


def update_run(
    store: Store, run_id: str, *, status: str | None = None, ended: str | None = None, name: str | None = None
) -> Row:
    """Change how a run stands, or its name. Setting an ended run to `running` opens it again, which is kept."""
    if status is not None and status not in _STATES:
        raise InvalidInput(f"a run cannot be {status!r}", expected=" | ".join(_STATES))
    with store.transaction():
        row = _active(store, run_id)
        changes: Row = {"seen": iso(store.clock.now())}
        if name is not None:
            changes["name"] = name
            _put_texts(store, "run_tag", run_id, {NAME_TAG: name})
        if status is not None:
            changes["status"] = status
            if status in ENDS:
                changes["ended"] = ended or iso(store.clock.now())
            elif row["status"] in ENDS:
                changes["ended"] = ended
                note_change(store, "run", run_id, "reopened", before=row["status"], after=status)
        elif ended is not None:
            changes["ended"] = ended
        store.amend("run", {"run_id": run_id}, changes)
        return {**row, **changes}


def delete_run(store: Store, run_id: str) -> None:
    """Hide a run; deleting it again is harmless."""
    with store.transaction():
        if run_row(store, run_id)["deleted"] is None:
            now = iso(store.clock.now())
            store.amend("run", {"run_id": run_id}, {"deleted": now})
            note_change(store, "run", run_id, "deleted", after=now)


def restore_run(store: Store, run_id: str) -> None:
    """Bring a run back; restoring one that is there is harmless."""
    with store.transaction():
        deleted = run_row(store, run_id)["deleted"]
        if deleted is not None:
            store.amend("run", {"run_id": run_id}, {"deleted": None})
            note_change(store, "run", run_id, "restored", before=deleted)


def log(
    store: Store,
    run_id: str,
    *,
    metrics: Mapping[str, Points] | None = None,
    params: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    tags: Mapping[str, str] | None = None,
    late: Late = "refuse",
) -> None:
    """Keep metrics, params and tags of a run, all or none. A param is set once; the same value again is harmless.

    Conflict where the run has ended and `late` is `refuse`, unless there are only tags: notes may come at any time.
    """
    listed = list(params.items()) if isinstance(params, Mapping) else list(params)
    for kind, keys in (("metric", metrics or {}), ("param", dict(listed)), ("tag", tags or {})):
        for key in keys:
            check_key(kind, key)
    with store.transaction():
        row = _active(store, run_id)
        layer = layer_of(row, late) if metrics or listed else 0
        if listed:
            _put_params(store, run_id, listed, layer)
        if metrics:
            add_points(store, run_id, metrics, layer)
        if tags:
            _set_tags(store, row, tags)
        note_seen(store, row)


def delete_tag(store: Store, run_id: str, key: str) -> None:
    """Take a tag away; NotFound where it is not set."""
    with store.transaction():
        _active(store, run_id)
        before = store.query("run_tag", {"run_id": run_id, "key": key})
        if not store.remove("run_tag", {"run_id": run_id, "key": key}):
            raise NotFound(f"No tag with name: {key} in run with id {run_id}")
        note_change(store, "run", run_id, f"tag {key}", before=before[0]["value"])


def log_datasets(store: Store, run_id: str, datasets: Sequence[DatasetUse], *, late: Late = "refuse") -> None:
    """Keep which datasets a run used; saying it twice is harmless."""
    for used in datasets:
        if not used.name or not used.digest:
            raise InvalidInput("a dataset has no name or no digest", expected="both")
    with store.transaction():
        row = _active(store, run_id)
        layer = layer_of(row, late)
        put_datasets(store, row, datasets, layer)
        note_seen(store, row)


def put_datasets(store: Store, run: Row, datasets: Sequence[DatasetUse], layer: int) -> None:
    """Rows of the datasets a run used, and their descriptions where the experiment has none yet; the first stay.

    Whether the run takes them is the caller's to say. Belongs into a transaction.
    """
    refs, uses = [], []
    for used in {(used.name, used.digest): used for used in reversed(datasets)}.values():
        key = {"name": used.name, "digest": used.digest}
        refs.append(
            {
                "experiment_id": run["experiment_id"],
                **key,
                "source_type": used.source_type,
                "dataset_source": used.source,
                "schema": used.schema,
                "profile": used.profile,
            }
        )
        uses.append(
            {
                "run_id": run["run_id"],
                **key,
                "context": used.tags.get("mlflow.data.context"),
                "tags": msgspec.json.encode(used.tags).decode(),
                "layer": layer,
            }
        )
    store.append_many("dataset_ref", refs, skip_existing=True)
    store.append_many("run_dataset", uses, skip_existing=True)


def log_models(
    store: Store,
    run_id: str,
    role: Literal["input", "output"],
    models: Mapping[str, int | None],
    *,
    late: Late = "refuse",
) -> None:
    """Keep which logged models a run used or made, by id, with the step for those it made."""
    with store.transaction():
        row = _active(store, run_id)
        layer = layer_of(row, late)
        for model_id in models:
            if not store.query("logged_model", {"model_id": model_id, "deleted": None}):
                raise NotFound(f"Logged model with ID '{model_id}' not found.", where=store.location)
        rows = [
            {"run_id": run_id, "role": role, "model_id": model_id, "step": step, "layer": layer}
            for model_id, step in models.items()
        ]
        store.append_many("run_model", rows, skip_existing=True)
        note_seen(store, row)


def _active(store: Store, run_id: str) -> Row:
    row = run_row(store, run_id)
    require_active(row)
    return row


def require_active(row: Row) -> None:
    """InvalidInput for a run that is deleted."""
    if row["deleted"] is not None:
        raise InvalidInput(f"The run {row['run_id']} must be in the 'active' state. Current state is deleted.")


def layer_of(row: Row, late: Late) -> int:
    """The layer that new results of a run go to; Conflict where it takes none."""
    if row["status"] not in ENDS or late == "accept":
        return 0
    if late == "refuse":
        raise Conflict(
            f"run {row['run_id'][:8]} has ended as {row['status']}: it takes no new results",
            hint="open it again, with assay.run(resume=...) or by setting its status to running",
        )
    return 1


def note_seen(store: Store, row: Row) -> None:
    """Note that something came, not more often than needed to tell a run that is lost."""
    now = store.clock.now()
    if row["seen"] is None or (now - moment(row["seen"])).total_seconds() > _SEEN_EVERY_S:
        store.amend("run", {"run_id": row["run_id"]}, {"seen": iso(now)})


def _put_params(store: Store, run_id: str, params: Sequence[tuple[str, str]], layer: int) -> None:
    given = dict(params)
    if len(given) < len(params):
        keys = [key for key, _ in params]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise InvalidInput(f"Duplicate parameter keys have been submitted: {twice}.", expected="each param once")
    known = store.query("run_param", {"run_id": run_id, "key in": list(given)})
    for row in known:
        if row["value"] != given[row["key"]]:
            raise InvalidInput(
                f"Changing param values is not allowed. Param with key='{row['key']}' was already logged with "
                f"value='{row['value']}' for run ID='{run_id}'. Attempted logging new value '{given[row['key']]}'."
            )
        del given[row["key"]]
    rows = [{"run_id": run_id, "key": key, "value": value, "layer": layer} for key, value in given.items()]
    store.append_many("run_param", rows)


def _set_tags(store: Store, row: Row, tags: Mapping[str, str]) -> None:
    """Tags may change at any time; what a run that has ended said before is kept."""
    run_id = row["run_id"]
    if row["status"] in ENDS:
        for before in store.query("run_tag", {"run_id": run_id, "key in": list(tags)}):
            if before["value"] != tags[before["key"]]:
                note_change(
                    store, "run", run_id, f"tag {before['key']}", before=before["value"], after=tags[before["key"]]
                )
    _put_texts(store, "run_tag", run_id, tags)
    named = {"name": tags[NAME_TAG]} if NAME_TAG in tags else {}
    parent = {"parent_run_id": tags[PARENT_TAG]} if PARENT_TAG in tags else {}
    if named or parent:
        store.amend("run", {"run_id": run_id}, {**named, **parent})


def _put_texts(store: Store, kind: str, run_id: str, values: Mapping[str, str]) -> None:
    store.put_many(kind, [{"run_id": run_id, "key": key, "value": value} for key, value in values.items()])
