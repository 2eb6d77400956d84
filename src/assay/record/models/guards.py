"""Guarded aliases: the champion of a model that was promoted through the gate moves only where the gate let it."""

import json

from assay.errors import Conflict, Refused
from assay.record.models.registry import CHAMPION
from assay.record.store import Row, Store

__all__ = ["check_cleared", "check_move", "is_guarded"]


def is_guarded(store: Store, model: str, alias: str) -> bool:
    """Whether an alias is guarded: that of the champion, once a promotion put one in place."""
    return alias == CHAMPION and bool(store.query("deployment", {"model": model}, limit=1))


def check_move(store: Store, alias: str, target: Row, current: Row | None) -> None:
    """Whether a guarded alias may move from one version to another, by the last verdict on the one beside the other.

    Refused where it is `fail`. Conflict where it is not known yet: inconclusive, no verdict, or no sealed files.
    """
    if not is_guarded(store, target["model"], alias) or (current and current["mv_id"] == target["mv_id"]):
        return
    name = f"{target['model']}/{target['version']}"
    if target["sealed"] != "sealed":
        raise Conflict(f"{name} has no sealed files ({target['sealed']}), and {alias} is guarded")
    where = {"mv_id": target["mv_id"], "subject_hash": target["hash"], "mode": "auto"}
    if current:
        where["baseline_mv_id"] = current["mv_id"]
    found = store.query("gate", where, order_by=["-decision"], limit=1)
    if not found:
        beside = f" beside the present one, version {current['version']}" if current else ""
        raise Conflict(f"{name} has no verdict{beside}, and {alias} is guarded", hint="assay evaluate, assay gate")
    if found[0]["outcome"] == "pass":
        return
    kind = Refused if found[0]["outcome"] == "fail" else Conflict
    reasons = json.loads(found[0]["detail"] or "{}").get("reasons") or [None]
    raise kind(
        f"the gate's verdict on {name} is {found[0]['outcome']}, and {alias} is guarded",
        where=reasons[0],
        hint=f"`assay ledger list` shows it as decision {found[0]['decision']}",
    )


def check_cleared(store: Store, alias: str, current: Row) -> None:
    """Conflict where a guarded alias would be taken away."""
    if is_guarded(store, current["model"], alias):
        raise Conflict(
            f"{current['model']}@{alias} is guarded, and version {current['version']} is served under it",
            hint=f"assay rollback {current['model']}",
        )
