"""What happened is told: kept in the transaction of the change, with a delivery for each who asked for it."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from assay.errors import InvalidInput, nearest
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.lengths import written_length
from assay.record.notify.severity import rank
from assay.record.store import Row, Store

__all__ = ["EVENTS", "OPERATION_EVENTS", "REGISTRY_EVENTS", "deliver_to", "tell"]

REGISTRY_EVENTS = (  # those of MLflow's webhooks
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
)
OPERATION_EVENTS = (  # what people are told of models at work
    "alert.opened",
    "alert.reopened",
    "alert.escalated",
    "alert.reminded",
    "alert.closed",
    "incident.opened",
    "incident.restored",
    "incident.closed",
    "gate.failed",
    "gate.overridden",
    "comment.mentioned",
    "question.asked",
    "question.answered",
    "decision.recorded",
    "notice.escalated",
    "digest.made",
    "retraining.begun",
    "retraining.waiting",
    "retraining.ended",
    "approval.requested",
    "approval.given",
    "approval.rejected",
    "approval.withdrawn",
    "approval.overridden",
    "approval.review_due",
    "objective.review_opened",
    "objective.review_closed",
)
EVENTS = REGISTRY_EVENTS + OPERATION_EVENTS


def tell(store: Store, event: str, data: Mapping[str, object], *, channels: Collection[str] = ()) -> str:
    """Tell those who asked for `event`, with `data` that JSON can hold; in a transaction it stands or falls with it.

    `severity` in the data (info | warning | critical; info without it) decides who is told, and what is critical waits
    for no digest. People read `message`, `model`, `endpoint`, `owner` and `runbook` of the data where they are there.
    Where `channels` are named, only these are told, and all that asked where none of them is there any more.
    Channels of a person or a role are told later, when it is found out who has to know. Returns the id of the event.
    InvalidInput for an event that is not one of `EVENTS`.
    """
    if event not in EVENTS:
        close = nearest(event, list(EVENTS))
        raise InvalidInput(f"there is no event {event!r}", expected=", ".join(EVENTS), hint=close)
    event_id = ordered_id()
    with store.transaction():
        now = iso(store.clock.now())
        store.append("outbox", {"event_id": event_id, "event": event, "payload": canonical_json(data), "ts": now})
        hooks = store.query("webhook", {"deleted": None, "status": "ACTIVE", "audience": None})
        named = [hook for hook in hooks if hook["name"] in channels]
        deliver_to(store, event_id, event, data.get("severity"), named or hooks)
    return event_id


def deliver_to(
    store: Store, event_id: str, event: str, severity: object, hooks: Sequence[Row], *, after: datetime | None = None
) -> None:
    """Deliver an event, once, to those of the channels that asked for it; what is not critical not before `after`."""
    now = store.clock.now()
    asked = [hook for hook in hooks if event in json.loads(hook["events"]) and rank(severity) >= rank(hook["least"])]
    common = {"event_id": event_id, "state": "waiting", "attempts": 0}
    rows = [{**common, "webhook_id": hook["webhook_id"], "due": _due(store, hook, severity, now)} for hook in asked]
    if after is not None and severity != "critical":
        rows = [{**row, "due": max(str(row["due"]), iso(after))} for row in rows]
    store.append_many("delivery", rows, skip_existing=True)


def _due(store: Store, hook: Row, severity: object, now: datetime) -> str:
    """Now; where a digest is asked for, when the one that others wait for already is sent, or a new one."""
    length = written_length(hook["digest"] or "")
    if not length or severity == "critical":
        return iso(now)
    where = {"webhook_id": hook["webhook_id"], "state": "waiting", "attempts": 0, "due >": iso(now)}
    waiting = store.query("delivery", where, order_by=["due"], limit=1)
    return str(waiting[0]["due"]) if waiting else iso(now + timedelta(seconds=length.total_seconds()))
