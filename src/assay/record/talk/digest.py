"""What a role or a person has to know of a week: what needs them, and what has changed, in plain text with links."""

from datetime import datetime
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operation import operation
from assay.record.clock import happened, iso
from assay.record.ledger import entries
from assay.record.lengths import checked_length
from assay.record.people import ROLES, people_with, roles_of
from assay.record.store import Row, Store
from assay.record.talk.addressing import checked_addressees
from assay.record.talk.comments import Comment
from assay.record.talk.decision_records import record_of
from assay.record.talk.notices import notices_for
from assay.record.talk.spreading import announce
from assay.record.talk.talking import questions_for

__all__ = ["Digest", "digest_for"]

_LISTED = 20
_MOST = 100_000
_WORDS = {  # kinds of decisions: one, several
    "alias": ("an alias was moved", "aliases were moved"),
    "approval": ("an approval was given", "approvals were given"),
    "approval_request": ("an approval was asked for", "approvals were asked for"),
    "break_glass": ("glass was broken", "times glass was broken"),
    "decision_record": ("a decision was recorded", "decisions were recorded"),
    "gate": ("a verdict was given", "verdicts were given"),
    "override": ("a verdict was overridden", "verdicts were overridden"),
    "promote": ("a version was promoted", "versions were promoted"),
    "rejection": ("an approval was refused", "approvals were refused"),
    "rollback": ("a promotion was taken back", "promotions were taken back"),
}


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """A text for people. `needs` is what waits for them, `changed` what happened from `since` to `as_of`.

    `sent` are those to whose channels it was given; empty where it was only shown.
    """

    title: str
    since: str
    as_of: str
    people: list[str]
    needs: list[str]
    changed: list[str]
    sent: list[str] = []

    def text(self) -> str:
        """All of it, to be read by itself."""
        parts = [self.title, "", "What needs you"]
        parts += [f"- {line}" for line in self.needs] or ["- nothing"]
        parts += ["", f"What changed from {self.since[:10]} to {self.as_of[:10]}"]
        return "\n".join([*parts, *([f"- {line}" for line in self.changed] or ["- nothing"])])


@operation("notices digest")
def digest_for(
    store: Store,
    whom: Annotated[str, "A role or a person"],
    *,
    since: Annotated[str, "How far back, such as 7d"] = "7d",
    model: Annotated[str | None, "Only of this model"] = None,
    link: Annotated[str, "The address of the server whose pages the links lead to"] = "",
    send: Annotated[bool, "Also give it to the channels of the person, or of who has the role"] = False,
) -> Digest:
    """Say what changed and what needs a role or a person, to be read once a week."""
    if model is not None and not store.query("registered_model", {"name": model}, limit=1):
        raise NotFound(f"there is no model {model!r}", where=store.location, hint="`assay models`")
    to = checked_addressees(store, [whom])
    now = store.clock.latest()
    start = now - checked_length(since, "--since", zero=False)
    role = to.roles[0] if to.roles else None
    people = to.people if role is None else people_with(store, [role], model or "")[role]
    models = {model} if model is not None else _models_of(store, people)
    title = f"{f'For {role} ({ROLES[role]})' if role else f'For {people[0]}'}{f', of {model}' if model else ''}"
    found = Digest(
        title=title,
        since=iso(start),
        as_of=iso(now),
        people=people,
        needs=_needs(store, people, role, models, link.rstrip("/")),
        changed=_changed(store, start, models, link.rstrip("/")),
    )
    if not send:
        return found
    if not people:
        raise InvalidInput(f"nobody has the role {role}", expected="somebody", hint=f"assay role grant PERSON {role}")
    hooks = store.query("webhook", {"deleted": None, "status": "ACTIVE", "audience !=": None})
    reached = [one for one in people if any(hook["audience"] in (one, f"role:{role}") for hook in hooks)]
    if not reached:
        raise NotFound(f"no channel leads to {' or '.join(people)}", hint=f"assay notify add NAME ADDRESS --to {whom}")
    data = {"message": title, "lines": found.text().splitlines()[2:], "severity": "info"}
    data |= {"people": [] if role else people, "roles": to.roles}
    announce(store, "digest.made", {**data, "subject_kind": "digest", "subject_id": whom})
    return msgspec.structs.replace(found, sent=reached)


