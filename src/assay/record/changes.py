"""The history of what may be changed: names, tags, whether it is deleted, a run that was opened again."""

from assay.record.identity import ordered_id
from assay.record.store import Row, Store

__all__ = ["changes", "note_change"]


def note_change(
    store: Store,
    subject_kind: str,
    subject_id: str,
    what: str,
    *,
    before: str | None = None,
    after: str | None = None,
    reason: str | None = None,
) -> None:
    """Keep that somebody changed something; inside a transaction it stands or falls with the change."""
    row = {"subject_kind": subject_kind, "subject_id": subject_id, "what": what, "before": before, "after": after}
    store.append("history", {"id": ordered_id(), **row, "reason": reason})


def changes(store: Store, subject_kind: str, subject_id: str) -> list[Row]:
    """What was changed, oldest first."""
    return store.query("history", {"subject_id": subject_id, "subject_kind": subject_kind}, order_by=["ts", "id"])
