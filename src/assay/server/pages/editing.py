"""Changes that people make from a page: a run's name, note and tags; a version's description and tags.

Each is one transaction, has an actor, and stands in the history of what it changes.
"""

from typing import Any

from starlette.requests import Request

from assay.errors import InvalidInput, NotFound
from assay.record.changes import note_change
from assay.record.models.versions import delete_version_tag, describe_version, set_version_tags, version_row
from assay.record.store import Row, Store
from assay.record.tracking.run_changes import ENDS, delete_tag, log, run_row, update_run
from assay.server.pages.forms import Form, TagChanges, acting_as, check_seen, tag_changes
from assay.server.pages.wording import quoted

__all__ = ["NOTE", "edit_run", "edit_version", "own_tags", "run_state", "run_tags", "version_state", "version_tags"]

NOTE = "mlflow.note.content"
_LONGEST_NAME = 500


def run_tags(store: Store, run_id: str) -> dict[str, str]:
    """All tags of a run, in order of their keys."""
    return {row["key"]: row["value"] for row in store.query("run_tag", {"run_id": run_id}, order_by=["key"])}


def run_state(run: Row, tags: dict[str, str]) -> list[Any]:
    """What the form of a run shows."""
    return [run["name"], tags.get(NOTE), own_tags(tags)]


def own_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags of people, without those that clients keep their own things in."""
    return {key: value for key, value in tags.items() if not key.startswith("mlflow.")}


def edit_run(store: Store, request: Request, form: Form) -> str:
    """Keep what the form of a run changes; returns the address of its page."""
    store = acting_as(store, request, form)
    run_id = request.path_params["run_id"]
    name, note = form.one("name").strip(), form.one("note").strip()
    if not name or len(name) > _LONGEST_NAME:
        raise InvalidInput("the run's name cannot be kept", expected=f"1 to {_LONGEST_NAME} characters")
    with store.transaction():
        run, tags = run_row(store, run_id), run_tags(store, run_id)
        check_seen(form, run_state(run, tags))
        found = tag_changes(form, own_tags(tags))
        if note and note != tags.get(NOTE, "").strip():
            found.put[NOTE] = note
        elif not note and NOTE in tags:
            found.dropped.append(NOTE)
        if name != run["name"]:
            update_run(store, run_id, name=name)
            note_change(store, "run", run_id, "name", before=run["name"], after=name)
        _change_tags(store, run, tags, found)
        # A note that somebody writes is no sign of life of a run that may be lost.
        store.amend("run", {"run_id": run_id}, {"seen": run["seen"]})
    return f"/runs/{run_id}"


def _change_tags(store: Store, run: Row, tags: dict[str, str], found: TagChanges) -> None:
    run_id = run["run_id"]
    if found.put:
        log(store, run_id, tags=found.put)
    for key in found.dropped:
        delete_tag(store, run_id, key)
    for key, value in found.put.items():
        if key not in tags or run["status"] not in ENDS:  # `log` notes the rest
            note_change(store, "run", run_id, f"tag {key}", before=tags.get(key), after=value)


def version_tags(store: Store, mv_id: str) -> dict[str, str]:
    """All tags of a version, in order of their keys."""
    return {row["key"]: row["value"] for row in store.query("model_version_tag", {"mv_id": mv_id}, order_by=["key"])}


def version_state(version: Row, tags: dict[str, str]) -> list[Any]:
    """What the form of a version shows."""
    return [version["description"], own_tags(tags)]


def edit_version(store: Store, request: Request, form: Form) -> str:
    """Keep what the form of a version changes; returns the address of its page."""
    store = acting_as(store, request, form)
    name, number = request.path_params["name"], request.path_params["version"]
    if number >= 2**31:  # what a column holds
        raise NotFound(f"{name} has no version {number}")
    description = form.one("description").strip()
    with store.transaction():
        version = version_row(store, name, number)
        mv_id = version["mv_id"]
        tags = version_tags(store, mv_id)
        check_seen(form, version_state(version, tags))
        found = tag_changes(form, own_tags(tags))
        if description != (version["description"] or "").strip():
            describe_version(store, name, number, description)
        if found.put:
            set_version_tags(store, name, number, found.put)
        for key in found.dropped:
            delete_version_tag(store, name, number, key)
        for key in (*found.put, *found.dropped):
            note_change(store, "version", mv_id, f"tag {key}", before=tags.get(key), after=found.put.get(key))
    return f"/models/{quoted(name)}/{number}"
