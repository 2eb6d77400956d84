"""Decision records on the command line: written down, listed, shown, superseded."""

from typing import Annotated

from assay.errors import InvalidInput, nearest
from assay.operation import operation
from assay.record.clock import iso
from assay.record.store import Row, Store
from assay.record.talk.addressing import checked_addressees, checked_text
from assay.record.talk.comments import find_comment
from assay.record.talk.decision_records import (
    KINDS,
    DecisionRecord,
    Madr,
    evidence_of,
    find_record,
    put_record,
    record_of,
    review_date,
)
from assay.record.talk.subjects import Subject, resolve, subject_by_id

__all__ = ["list_records", "record_decision", "show_record", "supersede_record"]

_LONGEST_TITLE = 200


@operation("decide")
def record_decision(
    store: Store,
    title: str,
    *,
    context: Annotated[str | None, "What the question was, and why it came up"] = None,
    option: Annotated[list[str], "What was considered; several times for several"] = [],  # noqa: B006 - never changed
    driver: Annotated[list[str], "What mattered in the choice; several times for several"] = [],  # noqa: B006
    outcome: Annotated[str | None, "What was chosen, and why"] = None,
    consequences: Annotated[str | None, "What follows from it, good and bad"] = None,
    confirmation: Annotated[str | None, "How it will be seen that it is kept"] = None,
    deciders: Annotated[str | None, "Who decided, with commas; you if left out"] = None,
    consulted: Annotated[str | None, "Who was asked, with commas: people or roles; they are told"] = None,
    informed: Annotated[str | None, "Who has to know, with commas: people or roles; they are told"] = None,
    review: Annotated[str | None, "When to look at it again, such as 90d"] = None,
    about: Annotated[str | None, "What it is about, such as model:churn"] = None,
    evidence: Annotated[list[str], "What it rests on, such as evaluation:1a2b; several times for several"] = [],  # noqa: B006
    kind: Annotated[str, f"One of {', '.join(KINDS)}"] = "decision",
    supersedes: Annotated[str | None, "The decision record whose place it takes"] = None,
    from_: Annotated[str | None, "The comment or question that it comes from: its text is the context"] = None,
) -> DecisionRecord:
    """Write down what was decided, and why, by whom and on what evidence.

    It becomes an entry of the ledger and is never changed; evidence is kept with the hash of what it holds now.
    """
    with store.transaction():
        before = record_of(store, find_record(store, supersedes)) if supersedes is not None else None
        source = find_comment(store, from_) if from_ is not None else None
        subject = _about(store, about, source, before)
        rests_on = [resolve(store, text) for text in evidence]
        if source is not None:
            rests_on.append(resolve(store, f"comment:{source['comment_id']}"))
            context = context or source["text"]
        if before is not None:
            context = context or before.said.context
        said = Madr(
            context=_needed(context, "--context", "what the question was"),
            drivers=[checked_text(one, "--driver") for one in driver],
            options=[checked_text(one, "--option") for one in option],
            outcome=_needed(outcome, "--outcome", "what was chosen, and why"),
            consequences=checked_text(consequences, "--consequences") if consequences else None,
            confirmation=checked_text(confirmation, "--confirmation") if confirmation else None,
            deciders=_people(store, deciders) or [store.actor.name],
            consulted=_people(store, consulted),
            informed=_people(store, informed),
            evidence=evidence_of(rests_on),
            from_comment=source["comment_id"] if source else None,
        )
        short = checked_text(title, "the title")
        if "\n" in short or len(short) > _LONGEST_TITLE:
            raise InvalidInput("the title is too long", expected=f"one line of at most {_LONGEST_TITLE} characters")
        due = review_date(store, review) if review else None
        made = put_record(store, short, kind, said, about=subject, review_due=due, supersedes=before)
        if source is not None:
            changes: Row = {"outcome": f"decision {made.decision}"}
            if source["kind"] == "question" and source["closed"] is None:
                changes |= {"closed": iso(store.clock.latest()), "closed_by": store.actor.name}
            store.amend("comment", {"comment_id": source["comment_id"]}, changes)
        return made


@operation("decide ls")
def list_records(
    store: Store,
    *,
    about: Annotated[
        str | None, "Those about this record, such as model:churn, or about a version of the model"
    ] = None,
    kind: Annotated[str | None, "Those of this kind"] = None,
    overdue: Annotated[bool, "Only those whose review date has passed"] = False,
    everything: Annotated[bool, "Those that were superseded, too"] = False,
    limit: Annotated[int, "At most so many"] = 100,
) -> list[DecisionRecord]:
    """List decision records, newest first."""
    if limit < 1:
        raise InvalidInput(f"--limit is {limit}", expected="1 or more")
    where: Row = {}
    if kind is not None:
        if kind not in KINDS:
            close = nearest(kind, list(KINDS))
            raise InvalidInput(f"no decision is of kind {kind!r}", expected=", ".join(KINDS), hint=close)
        where["kind"] = kind
    if about is not None:
        subject = resolve(store, about)
        of_model = subject.kind == "model"
        where |= {"model": subject.model} if of_model else {"subject_kind": subject.kind, "subject_id": subject.id}
    rows = store.query("decision_record", where, order_by=["-decision"])
    found = [record_of(store, row) for row in rows]
    return [one for one in found if (everything or one.superseded_by is None) and (not overdue or one.overdue)][:limit]


@operation("decide show")
def show_record(
    store: Store, record: Annotated[str, "Its number in the ledger, its id, or the first characters of that"]
) -> DecisionRecord:
    """Show a decision record, and whether what it rests on has changed since."""
    return record_of(store, find_record(store, record))


@operation("decide supersede")
def supersede_record(
    store: Store,
    record: Annotated[str, "The decision record whose place it takes"],
    title: str,
    *,
    outcome: Annotated[str | None, "What was chosen now, and why"] = None,
    context: Annotated[str | None, "What the question was; without it as before"] = None,
    review: Annotated[str | None, "When to look at it again, such as 90d"] = None,
    evidence: Annotated[list[str], "What it rests on; several times for several"] = [],  # noqa: B006 - never changed
    informed: Annotated[str | None, "Who has to know, with commas; without it as before"] = None,
) -> DecisionRecord:
    """Decide again: a new record takes the place of an older one, which stays as it was."""
    before = record_of(store, find_record(store, record))
    return record_decision(
        store,
        title,
        context=context,
        option=before.said.options,
        driver=before.said.drivers,
        outcome=outcome,
        informed=informed or ",".join(before.said.informed) or None,
        review=review,
        evidence=evidence,
        kind=before.kind,
        supersedes=before.record_id,
    )


def _about(store: Store, about: str | None, source: Row | None, before: DecisionRecord | None) -> Subject | None:
    if about is not None:
        return resolve(store, about)
    if source is not None:
        return subject_by_id(store, source["subject_kind"], source["subject_id"])
    if before is not None:
        row = store.get("decision_record", {"record_id": before.record_id})
        return subject_by_id(store, row["subject_kind"], row["subject_id"]) if row["subject_kind"] else None
    return None


def _people(store: Store, text: str | None) -> list[str]:
    names = [part.strip() for part in (text or "").split(",") if part.strip()]
    found = checked_addressees(store, names)
    return [*found.people, *(f"role:{role}" for role in found.roles)]


def _needed(text: str | None, option: str, what: str) -> str:
    if text is None or not text.strip():
        raise InvalidInput(f"the decision does not say {what}", expected=f"{option} TEXT")
    return checked_text(text, option)
