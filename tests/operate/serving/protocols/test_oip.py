import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from tests.operate.serving.protocols.protocol_helpers import (
    Running,
    Sum,
    Weighted,
    add_numbers,
    running,
    split_route,
)
from tests.operate.serving_helpers import ENDPOINT, add_route

from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import read_all
from assay.record.sqlstore import SqlStore

INFER = "/v2/models/delays/infer"


@pytest.fixture
def server(numbers: Running) -> Running:
    return numbers


def _logged(store: SqlStore) -> list[Prediction]:
    return list(read_all(log_folder(store, ENDPOINT)))


def _tensor(name: str, datatype: str, *data: object) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": list(data)}


def _inputs() -> list[dict[str, object]]:
    return [_tensor("distance", "FP64", 10.0, 20.0), _tensor("hour", "INT64", 1, 2)]


def _outputs(answer: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["data"] for one in answer["outputs"]}


# --- what the server and its models are -------------------------------------------------------------------------------


def test_the_server_says_what_it_is_under_both_spellings_of_its_path(server: Running) -> None:
    said = server.get("/v2")
    assert said == server.get("/v2/")
    assert said["name"] == "assay"
    assert said["version"] == version("assay-mlops")
    assert set(said["extensions"]) == {
        "binary_tensor_data",
        "model_configuration",
        "model_repository",
        "statistics",
    }


def test_health_has_bodies_that_clients_read(server: Running) -> None:
    """Trap 1: KServe's client reads JSON of both."""
    assert server.get("/v2/health/live") == {"live": True}
    assert server.get("/v2/health/ready") == {"ready": True, "live": True}
    assert server.get("/v2/models/delays/ready") == {"name": "delays", "ready": True}
    assert server.get("/v2/models/delays/versions/1/ready") == {"name": "delays", "ready": True}


def test_what_is_not_ready_says_so(server: Running) -> None:
    server.application.engine.is_ready = False
    assert server.ask("GET", "/v2/health/ready")[::2] == (503, b'{"ready":false,"live":true}')
    assert server.ask("GET", "/v2/models/delays/ready")[::2] == (503, b'{"name":"delays","ready":false}')
    assert server.ask("GET", "/v2/health/live")[0] == 200


def test_metadata_name_the_columns_and_the_one_tensor_that_holds_all_of_them(server: Running) -> None:
    assert server.get("/v2/models/delays") == {
        "name": "delays",
        "versions": ["1"],
        "platform": "sklearn_model",
        "inputs": [
            {"name": "distance", "datatype": "FP64", "shape": [-1]},
            {"name": "hour", "datatype": "FP64", "shape": [-1]},
        ],
        "outputs": [
            {"name": "probability", "datatype": "FP64", "shape": [-1]},
            {"name": "assay_id", "datatype": "BYTES", "shape": [-1]},
        ],
        "properties": {"matrix_input": "input FP64 [-1,2]: all inputs in one", "classes": '["0","1"]'},
    }
    assert server.get("/v2/models/delays/versions/1") == server.get("/v2/models/delays")


def test_text_columns_are_bytes_and_have_no_such_tensor(mixed: Running) -> None:
    said = mixed.get("/v2/models/delays")
    assert [one["datatype"] for one in said["inputs"]] == ["FP64", "BYTES"]
    assert "matrix_input" not in said["properties"]


def test_an_endpoint_answers_to_its_name_and_to_that_of_its_model(store: SqlStore) -> None:
    add_route(store, add_numbers(store, model="late"))
    with running(store) as server:
        assert server.get("/v2/models") == {"models": ["delays", "late"]}
        for name in ("delays", "late"):
            assert server.get(f"/v2/models/{name}")["name"] == name
            assert server.post(f"/v2/models/{name}/infer", {"inputs": _inputs()})["model_name"] == name


# --- inference --------------------------------------------------------------------------------------------------------


def test_rows_of_columns_are_answered_and_logged(server: Running) -> None:
    said = server.post(INFER, {"id": "42", "inputs": _inputs()})
    rows = server.logged()
    assert said == {
        "model_name": "delays",
        "model_version": "1",
        "parameters": {"assay_revision": 1, "assay_variant": "champion"},
        "id": "42",
        "outputs": [
            {"name": "probability", "shape": [2], "datatype": "FP64", "data": [0.11, 0.22]},
            {"name": "assay_id", "shape": [2], "datatype": "BYTES", "data": [row.id for row in rows]},
        ],
    }
    assert [(row.features, row.output, row.row) for row in rows] == [((10.0, 1.0), 0.11, 0), ((20.0, 2.0), 0.22, 1)]


