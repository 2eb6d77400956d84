"""Webhooks: who is told of which events, and where."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.lengths import FORM, written_length
from assay.record.notify.channels import FORMS, PEOPLE, check_address, events_for, shown_address
from assay.record.notify.severity import checked_severity
from assay.record.notify.telling import EVENTS, REGISTRY_EVENTS
from assay.record.people import addressee
from assay.record.store import Row, Store

__all__ = [
    "STATUSES",
    "Webhook",
    "add_webhook",
    "create_webhook",
    "delete_webhook",
    "find_webhook",
    "remove_webhook",
    "update_webhook",
    "webhook",
    "webhook_row",
    "webhooks",
]

STATUSES = ("ACTIVE", "DISABLED")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class Webhook(msgspec.Struct, frozen=True):
    """A channel, without its secret. `events` such as `model_version.created`; `form` is one of `channels.FORMS`.

    `least` is the lowest severity that is told, `digest` how long several events wait for one message. `audience` is a
    person, or `role:NAME`: only what they have to know goes there; None: all that happens. Of a chat, `url`
    is only where it leads: in the whole of it lies the right to write there.
    """

    webhook_id: str
    name: str
    url: str
    events: list[str]
    status: str
    form: str
    description: str | None
    signed: bool
    created: str
    updated: str
    least: str | None = None
    digest: str | None = None
    audience: str | None = None


def create_webhook(
    store: Store,
    name: str,
    url: str,
    events: Sequence[str],
    *,
    description: str | None = None,
    secret: str | None = None,
    status: str = "ACTIVE",
    form: str = "mlflow",
    least: str | None = None,
    digest: str | None = None,
    audience: str | None = None,
) -> Webhook:
    """Tell `url` of events from now on. InvalidInput where it cannot be told there; hosts of webhooks are looked up."""
    row: Row = {"name": name, "url": url, "events": list(events), "status": status, "form": form}
    row |= {"least": least, "digest": digest, "audience": audience}
    _check(row)
    now = iso(store.clock.now())
    row |= {
        "webhook_id": new_id(),
        "description": description,
        "secret": secret or None,
        "created": now,
        "updated": now,
    }
    row["events"] = _events(events)
    store.append("webhook", row)
    return webhook(store, row["webhook_id"])


@operation("notify add", local=True)
def add_webhook(
    store: Store,
    name: str,
    url: Annotated[str, "Where to: https outside this network, smtp://USER@HOST?from=&to=, a file, or one of Apprise"],
    *,
    events: Annotated[str, "Which events, with commas; `all` for all that the form is for"] = "all",
    form: Annotated[str, f"{', '.join(FORMS[:-1])} or {FORMS[-1]}"] = "mlflow",
    least: Annotated[str | None, "The lowest severity that is told: info, warning or critical"] = None,
    digest: Annotated[
        str | None, "Several events within so long, such as 1h, are one message; critical ones go at once"
    ] = None,
    to: Annotated[str | None, "Only what a person, or who has a role, has to know; without it all that happens"] = None,
    secret_file: Annotated[str | None, "A file whose content signs what is sent, or is the password for e-mail"] = None,
) -> Webhook:
    """Tell an address of what happens from now on."""
    secret = None
    if secret_file is not None:
        try:
            secret = Path(secret_file).read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise InvalidInput(
                f"the file {secret_file} cannot be read", expected="a text file with the secret"
            ) from None
        if not secret:
            raise InvalidInput(f"the file {secret_file} is empty", expected="the secret")
    chosen = events_for(form) if events == "all" else tuple(part.strip() for part in events.split(","))
    audience = None if to is None else addressee(to)
    if audience is not None and form == "mlflow":
        raise InvalidInput(
            f"what {to} has to know has no form in MLflow's webhooks", expected="another --form", hint="--form email"
        )
    said: Row = {"secret": secret, "form": form, "least": least, "digest": digest, "audience": audience}
    return create_webhook(store, name, url, chosen, **said)


@operation("notify remove")
def remove_webhook(store: Store, webhook_id: Annotated[str, "Its id, or the first characters of it"]) -> Webhook:
    """Tell a webhook nothing any more."""
    row = find_webhook(store, webhook_id)
    delete_webhook(store, row["webhook_id"])
    return _shown(row)


def find_webhook(store: Store, webhook_id: str) -> Row:
    """The row of that id, or of the only one that begins so; NotFound otherwise."""
    found = store.query("webhook", {"webhook_id prefix": webhook_id, "deleted": None})
    if len(found) != 1:
        what = f"no webhook {webhook_id}" if not found else f"{len(found)} webhooks begin with {webhook_id}"
        raise NotFound(what, where=store.location, hint="`assay notify list`")
    return found[0]


def webhook(store: Store, webhook_id: str) -> Webhook:
    """The webhook of that id; NotFound for a deleted one."""
    return _shown(webhook_row(store, webhook_id))


def webhook_row(store: Store, webhook_id: str) -> Row:
    """Its row, with the secret."""
    rows = store.query("webhook", {"webhook_id": webhook_id, "deleted": None})
    if not rows:
        raise NotFound(f"Webhook with ID {webhook_id} not found.")
    return rows[0]


@operation("notify list")
def webhooks(store: Store) -> list[Webhook]:
    """List the webhooks, newest first."""
    return [_shown(row) for row in store.query("webhook", {"deleted": None}, order_by=["-created", "webhook_id"])]


def update_webhook(
    store: Store,
    webhook_id: str,
    *,
    name: str | None = None,
    url: str | None = None,
    events: Sequence[str] = (),
    description: str | None = None,
    secret: str | None = None,
    status: str | None = None,
) -> Webhook:
    """Change what is given; the rest stays."""
    given: Row = {"name": name, "url": url, "description": description, "secret": secret, "status": status}
    changes = {key: value for key, value in given.items() if value is not None}
    form = webhook_row(store, webhook_id)["form"]  # never changes
    _check({**changes, "form": form, **({"events": list(events)} if events else {})})
    with store.transaction():
        before = webhook_row(store, webhook_id)
        if events:
            changes["events"] = _events(events)
        store.amend("webhook", {"webhook_id": webhook_id}, {**changes, "updated": iso(store.clock.now())})
        for key in sorted(changes.keys() - {"secret"}):
            note_change(store, "webhook", webhook_id, key, before=before[key], after=changes[key])
        if "secret" in changes:
            note_change(store, "webhook", webhook_id, "secret")
    return webhook(store, webhook_id)


def delete_webhook(store: Store, webhook_id: str) -> None:
    """Tell it nothing any more, and forget its secret. What was delivered stays on record."""
    with store.transaction():
        webhook_row(store, webhook_id)
        now = iso(store.clock.now())
        store.amend("webhook", {"webhook_id": webhook_id}, {"deleted": now, "updated": now, "secret": None})
        note_change(store, "webhook", webhook_id, "deleted", after=now)


def _check(row: Row) -> None:
    if "name" in row and not _NAME.fullmatch(row["name"]):
        raise InvalidInput(
            f"Webhook name {row['name']!r} is invalid. It must start and end with a letter or digit, be less than 63 "
            "characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
        )
    for key, values in (("status", STATUSES), ("form", FORMS)):
        if key in row and row[key] not in values:
            raise InvalidInput(f"{key} {row[key]!r} of a webhook", expected=" or ".join(values))
    if "events" in row:
        known = REGISTRY_EVENTS if row["form"] == "mlflow" else EVENTS
        unknown = [event for event in row["events"] if event not in known]
        if unknown or not row["events"]:
            raise InvalidInput(f"Webhook events {unknown} are not known", expected=", ".join(known))
    if row.get("least") is not None:
        checked_severity(row["least"])
    if row.get("digest") is not None:
        if row["form"] not in PEOPLE:
            raise InvalidInput(f"no digest is made for {row['form']}", expected=f"one of {', '.join(PEOPLE)}")
        if not written_length(row["digest"]):
            raise InvalidInput(f"the digest is {row['digest']!r}", expected=FORM)
    if "url" in row:
        check_address(row["form"], row["url"])


def _events(events: Sequence[str]) -> str:
    return canonical_json(sorted(set(events)))


def _shown(row: Row) -> Webhook:
    kept = {name: row[name] for name in Webhook.__struct_fields__ if name not in ("events", "signed", "url")}
    url = shown_address(row["form"], row["url"])
    return Webhook(**kept, url=url, events=json.loads(row["events"]), signed=row["secret"] is not None)
