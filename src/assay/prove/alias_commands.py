"""Aliases as people and clients move them: the guarded one goes through the gate, and its endpoint follows."""

from typing import Annotated

from assay.errors import InvalidInput
from assay.operation import operation
from assay.prove.approvals.policy import policy_of
from assay.prove.promotion import promote
from assay.record.models.aliases import (
    ANY,
    AliasMove,
    alias_history,
    check_override,
    checked_current,
    clear_alias,
    set_alias,
)
from assay.record.models.guards import check_move, is_guarded
from assay.record.models.registry import CHAMPION
from assay.record.models.versions import version_row
from assay.record.store import Store

__all__ = ["delete_alias", "point_alias", "set_alias_command"]


def point_alias(
    store: Store,
    model: str,
    alias: str,
    version: int | str,
    *,
    expected: int | None = ANY,
    reason: str | None = None,
    override: str | None = None,
) -> AliasMove:
    """Point an alias to a version. Moving a guarded one is a promotion: routing table and deployment move with it.

    Refused where the verdict is `fail`, Conflict where there is none yet or the alias is not where it is expected.
    """
    check_override(override)
    with store.transaction():
        if is_guarded(store, model, alias) or (alias == CHAMPION and policy_of(store, model).asks):
            target = version_row(store, model, version)
            current = checked_current(store, model, alias, expected)
            if current is None or current["mv_id"] != target["mv_id"]:
                if override is None:
                    check_move(store, alias, target, current)
                promote(store, model, target["version"], override=override)
                return alias_history(store, model, alias)[-1]
        return set_alias(store, model, alias, version, expected=expected, reason=reason, override=override)


@operation("alias set")
def set_alias_command(
    store: Store,
    model: str,
    alias: str,
    version: int,
    *,
    expected: Annotated[str, "The version it points to now, `none` where to none; else nothing changes"] = "any",
    reason: Annotated[str | None, "Why, for the history"] = None,
    override: Annotated[str | None, "Move a guarded alias against the verdict, for this reason"] = None,
) -> AliasMove:
    """Point an alias to a version of a model."""
    return point_alias(store, model, alias, version, expected=_expected(expected), reason=reason, override=override)


@operation("alias delete")
def delete_alias(
    store: Store,
    model: str,
    alias: str,
    *,
    expected: Annotated[str, "The version it points to now; else nothing changes"] = "any",
    reason: Annotated[str | None, "Why, for the history"] = None,
    override: Annotated[str | None, "Take a guarded alias away, for this reason"] = None,
) -> AliasMove | None:
    """Take an alias of a model away."""
    return clear_alias(store, model, alias, expected=_expected(expected), reason=reason, override=override)


def _expected(text: str) -> int | None:
    if text == "none":
        return None
    if text == "any":
        return ANY
    if not text.isascii() or not text.isdecimal():
        raise InvalidInput(f"expected version {text!r}", expected="a number, none or any")
    return int(text)
