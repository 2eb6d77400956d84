"""`assay objective review` and `decide`: a decision is opened by what changed, and closed by a person with a reason."""

from typing import Annotated

import msgspec

from assay.errors import AssayError, InvalidInput, Refused, nearest
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.ledger import decide
from assay.record.notify.telling import tell
from assay.record.objectives import Objective, decide_objective, find_objective, objective_of, objectives
from assay.record.people import people_with, roles_at
from assay.record.store import Store
from assay.steer.objectives.causes import Looked, look
from assay.steer.objectives.observing import observe_finished
from assay.steer.objectives.reviews import (
    DECIDING_ROLES,
    DUE_AFTER,
    OUTCOMES,
    Cause,
    ObjectiveReview,
    find_review,
    review_of,
    reviews_of,
)
from assay.steer.objectives.valuing import recent_value

__all__ = ["decide_review", "review_objective", "review_objectives"]


@operation("objective review")
def review_objectives(
    store: Store, model: Annotated[str | None, "The model; without it all that have an objective"] = None
) -> list[ObjectiveReview]:
    """Look whether objectives have to be decided on again, and open a review where they have.

    It may run at any time, as from cron: what was found before opens nothing again, and what a review was closed on is
    decided. The open reviews are listed, with what each waits for. An objective that cannot be looked at keeps no other
    from being; the first error is said at the end.
    """
    chosen = [find_objective(store, model)] if model is not None else objectives(store)
    failed: AssayError | None = None
    for one in chosen:
        try:
            review_objective(store, one)
        except AssayError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return [one for one in reviews_of(store, model) if one.closed is None]


def review_objective(store: Store, objective: Objective) -> ObjectiveReview | None:
    """Look at one objective; the open review, None where nothing has to be decided."""
    report = recent_value(store, objective)
    observe_finished(store, objective, report)
    found = look(store, objective, report)
    with store.transaction():
        before = reviews_of(store, objective.model)
        known = {cause.key for one in before for cause in one.causes}
        new = [cause for cause in found.causes if cause.key not in known]
        waiting = next((one for one in before if one.closed is None), None)
        if not new:
            return waiting
        if waiting is not None:
            return _add(store, waiting, new)
        return _open(store, objective, new, found, before)


@operation("objective decide")
def decide_review(
    store: Store,
    review: Annotated[str, "The review's id, the first characters of it, or its model"],
    *,
    outcome: Annotated[str, "keep, retrain, rescope or retire"] = "",
    reason: Annotated[str, "Why, for the ledger and for who asks later"] = "",
) -> ObjectiveReview:
    """Close the review of an objective: keep, retrain, rescope or retire.

    Who decides is a person: the objective's owner, or one with the role owner, business-owner, product or management
    for the model, where anybody has one. What is retired has no objective any more; its endpoint is for people to
    change.

    Raises Refused for whoever may not decide, InvalidInput for a review that is closed.
    """
    if outcome not in OUTCOMES:
        close = nearest(outcome, list(OUTCOMES))
        raise InvalidInput(f"no review ends with {outcome!r}", expected=" | ".join(OUTCOMES), hint=close)
    if not reason.strip():
        raise InvalidInput("the reason is empty", expected="why, in words")
    with store.transaction():
        found = find_review(store, review)
        if found.closed is not None:
            raise InvalidInput(
                f"review {found.review_id[:8]} was closed on {found.closed[:10]}: {found.outcome}",
                hint=f"assay objective review {found.model}",
            )
        objective = objective_of(store, found.model)
        _check_decider(store, found.model, objective)
        now = iso(store.clock.latest())
        said: dict[str, object] = {
            "review": found.review_id,
            "outcome": outcome,
            "reason": reason,
            "causes": [cause.words for cause in found.causes],
            "objective": objective.hash if objective else None,
        }
        closing = {"closed": now, "outcome": outcome, "words": reason, "closed_by": store.actor.name}
        number = decide(store, "objective_review", found.model, said)
        store.amend("objective_review", {"review_id": found.review_id}, {**closing, "decision": number})
        if outcome == "retire" and objective is not None:
            decide_objective(store, found.model, objective.terms, ended=True, reason=reason)
        message = f"the review of what {found.model} is for ended: {outcome}, {OUTCOMES[outcome]}"
        tell(store, "objective.review_closed", {"model": found.model, "message": message, "reason": reason})
        return find_review(store, found.review_id)