@pytest.mark.parametrize("name", ["input", "x", "predict", "float_input"])
def test_one_tensor_of_all_columns_is_as_good_under_any_name(server: Running, name: str) -> None:
    tensor = {"name": name, "datatype": "FP32", "shape": [2, 2], "data": [[10, 1], [20, 2]]}
    assert _outputs(server.post(INFER, {"inputs": [tensor]}))["probability"] == [0.11, 0.22]


def test_one_tensor_of_another_width_is_refused_with_the_columns(server: Running) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}
    assert "[rows, 2]: distance, hour" in server.post(INFER, {"inputs": [tensor]}, 400)["error"]


def test_data_are_read_flat_or_nested_and_answered_flat(server: Running) -> None:
    """Trap 5: flat data in answers, also of two dimensions."""
    nested = [{"name": "distance", "datatype": "FP64", "shape": [2, 1], "data": [[10], [20]]}, _inputs()[1]]
    assert _outputs(server.post(INFER, {"inputs": nested}))["probability"] == [0.11, 0.22]


def test_all_classes_of_a_model_of_three_are_answered_flat(store: SqlStore) -> None:
    add_route(store, add_numbers(store, Weighted(0.1, classes_=["a", "b", "c"])))
    with running(store) as server:
        assert server.get("/v2/models/delays")["outputs"][0]["shape"] == [-1, 3]
        output = server.post(INFER, {"inputs": _inputs()})["outputs"][0]
        assert (output["name"], output["shape"]) == ("probabilities", [2, 3])
        assert output["data"] == pytest.approx([0, 0, 1, 0, 0, 1])


def test_a_regressor_answers_predictions(store: SqlStore) -> None:
    add_route(store, add_numbers(store, Sum()))
    with running(store) as server:
        assert server.get("/v2/models/delays")["outputs"][0]["name"] == "prediction"
        assert _outputs(server.post(INFER, {"inputs": _inputs()}))["prediction"] == [11.0, 22.0]


def test_explicit_nulls_are_as_good_as_nothing(server: Running) -> None:
    """Trap 4: clients in the style of MLServer write every optional field."""
    inputs = [{**one, "parameters": None} for one in _inputs()]
    request = {"id": None, "parameters": None, "outputs": None, "inputs": inputs}
    said = server.post(INFER, request)
    assert "id" not in said
    assert [one["name"] for one in said["outputs"]] == ["probability", "assay_id"]
    chosen = server.post(INFER, {**request, "outputs": [{"name": "probability", "parameters": None}]})
    assert [one["name"] for one in chosen["outputs"]] == ["probability"]


def test_a_request_of_mlservers_pandas_codec_is_answered(mixed: Running) -> None:
    """Its columns are tensors [rows, 1] with content types, which say nothing new here."""
    request = {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "distance", "shape": [2, 1], "datatype": "FP64", "data": [10.0, None], "parameters": None},
            {
                "name": "carrier",
                "shape": [2, 1],
                "datatype": "BYTES",
                "data": ["AA", "UA"],
                "parameters": {"content_type": "str"},
            },
        ],
    }
    assert _outputs(mixed.post(INFER, request))["probability"] == pytest.approx([0.1, 0.3])


def test_null_and_only_null_is_missing_in_json(mixed: Running) -> None:
    """Trap 7: NaN has no form in JSON."""
    request = {"inputs": [_tensor("distance", "FP64", None), _tensor("carrier", "BYTES", None)]}
    assert _outputs(mixed.post(INFER, request))["probability"] == [0.3]
    assert mixed.logged()[0].features == (None, None)
    body = json.dumps(request).replace("[null]", "[NaN]").encode()
    assert "cannot be read" in json.loads(mixed.ask("POST", INFER, body)[2])["error"]


