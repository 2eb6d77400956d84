"""Comments on records, and questions that stay open until somebody answers. What was said stays as it was said."""

from datetime import timedelta
from typing import Literal

import msgspec

from assay.errors import InvalidInput
from assay.record.canonical import canonical_json
from assay.record.clock import happened, iso, moment
from assay.record.identity import new_id
from assay.record.short_ids import only_row
from assay.record.store import Row, Store
from assay.record.talk.addressing import Addressed, addressed, checked_text, mentioned
from assay.record.talk.spreading import announce
from assay.record.talk.subjects import Subject, page_of, resolve, spelled, subject_by_id

__all__ = [
    "UNANSWERED_AFTER",
    "Comment",
    "comment_of",
    "find_comment",
    "is_unanswered",
    "on_thread",
    "put_comment",
    "put_question",
    "thread_of",
]

UNANSWERED_AFTER = timedelta(days=5)
_TITLE = 120


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was said about a record. `thread` is the id of what it began with.

    A question is open until `closed`; it is `late` after `due`, and `unanswered` where nobody but who wrote it has said
    anything for five days. `to` are people and roles that it is for, `unknown` names in it that nobody has. `when` is
    when it was said, in UTC.
    """

    comment_id: str
    subject: str
    thread: str
    kind: Literal["comment", "question", "answer"]
    text: str
    actor: str
    when: str
    to: list[str] = []
    unknown: list[str] = []
    due: str | None = None
    closed: str | None = None
    closed_by: str | None = None
    outcome: str | None = None
    late: bool = False
    unanswered: bool = False
    page: str | None = None


def put_comment(store: Store, subject: str | Subject, text: str, *, answers: str | None = None) -> Comment:
    """Say something about a record, or answer what was said there: an answer closes a question.

    Who is mentioned, and who asked, is told. InvalidInput where the answer is to something of another record.
    """
    said = checked_text(text, "the comment")
    with store.transaction():
        about, before = on_thread(store, subject)
        if answers is not None:
            before = find_comment(store, answers)
            if (before["subject_kind"], before["subject_id"]) != (about.kind, about.id):
                other = spelled(store, before["subject_kind"], before["subject_id"])
                raise InvalidInput(
                    f"{answers} was said of {other}, not of {about.text}", hint=f"assay comment {other} TEXT"
                )
        question = _open_question(store, before)
        if question is not None and answers is None and question["actor"] == store.actor.name:
            question = None  # who asked goes on talking
        to = mentioned(store, said)
        row = _append(
            store, about, "answer" if question else "comment", said, to, thread=before["thread"] if before else None
        )
        if question is not None:
            changes = {"closed": iso(store.clock.latest()), "closed_by": store.actor.name, "outcome": "answered"}
            store.amend("comment", {"comment_id": question["comment_id"]}, changes, expect={"closed": None})
            if question["actor"] != store.actor.name:
                _tell(store, "question.answered", about, row, Addressed([question["actor"]]), "answered you on")
        _tell(store, "comment.mentioned", about, row, to, "mentions you on")
        return comment_of(store, store.get("comment", {"comment_id": row["comment_id"]}))


def put_question(store: Store, subject: str | Subject, text: str, *, to: Addressed, within: timedelta) -> Comment:
    """Ask people or roles about a record; it stays open until somebody answers."""
    said = checked_text(text, "the question")
    with store.transaction():
        about, _ = on_thread(store, subject)
        more = mentioned(store, said)
        people = list(dict.fromkeys([*to.people, *more.people]))
        whom = Addressed(people, list(dict.fromkeys([*to.roles, *more.roles])), more.unknown)
        due = iso(store.clock.latest() + within)
        row = _append(store, about, "question", said, whom, due=due)
        _tell(store, "question.asked", about, row, whom, "asks you about", due=due)
        return comment_of(store, store.get("comment", {"comment_id": row["comment_id"]}))


def find_comment(store: Store, comment_id: str) -> Row:
    """The row of the comment of that id, or of the only one that begins so."""
    said = {"one": "comment", "several": "comments", "hint": "`assay comment ls`"}
    return only_row(store, "comment", "comment_id", comment_id.removeprefix("comment:"), **said)


def thread_of(store: Store, kind: str, subject_id: str) -> list[Comment]:
    """All that was said about a record, oldest first; of each thread what it began with, then what was answered."""
    rows = store.query("comment", {"subject_id": subject_id, "subject_kind": kind}, order_by=["ts", "comment_id"])
    if not rows:
        return []
    place = {row["thread"]: number for number, row in reversed(list(enumerate(rows)))}
    text = spelled(store, kind, subject_id)
    rows.sort(key=lambda row: place[row["thread"]])
    return [comment_of(store, row, among=rows, text=text) for row in rows]


def comment_of(store: Store, row: Row, *, among: list[Row] | None = None, text: str | None = None) -> Comment:
    """The comment of a row; `among` are the rows of its thread and `text` spells its subject, where they are known."""
    to = addressed(row)
    text = text or spelled(store, row["subject_kind"], row["subject_id"])
    is_open = row["kind"] == "question" and row["closed"] is None
    if among is None and (is_open or to.people or to.roles):
        among = store.query("comment", {"thread": row["thread"]})
    return Comment(
        subject=text,
        when=happened(row),
        to=[*to.people, *(f"role:{role}" for role in to.roles)],
        unknown=to.unknown,
        late=is_open and bool(row["due"]) and moment(row["due"]) < store.clock.latest(),
        unanswered=is_unanswered(store, row, among or [row]),
        page=page_of(text, row["subject_id"]),
        **{
            name: row[name]
            for name in ("comment_id", "thread", "kind", "text", "actor", "due", "closed", "closed_by", "outcome")
        },
    )


def is_unanswered(store: Store, row: Row, among: list[Row]) -> bool:
    """Whether it waits for words of others: an open question, or a comment for somebody, for more than five days."""
    waits = row["kind"] == "question" and row["closed"] is None
    to = addressed(row)
    waits = waits or (row["kind"] == "comment" and row["outcome"] is None and bool(to.people or to.roles))
    if not waits or store.clock.latest() - moment(happened(row)) <= UNANSWERED_AFTER:
        return False
    later = [one for one in among if one["thread"] == row["thread"] and one["ts"] > row["ts"]]
    return not any(one["actor"] != row["actor"] for one in later)


def on_thread(store: Store, subject: str | Subject) -> tuple[Subject, Row | None]:
    """The record that is talked about, and what is answered where the text names a comment."""
    about = resolve(store, subject) if isinstance(subject, str) else subject
    if about.kind != "comment":
        return about, None
    before = find_comment(store, about.id)
    found = subject_by_id(store, before["subject_kind"], before["subject_id"])
    if found is None:
        raise InvalidInput(f"what {about.text} was said of is not here", expected="a comment on a record of this store")
    return found, before


def _open_question(store: Store, before: Row | None) -> Row | None:
    """The question that an answer to this closes: itself, or the one that its thread began with."""
    if before is None:
        return None
    first = store.query("comment", {"comment_id": before["thread"]}, limit=1)
    return next((one for one in (before, *first) if one["kind"] == "question" and one["closed"] is None), None)


def _append(
    store: Store,
    about: Subject,
    kind: str,
    text: str,
    to: Addressed,
    *,
    thread: str | None = None,
    due: str | None = None,
) -> Row:
    comment_id = new_id()
    row = {
        "comment_id": comment_id,
        "subject_kind": about.kind,
        "subject_id": about.id,
        "thread": thread or comment_id,
        "kind": kind,
        "text": text,
        "mentions": canonical_json(msgspec.to_builtins(to)),
        "due": due,
    }
    store.append("comment", row)
    return row


def _tell(
    store: Store, event: str, about: Subject, row: Row, to: Addressed, said: str, *, due: str | None = None
) -> None:
    """Tell whom it is for, all but who says it."""
    people = [person for person in to.people if person != store.actor.name]
    if not people and not to.roles:
        return
    title = row["text"].splitlines()[0]
    short = title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…"
    data = {
        "message": f"{store.actor.name} {said} {about.text}: {short}",
        "model": about.model,
        "severity": "info",
        "subject_kind": about.kind,
        "subject_id": about.id,
        "comment_id": row["comment_id"],
        "people": people,
        "roles": to.roles,
        "due": due,
        "page": page_of(about.text, about.id),
    }
    announce(store, event, data)
