"""How notices stand: whether they went out, whether who had to know has acted, and what nobody read in time.

What is found is kept on the notice; looking again changes nothing.
"""

import json
from collections.abc import Sequence
from datetime import datetime

import msgspec

from assay.errors import Conflict
from assay.record.clock import happened, iso, moment
from assay.record.notify.severity import rank
from assay.record.people import people_with, roles_of
from assay.record.store import Row, Store
from assay.record.talk.rules import rules_for
from assay.record.talk.spreading import NAMED, announce, spread
from assay.record.talk.subjects import subject_by_id

__all__ = ["NoticesLookedAfter", "catch_up", "is_settled", "look_after_notices", "note_acts", "note_sent", "roles_held"]

_ESCALATE_TO = ("owner", "management")
_ONLY_TOLD = ("decision.recorded", "digest.made", "notice.escalated", "question.answered")  # nothing has to be done
_MOST = 1_000


class NoticesLookedAfter(msgspec.Struct, frozen=True):
    """Of how many events notices were made, and which events went to others because nobody read of them in time."""

    spread: int
    escalated: list[str]


def look_after_notices(store: Store, now: datetime | None = None) -> NoticesLookedAfter:
    """Make the notices of what happened, and raise what nobody of a role has read in time: once, to other roles.

    Somebody of a role who read it, or acted, speaks for the role. Any number of processes may do so at once.
    """
    time = now or store.clock.latest()
    done = spread(store)
    note_sent(store)
    where = {"escalated": None, "read": None, "due <=": iso(time)}
    waiting = [row for row in store.query("notice", where, order_by=["due"]) if row["event"] not in _ONLY_TOLD]
    escalated = []
    for key in dict.fromkeys((row["event_id"], row["role"]) for row in waiting):
        if _raised(store, *key, time):
            escalated.append(key[0])
    return NoticesLookedAfter(done, list(dict.fromkeys(escalated)))


def catch_up(store: Store, rows: Sequence[Row] | None = None) -> None:
    """Make the notices of what happened, and note what went out and who has acted; of these rows, or all that wait."""
    spread(store)
    note_sent(store)
    waiting = store.query("notice", {"acted": None, "person !=": ""}) if rows is None else rows
    note_acts(store, waiting)


def note_acts(store: Store, rows: Sequence[Row]) -> None:
    """Note on notices what their people have done about it since: who acts has read."""
    known: dict[tuple[str, str, str, str], tuple[str, str] | None] = {}
    for row in rows:
        if row["acted"] is not None or not row["person"]:
            continue
        key = (row["subject_kind"], row["subject_id"], row["person"], row["ts"])
        if key not in known:
            known[key] = _act(store, *key)
        act = known[key]
        if act is not None:
            changes = {"acted": act[0], "how": act[1], "read": min(row["read"] or act[0], act[0])}
            store.amend("notice", {"notice_id": row["notice_id"]}, changes)


def note_sent(store: Store) -> None:
    """Note on notices when a channel of their person or role took them."""
    hooks = {hook["webhook_id"]: hook["audience"] for hook in store.query("webhook", {"audience !=": None})}
    if not hooks:
        return
    unsent = store.query("notice", {"sent": None, "person !=": ""}, order_by=["-ts"], limit=_MOST)
    if not unsent:
        return
    events = list(dict.fromkeys(row["event_id"] for row in unsent))
    where = {"event_id in": events, "webhook_id in": list(hooks), "state": "delivered"}
    taken: dict[tuple[str, str], str] = {}
    for one in store.query("delivery", where, order_by=["-delivered"]):
        taken[one["event_id"], hooks[one["webhook_id"]]] = one["delivered"]
    for row in unsent:
        times = [taken.get((row["event_id"], whom)) for whom in (row["person"], f"role:{row['role']}")]
        sent = min((time for time in times if time), default=None)
        if sent is not None:
            store.amend("notice", {"notice_id": row["notice_id"]}, {"sent": sent})


def roles_held(store: Store, person: str) -> set[str]:
    """The roles of a person now, for any model."""
    return {one.role for one in roles_of(store, person)}


