"""Other people's clients, unmodified: Triton's, and one that was generated from the protocol's OpenAPI file."""

from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from open_inference.openapi import errors
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core import ApiError
from open_inference.openapi.types import (
    InferenceErrorResponse,
    InferenceRequest,
    InferenceResponse,
    MetadataModelErrorResponse,
)
from tests.operate.serving.protocols.protocol_helpers import Running, Weighted, add_numbers, running
from tests.operate.serving_helpers import add_route
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from assay.record.sqlstore import SqlStore


@pytest.fixture
def server(mixed: Running) -> Running:
    return mixed


@pytest.fixture
def triton(server: Running) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(server.address)
    yield client
    client.close()


def _inputs(binary: bool = True) -> list[InferInput]:
    distance, carrier = InferInput("distance", [2], "FP32"), InferInput("carrier", [2], "BYTES")
    distance.set_data_from_numpy(np.array([10, 20], np.float32), binary_data=binary)
    carrier.set_data_from_numpy(np.array(["AA", "UA"], object), binary_data=binary)
    return [distance, carrier]


def test_triton_asks_what_the_server_is(triton: InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("delays")
    assert triton.is_model_ready("delays", "1")
    assert not triton.is_model_ready("delays", "7")
    assert triton.get_server_metadata()["name"] == "assay"
    assert [one["name"] for one in triton.get_model_metadata("delays")["inputs"]] == ["distance", "carrier"]


def test_a_program_that_wants_a_server_of_some_name_finds_it(store: SqlStore) -> None:
    """Trap 9."""
    add_route(store, add_numbers(store))
    with running(store, name="triton") as server:
        client = InferenceServerClient(server.address)
        assert client.get_server_metadata()["name"] == "triton"
        client.close()


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("outputs", [None, True, False])
def test_triton_infers(
    triton: InferenceServerClient, compression: str | None, binary: bool, outputs: bool | None
) -> None:
    """Traps 2 and 3: binary by default, also without named outputs; compressed where that is asked."""
    wanted = None if outputs is None else [InferRequestedOutput("probability", binary_data=outputs)]
    result = triton.infer(
        "delays",
        _inputs(binary),
        outputs=wanted,
        request_id="42",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    assert result.as_numpy("probability").tolist() == [0.1, 0.2]
    assert result.get_response()["id"] == "42"
    assert result.get_response()["model_version"] == "1"


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_triton_reads_large_answers_that_are_compressed(
    triton: InferenceServerClient, server: Running, compression: str, binary: bool
) -> None:
    """The length in the header counts the JSON as it is before compression."""
    distances = np.linspace(0, 50, 300, dtype=np.float32)
    distance, carrier = InferInput("distance", [300], "FP32"), InferInput("carrier", [300], "BYTES")
    distance.set_data_from_numpy(distances)
    carrier.set_data_from_numpy(np.array(["AA"] * 300, object))
    outputs = [InferRequestedOutput(name, binary_data=binary) for name in ("probability", "assay_id")]
    result = triton.infer("delays", [distance, carrier], outputs=outputs, response_compression_algorithm=compression)
    np.testing.assert_allclose(result.as_numpy("probability"), distances * 0.01, rtol=1e-6)
    ids = [one.decode() if binary else one for one in result.as_numpy("assay_id")]
    assert ids == [row.id for row in server.logged()]
    request = {"rows": [{"distance": 1, "carrier": "AA"}] * 300}
    _, headers, content = server.ask("POST", "/predict", request, {"accept-encoding": compression})
    assert headers["content-encoding"] == compression
    assert int(headers["content-length"]) == len(content) < 300 * 60


def test_triton_reads_the_ids_that_labels_name_later(triton: InferenceServerClient, server: Running) -> None:
    ids = triton.infer("delays", _inputs()).as_numpy("assay_id")
    assert [one.decode() for one in ids] == [row.id for row in server.logged()]


def test_triton_says_what_the_server_refused(triton: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="there is no model 'delay' here, only delays"):
        triton.infer("delay", _inputs())
    with pytest.raises(InferenceServerException, match="carrier") as refused:
        triton.infer("delays", _inputs()[:1])
    assert refused.value.status() == "400"


def test_triton_asks_several_at_once(server: Running) -> None:
    client = InferenceServerClient(server.address, concurrency=3)
    waiting = [client.async_infer("delays", _inputs()) for _ in range(6)]
    assert [one.get_result().as_numpy("probability").tolist() for one in waiting] == [[0.1, 0.2]] * 6
    client.close()


def test_triton_sends_half_floats(store: SqlStore) -> None:
    add_route(store, add_numbers(store))
    with running(store) as server:
        client = InferenceServerClient(server.address)
        matrix = InferInput("input", [2, 2], "FP16").set_data_from_numpy(np.array([[10, 1], [20, 2]], np.float16))
        assert client.infer("delays", [matrix]).as_numpy("probability").tolist() == [0.11, 0.22]
        client.close()


def test_triton_reads_all_classes_as_a_matrix(store: SqlStore) -> None:
    add_route(store, add_numbers(store, Weighted(0.1, classes_=["a", "b", "c"])))
    with running(store) as server:
        client = InferenceServerClient(server.address)
        matrix = InferInput("input", [2, 2], "FP64").set_data_from_numpy(np.array([[1.0, 1], [10, 2]]))
        found = client.infer("delays", [matrix]).as_numpy("probabilities")
        assert found == pytest.approx(np.array([[0.4, 0.4, 0.2], [0, 0, 1]]))
        client.close()


# --- the client that was generated from open_inference_rest.yaml: its types are the file's schemas --------------------


@pytest.fixture
def generated(server: Running) -> Iterator[OpenInferenceClient]:
    with httpx.Client() as client:
        yield OpenInferenceClient(base_url=f"http://{server.address}", httpx_client=client)


def test_what_the_server_is_has_the_form_of_the_specification(generated: OpenInferenceClient) -> None:
    generated.check_server_liveness()
    generated.check_server_readiness()
    generated.check_model_readiness("delays")
    generated.check_model_version_readiness("delays", "1")
    assert generated.read_server_metadata().name == "assay"
    metadata = generated.read_model_metadata("delays")
    assert [(one.name, one.datatype, one.shape) for one in metadata.inputs or ()] == [
        ("distance", "FP64", [-1]),
        ("carrier", "BYTES", [-1]),
    ]


def _request(datatype: str, *distances: object) -> InferenceRequest:
    return InferenceRequest.parse_obj(
        {
            "id": "7",
            "inputs": [
                {"name": "distance", "datatype": datatype, "shape": [2], "data": list(distances)},
                {"name": "carrier", "datatype": "BYTES", "shape": [2], "data": ["AA", "UA"]},
            ],
        }
    )


def test_an_answer_has_the_form_of_the_specification(generated: OpenInferenceClient) -> None:
    for answer in (
        generated.model_infer("delays", request=_request("FP64", 10.0, 20.0)),
        generated.model_version_infer("delays", "1", request=_request("FP64", 10.0, 20.0)),
    ):
        assert isinstance(answer, InferenceResponse)
        assert (answer.id, answer.model_version) == ("7", "1")
        assert answer.outputs[0].data.__root__ == [0.1, 0.2]


def test_refusals_have_the_form_of_the_specification(generated: OpenInferenceClient) -> None:
    with pytest.raises(errors.BadRequestError) as refused:
        generated.model_infer("delays", request=_request("FP64", "a", "b"))
    assert "got `str`" in str(InferenceErrorResponse.parse_obj(refused.value.body).error)
    with pytest.raises(ApiError) as missing:
        generated.read_model_metadata("delay")
    assert missing.value.status_code == 404
    assert "there is no model" in MetadataModelErrorResponse.parse_obj(missing.value.body).error