def test_outputs_can_be_chosen(server: Running) -> None:
    said = server.post(INFER, {"inputs": _inputs(), "outputs": [{"name": "assay_id"}]})
    assert [one["name"] for one in said["outputs"]] == ["assay_id"]
    refused = server.post(INFER, {"inputs": _inputs(), "outputs": [{"name": "probabilty"}]}, 400)
    assert "did you mean 'probability'" in refused["error"]


def test_booleans_and_whole_numbers_are_numbers(server: Running) -> None:
    server.post(INFER, {"inputs": [_tensor("distance", "BOOL", True), _tensor("hour", "UINT8", 7)]})
    assert server.logged()[0].features == (1.0, 7.0)


def test_values_that_broke_the_signature_and_were_let_through_are_told(server: Running) -> None:
    inputs = [_tensor("distance", "FP64", 1e6, 20.0), _tensor("hour", "INT64", 1, 2)]
    parameters = server.post(INFER, {"inputs": inputs})["parameters"]
    assert json.loads(parameters["assay_flags"]) == [{"distance": "out_of_range"}, None]
    assert "assay_flags" not in server.post(INFER, {"inputs": _inputs()})["parameters"]


# --- units, ids, variants, versions -----------------------------------------------------------------------------------


def test_ids_and_units_of_rows_are_tensors_of_their_own(server: Running) -> None:
    beside = [_tensor("assay_id", "BYTES", "a", "b"), _tensor("assay_unit", "BYTES", "u", None)]
    said = server.post(INFER, {"inputs": [*_inputs(), *beside]})
    assert _outputs(said)["assay_id"] == ["a", "b"]
    assert [(row.id, row.unit) for row in server.logged()] == [("a", "u"), ("b", None)]


