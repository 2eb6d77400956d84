"""Comments and questions on the command line."""

from typing import Annotated

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.lengths import checked_length
from assay.record.store import Row, Store
from assay.record.talk.addressing import addressed, checked_addressees
from assay.record.talk.comments import Comment, comment_of, put_comment, put_question
from assay.record.talk.standing import roles_held
from assay.record.talk.subjects import resolve

__all__ = ["ask_about", "comment_on", "list_comments", "questions_for"]


@operation("comment")
def comment_on(
    store: Store,
    subject: Annotated[str, "A record, such as model:churn, version:churn/3, run:1a2b, incident:1a2b, decision:12"],
    text: str,
    *,
    answers: Annotated[str | None, "The question, or comment, that this answers: its id, or how that begins"] = None,
) -> Comment:
    """Say something about a record; `@name` and `@role` in it are told."""
    return put_comment(store, subject, text, answers=answers)


@operation("ask")
def ask_about(
    store: Store,
    subject: Annotated[str, "A record, such as model:churn, version:churn/3, run:1a2b, incident:1a2b, decision:12"],
    text: str,
    *,
    to: Annotated[str, "Who has to answer: people or roles, with commas"] = "owner",
    within: Annotated[str, "By when, such as 5d"] = "5d",
) -> Comment:
    """Ask people or a role about a record; the question stays open until somebody answers."""
    length = checked_length(within, "--within", zero=False)
    names = [part.strip() for part in to.split(",") if part.strip()]
    if not names:
        raise InvalidInput("the question is for nobody", expected="--to with a person or a role")
    return put_question(store, subject, text, to=checked_addressees(store, names), within=length)


@operation("comment ls")
def list_comments(
    store: Store,
    subject: Annotated[str | None, "Of this record; of a model also what was said of its versions"] = None,
    *,
    open_: Annotated[bool, "Only questions that nobody has answered"] = False,
    unanswered: Annotated[bool, "Only what has waited for more than five days for an answer"] = False,
    mine: Annotated[bool, "Only what is for you, by name or by a role, or from you"] = False,
    limit: Annotated[int, "At most so many"] = 100,
) -> list[Comment]:
    """List what was said, newest first."""
    if limit < 1:
        raise InvalidInput(f"--limit is {limit}", expected="1 or more")
    where: Row = {}
    if subject is not None:
        about = resolve(store, subject)
        where = {"subject_id": about.id, "subject_kind": about.kind}
        if about.kind == "model":
            versions = store.query("model_version", {"model": about.model})
            where = {"subject_id in": [about.id, *(row["mv_id"] for row in versions)]}
        elif about.kind == "comment":
            where = {"thread": store.get("comment", {"comment_id": about.id})["thread"]}
    if open_:
        where |= {"kind": "question", "closed": None}
    rows = store.query("comment", where, order_by=["-ts", "-comment_id"])
    if mine:
        rows = [row for row in rows if _is_mine(store, row)]
    if not unanswered:
        return [comment_of(store, row) for row in rows[:limit]]
    found = (comment_of(store, row) for row in rows)
    return [one for one in found if one.unanswered][:limit]


def questions_for(store: Store, person: str) -> list[Comment]:
    """The open questions that a person is to answer, by name or by a role, those due first."""
    rows = store.query("comment", {"kind": "question", "closed": None}, order_by=["due", "comment_id"])
    return [comment_of(store, row) for row in rows if _is_for(store, row, person)]


def _is_mine(store: Store, row: Row) -> bool:
    return row["actor"] == store.actor.name or _is_for(store, row, store.actor.name)


def _is_for(store: Store, row: Row, person: str) -> bool:
    to = addressed(row)
    return person in to.people or bool(to.roles and set(to.roles) & roles_held(store, person))
