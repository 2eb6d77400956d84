"""Registered models: names under which versions are kept. Deleting one gives its name back, and can be undone."""

import posixpath
from collections.abc import Mapping

import msgspec

from assay.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.counters import raise_number
from assay.record.identity import new_id
from assay.record.models.holds import check_free
from assay.record.names import check_tags
from assay.record.notify.events import tell_model, tell_model_tag
from assay.record.store import Row, Store

__all__ = [
    "RegisteredModel",
    "check_model_name",
    "create_registered_model",
    "delete_registered_model",
    "delete_registered_model_tag",
    "describe_registered_model",
    "ensure_registered_model",
    "model_row",
    "registered_model",
    "registered_models",
    "rename_registered_model",
    "restore_registered_model",
    "set_registered_model_tags",
    "touch_model",
    "version_counter",
]

_TAG_LIMITS = (250, 100_000)
_NAMING = ("deployment", "monitor", "trigger_def", "serving_window")  # records of what works under a model's name


class RegisteredModel(msgspec.Struct, frozen=True):
    """A registered model, with the version number each of its aliases points to."""

    model_key: str
    name: str
    created: str
    updated: str
    description: str | None
    tags: dict[str, str]
    aliases: dict[str, int]


def version_counter(name: str) -> str:
    """The counter that gives out version numbers under a name, for ever."""
    return f"version:{name}"


def model_row(store: Store, name: str) -> Row:
    """The row of the model of that name."""
    rows = store.query("registered_model", {"name": name, "deleted": None})
    if not rows:
        raise NotFound(f"Registered Model with name={name} not found", where=store.location)
    return rows[0]


def registered_model(store: Store, name: str) -> RegisteredModel:
    """The model of that name; NotFound for a deleted one."""
    return registered_models(store, [model_row(store, name)])[0]


def registered_models(store: Store, rows: list[Row]) -> list[RegisteredModel]:
    """Rows of `registered_model` with tags and aliases, in the same order, in three more questions."""
    tags: dict[str, dict[str, str]] = {}
    for tag in store.query("registered_model_tag", {"model_key in": [r["model_key"] for r in rows]}, order_by=["key"]):
        tags.setdefault(tag["model_key"], {})[tag["key"]] = tag["value"]
    pointing: dict[str, dict[str, Row]] = {}
    for move in store.query("alias_move", {"model in": [row["name"] for row in rows]}, order_by=["alias", "seq"]):
        if not move["alias"].startswith("stage:"):
            pointing.setdefault(move["model"], {})[move["alias"]] = move
    used = {move["mv_id"] for moves in pointing.values() for move in moves.values()}
    numbers = {row["mv_id"]: row["version"] for row in store.query("model_version", {"mv_id in": sorted(used)})}
    names = ("model_key", "name", "created", "updated", "description")
    return [
        RegisteredModel(
            **{name: row[name] for name in names},
            tags=tags.get(row["model_key"], {}),
            aliases={
                alias: numbers[move["mv_id"]]
                for alias, move in pointing.get(row["name"], {}).items()
                if not move["cleared"]
            },
        )
        for row in rows
    ]


def create_registered_model(
    store: Store, name: str, *, tags: Mapping[str, str] | None = None, description: str | None = None
) -> RegisteredModel:
    """A new model without versions. AlreadyExists where the name is taken."""
    check_model_name(name)
    check_tags("tag {} of a model", tags or {}, *_TAG_LIMITS)
    with store.transaction():
        _check_untaken(store, name)
        now = iso(store.clock.now())
        key = new_id()
        row = {"model_key": key, "name": name, "created": now, "updated": now, "description": description}
        store.append("registered_model", row)
        _put_tags(store, key, tags or {})
        tell_model(store, name, dict(tags or {}), description)
    return registered_model(store, name)


def ensure_registered_model(store: Store, name: str) -> None:
    """Make the model where there is none."""
    if not store.query("registered_model", {"name": name}):
        create_registered_model(store, name)


def describe_registered_model(store: Store, name: str, description: str) -> RegisteredModel:
    """Set the description."""
    with store.transaction():
        row = model_row(store, name)
        touch_model(store, name, description=description)
        note_change(store, "model", row["model_key"], "description", before=row["description"], after=description)
    return registered_model(store, name)