def _act(store: Store, kind: str, subject_id: str, person: str, since: str) -> tuple[str, str] | None:
    """The first thing that a person has done about a record since then, and what: that somebody acts shows it."""
    said = {"subject_kind": kind, "subject_id": subject_id, "ts >=": since}
    found = [(row, "commented") for row in store.query("comment", {**said, "actor": person})]
    found += [(row, str(row["what"])) for row in store.query("history", {**said, "actor": person})]
    found += [(row, "decided") for row in store.query("decision_record", {**said, "actor": person})]
    if kind in ("approval", "version"):
        key = {"request_id": subject_id} if kind == "approval" else {"mv_id": subject_id}
        answers = store.query("approval", {**key, "approver": person, "ts >=": since})
        found += [
            (row, {"approve": "approved", "reject": "rejected"}.get(row["outcome"], "withdrew")) for row in answers
        ]
    if kind == "version":
        reviews = store.query("approval_exception", {"mv_id": subject_id, "reviewer": person, "reviewed >=": since})
        found += [({"ts": row["reviewed"], "event_ts": None}, "reviewed") for row in reviews]
    if kind in ("objective", "model"):
        of = "objective_id" if kind == "objective" else "model"
        names = store.query("registered_model", {"model_key": subject_id}) if kind == "model" else []
        key = {of: names[0]["name"] if names else subject_id}
        closed = store.query("objective_review", {**key, "closed_by": person, "closed >=": since})
        found += [({"ts": row["closed"], "event_ts": None}, "decided") for row in closed]
    times = sorted((happened(row), how) for row, how in found)
    return times[0] if times else None


def _raised(store: Store, event_id: str, role: str, now: datetime) -> bool:
    """Whether this process was the one to raise it."""
    rows = store.query("notice", {"event_id": event_id, "role": role}, order_by=["notice_id"])
    note_acts(store, rows)
    rows = store.query("notice", {"event_id": event_id, "role": role}, order_by=["notice_id"])
    if role != NAMED and any(row["read"] for row in rows):
        return False
    if is_settled(store, rows[0]):
        return False
    late = [row for row in rows if row["read"] is None and row["escalated"] is None and moment(row["due"]) <= now]
    if not late:
        return False
    try:
        with store.transaction():
            for row in late:
                expect = {"escalated": None, "read": None}
                store.amend("notice", {"notice_id": row["notice_id"]}, {"escalated": iso(now)}, expect=expect)
            _escalate(store, late)
    except Conflict:
        return False
    return True


def is_settled(store: Store, row: Row) -> bool:
    """Whether somebody has done what was asked for: then nobody else has to be found for it."""
    if row["event"] == "approval.requested":
        return _is_answered(store, row["subject_id"])
    if row["event"] == "question.asked":
        asked = json.loads(store.get("outbox", {"event_id": row["event_id"]})["payload"])["comment_id"]
        return bool(store.query("comment", {"comment_id": asked, "closed !=": None}, limit=1))
    return False


def _is_answered(store: Store, request_id: str) -> bool:
    """Whether somebody said no, or took it back, or as many have approved as the risk tier asks for."""
    requests = store.query("approval_request", {"request_id": request_id})
    answers = store.query("approval", {"request_id": request_id})
    agreed = {row["approver"] for row in answers if row["outcome"] == "approve"}
    needed = 2 if requests and requests[0]["tier"] == "high" else 1
    return len(agreed) >= needed or any(row["outcome"] != "approve" for row in answers)


def _escalate(store: Store, late: Sequence[Row]) -> None:
    first = late[0]
    model = first["model"] or ""
    rule = next((one for one in rules_for(store, first["event"], first["model"]) if one.role == first["role"]), None)
    roles = rule.escalate_to if rule is not None else list(_ESCALATE_TO)
    outbox = store.get("outbox", {"event_id": first["event_id"]})
    missed = sorted({row["person"] for row in late if row["person"]})
    found = people_with(store, roles if first["event"] != "comment.mentioned" else [], model)
    others = {person for people in found.values() for person in people} - set(missed)
    if first["role"] == NAMED and outbox["actor_kind"] == "human":  # who said it should know that it was not heard
        others |= {outbox["actor"]} - set(missed)
    if first["role"] == NAMED:
        said = f"not read in time by {', '.join(missed)}" if missed else "nobody is there who could be told"
    else:
        said = f"{'not read by anybody with' if missed else 'nobody has'} the role {first['role']}"
    subject = subject_by_id(store, first["subject_kind"], first["subject_id"])
    page = json.loads(outbox["payload"]).get("page")
    data = {
        "message": f"{said}: {first['words']}",
        "model": first["model"],
        "severity": first["severity"] if rank(first["severity"]) else "warning",
        "subject_kind": first["subject_kind"],
        "subject_id": first["subject_id"],
        "about": subject.text if subject else None,
        "of": first["event"],
        "people": [*sorted(others), *missed],  # those who missed it are told once more
        "page": page,
    }
    announce(store, "notice.escalated", data)
