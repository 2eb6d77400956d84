"""Which version a rollback puts back."""

from assay.record.models.registry import CHAMPION
from assay.record.store import Row, Store

__all__ = ["champion_before", "champion_of_moves"]


def champion_before(store: Store, model: str) -> str | None:
    """The id of the version that a rollback would put back now, None where there is none."""
    return champion_of_moves(
        store, model, store.query("alias_move", {"model": model, "alias": CHAMPION}, order_by=["-seq"])
    )


def champion_of_moves(store: Store, model: str, moves: list[Row]) -> str | None:
    """The champion before the one of now. A rollback takes back what came after its target: the next one goes further
    back, not forward again to what was just taken out of service.
    """
    causes = {row["decision"]: row["cause"] for row in store.query("deployment", {"model": model})}
    line: list[str] = []
    for move in reversed(moves):
        if causes.get(move["decision"], "change") != "change" and move["mv_id"] in line:
            while line[-1] != move["mv_id"]:
                line.pop()
        else:
            line.append(move["mv_id"])
    return line[-2] if len(line) > 1 else None
