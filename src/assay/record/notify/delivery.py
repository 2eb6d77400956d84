"""Delivery: what waits is sent at least once, later and later where nobody takes it, and given up in the end."""

import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from assay.errors import AssayError, InvalidInput
from assay.operation import operation
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.notify.channels import Event, send_events
from assay.record.notify.sending import Answer, Send, send
from assay.record.notify.telling import EVENTS, OPERATION_EVENTS
from assay.record.notify.webhooks import find_webhook, webhook_row
from assay.record.store import Row, Store

__all__ = ["Deliveries", "WebhookTest", "deliver", "deliver_due", "try_channel", "try_webhook"]

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
        if row["webhook_id"] in silent:
            continue
        taken = _take(store, row, moment)
        if not taken:
            continue
        state = _deliver(store, taken, moment, send)
        counts[state] += len(taken)
        if state == "failed":
            silent.add(row["webhook_id"])
    return Deliveries(**counts, waiting=len(store.query("delivery", {"state": "waiting"})))


@operation("notify test")
def try_channel(
    store: Store,
    webhook_id: Annotated[str, "Its id, or the first characters of it"],
    *,
    event: Annotated[str | None, "Which event; without it the first that it asked for"] = None,
) -> WebhookTest:
    """Send an example to a channel and say what came back."""
    return try_webhook(store, find_webhook(store, webhook_id)["webhook_id"], event)


def try_webhook(store: Store, webhook_id: str, event: str | None = None, *, send: Send = send) -> WebhookTest:
    """Send an example of an event (the first one it asked for) and say what came back."""
    hook = webhook_row(store, webhook_id)
    chosen = event or json.loads(hook["events"])[0]
    if chosen not in EVENTS:
        raise InvalidInput(f"webhook event {chosen!r} is not known", expected=", ".join(EVENTS))
    now = store.clock.now()
    example: dict[str, object] = {"name": "example_model", "version": "1"}
    if chosen in OPERATION_EVENTS:
        example = {"model": "example_model", "message": "an example: nothing happened", "severity": "info"}
    try:
        sent = Event(new_id(), chosen, iso(now), example, new_id())
        answer = send_events(hook, [sent], now_s=int(now.timestamp()), send=send)
    except (OSError, AssayError) as error:
        return WebhookTest(success=False, status=None, text=None, error=f"Failed to test webhook: {_said(error)}")
    return WebhookTest(success=_is_taken(answer), status=answer.status, text=answer.text, error=None)


def _take(store: Store, row: Row, moment: datetime) -> list[Row]:
    """What this process is to send now in one message: nothing where another one has it.

    Of a channel with a digest that is all that is due.
    """
    with store.transaction():
        hook = store.get("webhook", {"webhook_id": row["webhook_id"]})
        where = {"webhook_id": row["webhook_id"], "state": "waiting", "due <=": iso(moment)}
        if hook["digest"] is None:
            where["event_id"] = row["event_id"]
        found = store.query("delivery", where, order_by=["due", "event_id"], limit=_MOST)
        for one in found:
            store.amend("delivery", _key(one), {"attempts": one["attempts"] + 1, "due": iso(moment + _LEASE)})
        return [{**one, "attempts": one["attempts"] + 1} for one in found]


def _deliver(store: Store, rows: Sequence[Row], moment: datetime, send: Send) -> str:
    hook = store.get("webhook", {"webhook_id": rows[0]["webhook_id"]})
    if hook["deleted"] is not None:
        return _settle(store, rows, "dead", "the webhook was deleted")
    events = [_event(store, row) for row in rows]
    try:
        answer = send_events(hook, events, now_s=int(moment.timestamp()), send=send)
    except (OSError, AssayError) as error:
        said = _said(error)
    else:
        said = f"{answer.status} {answer.text}"[:_MOST_KEPT].rstrip()
        if _is_taken(answer):
            return _settle(store, rows, "delivered", said, delivered=iso(moment))
        if answer.status == _GONE:
            return _settle(store, rows, "dead", said)
    attempts = max(row["attempts"] for row in rows)
    if attempts >= _ATTEMPTS:
        _log.warning("event %s for webhook %s is given up: %s", events[0].event, hook["name"], said)
        return _settle(store, rows, "dead", said)
    later = moment + min(_FIRST * 2 ** (attempts - 1), _LONGEST)
    for row in rows:
        store.amend("delivery", _key(row), {"due": iso(later), "answer": said})
    return "failed"


def _event(store: Store, row: Row) -> Event:
    found = store.get("outbox", {"event_id": row["event_id"]})
    delivery_id = f"{row['event_id']}-{row['webhook_id'][:8]}"
    ts = found["event_ts"] or found["ts"]  # in a replay, when it happened there
    return Event(row["event_id"], found["event"], ts, json.loads(found["payload"]), delivery_id)


def _settle(store: Store, rows: Sequence[Row], state: str, answer: str, delivered: str | None = None) -> str:
    for row in rows:
        store.amend("delivery", _key(row), {"state": state, "answer": answer, "delivered": delivered, "due": None})
    return state


def _key(row: Row) -> Row:
    return {"event_id": row["event_id"], "webhook_id": row["webhook_id"]}


def _is_taken(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def _said(error: Exception) -> str:
    return (error.what if isinstance(error, AssayError) else str(error) or type(error).__name__)[:_MOST_KEPT]
