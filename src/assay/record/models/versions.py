"""Versions of registered models: made from a source and sealed, described, tagged, staged, deleted, restored."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from assay.errors import AlreadyExists, InvalidInput, NotFound
from assay.record.canonical import canonical_json
from assay.record.changes import changes, note_change
from assay.record.clock import iso
from assay.record.counters import next_number, raise_number
from assay.record.identity import new_id
from assay.record.models.alias_moves import append_move, pointed_to
from assay.record.models.holds import check_free
from assay.record.models.registered_models import model_row, touch_model, version_counter
from assay.record.models.seals import records_of, seal_files
from assay.record.models.sources import checked_source
from assay.record.names import MAX_KEY, check_tags
from assay.record.notify.events import PROMPT_TAG, tell_version, tell_version_tag
from assay.record.store import Row, Store

__all__ = [
    "PROMPT_TAG",
    "STAGES",
    "RegisteredVersion",
    "append_version",
    "create_version",
    "delete_version",
    "delete_version_tag",
    "describe_version",
    "latest_versions",
    "restore_version",
    "set_stage",
    "set_version_tags",
    "version_row",
    "versions_of",
]

STAGES = ("None", "Staging", "Production", "Archived")
_ACTIVE = ("Staging", "Production")
_MODEL_VERSIONS_TAG = "mlflow.modelVersions"


class RegisteredVersion(msgspec.Struct, frozen=True):
    """A version as clients know it. `sealed` is sealed | empty | outside."""

    mv_id: str
    model: str
    version: int
    hash: str
    run_id: str | None
    created: str
    updated: str
    description: str | None
    source: str
    run_link: str | None
    logged_model_id: str | None
    stage: str
    status: str
    status_message: str | None
    sealed: str
    actor: str
    tags: dict[str, str]
    aliases: list[str]


def version_row(store: Store, name: str, version: int | str) -> Row:
    """The row of a version that is not deleted."""
    rows: list[Row] = []
    if str(version).isascii() and str(version).isdecimal():
        rows = store.query("model_version", {"model": name, "version": int(version), "deleted": None})
    if not rows:
        raise NotFound(f"Model Version (name={name}, version={version}) not found", where=store.location)
    return rows[0]


def create_version(
    store: Store,
    name: str,
    source: str,
    *,
    run_id: str | None = None,
    logged_model_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    run_link: str | None = None,
    description: str | None = None,
    number: int | None = None,
    files_in: Path | None = None,
) -> RegisteredVersion:
    """The next version of a model, sealed: the files as they are now are its files, whatever happens to the source.

    `number` keeps the one a version had elsewhere; AlreadyExists where the model has used it. `files_in` is the folder
    of this machine into which clients write artifacts themselves, where they do.
    """
    given = dict(tags or {})
    row = model_row(store, name)
    prompt = given.get(PROMPT_TAG) == "true"
    named = {"run_id": run_id or None, "logged_model_id": logged_model_id or None}
    checked = checked_source(store, source, **named, prompt=prompt, files_in=files_in)
    content, state = seal_files(store, checked)  # before the transaction: others need not wait for it
    with store.transaction():
        model_row(store, name)
        made = append_version(
            store,
            name,
            content,
            checked.run_id,
            number=number,
            tags=given,
            seal={"path": checked.path},
            description=description,
            signature=_signature(store, content),
            origin=source,
            run_link=run_link,
            logged_model_id=checked.logged_model_id,
            sealed=state,
        )
        store.amend("registered_model", {"model_key": row["model_key"]}, {"updated": made["updated"]})
        if checked.logged_model_id:
            _tell_logged_model(store, checked.logged_model_id, name, made["version"])
    return versions_of(store, [version_row(store, name, made["version"])])[0]


def append_version(
    store: Store,
    name: str,
    content: str,
    run_id: str | None,
    *,
    number: int | None = None,
    tags: Mapping[str, str] | None = None,
    seal: Mapping[str, object] | None = None,
    **columns: object,
) -> Row:
    """The row of the next version of a model, its artifact, what its run said, and who is told of it.

    `content` is the hash of its folder, empty where nothing could be sealed; `seal` adds to what is sealed of the run;
    `columns` are further ones. AlreadyExists where the model has used `number`. Belongs into a transaction.
    """
    if number is None:
        number = next_number(store, version_counter(name))
    elif store.query("model_version", {"model": name, "version": number}):
        raise AlreadyExists(f"version {number} of {name} exists already")
    else:
        raise_number(store, version_counter(name), number)
    now = iso(store.clock.now())
    made: Row = {
        "mv_id": new_id(),
        "model": name,
        "version": number,
        "hash": content,
        "run_id": run_id,
        "created": now,
        "updated": now,
        "description": None,
        "stage": "None",
        "seal": canonical_json(json.loads(records_of(store, run_id)) | dict(seal or {})),
        **columns,
    }
    store.append("model_version", made)
    given = dict(tags or {})
    _put_tags(store, made["mv_id"], given)
    tell_version(store, made, given)
    if content:
        _record_artifact(store, made)
    return made


def versions_of(store: Store, rows: Sequence[Row]) -> list[RegisteredVersion]:
    """Rows of `model_version` with tags and aliases, in the same order, in two more questions."""
    tags: dict[str, dict[str, str]] = {}
    for tag in store.query("model_version_tag", {"mv_id in": [row["mv_id"] for row in rows]}, order_by=["key"]):
        tags.setdefault(tag["mv_id"], {})[tag["key"]] = tag["value"]
    pointing: dict[tuple[str, str], Row] = {}
    models = sorted({row["model"] for row in rows})
    for move in store.query("alias_move", {"model in": models}, order_by=["model", "alias", "seq"]):
        pointing[move["model"], move["alias"]] = move
    aliases: dict[str, list[str]] = {}
    for (_, alias), move in pointing.items():
        if not move["cleared"] and not alias.startswith("stage:"):
            aliases.setdefault(move["mv_id"], []).append(alias)
    kept = ("mv_id", "model", "version", "hash", "run_id", "created", "description", "run_link", "logged_model_id")
    return [
        RegisteredVersion(
            **{name: row[name] for name in (*kept, "status", "status_message", "sealed", "actor")},
            updated=row["updated"] or row["created"],
            source=row["origin"] or "",
            stage=row["stage"] or "None",
            tags=tags.get(row["mv_id"], {}),
            aliases=aliases.get(row["mv_id"], []),
        )
        for row in rows
    ]


def latest_versions(store: Store, name: str, stages: Sequence[str] = ()) -> list[RegisteredVersion]:
    """The newest version of each stage, or of those named, in order of version."""
    model_row(store, name)
    wanted = {_stage(stage) for stage in stages} or set(STAGES)
    newest: dict[str, Row] = {}
    for row in store.query("model_version", {"model": name, "deleted": None}, order_by=["version"]):
        newest[row["stage"] or "None"] = row
    rows = [row for stage, row in newest.items() if stage in wanted]
    return versions_of(store, sorted(rows, key=lambda row: int(row["version"])))


def describe_version(store: Store, name: str, version: int | str, description: str) -> RegisteredVersion:
    """Set the description."""
    with store.transaction():
        row = version_row(store, name, version)
        _touch(store, row, description=description)
        note_change(store, "version", row["mv_id"], "description", before=row["description"], after=description)
    return versions_of(store, [version_row(store, name, version)])[0]


def set_version_tags(store: Store, name: str, version: int | str, tags: Mapping[str, str]) -> None:
    """Set tags; the last value of a tag stands."""
    with store.transaction():
        row = version_row(store, name, version)
        _put_tags(store, row["mv_id"], tags)
        for key, value in tags.items():
            tell_version_tag(store, row, key, value)


def delete_version_tag(store: Store, name: str, version: int | str, key: str) -> None:
    """Take a tag away; harmless where it is not set."""
    with store.transaction():
        row = version_row(store, name, version)
        if store.remove("model_version_tag", {"mv_id": row["mv_id"], "key": key}):
            tell_version_tag(store, row, key, None)


def set_stage(
    store: Store, name: str, version: int | str, stage: str, *, archive_existing: bool = False
) -> RegisteredVersion:
    """Move a version to a stage, named in any case; with `archive_existing` others leave an active stage."""
    target = _stage(stage)
    if archive_existing and target not in _ACTIVE:
        raise InvalidInput(
            f"Model version transition cannot archive existing model versions because '{target}' is not an Active "
            f"stage. Valid stages are {list(_ACTIVE)}"
        )
    with store.transaction():
        row = version_row(store, name, version)
        if archive_existing:
            for other in store.query("model_version", {"model": name, "deleted": None, "stage": target}):
                if other["mv_id"] != row["mv_id"]:
                    _put_into_stage(store, other, "Archived")
        _put_into_stage(store, row, target)
        touch_model(store, name)
    return versions_of(store, [version_row(store, name, version)])[0]


def delete_version(store: Store, name: str, version: int | str, *, held: bool = True) -> None:
    """Hide a version; its aliases go with it. Conflict where it is relied on, unless `held` is off."""
    with store.transaction():
        row = version_row(store, name, version)
        if held:
            check_free(store, row)
        now = iso(store.clock.now())
        aliases = versions_of(store, [row])[0].aliases
        for alias in aliases:
            append_move(store, row, alias, cleared=True, reason=f"version {row['version']} was deleted")
        store.amend("model_version", {"mv_id": row["mv_id"]}, {"deleted": now, "updated": now})
        note_change(store, "version", row["mv_id"], "deleted", before=canonical_json(aliases), after=now)
        touch_model(store, name)


def restore_version(store: Store, name: str, version: int) -> RegisteredVersion:
    """Bring a deleted version back, with those of its aliases that point nowhere since."""
    with store.transaction():
        rows = store.query("model_version", {"model": name, "version": version})
        if not rows or rows[0]["deleted"] is None:
            raise NotFound(f"there is no deleted version {version} of {name}", where=store.location)
        row = rows[0]
        store.amend("model_version", {"mv_id": row["mv_id"]}, {"deleted": None})
        gone = [change for change in changes(store, "version", row["mv_id"]) if change["what"] == "deleted"]
        for alias in json.loads(gone[-1]["before"]) if gone else []:
            if pointed_to(store, name, alias) is None:
                append_move(store, row, alias, cleared=False, reason=f"version {version} was restored")
        note_change(store, "version", row["mv_id"], "restored", before=row["deleted"])
    return versions_of(store, [version_row(store, name, version)])[0]


def _put_into_stage(store: Store, row: Row, stage: str) -> None:
    before = row["stage"] or "None"
    if before == stage:
        return
    if before in _ACTIVE:
        append_move(store, row, f"stage:{before}", cleared=True, reason=f"moved to {stage}")
    if stage in _ACTIVE:
        append_move(store, row, f"stage:{stage}", cleared=False, reason=f"moved from {before}")
    _touch(store, row, stage=stage)


def _stage(stage: str) -> str:
    for known in STAGES:
        if known.lower() == stage.lower():
            return known
    raise InvalidInput(f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(STAGES)}.")


def _touch(store: Store, row: Row, **changed: object) -> None:
    store.amend("model_version", {"mv_id": row["mv_id"]}, {**changed, "updated": iso(store.clock.now())})


def _put_tags(store: Store, mv_id: str, tags: Mapping[str, str]) -> None:
    check_tags("tag {} of a version", tags, MAX_KEY)
    store.put_many("model_version_tag", [{"mv_id": mv_id, "key": key, "value": value} for key, value in tags.items()])


def _signature(store: Store, content: str) -> str:
    """The input columns that the sealed MLmodel file declares, where it is JSON of ours; else nothing."""
    manifest = store.blobs.manifest(content) if content else {}
    if "MLmodel" not in manifest:
        return "{}"
    try:
        described = json.loads(store.blobs.get(manifest["MLmodel"]))
        return canonical_json({"inputs": json.loads(described["signature"]["inputs"])})
    except (ValueError, KeyError, TypeError):  # written as YAML by other tools
        return "{}"


def _record_artifact(store: Store, made: Row) -> None:
    artifact = {"artifact_id": made["mv_id"], "type": "model", "hash": made["hash"], "created": made["created"]}
    more = {"name": f"{made['model']}/{made['version']}", "format": "mlmodel", "blob": made["hash"]}
    store.append("artifact", {**artifact, **more})
    if made["run_id"] is not None:
        link = {"run_id": made["run_id"], "role": "output", "artifact_id": made["mv_id"], "name": more["name"]}
        store.append_many("run_io", [link], skip_existing=True)


def _tell_logged_model(store: Store, model_id: str, name: str, number: int) -> None:
    """Write the registration back into the tag that clients read."""
    found = store.query("logged_model_tag", {"model_id": model_id, "key": _MODEL_VERSIONS_TAG})
    listed = json.loads(found[0]["value"]) if found else []
    listed.append({"name": name, "version": number})
    store.put_many(
        "logged_model_tag", [{"model_id": model_id, "key": _MODEL_VERSIONS_TAG, "value": json.dumps(listed)}]
    )