def test_a_unit_for_all_rows_is_a_parameter(server: Running) -> None:
    server.post(INFER, {"inputs": _inputs(), "parameters": {"assay_unit": "u"}})
    matrix = {"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}
    server.post(INFER, {"inputs": [matrix], "parameters": {"assay_unit": "v"}})
    assert [row.unit for row in server.logged()] == ["u", "u", "v"]


def test_ids_are_checked(server: Running) -> None:
    for ids, why in (
        (["a", "a"], "is that of row 0 too"),
        (["a"], "1 ids for 2 rows"),
        (["a", None], "the id is null"),
    ):
        assert why in server.post(INFER, {"inputs": [*_inputs(), _tensor("assay_id", "BYTES", *ids)]}, 400)["error"]


def test_a_version_in_the_path_answers_whoever_has_the_traffic(store: SqlStore) -> None:
    """Trap 8."""
    split_route(store, add_numbers(store), add_numbers(store, Weighted(0.02)))
    with running(store) as server:
        assert server.get("/v2/models/delays")["versions"] == ["1", "2"]
        for number, probability in (("1", [0.11, 0.22]), ("2", [0.22, 0.44])):
            said = server.post(f"/v2/models/delays/versions/{number}/infer", {"inputs": _inputs()})
            assert said["model_version"] == number
            assert _outputs(said)["probability"] == probability
    assert {row.reason for row in _logged(store)} == {"forced"}


def test_a_parameter_forces_a_variant(store: SqlStore) -> None:
    split_route(store, add_numbers(store), add_numbers(store, Weighted(0.02)))
    with running(store) as server:
        said = server.post(INFER, {"inputs": _inputs(), "parameters": {"assay_variant": "challenger"}})
        assert (said["model_version"], said["parameters"]["assay_variant"]) == ("2", "challenger")
        refused = server.post(INFER, {"inputs": _inputs(), "parameters": {"assay_variant": "chalenger"}}, 400)
        assert "did you mean 'challenger'" in refused["error"]
        assert (
            "expected: text"
            in server.post(INFER, {"inputs": _inputs(), "parameters": {"assay_variant": 1}}, 400)["error"]
        )


def test_rows_of_one_request_that_several_variants_answer_say_by_whom(store: SqlStore) -> None:
    split_route(store, add_numbers(store), add_numbers(store, Weighted(0.02)))
    units = [f"u{number}" for number in range(40)]
    inputs = [_tensor("distance", "FP64", *[10] * 40), _tensor("hour", "FP64", *[0] * 40)]
    with running(store) as server:
        said = server.post(INFER, {"inputs": [*inputs, _tensor("assay_unit", "BYTES", *units)]})
    assert "model_version" not in said
    variants, versions = (said["parameters"][name].split(",") for name in ("assay_variants", "assay_versions"))
    assert set(variants) == {"champion", "challenger"}
    expected = {"champion": ("1", 0.1), "challenger": ("2", 0.2)}
    assert list(zip(versions, _outputs(said)["probability"], strict=True)) == [expected[one] for one in variants]
    assert [row.variant for row in sorted(_logged(store), key=lambda row: row.row)] == variants


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_unknown_models_and_versions_are_not_found(server: Running) -> None:
    """Trap 5: 404 as MLServer and KServe say it."""
    for path in ("delay", "delay/ready", "delays/versions/2", "delays/versions/2/ready", "delays/versions/v0"):
        status, _, body = server.ask("GET", f"/v2/models/{path}")
        assert status == 404
        assert json.loads(body)["error"]
    assert (
        "version '9' of delays is not in memory, only 1"
        in server.post("/v2/models/delays/versions/9/infer", {"inputs": _inputs()}, 404)["error"]
    )
    assert "there is no model 'delay' here, only delays" in server.post("/v2/models/delay/infer", {}, 404)["error"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cannot be read"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `inputs`"),
        (b'{"inputs":[]}', "there is no input"),
        (b'{"inputs":[{"name":"distance","shape":[1],"datatype":"FP64"}]}', "has no data"),
        (b'{"inputs":[{"name":"distance","shape":[1],"datatype":"FP65","data":[1]}]}', "did you mean FP64?"),
        (b'{"inputs":[{"name":"distance","shape":[1],"datatype":"FP64","data":["a"]}]}', "got `str`"),
        (b'{"inputs":[{"name":"distance","shape":[1],"datatype":"BYTES","data":["a"]}]}', "is BYTES"),
        (b'{"inputs":[{"name":"distance","shape":[1],"datatype":"FP64","data":[1]}]}', "'hour'"),
        (b'{"inputs":[{"name":"distance","shape":[1,2],"datatype":"FP64","data":[1,2]},'
         b'{"name":"hour","shape":[1],"datatype":"FP64","data":[1]}]}', "[rows] or [rows, 1]"),
        (b'{"inputs":[{"name":"distance","shape":[2],"datatype":"FP64","data":[1,2]},'
         b'{"name":"hour","shape":[1],"datatype":"FP64","data":[1]}]}', "not of one length"),
        (b'{"inputs":[{"name":"hour","shape":[1],"datatype":"FP64","data":[1]},'
         b'{"name":"hour","shape":[1],"datatype":"FP64","data":[1]}]}', "two inputs 'hour'"),
        (b'{"inputs":[{"name":"distance","shape":[1],"datatype":"BYTES","data":["\xff"]}]}', "are not JSON"),
        (b'{"inputs":[{"name":"distance","shape":[1,1],"datatype":"FP64","data":[["\xff"]]}]}', "invalid start byte"),
        (b'{"inputs":' + b"[" * 5000 + b"]" * 5000 + b"}", "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_400(server: Running, body: bytes, why: str) -> None:
    status, headers, content = server.ask("POST", INFER, body)
    assert (status, headers["content-type"]) == (400, "application/json")
    assert why in json.loads(content)["error"]
    assert not server.logged()


def test_a_path_takes_its_method_only(server: Running) -> None:
    status, headers, _ = server.ask("GET", INFER)
    assert (status, headers["allow"]) == (405, "POST")
    assert server.ask("POST", "/v2", {})[0] == 405
    assert server.ask("GET", "/v2/nothing")[0] == 404
    assert server.ask("GET", "/v2/models/delays/nothing")[0] == 404


def test_a_model_that_fails_is_an_error_of_the_server(store: SqlStore, tmp_path: Path) -> None:
    add_route(store, add_numbers(store, Failing()))
    with running(store) as server:
        assert "ArithmeticError: no" in server.post(INFER, {"inputs": _inputs()}, 500)["error"]
    assert {row.status for row in _logged(store)} == {"error"}


class Failing(Weighted):
    """Fails on every row of a request, but not while it is warmed up."""

    def predict_proba(self, X: Any) -> Any:
        if 20.0 in X[:, 0]:
            raise ArithmeticError("no")
        return super().predict_proba(X)
