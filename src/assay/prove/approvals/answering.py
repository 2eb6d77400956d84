"""Yes, no, and taken back: a new row each time, by a person who may say it, on the subject as it is now."""

from datetime import timedelta
from typing import Annotated

import msgspec

from assay.errors import Conflict, InvalidInput, Refused
from assay.operation import operation
from assay.prove.approvals.authors import authors_of, same_person
from assay.prove.approvals.conditions import Condition, read_condition
from assay.prove.approvals.notices import page_of, tell_approval
from assay.prove.approvals.plan import Going
from assay.prove.approvals.policy import ApprovalPolicy, policy_of
from assay.prove.approvals.records import ApprovalRequest, answers_to, find_request
from assay.prove.approvals.standing import ApprovalState, state_of, who_may_answer
from assay.record.canonical import canonical_json
from assay.record.clock import iso, moment, written_moment
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.people import roles_at
from assay.record.store import Row, Store

__all__ = ["give_approval", "reject_request", "withdraw_approval"]

_MODEL = "A model; or, without a version, the first characters of a request's id"


@operation("approve give", local=True)  # a person says it in their own name, not a server in its
def give_approval(
    store: Store,
    model: Annotated[str, _MODEL],
    version: int | None = None,
    *,
    comment: Annotated[str | None, "What was looked at, for the record"] = None,
    until: Annotated[str | None, "Counts until then, as 2026-12-24; else as long as the policy says"] = None,
    if_: Annotated[list[str], 'Only if that holds when it goes live, as "canary >= 48h"; may be given again'] = [],  # noqa: B006
    subject: Annotated[
        str | None, "The beginning of the subject's hash that you looked at; of another one nothing is given"
    ] = None,
) -> ApprovalState:
    """Approve what was asked for, exactly as it is now: any change of it voids the approval.

    Refused for who asked, for authors of the training run and of its code, for services, and for who has no role for
    it. Conflict where the subject has changed since it was asked for.
    """
    request = find_request(store, model, version)
    conditions = tuple(read_condition(text, request.plan) for text in if_)
    with store.transaction():
        policy = policy_of(store, request.model)
        state = _open(store, request)
        if subject is not None and not state.subject_hash.startswith(subject):
            raise Conflict(
                f"what waits for an approval is {state.subject_hash[:12]}, not {subject}",
                hint=f"assay approve show {request.model} {request.version}",
            )
        role = _role(store, request, policy)
        _check_independent(store, request, policy)
        row = {"outcome": "approve", "comment": comment, "expires": _expires(store, request, policy, until)}
        row["conditions"] = canonical_json(msgspec.to_builtins(conditions)) if conditions else None
        _append(store, request, role, row, "approval", conditions)
        found = state_of(store, request.mv_id, Going(plan=request.plan, fully=False))
        said = f"{store.actor.name} ({role}) approves {request.model}/{request.version}"
        _tell(store, request, "given", f"{said}: {found.words}")
        return found


@operation("approve reject", local=True)
def reject_request(
    store: Store,
    model: Annotated[str, _MODEL],
    version: int | None = None,
    *,
    comment: Annotated[str, "Why, for the record: what would have to change"] = "",
) -> ApprovalState:
    """Say no to what was asked for; the very same cannot be asked for again, until you take it back.

    By a person with a role for it. Earlier approvals stay on record and do not count any more.
    """
    if not comment.strip():
        raise InvalidInput("the rejection gives no reason", expected="what would have to change, in words")
    request = find_request(store, model, version)
    with store.transaction():
        _open(store, request)
        role = _role(store, request, policy_of(store, request.model))
        _append(store, request, role, {"outcome": "reject", "comment": comment.strip()}, "rejection")
        _tell(
            store,
            request,
            "rejected",
            f"{store.actor.name} ({role}) rejects {request.model}/{request.version}: {comment}",
        )
        return state_of(store, request.mv_id, Going(plan=request.plan, fully=False))


@operation("approve withdraw", local=True)
def withdraw_approval(
    store: Store,
    model: Annotated[str, _MODEL],
    version: int | None = None,
    *,
    comment: Annotated[str | None, "Why, for the record"] = None,
) -> ApprovalState:
    """Take your own approval or rejection back, or the request if you made it; a new row, the earlier one stays."""
    request = find_request(store, model, version)
    with store.transaction():
        answers = answers_to(store, request.mv_id)
        back = {one.withdraws for one in answers}
        own = [
            one
            for one in answers
            if one.outcome != "withdraw" and one.approval_id not in back and same_person(one.approver, store.actor.name)
        ]
        if own:
            taken, role, what = own[-1].approval_id, own[-1].role, f"the {_NOUN[own[-1].outcome]}"
        elif same_person(request.requester, store.actor.name) and request.request_id not in back:
            taken, role, what = request.request_id, "requester", "the request"
        else:
            raise Conflict(
                f"{store.actor.name} has nothing to take back of {request.model}/{request.version}",
                expected="an approval, a rejection or a request of your own",
                hint=f"assay approve show {request.model} {request.version}",
            )
        row: Row = {"outcome": "withdraw", "comment": comment, "withdraws": taken}
        _append(store, request, role, row, "withdrawal")
        name = f"{request.model}/{request.version}"
        _tell(
            store,
            request,
            "withdrawn",
            f"{store.actor.name} takes {what} of {name} back" + (f": {comment}" if comment else ""),
        )
        return state_of(store, request.mv_id, Going(plan=request.plan, fully=False))


