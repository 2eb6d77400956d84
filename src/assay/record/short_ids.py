"""Rows found by the first characters of their id, as people write them."""

from assay.errors import NotFound
from assay.record.store import Row, Store

__all__ = ["only_row"]


def only_row(store: Store, kind: str, column: str, begins: str, *, one: str, several: str, hint: str) -> Row:
    """The only row whose id begins so, called `one` and `several` in messages; NotFound otherwise."""
    found = store.query(kind, {f"{column} prefix": begins}, limit=2)
    if len(found) != 1:
        what = f"no {one} {begins}" if not found else f"several {several} begin with {begins}"
        raise NotFound(what, where=store.location, hint=hint)
    return found[0]
