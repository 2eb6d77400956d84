"""Assay's own API: every operation of the command line that needs no file of the caller, with the same words.

`POST /api/assay/v1/operations/<name>` takes a JSON object of arguments and answers with the result; `GET
/api/assay/v1/operations` lists them. A refusal is `{"error": {"kind", "what", "where", "expected", "hint"}}`.
"""

import importlib
import inspect
import logging
import types
import typing
from typing import Any

import msgspec

from assay.errors import (
    AlreadyExists,
    AssayError,
    Conflict,
    InvalidInput,
    MissingExtra,
    NotFound,
    Refused,
    StoreUnavailable,
    Tampered,
    nearest,
)
from assay.operation import OPERATIONS, Operation
from assay.record.identity import new_id
from assay.record.store import Store

__all__ = ["OperationFace", "listed", "refusal", "run_operation"]

_log = logging.getLogger("assay.server")
_ROOMS = ("record", "build", "prove", "operate", "steer")
_STATUSES: tuple[tuple[type[AssayError], int], ...] = (
    (NotFound, 404),
    (AlreadyExists, 409),
    (Conflict, 409),
    (Tampered, 409),
    (Refused, 403),
    (StoreUnavailable, 503),
    (MissingExtra, 501),
    (InvalidInput, 400),
)


class Parameter(msgspec.Struct, frozen=True):
    """An argument of an operation."""

    name: str
    type: str
    required: bool
    help: str


class OperationFace(msgspec.Struct, frozen=True):
    """An operation as a caller over HTTP sees it."""

    name: str
    summary: str
    parameters: list[Parameter]


def listed() -> list[OperationFace]:
    """All that may be called."""
    found = []
    for name in sorted(_served()):
        operation = OPERATIONS[name]
        parameters = [
            Parameter(p.name, kind.__name__, p.default is inspect.Parameter.empty, text)
            for p, kind, text, _ in _parameters(operation)
        ]
        found.append(OperationFace(name, operation.summary, parameters))
    return found


def run_operation(store: Store, name: str, body: bytes) -> Any:
    """Call an operation with the arguments of a JSON object, and return what it returns."""
    served = _served()
    if name not in served:
        close = nearest(name, sorted(served))
        raise NotFound(f"there is no operation {name!r}", hint=f"did you mean {close!r}?" if close else None)
    try:
        given = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (ValueError, RecursionError):  # bytes that are no UTF-8 too
        raise InvalidInput("the body cannot be read", expected="a JSON object of arguments") from None
    positional, named = _arguments(OPERATIONS[name], given)
    return OPERATIONS[name].function(store, *positional, **named)


def refusal(error: Exception) -> tuple[int, bytes]:
    """Status and body of what went wrong."""
    if not isinstance(error, AssayError):
        incident = new_id()[:12]
        _log.error("incident %s", incident, exc_info=error)
        said = {"kind": "InternalError", "what": f"the server failed; its log knows more under incident {incident}"}
        return 500, msgspec.json.encode({"error": said})
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    where = error.where if error.where and not error.where.startswith(("/", "postgresql")) else None
    said = {"kind": type(error).__name__, "what": error.what}
    for part, text in (("where", where), ("expected", error.expected), ("hint", error.hint)):
        if text:
            said[part] = text
    return status, msgspec.json.encode({"error": said})


def _served() -> set[str]:
    for name in _ROOMS:
        room = importlib.import_module(f"assay.{name}")
        for public in room.__all__:  # some rooms import a name when it is first used
            getattr(room, public)
    return {name for name, found in OPERATIONS.items() if _is_remote(found)}


def _is_remote(operation: Operation) -> bool:
    return not (operation.local or operation.creates_store or operation.on_server)


def _arguments(operation: Operation, given: dict[str, Any]) -> tuple[list[object], dict[str, object]]:
    positional: list[object] = []
    named: dict[str, object] = {}
    known = []
    for parameter, kind, _, is_optional in _parameters(operation):
        known.append(parameter.name)
        value = given.get(parameter.name, parameter.default)
        if value is inspect.Parameter.empty:
            raise InvalidInput(f"{operation.name} lacks {parameter.name!r}", expected=kind.__name__)
        if value is not None or not is_optional:
            try:
                value = msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                raise InvalidInput(f"{parameter.name} of {operation.name}: {error}") from None
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    for name, value in given.items():
        if name in operation.local_options and value:
            raise InvalidInput(
                f"a server does not do {operation.name} with {name!r}: it names files",
                hint="the command line where the store is",
            )
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close!r}?" if close else f"it takes {', '.join(known) or 'none'}"
            raise InvalidInput(f"{operation.name} has no argument {name!r}", hint=hint)
    return positional, named


def _parameters(operation: Operation) -> list[tuple[inspect.Parameter, type, str, bool]]:
    """Parameters after the store, with their type, help, and whether null is one of their values."""
    hints = typing.get_type_hints(operation.function, include_extras=True)
    found = []
    for parameter in list(inspect.signature(operation.function).parameters.values())[1:]:
        hint, text = hints[parameter.name], ""
        if typing.get_origin(hint) is typing.Annotated:
            hint, text = typing.get_args(hint)
        is_optional = isinstance(hint, types.UnionType)
        if is_optional:
            (hint,) = (option for option in typing.get_args(hint) if option is not type(None))
        found.append((parameter, hint, text, is_optional))
    return found