_NOUN = {"approve": "approval", "reject": "rejection"}


def _open(store: Store, request: ApprovalRequest) -> ApprovalState:
    """How a request stands that can be answered; Conflict where it cannot."""
    state = state_of(store, request.mv_id, Going(plan=request.plan, fully=False))
    newest = state.request is not None and state.request.request_id == request.request_id
    if not newest or state.state in ("void", "missing", "expired", "not asked"):
        why = state.words if newest else "a newer request stands in its place"
        raise Conflict(
            f"request {request.request_id[:8]} cannot be answered any more: {why}",
            hint=state.next or f"assay approve show {request.model} {request.version}",
        )
    return state


def _role(store: Store, request: ApprovalRequest, policy: ApprovalPolicy) -> str:
    """The role by which the actor answers: of several the one that the tier asks for besides a peer."""
    if store.actor.kind != "human":
        raise Refused(
            f"{store.actor.name} is a service, and an approver is a person",
            hint="log in, or set ASSAY_ACTOR to your name",
        )
    had = roles_at(store, store.actor.name, request.model, store.clock.latest())
    fitting = [role for role in reversed(policy.roles) if role in had]
    if not fitting:
        raise Refused(
            f"{store.actor.name} has no role for it at {request.model}: {', '.join(sorted(had)) or 'none at all'}",
            expected=", ".join(policy.roles),
            hint=f"assay role grant {store.actor.name} ROLE --model {request.model}",
        )
    return fitting[0]


def _check_independent(store: Store, request: ApprovalRequest, policy: ApprovalPolicy) -> None:
    """Four eyes: who asked, trained or wrote the code cannot be the one who approves."""
    who = store.actor.name
    others = who_may_answer(store, policy, request.mv_id, request.model, request.requester)
    hint = (
        f"ask {', '.join(sorted(others))}" if others else "nobody else has a role for it: assay role grant PERSON ROLE"
    )
    if same_person(who, request.requester):
        raise Refused(f"{who} asked for it, and somebody else approves", hint=hint)
    for name, did in authors_of(store, request.mv_id).items():
        if same_person(who, name):
            raise Refused(f"{who} {did}, and somebody else approves", hint=hint)
    if any(
        one.outcome == "approve" and one.fault is None and same_person(one.approver, who)
        for one in state_of(store, request.mv_id, Going(plan=request.plan, fully=False)).answers
    ):
        raise Conflict(f"{who} has approved it already", hint="assay approve withdraw takes it back")


def _expires(store: Store, request: ApprovalRequest, policy: ApprovalPolicy, until: str | None) -> str:
    """Every approval expires: when the approver says, at the latest when the policy does."""
    now = store.clock.latest()
    latest = now + timedelta(days=policy.days)
    if until is None:
        return iso(latest)
    found = written_moment(until)
    if found is None or not now < found <= latest:
        raise InvalidInput(
            f"the approval of {request.model}/{request.version} cannot count until {until}",
            expected=f"a time such as {iso(latest)[:10]}, ahead and at most {policy.days} days",
            hint=f"assay approve policy {request.model} --days N",
        )
    return iso(moment(iso(found)))


def _append(
    store: Store,
    request: ApprovalRequest,
    role: str,
    row: Row,
    kind: str,
    conditions: tuple[Condition, ...] = (),
) -> None:
    """The row of an answer and its decision of the ledger."""
    detail: dict[str, object] = {
        "subject_hash": request.subject_hash,
        "request": request.request_id,
        "role": role,
        "outcome": row["outcome"],
        "comment": row.get("comment"),
    }
    optional = {"expires": row.get("expires"), "withdraws": row.get("withdraws")}
    detail |= {name: value for name, value in optional.items() if value is not None}
    if conditions:
        detail["conditions"] = [one.text for one in conditions]
    decision = decide(store, kind, f"{request.model}/{request.version}", detail)
    store.append(
        "approval",
        {
            "approval_id": new_id(),
            "request_id": request.request_id,
            "mv_id": request.mv_id,
            "subject_hash": request.subject_hash,
            "requester": request.requester,
            "approver": store.actor.name,
            "approver_kind": store.actor.kind,
            "role": role,
            "decision": decision,
            **row,
        },
    )


def _tell(store: Store, request: ApprovalRequest, what: str, message: str) -> None:
    page = page_of(request.request_id)
    tell_approval(store, what, message, model=request.model, version=request.version, page=page)
