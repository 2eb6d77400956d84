"""Rows of the history of an alias: the last one says where it points, none is ever changed."""

from assay.record.ledger import decide
from assay.record.notify.events import tell_alias
from assay.record.store import Row, Store

__all__ = ["append_move", "pointed_to"]


def pointed_to(store: Store, model: str, alias: str) -> str | None:
    """The id of the version an alias points to, None where to none."""
    moves = store.query("alias_move", {"model": model, "alias": alias}, order_by=["-seq"], limit=1)
    return str(moves[0]["mv_id"]) if moves and not moves[0]["cleared"] else None


def append_move(
    store: Store,
    version: Row,
    alias: str,
    *,
    cleared: bool = False,
    reason: str | None = None,
    decision: int | None = None,
    override: str | None = None,
) -> Row:
    """Point an alias to a version, or take it away from there; `decision` is its entry in the ledger, else one is made.

    Belongs into a transaction.
    """
    model = version["model"]
    if decision is None:
        subject = f"{model}/{version['version']}"
        detail = {"alias": alias, "cleared": cleared, "reason": override or reason}
        decision = decide(store, "alias", subject, detail if override is None else {**detail, "override": True})
    last = store.query("alias_move", {"model": model, "alias": alias}, order_by=["-seq"], limit=1)
    move: Row = {
        "model": model,
        "alias": alias,
        "seq": last[0]["seq"] + 1 if last else 1,
        "mv_id": version["mv_id"],
        "previous_mv_id": pointed_to(store, model, alias),
        "cleared": int(cleared),
        "reason": reason if override is None else f"override: {override}",
        "decision": decision,
    }
    store.append("alias_move", move)
    if not alias.startswith("stage:"):
        tell_alias(store, version, alias, cleared=cleared)
    return store.get("alias_move", {name: move[name] for name in ("model", "alias", "seq")})
