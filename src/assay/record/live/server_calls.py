"""Operations on a server: the same words, done where the records are. It refuses as the operation would here."""

import http.client
import os
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import IO
from urllib.parse import quote, urlsplit

import msgspec

from assay.errors import (
    AlreadyExists,
    AssayError,
    Conflict,
    InvalidInput,
    NotFound,
    Refused,
    StoreMismatch,
    StoreUnavailable,
    Tampered,
)

__all__ = ["ServerConnection", "call_operation", "is_server"]

_TIMEOUT_S = 120
_KINDS: dict[str, type[AssayError]] = {
    kind.__name__: kind
    for kind in (AlreadyExists, Conflict, InvalidInput, NotFound, Refused, StoreMismatch, StoreUnavailable, Tampered)
}


class _Said(msgspec.Struct):
    kind: str = ""
    what: str = ""
    where: str | None = None
    expected: str | None = None
    hint: str | None = None


class _Refusal(msgspec.Struct):
    error: _Said


def is_server(location: object) -> bool:
    """Whether a place is the address of a server."""
    return str(location or "").startswith(("http://", "https://"))


def call_operation(url: str, name: str, arguments: Mapping[str, object]) -> bytes:
    """The result of an operation as JSON. Raises what the server refused it with, StoreUnavailable where it is away."""
    connection = ServerConnection(url)
    try:
        path = f"operations/{quote(name.replace(' ', '/'))}"
        return connection.request("POST", path, msgspec.json.encode(dict(arguments)))
    finally:
        connection.close()


class ServerConnection:
    """One connection to a control plane, kept open between requests. ASSAY_TOKEN is sent where it is set."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise InvalidInput(f"{url!r} is no address of a server", expected="http://host:port")
        self._connection: http.client.HTTPConnection | None = None

    @property
    def name(self) -> str:
        """The address without a user and a password."""
        port = f":{self._url.port}" if self._url.port else ""
        return f"{self._url.scheme}://{self._url.hostname}{port}{self._url.path.rstrip('/')}"

    def request(self, method: str, path: str, body: bytes | IO[bytes]) -> bytes:
        """The answer to a request below the native API."""
        headers = {"Content-Type": "application/octet-stream"}
        token = os.environ.get("ASSAY_TOKEN")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            if self._connection is None:
                self._connection = self._connect()
            whole = f"{self._url.path.rstrip('/')}/api/assay/v1/{path}"
            self._connection.request(method, whole, body, headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise StoreUnavailable(f"the server cannot be reached: {error}", where=self.name) from error
        if answer.status == HTTPStatus.OK:
            return said
        raise self._refused(answer.status, said)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refused(self, status: int, body: bytes) -> AssayError:
        try:
            said = msgspec.json.decode(body, type=_Refusal).error
        except msgspec.DecodeError:  # something else answers there
            text = body[:200].decode(errors="replace").strip()
            said = _Said(what=f"the server answered {status}: {text}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and said.kind not in _KINDS:
            return StoreUnavailable(said.what or f"the server answered {status}", where=self.name)
        kind = _KINDS.get(said.kind, AssayError)
        return kind(said.what, where=said.where or self.name, expected=said.expected, hint=said.hint)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
