"""What the description of the wire allows, and what it does not: no answer says that the server is to blame."""

import json
import re
from typing import Any
from urllib.parse import unquote_to_bytes

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.conftest import RunningServer

from assay.server.openapi import description
from assay.server.wire import ENDPOINTS
from assay.server.wire.endpoint import Endpoint

pytestmark = pytest.mark.filterwarnings("ignore")
SCHEMA = schemathesis.openapi.from_dict(description(ENDPOINTS))
KNOWN_CODES = {
    "BAD_REQUEST",
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "ENDPOINT_NOT_FOUND",
    "RESOURCE_CONFLICT",
    "PERMISSION_DENIED",
    "DATA_LOSS",
    "NOT_IMPLEMENTED",
}
INSIDE = re.compile(rb"sqlite|SELECT |INSERT |Traceback|/site-packages/|/tmp/|psycopg")


@pytest.fixture(scope="module")
def session() -> requests.Session:
    """Connections that are kept."""
    return requests.Session()


def _sent(request: Any) -> bytes:
    """What a client said, in the address and in the body."""
    body = request.body or b""
    return unquote_to_bytes(request.url) + b"\n" + (body.encode() if isinstance(body, str) else body)


def _check(answer: Any) -> None:
    kind = answer.headers["content-type"]
    assert kind in ("application/json", ["application/json"])
    assert answer.status_code < 500 or answer.status_code == 501, answer.content
    # hypothesis draws words of our own sources too: to say back what was sent gives nothing away
    told = [word for word in INSIDE.findall(answer.content) if word not in _sent(answer.request)]
    assert not told, answer.content
    found = answer.json()
    assert isinstance(found, dict)
    if answer.status_code != 200:
        assert found["error_code"] in KNOWN_CODES
        assert found["message"]


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_no_request_is_answered_with_an_error_of_the_server(
    server: RunningServer, session: requests.Session, endpoint: Endpoint
) -> None:
    operation = SCHEMA[f"/api/{endpoint.path}"][endpoint.method.lower()]

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=operation.as_strategy())
    def attempt(case: Any) -> None:
        _check(case.call(base_url=server.url, session=session))

    attempt()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=9), inside, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_values_of_any_kind_in_any_field_are_refused_or_taken(
    sqlite_server: RunningServer, session: requests.Session, endpoint: Endpoint
) -> None:
    names = list(endpoint.request.__struct_fields__)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(fields=st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON_VALUES)))
    def attempt(fields: dict[str, Any]) -> None:
        path = re.sub(r"\{\w+\}", "x", endpoint.path)
        address = f"{sqlite_server.url}/api/{path}"
        if endpoint.method == "GET":
            arguments = {name: value if isinstance(value, str) else repr(value) for name, value in fields.items()}
            _check(session.get(address, params={k: v.encode(errors="replace") for k, v in arguments.items()}))
            return
        body = json.dumps(fields).encode()
        headers = {"Content-Type": "application/json"}
        _check(session.request(endpoint.method, address, data=body, headers=headers))

    attempt()


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(body=st.binary(max_size=200), position=st.integers(0, len(ENDPOINTS) - 1))
def test_bytes_that_are_no_json_are_refused(
    sqlite_server: RunningServer, session: requests.Session, body: bytes, position: int
) -> None:
    endpoint = ENDPOINTS[position]
    hypothesis.assume(endpoint.method != "GET")
    path = re.sub(r"\{\w+\}", "x", endpoint.path)
    headers = {"Content-Type": "application/json"}
    _check(session.request(endpoint.method, f"{sqlite_server.url}/api/{path}", data=body, headers=headers))