def rename_registered_model(store: Store, name: str, new_name: str) -> RegisteredModel:
    """Give a model another name; versions and aliases go with it.

    Conflict where it is deployed or watched under its name, or where the new name has given out its numbers before.
    """
    check_model_name(new_name)
    with store.transaction():
        row = model_row(store, name)
        if new_name == name:
            return registered_model(store, name)
        _check_untaken(store, new_name)
        used = [kind for kind in _NAMING if store.query(kind, {"model": name}, limit=1)]
        if used:
            raise Conflict(f"model {name} is in use under its name: {', '.join(used)}", hint="register a copy instead")
        numbers = [version["version"] for version in store.query("model_version", {"model": name})]
        given = store.query("counter", {"name": version_counter(new_name)})
        if given and numbers and min(numbers) <= given[0]["value"] and not _had_alone(store, row, new_name):
            raise Conflict(
                f"the name {new_name} has given out version numbers up to {given[0]['value']} before",
                expected="a name whose numbers would not be used twice",
            )
        now = iso(store.clock.now())
        store.amend("registered_model", {"model_key": row["model_key"]}, {"name": new_name, "updated": now})
        _rename_rows(store, name, new_name)
        raise_number(store, version_counter(new_name), max(numbers, default=0))
        note_change(store, "model", row["model_key"], "name", before=name, after=new_name)
    return registered_model(store, new_name)


def delete_registered_model(store: Store, name: str, *, held: bool = True) -> None:
    """Hide a model with its versions and free its name. Conflict where a version is relied on, unless `held` is off."""
    with store.transaction():
        row = model_row(store, name)
        if held:
            for version in store.query("model_version", {"model": name, "deleted": None}, order_by=["version"]):
                check_free(store, version)
        now = iso(store.clock.now())
        hidden = f"{name}:deleted:{row['model_key'][:8]}"
        store.amend(
            "registered_model", {"model_key": row["model_key"]}, {"name": hidden, "deleted": now, "deleted_name": name}
        )
        _rename_rows(store, name, hidden)
        note_change(store, "model", row["model_key"], "deleted", before=name, after=now)


def restore_registered_model(store: Store, model_key: str) -> RegisteredModel:
    """Bring a deleted model back with versions and aliases. AlreadyExists where its name was given away since."""
    with store.transaction():
        row = store.get("registered_model", {"model_key": model_key})
        if row["deleted"] is None:
            raise NotFound(f"model {row['name']} is not deleted", where=store.location)
        name = row["deleted_name"]
        _check_untaken(store, name)
        store.amend("registered_model", {"model_key": model_key}, {"name": name, "deleted": None, "deleted_name": None})
        _rename_rows(store, row["name"], name)
        note_change(store, "model", model_key, "restored", before=row["deleted"], after=name)
    return registered_model(store, name)


def set_registered_model_tags(store: Store, name: str, tags: Mapping[str, str]) -> None:
    """Set tags; the last value of a tag stands."""
    check_tags("tag {} of a model", tags, *_TAG_LIMITS)
    with store.transaction():
        row = model_row(store, name)
        _put_tags(store, row["model_key"], tags)
        touch_model(store, name)
        for key, value in tags.items():
            tell_model_tag(store, row, key, value)


def delete_registered_model_tag(store: Store, name: str, key: str) -> None:
    """Take a tag away; harmless where it is not set."""
    with store.transaction():
        row = model_row(store, name)
        if store.remove("registered_model_tag", {"model_key": row["model_key"], "key": key}):
            tell_model_tag(store, row, key, None)


def touch_model(store: Store, name: str, **changes: object) -> None:
    """Note that something about a model changed now."""
    changes["updated"] = iso(store.clock.now())
    store.amend("registered_model", {"model_key": model_row(store, name)["model_key"]}, changes)


def _put_tags(store: Store, model_key: str, tags: Mapping[str, str]) -> None:
    rows = [{"model_key": model_key, "key": key, "value": value} for key, value in tags.items()]
    store.put_many("registered_model_tag", rows)


def _rename_rows(store: Store, before: str, after: str) -> None:
    for kind in ("model_version", "alias_move", "idea", "owner", "notice_rule", "notice", "decision_record"):
        store.amend_all(kind, {"model": before}, {"model": after})


def _had_alone(store: Store, row: Row, name: str) -> bool:
    """Whether the model had that name before, and no other ever did: its numbers there are its own."""
    renamed = store.query("history", {"subject_kind": "model", "what": "name", "before": name})
    others = {change["subject_id"] for change in renamed} - {row["model_key"]}
    return bool(renamed) and not others and not store.query("registered_model", {"deleted_name": name}, limit=1)


def _check_untaken(store: Store, name: str) -> None:
    if store.query("registered_model", {"name": name}):
        raise AlreadyExists(f"Registered Model (name={name}) already exists.")


def check_model_name(name: str) -> None:
    """InvalidInput unless `name` may name a registered model."""
    if not name.strip() or "\x00" in name:
        raise InvalidInput("Registered model name cannot be empty.")
    if "/" in name or ":" in name:
        raise InvalidInput(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    if posixpath.normpath(name) != name or name in (".", ".."):
        raise InvalidInput(f"Invalid model name '{name}'.", expected="a name that is no path")
