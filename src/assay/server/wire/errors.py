"""Refusals as MLflow's clients read them: a status, a code of their list, and words.

Clients repeat 408, 429 and most of 5xx for minutes and lose the message, so whatever a caller did wrong is another 4xx.
No answer holds a path of this machine, SQL, or HTML.
"""

import logging

import msgspec

from assay.errors import (
    AlreadyExists,
    AssayError,
    Conflict,
    InvalidInput,
    NotFound,
    PortInUse,
    Refused,
    StoreUnavailable,
    Tampered,
)
from assay.record.identity import new_id

__all__ = ["WireError", "invalid", "missing", "shown", "wire_error"]

_log = logging.getLogger("assay.server")
_SHOWN = 200  # characters of somebody else's value in a message
_SEE = "See the API docs for more information about request parameters."

# What went wrong -> status and code. The first that fits counts.
_KINDS: tuple[tuple[type[AssayError], int, str], ...] = (
    (NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
    (AlreadyExists, 400, "RESOURCE_ALREADY_EXISTS"),
    (Conflict, 409, "RESOURCE_CONFLICT"),
    (Refused, 403, "PERMISSION_DENIED"),
    (Tampered, 409, "DATA_LOSS"),
    (InvalidInput, 400, "INVALID_PARAMETER_VALUE"),
)


class WireError(Exception):
    """An answer that says no. `allow` lists the methods of a path, `retry_after` seconds after which it may work."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        allow: str | None = None,
        retry_after: int | None = None,
        challenge: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers: dict[str, str] = {}
        if allow:
            self.headers["allow"] = allow
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)
        if challenge:
            self.headers["www-authenticate"] = 'Basic realm="assay"'

    @property
    def body(self) -> bytes:
        """The JSON of the answer."""
        return msgspec.json.encode({"error_code": self.code, "message": self.message})


def invalid(message: str) -> WireError:
    """A value that cannot be taken."""
    return WireError(400, "INVALID_PARAMETER_VALUE", message)


def missing(parameter: str) -> WireError:
    """A field that is required was left out, in the words that tools look for."""
    return invalid(f"Missing value for required parameter '{parameter}'. {_SEE}")


def unfit(parameter: str, value: object) -> WireError:
    """A value of the wrong kind, in the words that tools look for."""
    kind = type(value).__name__
    return invalid(
        f"Invalid value {shown(value)} for parameter '{parameter}' supplied:  Hint: Value was of type '{kind}'. {_SEE}"
    )


def shown(value: object) -> str:
    """A value as JSON, cut where it is long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def wire_error(error: Exception) -> WireError:
    """What to answer when `error` was raised. What nobody foresaw is logged under the number that the answer names."""
    if isinstance(error, WireError):
        return error
    if isinstance(error, StoreUnavailable) and not isinstance(error, PortInUse):
        _log.warning("the store does not answer: %s", error)
        return WireError(
            503, "TEMPORARILY_UNAVAILABLE", "the store cannot be used at the moment; nothing was changed", retry_after=1
        )
    if isinstance(error, AssayError):
        for kind, status, code in _KINDS:
            if isinstance(error, kind):
                return WireError(status, code, _said(error))
    incident = new_id()[:12]
    _log.error("incident %s", incident, exc_info=error)
    return WireError(500, "INTERNAL_ERROR", f"the server failed; its log knows more under incident {incident}")


def _said(error: AssayError) -> str:
    """The words of an error without where the store is."""
    parts = [error.what]
    parts += [f"expected: {error.expected}"] if error.expected else []
    parts += [f"try: {error.hint}"] if error.hint else []
    return "\n".join(parts)