def _open(
    store: Store, objective: Objective, causes: list[Cause], found: Looked, before: list[ObjectiveReview]
) -> ObjectiveReview:
    now = store.clock.latest()
    proposal = _proposal(objective, causes, found, before)
    detail = {
        "version": objective.version,
        "causes": msgspec.to_builtins(causes),
        "proposal": proposal,
        "probability": found.probability,
        "basis": found.basis,
    }
    reason = "; ".join(cause.words for cause in causes)
    review_id = ordered_id()
    store.append(
        "objective_review",
        {
            "review_id": review_id,
            "objective_id": objective.objective_id,
            "model": objective.model,
            "cause": causes[0].kind,
            "reason": reason,
            "opened": iso(now),
            "due": iso(now + DUE_AFTER),
            "detail": canonical_json(detail),
        },
    )
    _tell(store, objective.model, objective.terms.owner, reason, proposal)
    return review_of(store, store.get("objective_review", {"review_id": review_id}))


def _add(store: Store, waiting: ObjectiveReview, new: list[Cause]) -> ObjectiveReview:
    row = store.get("objective_review", {"review_id": waiting.review_id})
    detail = {
        "version": waiting.version,
        "causes": msgspec.to_builtins([*waiting.causes, *new]),
        "proposal": waiting.proposal,
        "probability": waiting.probability,
        "basis": waiting.basis,
    }
    reason = "; ".join(cause.words for cause in new)
    changes = {"detail": canonical_json(detail), "reason": f"{row['reason']}; {reason}"}
    store.amend("objective_review", {"review_id": waiting.review_id}, changes, expect={"closed": None})
    _tell(store, waiting.model, None, reason, waiting.proposal)
    return find_review(store, waiting.review_id)


def _proposal(objective: Objective, causes: list[Cause], found: Looked, before: list[ObjectiveReview]) -> str | None:
    """What the records speak for: to retire where this and the reviews before found too little chance of a value."""
    stop = objective.terms.stop
    recent = [found.probability, *(one.probability for one in before)][: stop.reviews]
    unlikely = [one is not None and one < stop.probability for one in recent]
    if len(unlikely) == stop.reviews and all(unlikely):
        return "retire"
    kinds = {cause.kind for cause in causes}
    if kinds & {"value_expired"}:
        return "rescope"
    if kinds & {"kpi", "value_negative"}:
        return "retrain"
    return "keep" if kinds == {"review_date"} else None


def _tell(store: Store, model: str, owner: str | None, reason: str, proposal: str | None) -> None:
    asked = people_with(store, DECIDING_ROLES, model)
    data: dict[str, object] = {
        "model": model,
        "severity": "warning",
        "owner": owner,
        "message": f"decide on what {model} is for: keep, retrain, rescope or retire",
        "reason": reason,
        "proposal": proposal,
        "roles": list(DECIDING_ROLES),
        "people": sorted({person for people in asked.values() for person in people}),
    }
    tell(store, "objective.review_opened", data)


def _check_decider(store: Store, model: str, objective: Objective | None) -> None:
    actor = store.actor
    if actor.kind != "human":
        raise Refused(f"{actor.name} is a service", expected="a person who decides")
    entitled = {person for people in people_with(store, DECIDING_ROLES, model).values() for person in people}
    if not entitled or (objective is not None and actor.name == objective.terms.owner):
        return
    if not roles_at(store, actor.name, model, store.clock.latest()) & set(DECIDING_ROLES):
        raise Refused(
            f"{actor.name} has none of the roles that decide on {model}",
            expected=f"{', '.join(DECIDING_ROLES)}: {', '.join(sorted(entitled))}",
            hint="`assay role ls`",
        )
