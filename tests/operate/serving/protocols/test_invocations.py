"""MLflow's scoring protocol with MLflow's own client, and what SageMaker adds to it."""

import json
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.operate.serving.protocols.protocol_helpers import (
    Running,
    Weighted,
    add_mixed,
    add_numbers,
    running,
    split_route,
)
from tests.operate.serving_helpers import ENDPOINT, add_route

from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import read_all
from assay.record.sqlstore import SqlStore

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says while it is imported what its type hints are
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

PATH = "/invocations"
ROWS = {"distance": [10.0, 20.0], "carrier": ["AA", None]}


@pytest.fixture
def server(mixed: Running) -> Running:
    return mixed


@pytest.fixture
def mlflow(server: Running) -> Any:
    return _client(server)


def _client(server: Running) -> Any:
    kind: Any = ScoringServerClient
    return kind("127.0.0.1", server.port)


def _logged(store: SqlStore) -> list[Prediction]:
    return list(read_all(log_folder(store, ENDPOINT)))


# --- MLflow's client, unmodified --------------------------------------------------------------------------------------


def test_mlflows_client_pings_and_invokes(mlflow: Any, server: Running) -> None:
    mlflow.ping()
    mlflow.wait_server_ready(timeout=5)
    answer = mlflow.invoke(pd.DataFrame(ROWS), params={"assay_unit": ["u", "v"], "temperature": 0.5})
    assert answer.get_predictions()[0].tolist() == [0.1, 0.2]
    assert answer.get_predictions("ndarray").tolist() == [0.1, 0.2]
    rows = server.logged()
    assert [(row.features, row.unit) for row in rows] == [((10.0, "AA"), "u"), ((20.0, None), "v")]
    assert answer["prediction_ids"] == [row.id for row in rows]


def test_mlflows_client_sends_missing_numbers_as_nan(mlflow: Any, server: Running) -> None:
    frame = pd.DataFrame({"distance": [None, 20.0], "carrier": ["AA", "UA"]})
    assert mlflow.invoke(frame).get_predictions("ndarray") == pytest.approx([0.3, 0.2])
    assert server.logged()[0].features == (None, "AA")


def test_mlflows_client_reads_a_version(mlflow: Any, server: Running) -> None:
    """It hands on the text, which stays what Assay's clients read there."""
    assert json.loads(mlflow.get_version())["version"] == 1


@pytest.mark.parametrize(
    "data",
    [
        np.array([[10.0, 1], [20, 2]]),
        [[10.0, 1], [20, 2]],
        json.dumps({"inputs": {"distance": [10, 20], "hour": [1, 2]}}),
        pd.DataFrame({"hour": [True, True], "distance": [10, 20]}),
    ],
)
def test_mlflows_client_sends_arrays_lists_and_frames(store: SqlStore, data: Any) -> None:
    add_route(store, add_numbers(store))
    with running(store) as server:
        found = _client(server).invoke(data).get_predictions("ndarray")
    assert found == pytest.approx([0.11, 0.22], abs=0.011)


def test_classes_come_as_records(store: SqlStore) -> None:
    add_route(store, add_numbers(store, Weighted(0.1, classes_=["a", "b", "c"])))
    with running(store) as server:
        frame = _client(server).invoke(pd.DataFrame({"distance": [1.0], "hour": [1.0]})).get_predictions()
    assert frame.to_dict("records") == [pytest.approx({"a": 0.4, "b": 0.4, "c": 0.2})]


# --- the wire form ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        {"dataframe_split": {"columns": ["carrier", "distance"], "index": [5, 6], "data": [["AA", 10], [None, 20]]}},
        {"dataframe_split": {"data": [[10, "AA"], [20, None]]}},
        {"dataframe_records": [{"distance": 10, "carrier": "AA"}, {"carrier": None, "distance": 20}]},
        {"instances": [{"distance": 10, "carrier": "AA"}, {"distance": 20, "carrier": None}], "params": None},
        {"instances": [[10, "AA"], [20, None]]},
        {"inputs": {"distance": [10, 20], "carrier": ["AA", None]}},
        {"inputs": {"distance": [[10], [20]], "carrier": [["AA"], [None]]}},
        {"inputs": [[10, "AA"], [20, None]]},
    ],
)
def test_every_form_of_rows_is_read(server: Running, request_: object) -> None:
    answer = server.post(PATH, request_)
    assert answer["predictions"] == [0.1, 0.2]
    assert [row.features for row in server.logged()] == [(10.0, "AA"), (20.0, None)]


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "TEXT/CSV;charset=UTF-8"])
def test_rows_come_as_csv(server: Running, kind: str) -> None:
    body = pd.DataFrame({"distance": [10.0, None], "carrier": ["007", None]}).to_csv().encode()
    status, _, content = server.ask("POST", PATH, body, {"content-type": kind})
    assert (status, json.loads(content)["predictions"]) == (200, pytest.approx([0.1, 0.3]))
    assert [row.features for row in server.logged()] == [(10.0, "007"), (None, None)]


def test_an_empty_text_in_quotes_is_no_missing_value(server: Running) -> None:
    server.ask("POST", PATH, b'distance,carrier\n1,""\n', {"content-type": "text/csv"})
    assert server.logged()[0].features == (1.0, "")


