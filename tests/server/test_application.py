import json
import re
from pathlib import Path

import pytest
from tests.server.conftest import API, RunningServer

from assay.server.wire import ENDPOINTS


def test_it_says_that_it_is_well_and_whose_wire_it_speaks(sqlite_server: RunningServer) -> None:
    assert sqlite_server.call("GET", "/health").content == b"OK"
    assert sqlite_server.call("GET", "/version").content == b"3.17.2"
    info = sqlite_server.call("GET", "/api/3.0/mlflow/server-info").json
    assert info["multipart_uploads_enabled"] is False
    assert info["features_enabled"] == {"gateway": False}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", f"{API}/experiments/nonexistent", 404, "ENDPOINT_NOT_FOUND"),
        ("GET", f"{API}/experiments/create", 405, "BAD_REQUEST"),
        ("PUT", "/ajax-api/2.0/mlflow/runs/get", 405, "BAD_REQUEST"),
        ("POST", "/api/3.0/mlflow/traces/search", 501, "NOT_IMPLEMENTED"),
        ("GET", "/api/3.0/mlflow/datasets/d-1/records", 501, "NOT_IMPLEMENTED"),
        ("POST", "/v1/traces", 501, "NOT_IMPLEMENTED"),
        ("GET", "/graphql", 501, "NOT_IMPLEMENTED"),
        ("POST", "/api/2.0/mlflow-artifacts/mpu/create/1/x", 501, "NOT_IMPLEMENTED"),
    ],
)
def test_what_is_not_there_is_said_in_json(
    sqlite_server: RunningServer, method: str, path: str, status: int, code: str
) -> None:
    answer = sqlite_server.call(method, path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["error_code"] == code
    assert answer.json["message"]


def test_both_prefixes_are_served(sqlite_server: RunningServer) -> None:
    for prefix in ("/api", "/ajax-api"):
        answer = sqlite_server.call("GET", f"{prefix}/2.0/mlflow/experiments/get?experiment_id=0")
        assert answer.json["experiment"]["name"] == "Default"


@pytest.mark.parametrize("body", [b"", b"[1,2", b"[]", b"null", b"\xff\xfe", b"{" * 100_000, b'{"run_id": "\\ud800"}'])
def test_a_body_that_is_no_object_lacks_the_required_fields(sqlite_server: RunningServer, body: bytes) -> None:
    answer = sqlite_server.call("POST", f"{API}/runs/log-batch", body)
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_body_of_another_type_is_refused(sqlite_server: RunningServer) -> None:
    answer = sqlite_server.call("POST", f"{API}/runs/log-batch", b"a=1", headers={"Content-Type": "text/plain"})
    assert answer.status == 400
    assert answer.json["message"] == "Bad Request. Content-Type must be one of ['application/json']."


def test_a_body_that_is_too_large_is_refused_with_words(sqlite_server: RunningServer) -> None:
    body = json.dumps({"run_id": "x", "tags": [{"key": "k", "value": "v" * 17_000_000}]}).encode()
    answer = sqlite_server.call("POST", f"{API}/runs/log-batch", body)
    assert answer.status == 413
    assert "send it in smaller parts" in answer.json["message"]
    assert answer.headers["retry-after"] is None


LISTED = (Path(__file__).parent / "mlflow_endpoints.txt").read_text().splitlines()


def test_every_endpoint_of_mlflow_is_served_or_said_not_to_be(sqlite_server: RunningServer) -> None:
    unserved = []
    for line in LISTED:
        method, _, path = line.partition(" ")
        address = re.sub(r"\{\w+\}", "x", path)
        answer = sqlite_server.call(method, address, {} if method in ("POST", "PATCH") else None)
        if path not in ("/version", "/health"):
            assert answer.headers["content-type"] == "application/json", line
        assert answer.status not in (404, 405) or answer.json["error_code"] == "RESOURCE_DOES_NOT_EXIST", line
        assert answer.status < 500 or answer.status == 501, line
        if answer.status == 501:
            assert answer.json["error_code"] == "NOT_IMPLEMENTED"
            assert answer.json["message"].startswith("assay does not serve ")
            unserved.append(line)
    assert len(LISTED) > 190
    assert len(LISTED) - len(unserved) >= 72
    assert not [line for line in unserved if "/runs/" in line and "promptlab" not in line]


def test_the_description_names_every_endpoint_that_is_served(sqlite_server: RunningServer) -> None:
    found = sqlite_server.call("GET", "/api/openapi.json").json
    assert found["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    assert described == {(endpoint.method, f"/api/{endpoint.path}") for endpoint in ENDPOINTS}
    batch = found["components"]["schemas"]["LogBatch"]
    assert batch["required"] == ["run_id"]
    names = [details["operationId"] for methods in found["paths"].values() for details in methods.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "me.localhost:5000", "127.0.0.1", "[::1]:5000"])
def test_it_answers_to_the_names_of_this_machine(sqlite_server: RunningServer, host: str) -> None:
    assert sqlite_server.call("GET", "/version", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_a_name_that_points_here_from_elsewhere_is_refused(sqlite_server: RunningServer, host: str) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", f"{API}/experiments/get?experiment_id=0"),
        ("POST", f"{API}/runs/create"),
    ):
        answer = sqlite_server.call(method, path, headers={"Host": host})
        assert answer.status == 403
        assert "answers to localhost only" in answer.json["message"]
    assert sqlite_server.call("GET", "/health", headers={"Host": host}).status == 200
