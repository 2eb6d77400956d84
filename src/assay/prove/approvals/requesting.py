"""Asking for an approval: the subject as it is now is written down, and who can answer is told."""

from datetime import timedelta

from assay.errors import Conflict, Refused
from assay.prove.approvals.exceptions import one_person_exception
from assay.prove.approvals.notices import page_of, tell_approval
from assay.prove.approvals.plan import DIRECT, Going, Plan
from assay.prove.approvals.policy import policy_of
from assay.prove.approvals.records import ApprovalRequest, answers_to, newest_request, request_of
from assay.prove.approvals.standing import ApprovalState, state_of, who_may_answer
from assay.prove.approvals.subject import parts_text, subject_of
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.models.registry import ModelVersion
from assay.record.store import Store

__all__ = ["ask_for_approval"]


def ask_for_approval(
    store: Store, version: ModelVersion, *, plan: Plan = DIRECT, comment: str | None = None
) -> ApprovalState:
    """Ask for the version to be approved as it is now, for going live by the plan; how it stands then.

    In a team of one, where nobody else could agree, that is recorded as an exception with its delay. Conflict where no
    approval is asked for, where the same was asked for already, and where the gate has not judged the version: there is
    nothing to agree on yet. Refused where the very same was rejected.
    """
    name = f"{version.model}/{version.version}"
    with store.transaction():
        policy = policy_of(store, version.model)
        if not policy.asks:
            raise Conflict(policy.words, hint=f"assay approve policy {version.model} --tier medium")
        subject = subject_of(store, version.mv_id, plan=plan)
        if not next(part.hash for part in subject.parts if part.name == "evaluation"):
            raise Conflict(
                f"{name} has no verdict: there is nothing to agree on yet", hint="assay evaluate, assay gate"
            )
        _check_new(store, name, version, subject.hash)
        expires = iso(store.clock.latest() + timedelta(days=policy.days))
        said = {"subject_hash": subject.hash, "parts": {part.name: part.hash for part in subject.parts}}
        decision = decide(store, "approval_request", name, {**said, "plan": plan.strategy, "tier": policy.tier})
        row = {
            "request_id": new_id(),
            "mv_id": version.mv_id,
            "model": version.model,
            "subject_hash": subject.hash,
            "subject": parts_text(subject),
            "requester": store.actor.name,
            "tier": policy.tier,
            "detail": "{}",
            "expires": expires,
            "comment": comment,
            "decision": decision,
        }
        store.append("approval_request", row)
        request = request_of(store, store.get("approval_request", {"request_id": row["request_id"]}))
        others = who_may_answer(store, policy, version.mv_id, version.model, request.requester)
        if policy.one_person and not others:
            one_person_exception(store, version, request, policy)
        found = state_of(store, version.mv_id, Going(plan=plan))
        _tell(store, request, found)
        return found


def _check_new(store: Store, name: str, version: ModelVersion, subject_hash: str) -> None:
    before = newest_request(store, version.mv_id)
    if before is None:
        return
    answers = answers_to(store, version.mv_id)
    back = {one.withdraws for one in answers}
    for one in answers:
        if one.outcome == "reject" and one.subject_hash == subject_hash and one.approval_id not in back:
            raise Refused(
                f"{one.approver} rejected exactly this of {name}: {one.comment}",
                expected="something that has changed since",
                hint=f"change what was rejected, or {one.approver}: "
                f"assay approve withdraw {version.model} {version.version}",
            )
    if before.subject_hash == subject_hash and before.request_id not in back:
        state = state_of(store, version.mv_id, Going(plan=before.plan))
        if state.state in ("waiting", "approved", "one person", "conditions"):
            raise Conflict(
                f"this was asked for already: {state.words}", hint=f"assay approve show {name.replace('/', ' ')}"
            )


def _tell(store: Store, request: ApprovalRequest, found: ApprovalState) -> None:
    name = f"{request.model}/{request.version}"
    message = f"{request.requester} asks for an approval of {name} ({request.plan.words}): {found.words}"
    more = {"subject_hash": request.subject_hash, "waits_for": found.waits_for, "requester": request.requester}
    common = {"model": request.model, "version": request.version, "page": page_of(request.request_id)}
    tell_approval(store, "requested", message, **common, severity="warning", **more)  # type: ignore[arg-type]
