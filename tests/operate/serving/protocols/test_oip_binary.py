import gzip
import json
import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from tests.operate.serving.protocols.protocol_helpers import Running, Weighted, add_mixed, running
from tests.operate.serving_helpers import ENDPOINT, add_route

from assay.build.models.packaging import package_model
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import read_all
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

INFER = "/v2/models/delays/infer"
HEADER = "Inference-Header-Content-Length"


@pytest.fixture
def server(numbers: Running) -> Running:
    return numbers


def _described(name: str, datatype: str, size: object, *shape: int) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": list(shape), "parameters": {"binary_data_size": size}}


def _request(inputs: list[dict[str, object]], data: bytes = b"", **more: object) -> tuple[bytes, dict[str, str]]:
    said = json.dumps({"inputs": inputs, **more}).encode()
    return said + data, {HEADER: str(len(said)), "content-type": "application/octet-stream"}


DISTANCE = np.array([10, 20], "<f4").tobytes()
HOUR = np.array([1, 2], "<i2").tobytes()
COLUMNS = [_described("distance", "FP32", 8, 2), _described("hour", "INT16", 4, 2)]


def test_tensors_stand_behind_the_json_in_its_order(server: Running) -> None:
    body, headers = _request(COLUMNS, DISTANCE + HOUR)
    said = server.post(INFER, body, headers=headers)
    assert said["outputs"][0]["data"] == [0.11, 0.22]


def test_json_and_bytes_may_be_mixed(server: Running) -> None:
    hour: dict[str, object] = {"name": "hour", "datatype": "INT64", "shape": [2], "data": [1, 2]}
    body, headers = _request([hour, COLUMNS[0]], DISTANCE)
    assert server.post(INFER, body, headers=headers)["outputs"][0]["data"] == [0.11, 0.22]


def test_outputs_are_bytes_where_that_is_asked(server: Running) -> None:
    body, headers = _request(COLUMNS, DISTANCE + HOUR, parameters={"binary_data_output": True})
    status, answered, content = server.ask("POST", INFER, body, headers)
    length = int({name.lower(): value for name, value in answered.items()}[HEADER.lower()])
    said = json.loads(content[:length])
    assert status == 200
    assert answered["content-type"] == "application/octet-stream"
    assert int(answered["content-length"]) == len(content)
    first, second = said["outputs"]
    assert first == {"name": "probability", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}
    assert struct.unpack("<2d", content[length : length + 16]) == (0.11, 0.22)
    assert len(content) == length + 16 + second["parameters"]["binary_data_size"]


def test_an_output_may_say_it_of_itself(server: Running) -> None:
    outputs: list[dict[str, object]] = [
        {"name": "assay_id"},
        {"name": "probability", "parameters": {"binary_data": False}},
    ]
    body, headers = _request(COLUMNS, DISTANCE + HOUR, parameters={"binary_data_output": True}, outputs=outputs)
    _, answered, content = server.ask("POST", INFER, body, headers)
    length = int(answered["inference-header-content-length"])
    first, second = json.loads(content[:length])["outputs"]
    assert "data" not in first
    assert second["data"] == [0.11, 0.22]
    outputs[1]["parameters"] = {"binary_data": True}
    body, headers = _request(COLUMNS, DISTANCE + HOUR, outputs=outputs[1:])
    assert server.ask("POST", INFER, body, headers)[2].endswith(struct.pack("<2d", 0.11, 0.22))


def test_nan_in_bytes_is_a_missing_number(server: Running) -> None:
    """Trap 7."""
    body, headers = _request(COLUMNS, np.array([np.nan, 20], "<f4").tobytes() + HOUR)
    assert server.post(INFER, body, headers=headers)["outputs"][0]["data"] == pytest.approx([0.31, 0.22])
    assert server.logged()[0].features == (None, 1.0)
    body, headers = _request(COLUMNS, np.array([np.inf, 20], "<f4").tobytes() + HOUR)
    assert "is inf" in server.post(INFER, body, 400, headers)["error"]


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_decompressed_before_its_json_is_measured(
    server: Running, encoding: str, compress: object
) -> None:
    """Trap 3: the header counts the JSON as it is uncompressed."""
    body, headers = _request(COLUMNS, DISTANCE + HOUR)
    compressed = compress(body)  # type: ignore[operator]
    said = server.post(INFER, compressed, headers=headers | {"content-encoding": encoding})
    assert said["outputs"][0]["data"] == [0.11, 0.22]
    server.post(INFER, compressed[:-9], 400, headers | {"content-encoding": encoding})
    server.post(INFER, b"no" + compressed, 400, headers | {"content-encoding": encoding})


