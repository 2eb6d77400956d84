"""Live without the approval that is asked for: broken glass and teams of one, both on record and reviewed later."""

import logging
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

import msgspec

from assay.errors import Conflict, InvalidInput, Refused, nearest
from assay.operation import operation
from assay.prove.approvals.authors import same_person
from assay.prove.approvals.notices import page_of, tell_approval
from assay.prove.approvals.policy import ApprovalPolicy, policy_of
from assay.prove.approvals.records import (
    ApprovalRequest,
    ExceptionRecord,
    exception_of,
    find_exception,
    newest_request,
)
from assay.record.alerts.alert import close_alert, open_alert
from assay.record.clock import happened, iso, moment
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.lengths import checked_length
from assay.record.models.registry import ModelVersion
from assay.record.store import Row, Store

__all__ = [
    "Overrides",
    "break_glass",
    "flag_overdue",
    "is_overdue",
    "list_exceptions",
    "one_person_exception",
    "overridden",
    "review_due_after",
    "review_exception",
]

_log = logging.getLogger("assay.approvals")
ReviewOutcome = Literal["justified", "not justified"]
OUTCOMES: tuple[ReviewOutcome, ...] = get_args(ReviewOutcome)
REVIEW_DAYS = 5  # working days
_SATURDAY = 5
_WINDOW = timedelta(days=180)


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """How often versions went live against the gate or without approval, in the 180 days before a moment.

    `share` is of the `deployments` in production, None where there were none. `overdue` are the ids of exceptions whose
    review is late.
    """

    as_of: str
    deployments: int
    overridden: int
    share: float | None
    reasons: list[str]
    exceptions: list[ExceptionRecord]
    waiting: int
    overdue: list[str]


def break_glass(store: Store, version: ModelVersion, reason: str, gate_id: str) -> str | None:
    """Record that a version goes past the approval that its model needs, and tell everybody; None where none is needed.

    Once for each reason until it was reviewed: a release says the same at its start and at its end. Belongs into the
    transaction of what goes past.
    """
    policy = policy_of(store, version.model)
    if not policy.asks:
        return None
    name = f"{version.model}/{version.version}"
    where = {"mv_id": version.mv_id, "kind": "break_glass", "reason": reason, "reviewed": None}
    if store.query("approval_exception", where, limit=1):
        return f"{name} goes live by broken glass, as before: {reason}"
    request = newest_request(store, version.mv_id)
    due = review_due_after(store.clock.latest())
    subject_hash = request.subject_hash if request else version.hash
    detail = {"subject_hash": subject_hash, "reason": reason, "review_due": iso(due)}
    decision = decide(store, "break_glass", name, detail)
    row: Row = {"exception_id": new_id(), "mv_id": version.mv_id, "model": version.model}
    row |= {**detail, "kind": "break_glass", "gate_id": gate_id, "decision": decision}
    store.append("approval_exception", row)
    words = (
        f"BREAK GLASS: {store.actor.name} puts {name} in front of people past the approval that risk tier "
        f"{policy.tier} asks for: {reason}. Somebody else reviews it until {iso(due)[:10]}: "
        f"assay approve review {row['exception_id'][:8]}"
    )
    open_alert(store, _key(row["exception_id"]), words, model=version.model)
    page = page_of(request.request_id) if request else "/approvals"
    tell_approval(
        store, "overridden", words, model=version.model, version=version.version, page=page, severity="critical",
        reason=reason, by=store.actor.name,
    )  # fmt: skip
    _log.critical(words)  # on standard error, unless somebody has set up where logs go
    return words


def one_person_exception(
    store: Store, version: ModelVersion, request: ApprovalRequest, policy: ApprovalPolicy
) -> ExceptionRecord:
    """Record that four eyes are not possible for a request: when it may go live, and until when it is reviewed.

    Once for the same subject: who asks for it again has waited since the first time.
    """
    same = {"mv_id": version.mv_id, "kind": "one_person", "subject_hash": request.subject_hash, "reviewed": None}
    before = store.query("approval_exception", same, limit=1)
    if before:
        return exception_of(store, before[0])
    now = store.clock.latest()
    not_before = now + checked_length(policy.delay, "delay")
    due = review_due_after(not_before)
    reason = f"four eyes are not possible: nobody but {request.requester} could approve {version.model}"
    detail = {"subject_hash": request.subject_hash, "not_before": iso(not_before), "review_due": iso(due)}
    decision = decide(store, "one_person", f"{version.model}/{version.version}", {**detail, "reason": reason})
    row: Row = {"exception_id": new_id(), "mv_id": version.mv_id, "model": version.model, **detail}
    store.append("approval_exception", {**row, "kind": "one_person", "reason": reason, "decision": decision})
    return find_exception(store, row["exception_id"])


@operation("approve review", local=True)
def review_exception(
    store: Store,
    exception: Annotated[str, "Its id, or the first characters of it: `assay approve exceptions`"],
    *,
    outcome: Annotated[str, "justified | not justified"] = "",
    comment: Annotated[str, "What was looked at, and what follows"] = "",
) -> ExceptionRecord:
    """Look again at what went live without the approval it needed, and say whether that was right.

    Somebody else than who broke the glass; in a team of one the same person, and the record says so.
    """
    if outcome not in OUTCOMES:
        close = nearest(outcome, list(OUTCOMES))
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"a review does not end as {outcome!r}", expected=" | ".join(OUTCOMES), hint=hint)
    if not comment.strip():
        raise InvalidInput("a review says nothing", expected="what was looked at, and what follows, in words")
    with store.transaction():
        found = find_exception(store, exception)
        _check_reviewer(store, found)
        now = iso(store.clock.latest())
        alone = ", by the same person" if same_person(store.actor.name, found.by) else ""
        words = f"{comment.strip()}{f' (reviewed{alone})' if alone else ''}"
        detail = {"exception": found.exception_id, "outcome": outcome, "comment": words, "late": now > found.review_due}
        decide(store, "exception_review", f"{found.model}/{found.version}", detail)
        done = {"reviewed": now, "reviewer": store.actor.name, "outcome": outcome, "words": words}
        store.amend("approval_exception", {"exception_id": found.exception_id}, done, expect={"reviewed": None})
        for row in store.query("alert", {"key": _key(found.exception_id), "closed": None}):
            close_alert(store, row["alert_id"], action="accepted", reason=f"reviewed: {outcome}")
        return find_exception(store, found.exception_id)


