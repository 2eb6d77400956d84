"""Delivery: what waits is sent at least once, later and later where nobody takes it, and given up in the end."""

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from assay.errors import AssayError, Conflict, InvalidInput
from assay.operation import operation
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.notify.events import EVENTS
from assay.record.notify.sending import Answer, Send, message, send
from assay.record.notify.webhooks import webhook_row
from assay.record.store import Row, Store

__all__ = ["Deliveries", "WebhookTest", "deliver", "deliver_due", "try_webhook"]

_log = logging.getLogger(__name__)
_MOST = 100  # deliveries of one call
_LEASE = timedelta(seconds=60)  # who takes one has so long, then another may
_FIRST = timedelta(seconds=5)
_LONGEST = timedelta(hours=1)
_ATTEMPTS = 16  # over about half a day
_GONE = 410  # the receiver says that it wants no more
_MOST_KEPT = 500


class Deliveries(msgspec.Struct, frozen=True):
    """What was delivered now, what failed and is tried again, what was given up; and how many wait after that."""

    delivered: int
    failed: int
    dead: int
    waiting: int


class WebhookTest(msgspec.Struct, frozen=True):
    """How a webhook answered an example; `error` where it did not."""

    success: bool
    status: int | None
    text: str | None
    error: str | None


@operation("notify deliver")
def deliver(store: Store, *, again: Annotated[bool, "Also try once more what was given up"] = False) -> Deliveries:
    """Send what waits for webhooks now, as the server does by itself."""
    if again:
        now = iso(store.clock.now())
        with store.transaction():
            for row in store.query("delivery", {"state": "dead"}):
                store.amend("delivery", _key(row), {"state": "waiting", "attempts": 0, "due": now})
    return deliver_due(store)


def deliver_due(
    store: Store,
    *,
    now: datetime | None = None,
    send: Send = send,
    most: int = _MOST,
    ended: Callable[[], bool] = lambda: False,
) -> Deliveries:
    """Send what is due, the longest waiting first. A webhook that fails is left alone for the rest of the call.

    Any number of processes may do so at once; `ended` may ask it to stop early. A delivery whose process died in
    between is sent again.
    """
    moment = now or store.clock.now()
    counts = {"delivered": 0, "failed": 0, "dead": 0}
    silent: set[str] = set()
    waiting = {"state": "waiting", "due <=": iso(moment)}
    for row in store.query("delivery", waiting, order_by=["due", "event_id"], limit=most):
        if ended():
            break
        if row["webhook_id"] in silent or not _take(store, row, moment):
            continue
        state = _deliver(store, row, moment, send)
        counts[state] += 1
        if state == "failed":
            silent.add(row["webhook_id"])
    return Deliveries(**counts, waiting=len(store.query("delivery", {"state": "waiting"})))


def try_webhook(store: Store, webhook_id: str, event: str | None = None, *, send: Send = send) -> WebhookTest:
    """Send an example of an event (the first one it asked for) and say what came back."""
    hook = webhook_row(store, webhook_id)
    chosen = event or json.loads(hook["events"])[0]
    if chosen not in EVENTS:
        raise InvalidInput(f"webhook event {chosen!r} is not known", expected=", ".join(EVENTS))
    now = store.clock.now()
    example = {"name": "example_model", "version": "1"}
    headers, body = message(
        hook["form"],
        chosen,
        example,
        event_id=new_id(),
        ts=iso(now),
        delivery_id=new_id(),
        now_s=int(now.timestamp()),
        secret=hook["secret"],
    )
    try:
        answer = send(hook["url"], headers, body)
    except (OSError, AssayError) as error:
        return WebhookTest(success=False, status=None, text=None, error=f"Failed to test webhook: {_said(error)}")
    return WebhookTest(success=_is_taken(answer), status=answer.status, text=answer.text, error=None)


def _take(store: Store, row: Row, moment: datetime) -> bool:
    """Whether this process is the one to send it."""
    claimed = {"attempts": row["attempts"] + 1, "due": iso(moment + _LEASE)}
    expect = {"state": "waiting", "attempts": row["attempts"], "due": row["due"]}
    try:
        store.amend("delivery", _key(row), claimed, expect=expect)
    except Conflict:
        return False
    return True


def _deliver(store: Store, row: Row, moment: datetime, send: Send) -> str:
    hook = store.get("webhook", {"webhook_id": row["webhook_id"]})
    if hook["deleted"] is not None:
        return _settle(store, row, "dead", "the webhook was deleted")
    event = store.get("outbox", {"event_id": row["event_id"]})
    headers, body = message(
        hook["form"],
        event["event"],
        json.loads(event["payload"]),
        event_id=event["event_id"],
        ts=event["ts"],
        delivery_id=f"{event['event_id']}-{hook['webhook_id'][:8]}",
        now_s=int(moment.timestamp()),
        secret=hook["secret"],
    )
    try:
        answer = send(hook["url"], headers, body)
    except (OSError, AssayError) as error:
        said = _said(error)
    else:
        said = f"{answer.status} {answer.text}"[:_MOST_KEPT].rstrip()
        if _is_taken(answer):
            return _settle(store, row, "delivered", said, delivered=iso(moment))
        if answer.status == _GONE:
            return _settle(store, row, "dead", said)
    attempts = row["attempts"] + 1
    if attempts >= _ATTEMPTS:
        _log.warning("event %s for webhook %s is given up: %s", event["event"], hook["name"], said)
        return _settle(store, row, "dead", said)
    later = moment + min(_FIRST * 2 ** (attempts - 1), _LONGEST)
    store.amend("delivery", _key(row), {"due": iso(later), "answer": said})
    return "failed"


def _settle(store: Store, row: Row, state: str, answer: str, delivered: str | None = None) -> str:
    store.amend("delivery", _key(row), {"state": state, "answer": answer, "delivered": delivered, "due": None})
    return state


def _key(row: Row) -> Row:
    return {"event_id": row["event_id"], "webhook_id": row["webhook_id"]}


def _is_taken(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def _said(error: Exception) -> str:
    return (error.what if isinstance(error, AssayError) else str(error) or type(error).__name__)[:_MOST_KEPT]
