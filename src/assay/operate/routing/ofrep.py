"""OpenFeature's remote evaluation protocol: which variant a unit has, for applications in any language.

The flag is the endpoint, its value the name of the variant. So a unit sees the same variant in a user interface as in
the model's answers. The context's `targetingKey` is the unit, its other attributes are what a segment looks at.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from assay.errors import nearest
from assay.operate.routing.assignment import Assigned
from assay.operate.routing.table import RoutingTable
from assay.record.canonical import digest_bytes

__all__ = ["FLAGS", "Reply", "ofrep", "ofrep_refusal"]

Reply: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]

FLAGS = "/ofrep/v1/evaluate/flags"
_SHOWN = 100  # characters of somebody else's text in a message
_JSON = (b"content-type", b"application/json")
_KEY = "targetingKey"

_encode = msgspec.json.Encoder().encode


class _Asked(msgspec.Struct):
    context: Any = None


class _Refused(Exception):
    def __init__(self, status: int, code: str, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.code = code
        self.details = details


def ofrep(path: str, method: str, headers: Mapping[bytes, bytes], body: bytes, table: RoutingTable) -> Reply | None:
    """Status, headers and body of the answer; None for a path that is not of this protocol.

    `headers` have names in small letters. Nothing is logged: asking is not predicting.
    """
    if path != FLAGS and not path.startswith(f"{FLAGS}/"):
        return None
    if method != "POST":
        status, more, content = ofrep_refusal(405, f"{path[:_SHOWN]} takes POST, not {method[:_SHOWN]}")
        return status, [*more, (b"allow", b"POST")], content
    key = path.removeprefix(FLAGS).removeprefix("/")
    named = {"key": key} if path != FLAGS else {}
    try:
        if named:
            _check_key(key, table)
        unit, attributes = _context(body)
    except _Refused as error:
        content = _encode({**named, "errorCode": error.code, "errorDetails": error.details})
        return error.status, [_JSON], content
    flag = _flag(table, unit, attributes)
    if named:
        return 200, [_JSON], _encode(flag)
    content = _encode({"flags": [flag], "metadata": {"revision": table.revision}})
    tag = f'"{digest_bytes(content)[:32]}"'.encode()
    if _matches(headers.get(b"if-none-match", b""), tag):
        return 304, [(b"etag", tag)], b""
    return 200, [_JSON, (b"etag", tag)], content


def ofrep_refusal(status: int, details: str, *, retry_after: int | None = None) -> Reply:
    """A refusal that is about no flag: 401, 403, 429 with the seconds to wait, 500."""
    more = [(b"retry-after", str(retry_after).encode())] if retry_after is not None else []
    return status, [_JSON, *more], _encode({"errorDetails": details})


def _check_key(key: str, table: RoutingTable) -> None:
    if key != table.endpoint:
        close = nearest(key[:_SHOWN], [table.endpoint])
        hint = f"did you mean {close!r}?" if close else f"this server answers for {table.endpoint!r}"
        raise _Refused(404, "FLAG_NOT_FOUND", f"there is no endpoint {key[:_SHOWN]!r}, {hint}")


def _context(body: bytes) -> tuple[str, dict[str, object]]:
    """The unit and the attributes of a request."""
    try:
        asked = msgspec.json.decode(body, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _Refused(400, "PARSE_ERROR", f"the body cannot be read: {error}"[:_SHOWN]) from None
    if not isinstance(asked.context, dict):
        raise _Refused(400, "INVALID_CONTEXT", f'no context, expected {{"context": {{"{_KEY}": the unit, ...}}}}')
    attributes = dict(asked.context)
    unit = attributes.pop(_KEY, None)
    if not isinstance(unit, str) or not unit:
        found = "no" if unit in (None, "") else f"{unit!r}"[:_SHOWN]
        raise _Refused(400, "INVALID_CONTEXT", f"{found} {_KEY}, expected the unit as text that is not empty")
    return unit, attributes


def _flag(table: RoutingTable, unit: str, attributes: dict[str, object]) -> dict[str, object]:
    assigned = table.assigner.assign(unit, attributes)
    found = table.variants[assigned.variant]
    metadata: dict[str, object] = {
        "model": found.model.version.model,
        "version": found.model.version.version,
        "revision": table.revision,
        "takes_part": assigned.reason == "hash",
    }
    if table.split is not None:
        metadata |= {"experiment": table.split.experiment, "phase": table.split.phase}
    name = found.variant.name
    return {
        "key": table.endpoint,
        "value": name,
        "variant": name,
        "reason": _reason(table, assigned),
        "metadata": metadata,
    }


def _reason(table: RoutingTable, assigned: Assigned) -> str:
    """OpenFeature's word: who takes part by a segment was targeted, who takes part in nothing has the default."""
    if table.split is None:
        return "STATIC"
    if assigned.reason != "hash":
        return "DEFAULT"
    return "TARGETING_MATCH" if table.split.segment else "SPLIT"


def _matches(wanted: bytes, tag: bytes) -> bool:
    """Whether the header If-None-Match names the tag; a weak one is as good (RFC 9110, 13.1.2)."""
    named = [one.strip().removeprefix(b"W/") for one in wanted.split(b",")]
    return tag in named or named == [b"*"]