@operation("approve exceptions")
def list_exceptions(store: Store, *, model: Annotated[str | None, "Only this model"] = None) -> Overrides:
    """List what went live without the approval it needed, what waits for a review, and the share of all deployments."""
    return overridden(store, store.clock.latest(), model=model)


def overridden(store: Store, at: datetime, *, model: str | None = None) -> Overrides:
    """How often glass was broken until a moment, and what is not reviewed; nothing later than it is looked at."""
    where = {"model": model} if model else {}
    rows = [row for row in store.query("approval_exception", where, order_by=["decision"]) if happened(row) <= iso(at)]
    found = [_as_of(exception_of(store, row), at) for row in rows if _went_live(store, row)]
    since, until = iso(at - _WINDOW), iso(at)
    live = [row for row in store.query("deployment", {**where, "env": "prod"}) if since <= happened(row) <= until]
    against = _overridden_deployments(store, live)
    return Overrides(
        as_of=until,
        deployments=len(live),
        overridden=len(against),
        share=len(against) / len(live) if live else None,
        reasons=sorted(set(against.values())),
        exceptions=found,
        waiting=sum(one.reviewed is None for one in found),
        overdue=[one.exception_id for one in found if is_overdue(one, at)],
    )


def is_overdue(one: ExceptionRecord, at: datetime) -> bool:
    """Whether its review is late at a moment: not done, or done after it was due."""
    return (one.reviewed or iso(at)) > one.review_due


def flag_overdue(store: Store, at: datetime) -> list[str]:
    """Open an alert for each exception whose review has not come in time; the ids of those."""
    late = store.query("approval_exception", {"reviewed": None, "review_due <": iso(at)}, order_by=["review_due"])
    rows = [row for row in late if _went_live(store, row)]
    for row in rows:
        one = exception_of(store, row)
        words = (
            f"the review of {one.model}/{one.version}, live without the approval it needs, was due at "
            f"{one.review_due[:16]}: assay approve review {one.exception_id[:8]}"
        )
        open_rows = store.query("alert", {"key": _key(one.exception_id), "closed": None}, limit=1)
        if not open_rows or open_rows[0]["message"] != words:
            open_alert(store, _key(one.exception_id), words, model=one.model)
            common = {"model": one.model, "version": one.version, "page": "/approvals"}
            tell_approval(store, "review_due", words, **common, severity="warning")  # type: ignore[arg-type]
    return [row["exception_id"] for row in rows]


def review_due_after(start: datetime, days: int = REVIEW_DAYS) -> datetime:
    """The moment so many working days later; Saturdays and Sundays are none, holidays are not known."""
    due = start
    while days:
        due += timedelta(days=1)
        days -= due.weekday() < _SATURDAY
    return due


def _check_reviewer(store: Store, found: ExceptionRecord) -> None:
    if found.reviewed is not None:
        raise Conflict(f"{found.reviewer} reviewed it at {found.reviewed[:16]}: {found.outcome}")
    if store.actor.kind != "human":
        raise Refused(f"{store.actor.name} is a service, and a reviewer is a person")
    if not _went_live(store, store.get("approval_exception", {"exception_id": found.exception_id})):
        raise Conflict(
            f"{found.model}/{found.version} has not gone live: there is nothing to look back on yet",
            hint=f"it may from {(found.not_before or '')[:16]}, and is reviewed until {found.review_due[:10]}",
        )
    if same_person(store.actor.name, found.by) and not policy_of(store, found.model).one_person:
        raise Refused(
            f"{store.actor.name} did it, and somebody else looks at it again",
            hint=f"who is alone: assay approve policy {found.model} --one-person",
        )


def _went_live(store: Store, row: Row) -> bool:
    """Glass is broken when something goes in front of people; a team of one only writes down that it may."""
    where = {"mv_id": row["mv_id"], "subject_hash": row["subject_hash"]}
    return row["kind"] == "break_glass" or bool(store.query("deployment", where, limit=1))


def _overridden_deployments(store: Store, live: list[Row]) -> dict[str, str]:
    """The deployments for which somebody overrode the verdict or the approval, with the reason."""
    if not live:
        return {}
    versions = sorted({row["mv_id"] for row in live})
    overrides = {row["decision"]: row for row in store.query("gate", {"mode": "manual", "mv_id in": versions})}
    found = {}
    for row in live:  # the override, and where glass was broken that too, are decided just before in one transaction
        before = [overrides.get(row["decision"] - step) for step in (1, 2)]
        one = next((one for one in before if one and one["mv_id"] == row["mv_id"]), None)
        if one is not None:
            found[row["dep_id"]] = one["override_reason"]
    return found


def _as_of(one: ExceptionRecord, at: datetime) -> ExceptionRecord:
    """Without a review that came later."""
    if one.reviewed is None or moment(one.reviewed) <= at:
        return one
    return msgspec.structs.replace(one, reviewed=None, reviewer=None, outcome=None, words=None)


def _key(exception_id: str) -> str:
    return f"approval-exception:{exception_id}"
