"""The ledger: what was decided, by whom and why, newest first."""

import json

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput
from assay.record.audit.personal import revealed
from assay.record.audit.proofs import anchor_said
from assay.record.audit.verification import last_anchor, verify
from assay.record.store import Row, Store
from assay.server.pages.rendering import render

__all__ = ["show"]

_LISTED = 100
_PLACES = {"git": "in a git repository", "file": "in a file elsewhere", "rfc3161": "by an authority of time"}


def show(store: Store, request: Request) -> Response:
    """Decisions before entry `before`; with `check` the whole ledger is gone through first."""
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
        entries=[_entry(store, row) for row in rows],
        older=rows[-1]["seq"] if len(rows) == _LISTED else None,
        anchor=_anchored(store),
        checked=verify(store) if "check" in request.query_params else None,
    )


def _entry(store: Store, row: Row) -> Row:
    """With texts in place of references to personal data that are not erased."""
    body = json.loads(row["body"])
    if "reason" in body["detail"]:
        body["detail"]["reason"] = revealed(store, str(body["detail"]["reason"] or ""))
    return {**row, **body}


def _anchored(store: Store) -> Row | None:
    """Up to which entry, and when, the chain was noted elsewhere; where exactly is not for everybody who may read."""
    row = last_anchor(store)
    return None if row is None else {"seq": row["seq"], "time": anchor_said(row)["time"], "where": _PLACES[row["kind"]]}
