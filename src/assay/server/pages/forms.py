"""Forms that people send from a page: read with a limit, only from the same site, with the name of who sends them."""

import base64
import binascii
import copy
import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import msgspec
from starlette.requests import Request

from assay.errors import Conflict, InvalidInput, Refused
from assay.record.canonical import canonical_json
from assay.record.identity import Actor
from assay.record.store import Store

__all__ = [
    "Form",
    "TagChanges",
    "acting_as",
    "check_origin",
    "check_seen",
    "read_form",
    "seen_of",
    "tag_changes",
    "user_of",
]

_MOST_BYTES = 512_000
_MOST_FIELDS = 4_000
_LONGEST_NAME = 100


class Form(msgspec.Struct, frozen=True):
    """The fields of a form in their order; line ends are those of the store."""

    fields: list[tuple[str, str]]

    def one(self, name: str) -> str:
        """The value of a field; empty where it was not sent."""
        return next((value for key, value in self.fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """The values of a field that may stand there more than once."""
        return [value for key, value in self.fields if key == name]


class TagChanges(msgspec.Struct, frozen=True):
    """What a form changes of tags: values that are new or others, and names that go."""

    put: dict[str, str]
    dropped: list[str]


def check_origin(request: Request) -> None:
    """Refused unless the form stood on a page of this very server: other sites must not write through a browser."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if origin is None or urlsplit(origin).netloc != host or site != "same-origin":
        raise Refused(
            f"the form came from {origin or 'nowhere'}, which is not this server",
            expected=f"a page of {host}",
            hint="open the page here and send it again; a proxy in front has to pass on Host and Origin",
        )


async def read_form(request: Request) -> Form:
    """The form in the body of a request; InvalidInput where it is none, or larger than a page sends."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            raise InvalidInput("the form is too large", expected=f"at most {_MOST_BYTES:,} bytes")
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise InvalidInput("the body is no form", expected="application/x-www-form-urlencoded")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # also what is not ASCII, and escapes that are no UTF-8
        raise InvalidInput("the form cannot be read", expected="fields in UTF-8") from None
    return Form([(name, _plain(value)) for name, value in fields])


def acting_as(store: Store, request: Request, form: Form) -> Store:
    """The store with who sent the form as the actor: the user of the request, or the name in the field `by`.

    It is the same store otherwise, inside the same transaction.
    """
    name = user_of(request) or form.one("by").strip()
    if not name:
        return store
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidInput("your name cannot be kept", expected=f"at most {_LONGEST_NAME} characters that can be seen")
    acting = copy.copy(store)
    acting.actor = Actor(name)
    return acting


def seen_of(state: object) -> str:
    """A digest of what a form shows, by which it is noticed that somebody changed it in the meantime."""
    return hashlib.sha256(canonical_json(state).encode()).hexdigest()[:16]


def check_seen(form: Form, state: object) -> None:
    """Conflict where what the form showed is not what there is now."""
    if form.one("seen") != seen_of(state):
        raise Conflict(
            "somebody changed this in the meantime; nothing was kept",
            hint="go back, copy what you wrote, and open the page again",
        )


def tag_changes(form: Form, current: Mapping[str, str]) -> TagChanges:
    """What the fields `tag-key`, `tag-value`, `tag-drop`, `new-key` and `new-value` change of tags."""
    dropped = [key for key in dict.fromkeys(form.all("tag-drop")) if key in current]
    shown = dict(zip(form.all("tag-key"), form.all("tag-value"), strict=False))
    put = {
        key: value
        for key, value in shown.items()
        if key in current and key not in dropped and value != _plain(current[key])
    }
    key, value = form.one("new-key").strip(), form.one("new-value")
    if key:
        if key in current:
            raise InvalidInput(f"there is a tag {key} already", hint="change its value instead")
        if key.startswith("mlflow."):
            raise InvalidInput(f"the tag {key} is one of MLflow's own", expected="another name")
        put[key] = value
    elif value:
        raise InvalidInput("the new tag has a value and no name", expected="both")
    return TagChanges(put, dropped)


def user_of(request: Request) -> str:
    """The user of Basic authentication; the server has checked the password."""
    kind, _, rest = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0].strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
