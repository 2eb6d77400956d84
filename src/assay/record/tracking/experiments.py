"""Experiments: named groups of runs. Deleting hides one with its runs, restoring brings all back; names stay taken."""

import msgspec

from assay.errors import AlreadyExists, InvalidInput, NotFound
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.counters import next_number
from assay.record.names import check_experiment_name, check_tags
from assay.record.store import Row, Store

__all__ = [
    "DEFAULT_EXPERIMENT",
    "Experiment",
    "create_experiment",
    "delete_experiment",
    "delete_experiment_tag",
    "ensure_experiment",
    "experiment",
    "experiment_named",
    "rename_experiment",
    "restore_experiment",
    "set_experiment_tags",
]

DEFAULT_EXPERIMENT = "0"
_TAG_LIMITS = (250, 20_000)  # of key and value


class Experiment(msgspec.Struct, frozen=True):
    """An experiment; `deleted` is when it was hidden, `artifact_location` where files of its runs are found."""

    experiment_id: str
    name: str
    artifact_location: str
    created: str
    updated: str
    deleted: str | None
    project: str | None
    tags: dict[str, str]


def experiment(store: Store, experiment_id: str) -> Experiment:
    """The experiment with that id, deleted ones too."""
    rows = store.query("experiment", {"experiment_id": experiment_id})
    if not rows:
        raise NotFound(f"No Experiment with id={experiment_id} exists", where=store.location)
    return _experiment(store, rows[0])


def experiment_named(store: Store, name: str) -> Experiment | None:
    """The experiment with that name, deleted ones too."""
    rows = store.query("experiment", {"name": name})
    return _experiment(store, rows[0]) if rows else None


def create_experiment(
    store: Store, name: str, *, artifact_location: str | None = None, tags: dict[str, str] | None = None
) -> Experiment:
    """A new experiment under the next number. AlreadyExists where the name is taken, also by a deleted one."""
    check_experiment_name(name)
    check_tags("experiment tag {}", tags or {}, *_TAG_LIMITS)
    with store.transaction():
        if store.query("experiment", {"name": name}):
            raise AlreadyExists(f"Experiment(name={name}) already exists.")
        number = str(next_number(store, "experiment"))
        now = iso(store.clock.now())
        row: Row = {
            "experiment_id": number,
            "name": name,
            "artifact_location": artifact_location or f"mlflow-artifacts:/{number}",
            "created": now,
            "updated": now,
        }
        store.append("experiment", row)
        _put_tags(store, number, tags or {})
    return experiment(store, number)


def ensure_experiment(store: Store, name: str) -> Experiment:
    """The experiment of that name, made where there is none. InvalidInput where it is deleted."""
    found = experiment_named(store, name)
    if found is None:
        try:
            found = create_experiment(store, name)
        except AlreadyExists:  # somebody else was first
            found = experiment_named(store, name)
    assert found is not None, "a name that is taken has an experiment"
    if found.deleted:
        raise InvalidInput(f"experiment {name!r} is deleted", hint="restore it, or choose another name")
    return found


def rename_experiment(store: Store, experiment_id: str, name: str) -> None:
    """Give an experiment another name."""
    check_experiment_name(name)
    with store.transaction():
        before = experiment(store, experiment_id)
        if before.deleted:
            raise InvalidInput("Cannot rename a non-active experiment.")
        taken = store.query("experiment", {"name": name})
        if taken and taken[0]["experiment_id"] != experiment_id:
            raise AlreadyExists(f"Experiment(name={name}) already exists.")
        _touch(store, experiment_id, name=name)
        note_change(store, "experiment", experiment_id, "name", before=before.name, after=name)


def delete_experiment(store: Store, experiment_id: str) -> None:
    """Hide an experiment with all its runs; its name stays taken. NotFound where it is hidden already."""
    with store.transaction():
        if experiment(store, experiment_id).deleted:
            raise NotFound(f"No Experiment with id={experiment_id} exists", where=store.location)
        now = iso(store.clock.now())
        _touch(store, experiment_id, deleted=now)
        store.amend_all("run", {"experiment_id": experiment_id, "deleted": None}, {"deleted": now})
        note_change(store, "experiment", experiment_id, "deleted", after=now)


def restore_experiment(store: Store, experiment_id: str) -> None:
    """Bring an experiment back with all its runs."""
    with store.transaction():
        found = experiment(store, experiment_id)
        if not found.deleted:
            raise NotFound(f"No deleted Experiment with id={experiment_id} exists", where=store.location)
        _touch(store, experiment_id, deleted=None)
        store.amend_all("run", {"experiment_id": experiment_id, "deleted !=": None}, {"deleted": None})
        note_change(store, "experiment", experiment_id, "restored", before=found.deleted)


def set_experiment_tags(store: Store, experiment_id: str, tags: dict[str, str]) -> None:
    """Set tags of an experiment that is not deleted."""
    check_tags("experiment tag {}", tags, *_TAG_LIMITS)
    with store.transaction():
        found = experiment(store, experiment_id)
        if found.deleted:
            raise InvalidInput(
                f"The experiment {experiment_id} must be in the 'active' state. Current state is deleted."
            )
        _put_tags(store, experiment_id, tags)


def delete_experiment_tag(store: Store, experiment_id: str, key: str) -> None:
    """Take a tag away; NotFound where it is not set."""
    with store.transaction():
        experiment(store, experiment_id)
        if not store.remove("experiment_tag", {"experiment_id": experiment_id, "key": key}):
            raise NotFound(f"No tag with name: {key} in experiment with id {experiment_id}")


def _touch(store: Store, experiment_id: str, **changes: object) -> None:
    changes["updated"] = iso(store.clock.now())
    store.amend("experiment", {"experiment_id": experiment_id}, changes)


def _put_tags(store: Store, experiment_id: str, tags: dict[str, str]) -> None:
    rows = [{"experiment_id": experiment_id, "key": key, "value": value} for key, value in tags.items()]
    store.put_many("experiment_tag", rows)


def _experiment(store: Store, row: Row) -> Experiment:
    tags = store.query("experiment_tag", {"experiment_id": row["experiment_id"]}, order_by=["key"])
    fields = {name: row[name] for name in Experiment.__struct_fields__ if name != "tags"}
    return Experiment(**fields, tags={tag["key"]: tag["value"] for tag in tags})
