"""The served endpoints as an OpenAPI document, from the same table and types that serve them."""

import re
import types
from collections.abc import Iterable
from typing import Any

import msgspec

from assay import __version__
from assay.server.wire.endpoint import Endpoint

__all__ = ["description"]

_REF = "#/components/schemas/{name}"
_FIELD = re.compile(r"\{(\w+)\}")


def description(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """OpenAPI 3.1 of the endpoints below `/api/`."""
    listed = list(endpoints)
    requests = [endpoint.request for endpoint in listed]
    answers = [endpoint.answer for endpoint in listed if _has_schema(endpoint.answer)]
    schemas, components = msgspec.json.schema_components([*requests, *answers, _Refusal], ref_template=_REF)
    asked = dict(zip(map(id, requests), schemas, strict=False))
    answered = dict(zip(map(id, answers), schemas[len(requests) :], strict=False))
    paths: dict[str, Any] = {}
    for endpoint in listed:
        answer = answered.get(id(endpoint.answer), {"type": "object"})
        paths.setdefault(f"/api/{endpoint.path}", {})[endpoint.method.lower()] = {
            "operationId": f"{endpoint.method.lower()} {endpoint.path}",
            "summary": endpoint.summary,
            **_request(endpoint, components, asked[id(endpoint.request)]),
            "responses": {
                "200": _content("what was asked for", answer),
                "4XX": _content("a refusal", schemas[-1]),
            },
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Assay: MLflow's wire", "version": __version__},
        "paths": paths,
        "components": {"schemas": components},
    }


class _Refusal(msgspec.Struct):
    """Why a request was refused."""

    error_code: str
    message: str


def _has_schema(kind: Any) -> bool:
    return isinstance(kind, type) and kind is not types.NoneType


def _request(endpoint: Endpoint, components: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    fields = components[schema["$ref"].rpartition("/")[2]]
    in_path = _FIELD.findall(endpoint.path)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in in_path
    ]
    if endpoint.method != "GET":
        body = {"content": {"application/json": {"schema": schema}}}
        return {"parameters": parameters, "requestBody": body}
    for name, kind in fields["properties"].items():
        if name not in in_path:
            required = name in fields.get("required", [])
            parameters.append({"name": name, "in": "query", "required": required, "schema": kind})
    return {"parameters": parameters}


def _content(what: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": what, "content": {"application/json": {"schema": schema}}}
