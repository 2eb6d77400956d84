"""From a path to its endpoint, and from a handler's answer to bytes."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from assay.server.wire.endpoint import Endpoint
from assay.server.wire.errors import WireError, invalid, shown
from assay.server.wire.reading import check_content_type, read_body, read_fields
from assay.server.wire.unserved import not_served

__all__ = ["Routes", "encode", "request_of"]

_FIELD = re.compile(r"\{(\w+)\}")
_MOST_ARGUMENTS = 2_000
_encoder = msgspec.json.Encoder()


class Routes:
    """Endpoints by path: whole paths in a dictionary, those with fields by pattern."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._whole: dict[str, dict[str, Endpoint]] = {}
        patterns: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            table = patterns if "{" in endpoint.path else self._whole
            table.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        self._patterns = [(_pattern(path), methods) for path, methods in patterns.items()]

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """The endpoint and the fields in the path; WireError 404, 405 or 501 where there is none."""
        fields: Mapping[str, str] = {}
        methods = self._whole.get(path)
        if methods is None:
            for pattern, candidates in self._patterns:
                match = pattern.fullmatch(path)
                if match is not None:
                    methods, fields = candidates, match.groupdict()
                    break
        if methods is None:
            raise not_served(path) or WireError(404, "ENDPOINT_NOT_FOUND", f"there is no endpoint {shown(path)}")
        endpoint = methods.get(method)
        if endpoint is None:
            allowed = ", ".join(sorted(methods))
            raise WireError(405, "BAD_REQUEST", f"{shown(path)} takes {allowed}, not {method}", allow=allowed)
        return endpoint, fields


def request_of(
    endpoint: Endpoint, fields: Mapping[str, str], query: bytes, content_type: str, body: bytes
) -> msgspec.Struct:
    """What is asked: arguments of the query for GET, else the JSON body, with the fields of the path."""
    if endpoint.method == "GET":
        return read_fields(endpoint.request, {**query_fields(query), **fields})
    if body:
        check_content_type(content_type)
    return read_body(endpoint.request, body, fields)


def query_fields(query: bytes) -> dict[str, object]:
    """The arguments of a query; one that is repeated is a list."""
    try:
        found = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_ARGUMENTS)
    except ValueError:
        raise invalid(f"the query has more than {_MOST_ARGUMENTS} arguments") from None
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def encode(answer: Any) -> bytes:
    """The JSON of an answer; nothing to say is an empty object."""
    return b"{}" if answer is None else _encoder.encode(answer)


def _pattern(path: str) -> "re.Pattern[str]":
    """Fields match one part of a path each."""
    parts = [part if position % 2 else re.escape(part) for position, part in enumerate(_FIELD.split(path))]
    return re.compile("".join(f"(?P<{part}>[^/]+)" if n % 2 else part for n, part in enumerate(parts)))