def test_health_is_a_line_end(server: Running) -> None:
    for path in ("/ping", "/health"):
        assert server.ask("GET", path)[::2] == (200, b"\n")
    server.application.engine.is_ready = False
    assert server.ask("GET", "/ping")[0] == 503


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("text/plain", "'text/plain' is not supported, expected application/json or text/csv"),
        ("application/json; charset=latin-1", "only supports UTF-8"),
        ("application/json; version=2", "Unrecognized content type parameters: version"),
    ],
)
def test_other_content_types_are_refused_with_415(server: Running, kind: str, why: str) -> None:
    status, headers, content = server.ask("POST", PATH, b"{}", {"content-type": kind})
    assert (status, headers["content-type"]) == (415, "text/plain; charset=utf-8")
    assert why in content.decode()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[[1, 2]]", "exactly one of|one of dataframe_split"),
        (b"{}", "exactly one of"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"instances": [], "inputs": []}', "exactly one of"),
        (b'{"messages": [{"role": "user"}]}', "'messages' is for models of language"),
        (b'{"inputs": {}}', "no rows"),
        (b'{"instances": []}', "no rows"),
        (b'{"dataframe_split": {"columns": ["distance", "carrier"], "data": []}}', "no rows"),
        (b'{"inputs": {"distance": [NaN], "carrier": ["\\ud800"]}}', "surrogates not allowed"),
        (b'{"inputs": {"distance": [1' + b"0" * 400 + b'], "carrier": ["AA"]}}', "larger than numbers can be"),
        (b'{"inputs": {"distance": [1, 2], "carrier": ["AA"]}}', "one length"),
        (b'{"inputs": 5}', "a list of rows"),
        (b'{"instances": [[1]]}', r"2 values in each row \(distance, carrier\); row 0 differs"),
        (b'{"dataframe_records": [[1, "AA"]]}', "a list of objects"),
        (b'{"dataframe_records": [{"distance": 1, "carrier": "AA"}, {"distance": 1}]}', "row 1 has not those of row 0"),
        (b'{"dataframe_split": [1]}', "cannot be read"),
        (b'{"dataframe_split": {"columns": [1], "data": []}}', "a list of names"),
        (b'{"dataframe_split": {"columns": ["distance", "distance"], "data": [[1, 2]]}}', "each column once"),
        (b'{"inputs": {"distance": [1], "carier": ["AA"]}}', "did you mean 'carrier'"),
        (b'{"inputs": {"distance": ["far"], "carrier": ["AA"]}}', "distance"),
        (b'{"inputs": {"distance": [Infinity], "carrier": ["AA"]}}', "holds Infinity"),
        (b'{"inputs": {"distance": [1], "carrier": ["AA"]}, "params": [1]}', "params are not an object"),
        (b'{"inputs": {"distance": [1], "carrier": ["AA"]}, "params": {"assay_variant": 1}}', "expected: text"),
        (b'{"inputs": {"distance": [1], "carrier": ["AA"]}, "params": {"assay_unit": 1}}', "text, or a list"),
        (b'{"inputs": {"distance": [1,2], "carrier": ["AA","B"]}, "params": {"assay_id": "a"}}', "one text for 2 rows"),
    ],
)
def test_what_cannot_be_read_is_refused_in_mlflows_form(server: Running, body: bytes, why: str) -> None:
    status, _, content = server.ask("POST", PATH, body)
    said = json.loads(content)
    assert (status, said["error_code"]) == (400, "BAD_REQUEST")
    assert re.search(why, said["message"])
    assert not server.logged()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"distance,carrier\nfar,AA\n", "cannot be read as CSV"),
        (b"distance,carrier\n1,AA,3\n", "cannot be read as CSV"),
        (b"distance,carrier\ninf,AA\n", "infinite"),
        (b"distance,carrier\n", "no rows"),
        (b"", "cannot be read as CSV"),
        (b"distance\n1\n", "carrier"),
    ],
)
def test_csv_that_cannot_be_read_is_refused(server: Running, body: bytes, why: str) -> None:
    status, _, content = server.ask("POST", PATH, body, {"content-type": "text/csv"})
    assert status == 400
    assert why in json.loads(content)["message"]


# --- SageMaker --------------------------------------------------------------------------------------------------------


def test_an_inference_id_is_the_id_of_the_prediction(server: Running) -> None:
    one = {"inputs": {"distance": [1], "carrier": ["AA"]}}
    header = {"X-Amzn-SageMaker-Inference-Id": "mine"}
    assert server.post(PATH, one, headers=header)["prediction_ids"] == ["mine"]
    assert server.post(PATH, {"inputs": ROWS}, headers=header)["prediction_ids"] == ["mine:0", "mine:1"]
    own = {**one, "params": {"assay_id": "own"}}
    assert server.post(PATH, own, headers=header)["prediction_ids"] == ["own"]
    assert [row.id for row in server.logged()] == ["mine", "mine:0", "mine:1", "own"]


def test_a_target_variant_is_forced_and_not_analysed(store: SqlStore) -> None:
    split_route(store, add_mixed(store), add_mixed(store, Weighted(0.02)))
    with running(store) as server:
        for name, probability in (("champion", 0.1), ("challenger", 0.2)):
            header = {"X-Amzn-SageMaker-Target-Variant": name}
            request = {"inputs": {"distance": [10], "carrier": ["AA"]}}
            assert server.post(PATH, request, headers=header)["predictions"] == [probability]
        refused = server.post(PATH, request, 400, {"X-Amzn-SageMaker-Target-Variant": "other"})
        assert "there is no variant 'other'" in refused["message"]
    assert {(row.variant, row.reason) for row in _logged(store)} == {("champion", "forced"), ("challenger", "forced")}
