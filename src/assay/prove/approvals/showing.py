"""Approvals as people look at them: what waits for whom, one with all its parts, and whether it still counts."""

from typing import Annotated, Literal

import msgspec

from assay.operation import operation
from assay.prove.approvals.authors import authors_of, same_person
from assay.prove.approvals.plan import Going
from assay.prove.approvals.records import ApprovalRequest, ExceptionRecord, exceptions_of, request_of
from assay.prove.approvals.standing import ApprovalState, state_of
from assay.record.clock import happened, iso
from assay.record.models.registry import CHAMPION, alias, find_version
from assay.record.store import Store

__all__ = [
    "ApprovalCheck",
    "ApprovalDetail",
    "ApprovalLine",
    "list_approvals",
    "show_approval",
    "told_approval",
    "verify_approval",
]


class ApprovalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A request in a line: of which version, how it stands, whom it waits for."""

    request_id: str
    model: str
    version: int
    state: str
    requester: str
    plan: str
    waits_for: list[str]
    asked: str
    expires: str
    words: str


class ApprovalCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a version may go live by what was approved; `live` says on what it went live, None where it never did."""

    verdict: Literal["pass", "fail", "inconclusive"]
    now: ApprovalState
    live: str | None


class ApprovalDetail(msgspec.Struct, frozen=True, kw_only=True):
    """How the approval of a version stands, with all requests for it, first to last, and what went past one.

    `live` says how it stood when the version went live; None where it never did. `made_by` says who had a hand in it,
    and so cannot approve it.
    """

    now: ApprovalState
    live: str | None
    made_by: list[str]
    requests: list[ApprovalRequest]
    exceptions: list[ExceptionRecord]


@operation("approve ls")
def list_approvals(
    store: Store,
    *,
    model: Annotated[str | None, "Only of this model"] = None,
    person: Annotated[str | None, "Only what waits for this person"] = None,
    all_: Annotated[bool, "Also what waits for nobody: approved, rejected, void, expired"] = False,
    limit: Annotated[int, "At most so many, newest first"] = 50,
) -> list[ApprovalLine]:
    """List what waits for an approval, and for whom."""
    where: dict[str, object] = {"model": model} if model else {}
    if not all_:  # what has expired waits for nobody
        where["expires >"] = iso(store.clock.latest())
    found: list[ApprovalLine] = []
    seen: set[str] = set()
    for row in store.query("approval_request", where, order_by=["-decision"]):
        if row["mv_id"] in seen:  # of each version the newest request counts
            continue
        seen.add(row["mv_id"])
        line = _line(store, request_of(store, row))
        waits = line.state == "waiting" and (not person or any(same_person(person, one) for one in line.waits_for))
        if waits or (all_ and not person):
            found.append(line)
        if len(found) == limit:
            break
    return found


@operation("approve show")
def show_approval(store: Store, model: str, version: int) -> ApprovalDetail:
    """Show what was asked for a version part by part, who said what, and how it stands now."""
    return told_approval(store, find_version(store, model, version).mv_id)


def told_approval(store: Store, mv_id: str) -> ApprovalDetail:
    """The same of a version by its id."""
    rows = store.query("approval_request", {"mv_id": mv_id}, order_by=["decision"])
    state = state_of(store, mv_id)
    return ApprovalDetail(
        now=state,
        live=_live(store, state),
        made_by=_made_by(store, mv_id),
        requests=[request_of(store, row) for row in rows],
        exceptions=exceptions_of(store, mv_id),
    )


@operation("approve verify")
def verify_approval(store: Store, model: str, version: int) -> ApprovalCheck:
    """Say whether a version may go live by what was approved, and if not which part changed, from what to what."""
    state = state_of(store, find_version(store, model, version).mv_id)
    return ApprovalCheck(verdict=state.outcome, now=state, live=_live(store, state))


def _line(store: Store, request: ApprovalRequest) -> ApprovalLine:
    state = state_of(store, request.mv_id, Going(plan=request.plan, fully=False))
    return ApprovalLine(
        request_id=request.request_id,
        model=request.model,
        version=request.version,
        state=state.state,
        requester=request.requester,
        plan=request.plan.words,
        waits_for=state.waits_for,
        asked=request.asked,
        expires=state.expires or request.expires,
        words=state.words,
    )


def _made_by(store: Store, mv_id: str) -> list[str]:
    authors = authors_of(store, mv_id)
    said = [f"{name} {did}" for name, did in authors.items()]
    if not any("wrote the code" in did for did in authors.values()):
        said.append("who wrote the code of its run is not known")
    return said


def _live(store: Store, state: ApprovalState) -> str | None:
    """How it stood when the version went live the last time."""
    rows = store.query("deployment", {"mv_id": state.mv_id}, order_by=["-decision"], limit=1)
    if not rows:
        return None
    champion = alias(store, state.model, CHAMPION)
    is_live = "went live" if champion and champion.mv_id == state.mv_id else "was live from"
    said = rows[0]["subject_hash"]
    if said is None:
        return f"{is_live} {happened(rows[0])[:16]}, without an approval being asked for"
    same = "the same as now" if said == state.subject_hash else f"now it is {state.subject_hash[:12]}"
    return f"{is_live} {happened(rows[0])[:16]} on the subject {said[:12]}; {same}"
