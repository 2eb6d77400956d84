"""Models and their versions: a folder of files under one hash, where it came from, and which alias points to it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import Conflict, NotFound, nearest
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.ledger import serialise
from assay.record.models.alias_moves import append_move, pointed_to
from assay.record.models.registered_models import ensure_registered_model
from assay.record.models.versions import append_version
from assay.record.store import Row, Store
from assay.record.tracking.runs import Run

__all__ = [
    "CHAMPION",
    "ModelSummary",
    "ModelVersion",
    "alias",
    "find_version",
    "list_models",
    "model_folder",
    "move_alias",
    "register",
    "version_by_id",
    "version_of",
]

CHAMPION = "champion"


class ModelVersion(msgspec.Struct, frozen=True):
    """A version of a model. `hash` is that of its folder; `signature` names its input columns and their types."""

    mv_id: str
    model: str
    version: int
    hash: str
    run_id: str | None
    created: str
    description: str | None
    signature: dict[str, object]


class ModelSummary(msgspec.Struct, frozen=True):
    """One version as `assay models` lists it, with the aliases that point to it and its last verdict.

    `compiled` is the kind of its compiled form, None where it has none.
    """

    model: str
    version: int
    aliases: list[str]
    verdict: str | None
    run_id: str | None
    hash: str
    created: str
    description: str | None
    compiled: str | None = None


def register(
    store: Store,
    model: str,
    folder: Path,
    *,
    run: Run | None,
    signature: Mapping[str, object],
    description: str | None = None,
) -> ModelVersion:
    """Keep a model's folder as the next version of `model`; numbers are never used twice."""
    content = store.blobs.put_folder(folder)
    with store.transaction():
        ensure_registered_model(store, model)
        row = append_version(
            store,
            model,
            content,
            run.run_id if run else None,
            signature=canonical_json(dict(signature)),
            base_model=None,
            description=description,
        )
    return version_of(row)


def version_by_id(store: Store, mv_id: str) -> ModelVersion:
    """The version with that id."""
    return version_of(store.get("model_version", {"mv_id": mv_id}))


def find_version(store: Store, model: str, which: int | str) -> ModelVersion:
    """A version by its number or by an alias such as `champion`. NotFound names what there is."""
    text = str(which)
    if not text.isdecimal():
        found = alias(store, model, text)
        if found is None:
            raise NotFound(f"model {model!r} has no alias {text!r}", where=store.location, hint=_known(store, model))
        return found
    rows = store.query("model_version", {"model": model, "version": int(text), "deleted": None})
    if not rows:
        raise NotFound(f"model {model!r} has no version {text}", where=store.location, hint=_known(store, model))
    return version_of(rows[0])


def alias(store: Store, model: str, name: str) -> ModelVersion | None:
    """The version an alias points to now, None where it was never set."""
    mv_id = pointed_to(store, model, name)
    return None if mv_id is None else version_by_id(store, mv_id)


def move_alias(store: Store, version: ModelVersion, name: str, *, decision: int, expect: ModelVersion | None) -> None:
    """Point an alias to a version if it still points to `expect` (None: if it was never set); Conflict otherwise."""
    with store.transaction():
        serialise(store)
        if pointed_to(store, version.model, name) != (expect.mv_id if expect else None):
            raise Conflict(
                f"{version.model}@{name} was moved by somebody else", hint="look at `assay models` and repeat"
            )
        append_move(store, store.get("model_version", {"mv_id": version.mv_id}), name, decision=decision)


def model_folder(store: Store, version: ModelVersion) -> Path:
    """The version's folder on disk, every file checked against its hash; Tampered where one differs."""
    return store.blobs.folder(version.hash, store.blobs.root.parent / "models" / version.hash)


@operation("models")
def list_models(store: Store, *, model: Annotated[str | None, "Only this model"] = None) -> list[ModelSummary]:
    """List models with their versions, aliases and verdicts."""
    where: dict[str, object] = {"deleted": None, **({"model": model} if model else {})}
    rows = store.query("model_version", where, order_by=["model", "-version"])
    hidden = {row["name"] for row in store.query("registered_model", {"deleted !=": None})}
    rows = [row for row in rows if row["model"] not in hidden]
    if model and not rows:
        raise NotFound(f"no model {model!r}", where=store.location, hint=_known(store, model))
    pointing: dict[tuple[str, str], str] = {}
    for move in store.query("alias_move", order_by=["seq"]):
        pointing[move["model"], move["alias"]] = "" if move["cleared"] else move["mv_id"]
    compiled = {row["mv_id"]: row["form"] for row in store.query("compiled_form", {"outcome": "compiled"})}
    verdicts = {gate["mv_id"]: gate["outcome"] for gate in store.query("gate", order_by=["ts"])}
    return [
        ModelSummary(
            aliases=sorted(name for (_, name), mv_id in pointing.items() if mv_id == row["mv_id"]),
            verdict=verdicts.get(row["mv_id"]),
            compiled=compiled.get(row["mv_id"]),
            **{name: row[name] for name in ("model", "version", "run_id", "hash", "created", "description")},
        )
        for row in rows
    ]


def _known(store: Store, model: str) -> str:
    rows = store.query("model_version", order_by=["model", "version"])
    names = sorted({row["model"] for row in rows})
    if model in names:
        return f"it has the versions {', '.join(str(r['version']) for r in rows if r['model'] == model)}"
    close = nearest(model, names)
    return f"did you mean {close!r}?" if close else f"there are {', '.join(names) or 'no models'}"


def version_of(row: Row) -> ModelVersion:
    """The version of a row."""
    fields = {name: row[name] for name in ModelVersion.__struct_fields__ if name != "signature"}
    return ModelVersion(**fields, signature=json.loads(row["signature"] or "{}"))
