"""Channels: the forms in which events are told, where each may point, and how one message goes out."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from assay.errors import InvalidInput, MissingExtra
from assay.record.notify.addresses import checked_target
from assay.record.notify.chat import slack, teams
from assay.record.notify.mail import mail_target, send_mail
from assay.record.notify.sending import FORMS as WEBHOOK_FORMS
from assay.record.notify.sending import Answer, Send, message
from assay.record.notify.telling import EVENTS, OPERATION_EVENTS, REGISTRY_EVENTS
from assay.record.notify.words import in_words, together
from assay.record.store import Row

__all__ = ["FORMS", "PEOPLE", "Event", "check_address", "events_for", "send_events", "shown_address"]

_CHATS = {"slack": slack, "teams": teams}
PEOPLE = (*_CHATS, "email", "apprise")  # read by people: several events may be one message
FORMS = (*WEBHOOK_FORMS, *PEOPLE, "file")
_JSON = {"Content-Type": "application/json"}


class Event(msgspec.Struct, frozen=True):
    """What happened: its name and fields, when, and the delivery of it to this channel."""

    event_id: str
    event: str
    ts: str
    data: dict[str, object]
    delivery_id: str


def events_for(form: str) -> tuple[str, ...]:
    """What a channel is told that asked for nothing in particular."""
    if form == "mlflow":
        return REGISTRY_EVENTS
    return OPERATION_EVENTS if form in PEOPLE else EVENTS


def check_address(form: str, url: str) -> None:
    """InvalidInput where a channel of that form cannot, or may not, point there."""
    if form == "email":
        mail_target(url)
    elif form == "file":
        _file(url)
    elif form == "apprise":
        _apprise(url)
    else:
        checked_target(url)


def shown_address(form: str, url: str) -> str:
    """The address for people to see: in those of chats and of Apprise lies the right to write there."""
    if form not in (*_CHATS, "apprise"):
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}/…" if form in _CHATS else f"{parts.scheme}://…"


def send_events(hook: Row, events: Sequence[Event], *, now_s: int, send: Send) -> Answer:
    """One message with these events; several only where people read it. OSError or AssayError where it is not taken.

    What is no webhook answers 200 when it was taken.
    """
    form, url, first = hook["form"], hook["url"], events[0]
    if form in WEBHOOK_FORMS:
        headers, body = message(
            form,
            first.event,
            first.data,
            event_id=first.event_id,
            ts=first.ts,
            delivery_id=first.delivery_id,
            now_s=now_s,
            secret=hook["secret"],
        )
        return send(url, headers, body)
    if form == "file":
        return Answer(200, _append(url, events))
    told = together([in_words(one.event, one.data) for one in events])
    if form in _CHATS:
        return send(url, _JSON, _CHATS[form](told))
    if form == "email":
        same = hashlib.sha256(" ".join(one.delivery_id for one in events).encode()).hexdigest()[:32]
        return Answer(200, send_mail(url, hook["secret"], told, same))
    kinds = {"info": "info", "warning": "warning", "critical": "failure"}
    if not _apprise(url).notify(title=told.title, body=told.text(), notify_type=kinds[told.severity]):
        raise OSError("Apprise could not deliver it")
    return Answer(200, "taken by Apprise")


def _append(url: str, events: Sequence[Event]) -> str:
    """Lines of JSON behind those that are there, in one write, on disk when this returns."""
    path = _file(url)
    lines = [
        json.dumps({"id": one.event_id, "event": one.event, "time": one.ts, "data": one.data}) + "\n" for one in events
    ]
    opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(opened, "".join(lines).encode())
        os.fsync(opened)
    finally:
        os.close(opened)
    return f"written to {path}"


def _file(url: str) -> Path:
    path = Path(url.removeprefix("file://"))
    if not path.is_absolute() or not path.parent.is_dir() or path.is_dir():
        raise InvalidInput(f"{url!r} is no file to write to", expected="an absolute path in a folder that is there")
    return path


def _apprise(url: str):  # type: ignore[no-untyped-def]
    try:
        import apprise
    except ImportError:
        raise MissingExtra("apprise", "Apprise") from None
    channel = apprise.Apprise()
    if not channel.add(url):
        raise InvalidInput("Apprise knows no service of that address", expected="such as ntfy://TOPIC or tgram://...")
    return channel