def _models_of(store: Store, people: list[str]) -> set[str] | None:
    """The models that people have roles for; None for all."""
    roles = [one for person in people for one in roles_of(store, person)]
    return None if not roles or any(not one.model for one in roles) else {one.model for one in roles}


def _needs(store: Store, people: list[str], role: str | None, models: set[str] | None, link: str) -> list[str]:
    lines = []
    for person in people:
        for one in notices_for(store, {"person": person}):
            if not one.settled and (role is None or role in one.roles) and one.event != "digest.made":
                late = ", which is late" if one.late else f", until {(one.due or '')[:16].replace('T', ' ')}"
                lines.append(f"read{late}: {one.words}{_link(link, one.page)}")
    if role is not None and not people:
        lines.append(f"nobody has the role {role}: assay role grant PERSON {role}")
    for asked in _questions(store, people, role):
        late = "late, " if asked.late else ""
        lines.append(f"answer {late}{asked.actor} about {asked.subject}: {_short(asked.text)}{_link(link, asked.page)}")
    overdue = store.query("decision_record", {"review_due <": iso(store.clock.latest())}, order_by=["review_due"])
    for record in (record_of(store, row) for row in overdue if _is_in(models, row["model"])):
        if record.overdue and (role in (None, "owner") or f"role:{role}" in record.said.deciders):
            page = _link(link, f"/records/{record.record_id}")
            lines.append(f"look again at decision {record.decision}: {record.title}{page}")
    return list(dict.fromkeys(lines))


def _questions(store: Store, people: list[str], role: str | None) -> list[Comment]:
    """Open questions to a role, or to a person by name or by a role; each once."""
    found = {one.comment_id: one for person in people for one in questions_for(store, person)}
    return [one for one in found.values() if role is None or f"role:{role}" in one.to or set(people) & set(one.to)]


def _changed(store: Store, start: datetime, models: set[str] | None, link: str) -> list[str]:
    lines = []
    counts: dict[str, list[Row]] = {}
    for entry in entries(store, limit=_MOST):
        if (entry.event_ts or entry.ts) < iso(start):
            break
        if models is None or models & _names(entry.subject):
            counts.setdefault(entry.kind, []).append({"seq": entry.seq, "subject": entry.subject})
    for kind, found in sorted(counts.items()):
        one, several = _WORDS.get(kind, (f"{kind.replace('_', ' ')}: one entry", f"entries: {kind.replace('_', ' ')}"))
        subjects = list(dict.fromkeys(row["subject"] for row in reversed(found)))
        shown = ", ".join(subjects[:_LISTED]) + (
            f" and {len(subjects) - _LISTED} more" if len(subjects) > _LISTED else ""
        )
        lines.append(f"{one if len(found) == 1 else f'{len(found)} {several}'}: {shown}{_link(link, '/ledger')}")
    for kind, key, time, words in (
        ("incident", "incident_id", "detected", "title"),
        ("alert", "alert_id", "opened", "message"),
    ):
        rows = [
            row
            for row in store.query(kind, {f"{time} >=": iso(start)}, order_by=[time])
            if _is_in(models, row["model"])
        ]
        for row in rows[:_LISTED]:
            state = "closed" if row["closed"] else "open"
            lines.append(f"{kind} ({row['severity']}, {state}): {row[words]}{_link(link, f'/{kind}s/{row[key]}')}")
        if len(rows) > _LISTED:
            lines.append(f"and {len(rows) - _LISTED} more {kind}s")
    said = [row for row in store.query("comment", {"ts >=": iso(start)}) if happened(row) >= iso(start)]
    if said:
        lines.append(
            f"{len(said)} comment{'s' if len(said) > 1 else ''} by {len({row['actor'] for row in said})} people"
        )
    return lines


def _names(subject: str) -> set[str]:
    """The models that an entry of the ledger may be about: `churn`, `churn/3` or `version:churn/3`."""
    named = subject.partition(":")[2] or subject
    return {subject, named, subject.rpartition("/")[0], named.rpartition("/")[0]}


def _is_in(models: set[str] | None, model: str | None) -> bool:
    return models is None or model is None or model in models


def _short(text: str) -> str:
    first = text.splitlines()[0]
    return first if len(first) <= 120 else f"{first[:119]}…"


def _link(address: str, page: str | None) -> str:
    return f" ({address}{page})" if address and page else ""
