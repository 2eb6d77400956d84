"""Webhooks over the wire. Making one looks its host up, which may take long: these do not run in the writer."""

import msgspec
from msgspec import UNSET, UnsetType

from assay.errors import NotFound
from assay.record.clock import to_ms
from assay.record.notify import delivery, webhooks
from assay.record.notify.sending import FORMS as WEBHOOK_FORMS
from assay.record.notify.telling import REGISTRY_EVENTS
from assay.record.store import Store
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.errors import invalid
from assay.server.wire.limits import page_size
from assay.server.wire.reading import Int, Name

__all__ = ["create_webhook", "delete_webhook", "get_webhook", "list_webhooks", "test_webhook", "update_webhook"]

_MOST_LISTED = 1_000


class WebhookEvent(msgspec.Struct):
    """What happens to what, such as CREATED and MODEL_VERSION."""

    entity: Name
    action: Name


class CreateWebhook(msgspec.Struct):
    """Who is to be told of what."""

    name: Name
    url: Name
    events: list[WebhookEvent]
    description: str | None = None
    secret: str | None = None
    status: str | None = None


class OfWebhook(msgspec.Struct):
    """A webhook by its id."""

    webhook_id: Name


class UpdateWebhook(OfWebhook):
    """What is to change."""

    name: str | None = None
    description: str | None = None
    url: str | None = None
    events: list[WebhookEvent] = []
    secret: str | None = None
    status: str | None = None


class TestWebhook(OfWebhook):
    """An event to send an example of."""

    event: WebhookEvent | None = None


class ListWebhooks(msgspec.Struct):
    """A page of webhooks."""

    max_results: Int | None = None
    page_token: str | None = None


class Webhook(msgspec.Struct):
    """A webhook without its secret."""

    webhook_id: str
    name: str
    url: str
    events: list[WebhookEvent]
    status: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | UnsetType = UNSET


class WebhookFound(msgspec.Struct):
    """One webhook."""

    webhook: Webhook


class WebhooksFound(msgspec.Struct):
    """A page of webhooks, newest first."""

    webhooks: list[Webhook] | UnsetType = UNSET
    next_page_token: str | UnsetType = UNSET


class TestResult(msgspec.Struct):
    """How a webhook answered."""

    success: bool
    response_status: int | UnsetType = UNSET
    response_body: str | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class Tested(msgspec.Struct):
    """The result of a test."""

    result: TestResult


def create_webhook(call: Call, request: CreateWebhook) -> WebhookFound:
    """Tell an address of events from now on."""
    made = webhooks.create_webhook(
        call.store,
        request.name,
        request.url,
        [_event(event) for event in request.events],
        description=request.description or None,
        secret=request.secret or None,
        status=request.status or "ACTIVE",
    )
    return WebhookFound(_answer(made))


def list_webhooks(call: Call, request: ListWebhooks) -> WebhooksFound:
    """A page of webhooks; its token is the id of the last one."""
    size = page_size(request.max_results, 100, _MOST_LISTED)
    listed = [found for found in webhooks.webhooks(call.store) if _is_known(found)]
    start = 0
    if request.page_token:
        ids = [found.webhook_id for found in listed]
        if request.page_token not in ids:
            raise invalid("Invalid page token")
        start = ids.index(request.page_token) + 1
    page = listed[start : start + size]
    more = start + size < len(listed)
    return WebhooksFound([_answer(found) for found in page] or UNSET, page[-1].webhook_id if more else UNSET)


def get_webhook(call: Call, request: OfWebhook) -> WebhookFound:
    """The webhook of that id."""
    return WebhookFound(_answer(_one(call.store, request.webhook_id)))


def update_webhook(call: Call, request: UpdateWebhook) -> WebhookFound:
    """Change what is given."""
    _one(call.store, request.webhook_id)
    changed = webhooks.update_webhook(
        call.store,
        request.webhook_id,
        name=request.name or None,
        url=request.url or None,
        events=[_event(event) for event in request.events],
        description=request.description,
        secret=request.secret or None,
        status=request.status or None,
    )
    return WebhookFound(_answer(changed))


def delete_webhook(call: Call, request: OfWebhook) -> None:
    """Tell it nothing any more."""
    _one(call.store, request.webhook_id)
    webhooks.delete_webhook(call.store, request.webhook_id)


def test_webhook(call: Call, request: TestWebhook) -> Tested:
    """Send an example of an event and say what came back."""
    _one(call.store, request.webhook_id)
    event = _event(request.event) if request.event else None
    found = delivery.try_webhook(call.store, request.webhook_id, event)
    return Tested(
        TestResult(
            success=found.success,
            response_status=UNSET if found.status is None else found.status,
            response_body=messages.unless_empty(found.text),
            error_message=messages.unless_empty(found.error),
        )
    )


def _one(store: Store, webhook_id: str) -> webhooks.Webhook:
    """The webhook, if it is one of MLflow's kind."""
    found = webhooks.webhook(store, webhook_id)
    if not _is_known(found):
        raise NotFound(f"Webhook with ID {webhook_id} not found.")
    return found


def _is_known(found: webhooks.Webhook) -> bool:
    """Whether MLflow's clients can read it: a webhook that is told of what happens in the registry, and no more."""
    return found.form in WEBHOOK_FORMS and set(found.events) <= set(REGISTRY_EVENTS)


def _event(event: WebhookEvent) -> str:
    return f"{event.entity}.{event.action}".lower()


def _answer(found: webhooks.Webhook) -> Webhook:
    events = [event.upper().split(".") for event in found.events]
    return Webhook(
        webhook_id=found.webhook_id,
        name=found.name,
        url=found.url,
        events=[WebhookEvent(entity, action) for entity, action in events],
        status=found.status,
        creation_timestamp=to_ms(found.created),
        last_updated_timestamp=to_ms(found.updated),
        description=messages.unless_empty(found.description),
    )
