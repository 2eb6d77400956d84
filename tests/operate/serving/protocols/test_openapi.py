"""The OpenAPI document of an endpoint, and real answers against it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from tests.operate.serving.protocols.protocol_helpers import Running, Weighted, add_mixed, add_numbers, running
from tests.operate.serving_helpers import ENDPOINT, add_route

from assay.record.models.routes import wait_acknowledged
from assay.record.sqlstore import SqlStore

TENSORS = [
    {"name": "distance", "datatype": "FP64", "shape": [1], "data": [10.0]},
    {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": ["AA"]},
]
ROW = {"distance": 10.0, "carrier": "AA"}
CALLS: list[tuple[str, str, object]] = [
    ("GET", "/health/live", None),
    ("GET", "/health/ready", None),
    ("GET", "/version", None),
    ("GET", "/v2", None),
    ("GET", "/v2/health/live", None),
    ("GET", "/v2/health/ready", None),
    ("GET", "/v2/models", None),
    ("GET", "/v2/models/stats", None),
    ("GET", "/v2/models/{model}", None),
    ("GET", "/v2/models/{model}/ready", None),
    ("GET", "/v2/models/{model}/stats", None),
    ("GET", "/v2/models/{model}/config", None),
    ("GET", "/v2/models/{model}/versions/{version}", None),
    ("GET", "/v2/models/{model}/versions/{version}/ready", None),
    ("GET", "/v2/models/{model}/versions/{version}/stats", None),
    ("GET", "/v2/models/{model}/versions/{version}/config", None),
    ("GET", "/openapi.json", None),
    ("POST", "/predict", {"rows": [ROW], "units": ["u"]}),
    ("POST", "/invocations", {"dataframe_records": [ROW], "params": {"assay_unit": "u"}}),
    ("POST", "/invocations", {"dataframe_split": {"columns": ["carrier", "distance"], "data": [["AA", 1]]}}),
    ("POST", "/invocations", {"inputs": {"distance": [1], "carrier": [None]}}),
    ("POST", "/invocations", {"instances": [[1, "AA"]]}),
    ("POST", "/v2/models/{model}/infer", {"id": "1", "inputs": TENSORS, "outputs": [{"name": "probability"}]}),
    ("POST", "/v2/models/{model}/versions/{version}/infer", {"inputs": TENSORS, "parameters": {"assay_unit": "u"}}),
    ("POST", "/v2/repository/index", {}),
    ("POST", "/v2/repository/models/{model}/load", {}),
    ("POST", "/v2/repository/models/{model}/unload", {}),
    ("POST", "/ofrep/v1/evaluate/flags/{model}", {"context": {"targetingKey": "u"}}),
]


@pytest.fixture
def document(mixed: Running) -> Any:
    return mixed.get("/openapi.json")


def _check(document: Any, schema: Any, value: object) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def test_it_is_a_valid_document(document: Any) -> None:
    validate(document)


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_real_requests_and_answers_are_valid(
    mixed: Running, document: Any, method: str, path: str, body: object
) -> None:
    said = document["paths"][path][method.lower()]
    if body is not None:
        _check(document, said["requestBody"]["content"]["application/json"]["schema"], body)
    status, _, content = mixed.ask(method, path.format(model="delays", version=1), body)
    assert status == 200, content
    _check(document, said["responses"]["200"]["content"]["application/json"]["schema"], json.loads(content))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"rows": []}),
        ("/v2/models/{model}/infer", {}),
        ("/v2/models/{model}/versions/{version}/infer", {}),
        ("/invocations", {}),
        ("/v2/repository/models/{model}/load", {"parameters": {"version": "9"}}),
    ],
)
def test_refusals_are_valid(mixed: Running, document: Any, path: str, body: object) -> None:
    status, _, content = mixed.ask("POST", path.format(model="delays", version=1), body)
    assert 400 <= status < 500
    schema = document["paths"][path]["post"]["responses"]["4XX"]["content"]["application/json"]["schema"]
    _check(document, schema, json.loads(content))


def test_every_path_but_those_without_json_is_called_here(document: Any) -> None:
    called = {(method.lower(), path) for method, path, _ in CALLS}
    described = {(method, path) for path, one in document["paths"].items() for method in one if method != "parameters"}
    assert described - called == {("get", "/ping"), ("get", "/health"), ("get", "/metrics")}
    assert called <= described


def test_it_names_the_columns_with_their_types(document: Any) -> None:
    row = document["components"]["schemas"]["Row"]
    assert row["properties"] == {"distance": {"type": ["number", "null"]}, "carrier": {"type": ["string", "null"]}}
    assert row["required"] == ["distance", "carrier"]
    assert "the inputs are distance, carrier" in json.dumps(document["components"]["schemas"]["InferRequest"])


def test_a_wrong_answer_would_not_be_valid(document: Any) -> None:
    """The schemas say something: what others answer, or we by mistake, does not pass."""
    answer = {"$ref": "#/components/schemas/InferAnswer"}
    good = {"name": "probability", "datatype": "FP64", "shape": [1], "data": [0.1]}
    check = Draft202012Validator({**answer, "components": document["components"]})
    assert check.is_valid({"model_name": "delays", "outputs": [good]})
    for wrong in (
        {**good, "name": "score"},
        {**good, "datatype": "double"},
        {**good, "shape": 1},
        {"name": "probability"},
    ):
        assert not check.is_valid({"model_name": "delays", "outputs": [wrong]})
    assert not check.is_valid({"outputs": [good]})


@pytest.fixture
def classes(store: SqlStore) -> Iterator[Running]:
    add_route(store, add_numbers(store, Weighted(0.1, classes_=["a", "b", "c"])))
    with running(store) as started:
        yield started


def test_models_of_several_classes_are_described_too(classes: Running) -> None:
    document = classes.get("/openapi.json")
    validate(document)
    said = document["paths"]["/invocations"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    _check(document, said, classes.post("/invocations", {"instances": [[1, 2]]}))
    assert "or input alone" in json.dumps(document["components"]["schemas"]["InferRequest"])


def test_it_follows_the_route(store: SqlStore) -> None:
    add_route(store, add_mixed(store))
    with running(store) as server:
        first = server.get("/openapi.json")
        add_route(store, add_numbers(store))
        wait_acknowledged(store, ENDPOINT, 2)
        second = server.get("/openapi.json")
    assert [list(one["components"]["schemas"]["Row"]["properties"]) for one in (first, second)] == [
        ["distance", "carrier"],
        ["distance", "hour"],
    ]
