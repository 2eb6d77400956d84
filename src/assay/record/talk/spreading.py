"""From what happened to who has to know: a notice for each person, made once, by whoever looks first.

The event stands in the outbox, written with the change that it tells of. Here it becomes notices: for the people of
each role that a rule names, and for who is named by the event. Where nobody has a role, a notice for nobody says so.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote

from assay.errors import Conflict
from assay.record.clock import happened, iso, moment
from assay.record.notify.severity import rank
from assay.record.notify.telling import deliver_to, tell
from assay.record.people import ROLES, people_with
from assay.record.store import Row, Store
from assay.record.talk.rules import NAMED_WITHIN, rules_for

__all__ = ["NAMED", "announce", "spread"]

NAMED = "named"  # in place of a role: the event names the person
_MOST = 500
_PERSONAL = ("approval.requested", "question.asked", "notice.escalated")  # somebody has to be there for them
_NAMING = ("people", "roles", "waits_for")  # of an event's data: who has to know
_FIELDS = (  # of an event's data: what of it is the subject
    ("incident", "incident_id"),
    ("alert", "alert_id"),
    ("retraining", "story_id"),
)


class _Whom(NamedTuple):
    role: str
    person: str  # empty: nobody
    sent: datetime
    due: datetime


def announce(store: Store, event: str, data: Mapping[str, object]) -> str:
    """Tell of an event, with the notices of it in the same transaction; returns the id of the event."""
    with store.transaction():
        event_id = tell(store, event, data)
        _spread_one(store, store.get("outbox", {"event_id": event_id}))
        return event_id


def spread(store: Store) -> int:
    """Make the notices of what happened since somebody last looked; returns of how many events.

    Only those that may concern somebody count. Any number of processes may do so at once, and one that dies in between
    has done nothing of its event.
    """
    done = 0
    concerned = {row["event"] for row in store.query("notice_rule", {"ended": None})}  # of one model, too
    while rows := store.query("outbox", {"noticed": None}, order_by=["ts", "event_id"], limit=_MOST):
        concerning = concerned | {rule.event for rule in rules_for(store, None, None)}
        quiet = [row["event_id"] for row in rows if not _concerns(row, concerning)]
        if quiet:  # most of what happens in a registry: in one go
            with store.transaction():
                store.amend_all("outbox", {"event_id in": quiet}, {"noticed": iso(store.clock.now())})
        for row in rows:
            if not _concerns(row, concerning):
                continue
            try:
                with store.transaction():
                    _spread_one(store, row)
            except Conflict:  # another process was faster
                continue
            done += 1
    return done


def _concerns(row: Row, events: set[str]) -> bool:
    """Whether an event may concern somebody: a rule names it, or it names people or roles itself."""
    return row["event"] in events or any(f'"{name}"' in row["payload"] for name in _NAMING)


def _spread_one(store: Store, row: Row) -> None:
    store.amend("outbox", {"event_id": row["event_id"]}, {"noticed": iso(store.clock.now())}, expect={"noticed": None})
    data = json.loads(row["payload"])
    model = str(data.get("model") or "") or None
    severity = data.get("severity") if rank(data.get("severity")) else "info"
    whom = _whom(store, row, data, model, severity)
    if not whom:
        return
    kind, subject_id = _subject(store, row["event"], data, model)
    common = {"event_id": row["event_id"], "event": row["event"], "severity": severity, "model": model}
    common |= {"subject_kind": kind, "subject_id": subject_id, "words": _words(row["event"], data)}
    rows = []
    for one in whom:
        did = one.person and one.person == row["actor"]
        key = "\0".join((row["event_id"], one.role, one.person))
        seen = {"read": happened(row), "acted": happened(row), "how": "did it"} if did else {}
        rows.append(
            {
                **common,
                "notice_id": hashlib.sha256(key.encode()).hexdigest()[:32],
                "role": one.role,
                "person": one.person,
                "due": iso(one.due),
                "read": seen.get("read"),
                "acted": seen.get("acted"),
                "how": seen.get("how"),
                **{name: row[name] for name in ("actor", "actor_kind", "ts", "event_ts")},  # of what happened
            }
        )
    store.append_many("notice", rows, skip_existing=True)
    _address(store, row["event_id"], row["event"], severity, whom)


def _whom(store: Store, row: Row, data: Mapping[str, object], model: str | None, severity: object) -> list[_Whom]:
    at, critical = moment(happened(row)), severity == "critical"
    rules = {rule.role: rule for rule in rules_for(store, row["event"], model) if rank(severity) >= rank(rule.least)}
    asked = [role for role in _names(data.get("roles")) if role in ROLES]
    due = data.get("due")
    personal = moment(str(due)) if due else at + NAMED_WITHIN
    found: list[_Whom] = []
    for role, people in people_with(store, list(dict.fromkeys([*rules, *asked])), model or "").items():
        sent, until = rules[role].times(at, critical=critical) if role in rules else (at, personal)
        found += [_Whom(role, person, sent, until) for person in people or [""]]
    covered = {one.person for one in found}
    named = dict.fromkeys([*_names(data.get("people")), *_names(data.get("waits_for"))])
    found += [_Whom(NAMED, person, at, personal) for person in named if person not in covered]
    if not found and row["event"] in _PERSONAL:
        found.append(_Whom(NAMED, "", at, personal))
    return found


def _address(store: Store, event_id: str, event: str, severity: object, whom: Sequence[_Whom]) -> None:
    """Deliver to the channels of the people and roles themselves."""
    hooks = store.query("webhook", {"deleted": None, "status": "ACTIVE", "audience !=": None})
    for one in whom if hooks else ():
        mine = [hook for hook in hooks if one.person and hook["audience"] in (one.person, f"role:{one.role}")]
        deliver_to(store, event_id, event, severity, mine, after=one.sent)


def _subject(store: Store, event: str, data: Mapping[str, object], model: str | None) -> tuple[str, str]:
    """What of the record an event tells of, as far as its data say."""
    if data.get("subject_kind"):
        return str(data["subject_kind"]), str(data["subject_id"])
    kind, _, _ = event.partition(".")
    page = str(data.get("page") or "")
    if kind == "approval" and page.startswith("/approvals/"):
        return "approval", unquote(page.rpartition("/")[2])
    for subject_kind, field in _FIELDS:
        if kind == subject_kind and data.get(field):
            return subject_kind, str(data[field])
    if model:
        objectives = store.query("objective", {"model": model}, limit=1) if kind == "objective" else []
        if objectives:
            return "objective", str(objectives[0]["objective_id"])
        models = store.query("registered_model", {"name": model}, limit=1)
        if models:
            return "model", str(models[0]["model_key"])
    return "event", event


def _words(event: str, data: Mapping[str, object]) -> str:
    about = data.get("message") or data.get("title") or data.get("name") or data.get("model") or ""
    return " ".join(str(about).split()) or event.replace(".", " ").replace("_", " ")


def _names(given: object) -> list[str]:
    return [one for one in given if isinstance(one, str) and one] if isinstance(given, list) else []
