"""Numbers that are never given out twice, whatever is deleted afterwards."""

from assay.record.ledger import serialise
from assay.record.store import Store

__all__ = ["next_number", "raise_number"]


def next_number(store: Store, name: str) -> int:
    """One more than the last number given out under that name, the first is 1. Belongs into a transaction."""
    with store.transaction():
        serialise(store)
        rows = store.query("counter", {"name": name})
        if not rows:
            store.append("counter", {"name": name, "value": 1})
            return 1
        number = int(rows[0]["value"]) + 1
        store.amend("counter", {"name": name}, {"value": number})
        return number


def raise_number(store: Store, name: str, number: int) -> None:
    """Give out no number up to this one under that name any more. Belongs into a transaction."""
    with store.transaction():
        serialise(store)
        rows = store.query("counter", {"name": name})
        if not rows:
            store.append("counter", {"name": name, "value": number})
        elif rows[0]["value"] < number:
            store.amend("counter", {"name": name}, {"value": number})
