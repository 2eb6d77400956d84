"""Aliases: names that point to a version. Every move is kept with who, when, why and its entry in the ledger."""

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from assay.errors import Conflict, InvalidInput
from assay.operation import operation
from assay.record.clock import iso
from assay.record.ledger import serialise
from assay.record.models.alias_moves import append_move, pointed_to
from assay.record.models.guards import check_cleared, check_move
from assay.record.models.registered_models import model_row, touch_model
from assay.record.models.versions import RegisteredVersion, version_row, versions_of
from assay.record.store import Row, Store

__all__ = [
    "ANY",
    "AliasMove",
    "AliasThen",
    "alias_at",
    "alias_history",
    "alias_log",
    "alias_version",
    "alias_version_at",
    "check_alias_name",
    "check_override",
    "checked_current",
    "clear_alias",
    "set_alias",
]

ANY = -1  # of `expected`: whatever the alias points to now
_ALLOWED = re.compile(r"[\w\-]*")
_LONGEST = 255


class AliasMove(msgspec.Struct, frozen=True):
    """One move of an alias: from a version (null: from nowhere) to another (null: taken away), by whom and why."""

    model: str
    alias: str
    before: int | None
    after: int | None
    ts: str
    actor: str
    reason: str | None
    decision: int


class AliasThen(msgspec.Struct, frozen=True):
    """Where an alias pointed at a moment; null: to no version."""

    model: str
    alias: str
    moment: str
    version: int | None


def set_alias(
    store: Store,
    model: str,
    alias: str,
    version: int | str,
    *,
    expected: int | None = ANY,
    reason: str | None = None,
    override: str | None = None,
) -> AliasMove:
    """Point an alias to a version. A guarded one moves only on evidence, or by an `override` that says why.

    `expected` is the version it must point to before (None: to none); Conflict with the present one where it does not.
    Setting it to where it points already changes nothing but is kept in the history.
    """
    check_alias_name(alias)
    check_override(override)
    with store.transaction():
        serialise(store)
        model_row(store, model)
        target = version_row(store, model, version)
        current = checked_current(store, model, alias, expected)
        if override is None:
            check_move(store, alias, target, current)
        return _moved(store, alias, target, current, cleared=False, reason=reason, override=override)


def clear_alias(
    store: Store,
    model: str,
    alias: str,
    *,
    expected: int | None = ANY,
    reason: str | None = None,
    override: str | None = None,
) -> AliasMove | None:
    """Take an alias away; None where it was not set. A guarded one stays, unless an `override` says why not."""
    check_override(override)
    with store.transaction():
        serialise(store)
        model_row(store, model)
        current = checked_current(store, model, alias, expected)
        if current is None:
            return None
        if override is None:
            check_cleared(store, alias, current)
        return _moved(store, alias, current, current, cleared=True, reason=reason, override=override)


def alias_version(store: Store, model: str, alias: str) -> RegisteredVersion:
    """The version an alias points to; InvalidInput where it is not set, as clients expect."""
    model_row(store, model)
    if alias.lower() == "latest":
        rows = store.query("model_version", {"model": model, "deleted": None}, order_by=["-version"], limit=1)
        if rows:
            return versions_of(store, rows)[0]
    row = _current(store, model, alias)
    if row is None:
        raise InvalidInput(f"Registered model alias {alias} not found.")
    return versions_of(store, [row])[0]


def alias_version_at(store: Store, model: str, alias: str, moment: datetime) -> int | None:
    """The number of the version an alias pointed to then; None where to none."""
    moves = store.query(
        "alias_move", {"model": model, "alias": alias, "ts <=": iso(moment)}, order_by=["-seq"], limit=1
    )
    if not moves or moves[0]["cleared"]:
        return None
    return int(store.get("model_version", {"mv_id": moves[0]["mv_id"]})["version"])


def alias_history(store: Store, model: str, alias: str | None = None) -> list[AliasMove]:
    """Every move of an alias of a model, or of all of them, oldest first."""
    where = {"model": model} if alias is None else {"model": model, "alias": alias}
    moves = store.query("alias_move", where, order_by=["decision"])
    ids = {move[name] for move in moves for name in ("mv_id", "previous_mv_id") if move[name]}
    numbers = {row["mv_id"]: row["version"] for row in store.query("model_version", {"mv_id in": sorted(ids)})}
    return [_shown(move, numbers) for move in moves]


@operation("alias log")
def alias_log(store: Store, model: str, alias: Annotated[str | None, "Only this alias"] = None) -> list[AliasMove]:
    """List the moves of a model's aliases, oldest first: from where to where, who, when, why."""
    model_row(store, model)
    return alias_history(store, model, alias)


@operation("alias at")
def alias_at(
    store: Store, model: str, alias: str, moment: Annotated[str, "Such as 2026-11-24 or 2026-11-24T09:30, UTC"]
) -> AliasThen:
    """Say which version an alias pointed to at a moment."""
    model_row(store, model)
    try:
        when = datetime.fromisoformat(moment)
    except ValueError:
        raise InvalidInput(f"{moment!r} is no moment", expected="a date, or a date and a time") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return AliasThen(model, alias, iso(when), alias_version_at(store, model, alias, when))


def check_alias_name(alias: str) -> None:
    """InvalidInput for what cannot be an alias."""
    if not alias or len(alias) > _LONGEST:
        raise InvalidInput(f"Registered model alias name is {len(alias)} characters long", expected=f"1 to {_LONGEST}")
    if not _ALLOWED.fullmatch(alias):
        raise InvalidInput(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    if alias.lower() == "latest":
        raise InvalidInput("'latest' alias name (case insensitive) is reserved.")
    if re.fullmatch(r"[vV]\d+", alias):
        raise InvalidInput(f"Version alias name '{alias}' is reserved.")


def _current(store: Store, model: str, alias: str) -> Row | None:
    mv_id = pointed_to(store, model, alias)
    return None if mv_id is None else store.get("model_version", {"mv_id": mv_id})


def check_override(override: str | None) -> None:
    """InvalidInput for an override without a reason."""
    if override is not None and not override.strip():
        raise InvalidInput("the override gives no reason", expected="why the guard does not count, in words")


def checked_current(store: Store, model: str, alias: str, expected: int | None) -> Row | None:
    """The row of the version an alias points to; Conflict where that is not the one expected."""
    current = _current(store, model, alias)
    number = None if current is None else current["version"]
    if expected not in (ANY, number):
        now = "no version" if number is None else f"version {number}"
        wanted = "no version" if expected is None else f"version {expected}"
        raise Conflict(f"{model}@{alias} points to {now}", expected=wanted, hint="read it again and repeat")
    return current


def _moved(
    store: Store,
    alias: str,
    target: Row,
    current: Row | None,
    *,
    cleared: bool,
    reason: str | None,
    override: str | None,
) -> AliasMove:
    move = append_move(store, target, alias, cleared=cleared, reason=reason, override=override)
    touch_model(store, target["model"])
    return _shown(move, {row["mv_id"]: row["version"] for row in (target, current) if row is not None})


def _shown(move: Row, numbers: dict[str, int]) -> AliasMove:
    return AliasMove(
        **{name: move[name] for name in ("model", "alias", "ts", "actor", "reason", "decision")},
        before=numbers.get(move["previous_mv_id"] or ""),
        after=None if move["cleared"] else numbers.get(move["mv_id"]),
    )
