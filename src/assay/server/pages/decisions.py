"""The ledger: what was decided, by whom and why, newest first."""

import json

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput
from assay.record.ledger import verify
from assay.record.store import Store
from assay.server.pages.rendering import render

__all__ = ["show"]

_LISTED = 100


def show(store: Store, request: Request) -> Response:
    """Decisions before entry `before`; with `check` the whole chain is gone through first."""
    before = request.query_params.get("before")
    if before is not None and (not before.isdecimal() or len(before) > 9):
        raise InvalidInput(f"before is {before!r}", expected="the number of an entry")
    rows = store.query("ledger", {"seq <": int(before)} if before else {}, order_by=["-seq"], limit=_LISTED)
    return render(
        store,
        request,
        "ledger.html",
        title="Decisions",
        place="/ledger",
        entries=[{**row, **json.loads(row["body"])} for row in rows],
        older=rows[-1]["seq"] if len(rows) == _LISTED else None,
        checked=verify(store) if "check" in request.query_params else None,
    )