@pytest.mark.parametrize(
    ("inputs", "data", "header", "why"),
    [
        (COLUMNS, DISTANCE + HOUR, "-1", "inference-header-content-length is '-1'"),
        (COLUMNS, DISTANCE + HOUR, "9999", "inference-header-content-length is '9999'"),
        (COLUMNS, DISTANCE + HOUR, "many", "inference-header-content-length is 'many'"),
        (COLUMNS, DISTANCE + HOUR, "5", "cannot be read"),
        (COLUMNS, DISTANCE + HOUR[:2], None, "has 2 bytes left"),
        (COLUMNS, DISTANCE + HOUR + b"x", None, "1 bytes stand behind the last tensor"),
        ([_described("distance", "FP32", -8, 2)], DISTANCE, None, "binary_data_size of input 'distance' is -8"),
        ([_described("distance", "FP32", "8", 2)], DISTANCE, None, "binary_data_size of input 'distance' is 8"),
        ([_described("distance", "FP32", True, 2)], DISTANCE, None, "binary_data_size of input 'distance' is True"),
        ([_described("distance", "FP32", 8, 3)], DISTANCE, None, "12 for the shape [3] of FP32"),
        ([{**COLUMNS[0], "data": [1, 2]}], DISTANCE, None, "both data and binary_data_size"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(
    server: Running, inputs: list[dict[str, object]], data: bytes, header: str | None, why: str
) -> None:
    body, headers = _request(inputs, data)
    headers |= {HEADER: header} if header else {}
    assert why in server.post(INFER, body, 400, headers)["error"]


def test_outputs_of_extensions_that_there_are_not_are_refused(server: Running) -> None:
    for parameter in ("classification", "shared_memory_region"):
        body, headers = _request(
            COLUMNS, DISTANCE + HOUR, outputs=[{"name": "probability", "parameters": {parameter: 1}}]
        )
        assert f"wanted with {parameter}" in server.post(INFER, body, 400, headers)["error"]


# --- a body without JSON ----------------------------------------------------------------------------------------------


def test_a_body_without_json_is_rows_of_all_columns(server: Running) -> None:
    data = np.array([[10, 1], [20, 2]], "<f8").tobytes()
    _, answered, content = server.ask("POST", INFER, data, {HEADER: "0"})
    length = int(answered["inference-header-content-length"])
    assert json.loads(content[:length])["outputs"][0]["parameters"] == {"binary_data_size": 16}
    assert struct.unpack("<2d", content[length : length + 16]) == (0.11, 0.22)
    assert "rows of 2 values of FP64" in server.post(INFER, data[:-8], 400, {HEADER: "0"})["error"]
    assert server.ask("POST", INFER, b"", {HEADER: "0"})[0] == 400


def test_a_body_without_json_needs_a_model_of_one_input(store: SqlStore) -> None:
    add_route(store, add_mixed(store))
    with running(store) as server:
        assert "a model of one input, and this has 2" in server.post(INFER, b"AA", 400, {HEADER: "0"})["error"]


@pytest.mark.parametrize(("column", "data"), [("distance", np.array([10], "<f8").tobytes()), ("carrier", b"AA")])
def test_the_single_input_may_be_a_number_or_a_text_without_its_length(
    store: SqlStore, column: str, data: bytes
) -> None:
    table = pa.table({"distance": [1.5, 2.0], "carrier": ["AA", "UA"]})
    with start_run(store, "serving") as run:
        version = package_model(store, "delays", Weighted(), table, [column], run=run)
    add_route(store, version)
    with running(store) as server:
        assert server.ask("POST", INFER, data, {HEADER: "0"})[0] == 200
    assert read_all(log_folder(store, ENDPOINT))[0].features == ((10.0,) if column == "distance" else ("AA",))
