"""Requests as typed structures: strict and fast where a body fits, else field by field as MLflow's clients may send it.

A request is a `msgspec.Struct`: a field without a default is required, text marked `Name` must not be empty. Numbers
may come as text, true counts as 1, null as left out, and unknown fields are ignored.
"""

import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from assay.server.wire.errors import WireError, invalid, missing, unfit

__all__ = ["Int", "Name", "body_fields", "check_content_type", "read_body", "read_fields"]

Request = TypeVar("Request", bound=msgspec.Struct)

_INT64 = 2**63
Name = Annotated[str, msgspec.Meta(min_length=1)]
Int = Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64 - 1)]
_decode = msgspec.json.Decoder().decode


def read_body(kind: type[Request], body: bytes, path: Mapping[str, str]) -> Request:
    """The request of a JSON body; `path` holds fields that stand in the path. WireError says what is wrong."""
    if not path and b"\\u0000" not in body:
        try:
            return msgspec.json.decode(body, type=kind)
        except (ValueError, RecursionError):
            pass  # read once more, slowly, to take what is meant or to say what is wrong
    return read_fields(kind, {**body_fields(body), **path})


def body_fields(body: bytes) -> dict[str, object]:
    """The fields of a JSON body; one that is empty or no JSON object has none."""
    try:
        found = _decode(body)
    except RecursionError:
        raise invalid("the body is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found = _with_literals(body)
    return found if isinstance(found, dict) else {}


def _with_literals(body: bytes) -> object:
    """JSON with the literals NaN and Infinity, which some writers use."""
    if b"NaN" not in body and b"Infinity" not in body:
        return None
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError):
        return None
    return found


def read_fields(kind: type[Request], given: Mapping[str, object], where: str = "") -> Request:
    """The request of named values. A list may be given as one value, as in a query."""
    values = {}
    for name, hint, required, is_name in _fields(kind):
        value = given.get(name)
        label = f"{where}{name}"
        if value is None or (value == "" and is_name):
            if required:
                raise missing(label)
            continue
        values[name] = _value(hint, value, label)
    return kind(**values)


def _value(hint: Any, value: object, label: str) -> object:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return _value(typing.get_args(hint)[0], value, label)
    if origin is list:
        (inside,) = typing.get_args(hint)
        if isinstance(value, str) and inside is str:
            value = [value]
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise unfit(label, value)
        return [_value(inside, item, f"{label}[{position}]") for position, item in enumerate(value)]
    if origin is Literal:
        if value not in typing.get_args(hint):
            raise unfit(label, value)
        return value
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        if not isinstance(value, dict):
            raise unfit(label, value)
        return read_fields(hint, value, f"{label}.")
    return _READERS[hint](value, label)


def _text(value: object, label: str) -> str:
    if not isinstance(value, str):
        raise unfit(label, value)
    if "\x00" in value:
        raise invalid(f"parameter '{label}' holds the character NUL")
    return value


def _integer(value: object, label: str) -> int:
    try:
        number = int(value) if isinstance(value, str | int) else None
    except ValueError:
        number = None
    if number is None and isinstance(value, float) and value.is_integer():
        number = int(value)
    if number is None or not -_INT64 <= number < _INT64:
        raise unfit(label, value)
    return number


def _float(value: object, label: str) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or (isinstance(value, str) and math.isinf(number) and "inf" not in value.lower()):
        raise unfit(label, value)
    return number


def _boolean(value: object, label: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise unfit(label, value)


_READERS: dict[object, typing.Callable[[object, str], object]] = {
    str: _text,
    int: _integer,
    float: _float,
    bool: _boolean,
}


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, Any, bool, bool], ...]:
    """Name, type, whether required, and whether empty text counts as left out, of each field."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        if typing.get_origin(hint) in (types.UnionType, typing.Union):
            (hint,) = (option for option in typing.get_args(hint) if option is not type(None))
        is_name = hint == Name
        if typing.get_origin(hint) is Annotated:
            hint = typing.get_args(hint)[0]
        found.append((field.encode_name, hint, field.required, is_name))
    return tuple(found)


def check_content_type(content_type: str) -> None:
    """A body must be JSON."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise WireError(
            400, "INVALID_PARAMETER_VALUE", "Bad Request. Content-Type must be one of ['application/json']."
        )
