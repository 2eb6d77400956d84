"""Reviews of objectives as they are on record: opened by what changed, closed by a person's decision."""

import json
from datetime import timedelta

import msgspec

from assay.errors import NotFound
from assay.record.clock import iso, moment
from assay.record.lengths import checked_length
from assay.record.objectives import Objective
from assay.record.people import people_with
from assay.record.short_ids import only_row
from assay.record.store import Row, Store

__all__ = [
    "DECIDING_ROLES",
    "OUTCOMES",
    "Cause",
    "ObjectiveReview",
    "find_review",
    "next_review",
    "review_of",
    "reviews_of",
]

OUTCOMES = {
    "keep": "the model goes on as it is",
    "retrain": "it is trained anew",
    "rescope": "its objective, or for whom it decides, is changed",
    "retire": "the decision is taken without it from now on",
}
DECIDING_ROLES = ("owner", "business-owner", "product", "management")
DUE_AFTER = timedelta(days=14)


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has to be decided on. `key` is the same for the same thing: what was decided on stays decided.

    `kind`: kpi, guardrail, value_expired, value_negative, user_mix, correlation, coverage, review_date, retire.
    """

    kind: str
    key: str
    words: str


class ObjectiveReview(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that waits, or was taken: keep, retrain, rescope or retire. Times are UTC text.

    `proposal` is what the records speak for, None where they do not. `probability` is P(net value > 0) as it was when
    the review was opened, on `basis`. `asked` are the people who are to decide, by role.
    """

    review_id: str
    model: str
    objective_id: str
    version: int
    causes: list[Cause]
    proposal: str | None
    probability: float | None
    basis: str | None
    asked: dict[str, list[str]]
    opened: str
    due: str
    closed: str | None = None
    outcome: str | None = None
    words: str | None = None
    closed_by: str | None = None
    decision: int | None = None


class _Detail(msgspec.Struct, frozen=True, kw_only=True):
    """What a row holds as JSON."""

    version: int
    causes: list[Cause]
    proposal: str | None = None
    probability: float | None = None
    basis: str | None = None


def review_of(store: Store, row: Row) -> ObjectiveReview:
    """The review that a row tells of."""
    detail = msgspec.convert(json.loads(row["detail"]), _Detail)
    asked = people_with(store, DECIDING_ROLES, row["model"])
    return ObjectiveReview(
        review_id=row["review_id"],
        model=row["model"],
        objective_id=row["objective_id"],
        version=detail.version,
        causes=detail.causes,
        proposal=detail.proposal,
        probability=detail.probability,
        basis=detail.basis,
        asked={role: people for role, people in asked.items() if people},
        opened=row["opened"],
        due=row["due"],
        closed=row["closed"],
        outcome=row["outcome"],
        words=row["words"],
        closed_by=row["closed_by"],
        decision=row["decision"],
    )


def reviews_of(store: Store, model: str | None = None) -> list[ObjectiveReview]:
    """The reviews of a model, or of all, newest first."""
    rows = store.query("objective_review", {"model": model} if model else None, order_by=["-opened", "-review_id"])
    return [review_of(store, row) for row in rows]


def find_review(store: Store, asked: str) -> ObjectiveReview:
    """The review whose id begins so, or the open one of the model of that name."""
    waiting = store.query("objective_review", {"model": asked, "closed": None}, limit=1)
    if waiting:
        return review_of(store, waiting[0])
    if store.query("registered_model", {"name": asked}, limit=1):
        raise NotFound(f"no review of {asked} is open", where=store.location, hint=f"assay objective review {asked}")
    hint = "`assay objective review` lists what is open"
    row = only_row(store, "objective_review", "review_id", asked, one="review", several="reviews", hint=hint)
    return review_of(store, row)


def next_review(store: Store, objective: Objective) -> str:
    """When the objective is to be looked at again: a review that was closed since its version counts as one look."""
    closed = [
        one.closed for one in reviews_of(store, objective.model) if one.closed and one.closed >= objective.decided
    ]
    if not closed:
        return objective.review_due
    return iso(moment(max(closed)) + checked_length(objective.terms.review_every, "review_every"))
