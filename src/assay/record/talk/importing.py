"""What was said and decided elsewhere, brought over from a file of JSON lines: each once, however often it is read."""

import json
from pathlib import Path

import msgspec

from assay.errors import AssayError, InvalidInput
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.clock import iso, moment
from assay.record.store import Row, Store
from assay.record.talk.addressing import Addressed, checked_text
from assay.record.talk.decision_records import KINDS, Madr, find_record, put_record, record_of
from assay.record.talk.exporting import COMMENT, RECORD
from assay.record.talk.subjects import NAMED_KINDS, Subject, resolve, subject_by_id

__all__ = ["Imported", "import_talk"]

_MOST_BYTES = 200_000_000


class Imported(msgspec.Struct, frozen=True):
    """What was new. `known` were there already, `elsewhere` is said of records that this store does not hold."""

    comments: int
    decision_records: int
    known: int
    elsewhere: int


class _CommentLine(msgspec.Struct, kw_only=True):
    what: str
    origin: str
    subject: str
    subject_kind: str
    subject_id: str
    thread: str
    kind: str
    text: str
    mentions: Addressed
    actor: str
    actor_kind: str
    ts: str
    event_ts: str | None = None
    due: str | None = None
    closed: str | None = None
    closed_by: str | None = None
    outcome: str | None = None


class _RecordLine(msgspec.Struct, kw_only=True):
    what: str
    origin: str
    title: str
    kind: str
    detail: Madr
    actor: str
    actor_kind: str
    ts: str
    event_ts: str | None = None
    status: str = "accepted"
    subject: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None
    review_due: str | None = None
    supersedes: str | None = None


@operation("comment import", local=True)
def import_talk(store: Store, path: str) -> Imported:
    """Bring over comments, questions and decision records from a file that `assay comment export` wrote.

    What is there already stays; who said it and when stays as it was. A decision record becomes an entry of this
    ledger that says that it was brought over. A file that cannot be read whole changes nothing.
    """
    lines = _read(path)
    counts = {"comments": 0, "decision_records": 0, "known": 0, "elsewhere": 0}
    with store.transaction():
        for line in lines:
            new, here = _comment(store, line) if isinstance(line, _CommentLine) else _record(store, line)
            what = "comments" if isinstance(line, _CommentLine) else "decision_records"
            counts[what if new else "known"] += 1
            counts["elsewhere"] += new and not here
    return Imported(**counts)


def _read(path: str) -> list[_CommentLine | _RecordLine]:
    try:
        if Path(path).stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{path} is too large", expected=f"at most {_MOST_BYTES:,} bytes")
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InvalidInput(f"the file {path} cannot be read", expected="JSON lines in UTF-8") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(_line(line))
        except (ValueError, AssayError) as error:  # msgspec's are ValueErrors too
            said = error.what if isinstance(error, AssayError) else str(error)
            expected = "lines that `assay comment export` wrote"
            raise InvalidInput(said, where=f"{path}, line {number}", expected=expected) from None
    return found


def _line(text: str) -> _CommentLine | _RecordLine:
    said = json.loads(text)
    what = said.get("what") if isinstance(said, dict) else None
    if what not in (COMMENT, RECORD):
        raise InvalidInput(f"what is {what!r}, not {COMMENT!r} or {RECORD!r}")
    line: _CommentLine | _RecordLine
    line = msgspec.convert(said, _CommentLine) if what == COMMENT else msgspec.convert(said, _RecordLine)
    for time in (line.ts, line.event_ts):
        _check_time(time)
    if not line.origin or not line.actor:
        raise InvalidInput("origin or actor is empty")
    if line.actor_kind not in ("human", "service"):
        raise InvalidInput(f"actor_kind is {line.actor_kind!r}")
    if isinstance(line, _CommentLine):
        checked_text(line.text, "the comment")
        if line.kind not in ("comment", "question", "answer"):
            raise InvalidInput(f"kind is {line.kind!r}, not comment, question or answer")
        for time in (line.due, line.closed):
            _check_time(time)
    else:
        checked_text(line.title, "the title")
        if line.kind not in KINDS:
            raise InvalidInput(f"no decision is of kind {line.kind!r}")
        _check_time(line.review_due)
    return line


def _check_time(text: str | None) -> None:
    if text is not None and iso(moment(text)) != text:
        raise InvalidInput(f"{text!r} is no time as Assay writes it")


def _comment(store: Store, line: _CommentLine) -> tuple[bool, bool]:
    """Whether it was new, and whether this store holds what it was said of."""
    kind, subject_id, here = _subject(store, line.subject, line.subject_kind, line.subject_id)
    known = store.query("comment", {"comment_id": line.origin})
    if known:
        if known[0]["closed"] is None and line.closed is not None and line.kind == "question":
            changes = {"closed": line.closed, "closed_by": line.closed_by, "outcome": line.outcome}
            store.amend("comment", {"comment_id": line.origin}, changes)
        return False, here
    store.append(
        "comment",
        {
            "comment_id": line.origin,
            "subject_kind": kind,
            "subject_id": subject_id,
            "origin": line.origin,
            "mentions": canonical_json(msgspec.to_builtins(line.mentions)),
            "source": "imported",
            **{
                name: getattr(line, name)
                for name in ("thread", "kind", "text", "due", "closed", "closed_by", "outcome")
            },
            **_said_by(line),
        },
    )
    return True, here


def _record(store: Store, line: _RecordLine) -> tuple[bool, bool]:
    known = store.query("decision_record", {"record_id": line.origin})
    about, here = None, True
    if line.subject is not None and line.subject_kind is not None and line.subject_id is not None:
        kind, subject_id, here = _subject(store, line.subject, line.subject_kind, line.subject_id)
        about = subject_by_id(store, kind, subject_id) or Subject(kind, subject_id, line.subject, None, "")
    if known:
        return False, here
    before = None
    if line.supersedes is not None:
        if not store.query("decision_record", {"record_id": line.supersedes}):
            raise InvalidInput(
                f"{line.title!r} takes the place of a decision record that is not here",
                expected=f"{line.supersedes} before it",
            )
        before = record_of(store, find_record(store, line.supersedes))
    origin = {"record_id": line.origin, **_said_by(line)}
    due = moment(line.review_due) if line.review_due else None
    put_record(store, line.title, line.kind, line.detail, about=about, review_due=due, supersedes=before, origin=origin)
    return True, here


def _subject(store: Store, text: str, kind: str, subject_id: str) -> tuple[str, str, bool]:
    """The record here: that of the same id, else that of the same name; else its name as it was said, and False."""
    if subject_by_id(store, kind, subject_id) is not None:
        return kind, subject_id, True
    try:
        found = resolve(store, text)
    except AssayError:
        return kind, text.partition(":")[2] if kind in NAMED_KINDS else subject_id, False
    return found.kind, found.id, True


def _said_by(line: _CommentLine | _RecordLine) -> Row:
    return {name: getattr(line, name) for name in ("actor", "actor_kind", "ts", "event_ts")}
