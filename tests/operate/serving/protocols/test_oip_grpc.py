"""gRPC with other people's clients, each in a process of its own: two of them cannot be imported together."""

import builtins
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tests.operate.serving.protocols.protocol_helpers import add_mixed
from tests.operate.serving_helpers import ENDPOINT, add_route, serve_command

from assay.errors import InvalidInput, MissingExtra, PortInUse
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import read_all
from assay.operate.serving.client import ServerProcess
from assay.operate.serving.protocols.grpc_messages import SERVICE, messages
from assay.operate.serving.protocols.oip_grpc import grpc_port
from assay.record.location import open_store
from assay.record.store import Store

TRITON = """
import assay.operate.serving.protocols.grpc_messages as own
own.messages()
import numpy as np
import tritonclient.grpc as triton
client = triton.InferenceServerClient("127.0.0.1:{port}")
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("delays")
assert client.get_server_metadata().name == "assay"
assert [one.name for one in client.get_model_metadata("delays").inputs] == ["distance", "carrier"]
distance, carrier = triton.InferInput("distance", [2], "FP32"), triton.InferInput("carrier", [2], "BYTES")
distance.set_data_from_numpy(np.array([10, np.nan], np.float32))
carrier.set_data_from_numpy(np.array(["AA", "UA"], object))
result = client.infer("delays", [distance, carrier], request_id="42", parameters={{"assay_unit": "u"}})
assert result.as_numpy("probability").tolist() == [0.1, 0.3], result.as_numpy("probability")
assert len(result.as_numpy("assay_id")) == 2
response = result.get_response()
assert (response.id, response.model_version) == ("42", "1")
assert response.parameters["assay_variant"].string_param == "champion"
wanted = [triton.InferRequestedOutput("probability")]
assert client.infer("delays", [distance, carrier], "1", outputs=wanted).as_numpy("assay_id") is None
try:
    client.infer("delays", [distance])
    raise SystemExit("not refused")
except triton.InferenceServerException as error:
    assert error.status() == "StatusCode.INVALID_ARGUMENT" and "carrier" in error.message(), error
try:
    client.get_model_metadata("delay")
    raise SystemExit("not refused")
except triton.InferenceServerException as error:
    assert error.status() == "StatusCode.NOT_FOUND", error
"""
GENERATED = """
import assay.operate.serving.protocols.grpc_messages as own
own.messages()
import grpc
from open_inference.grpc.protocol import ModelInferRequest, ModelReadyRequest, ServerLiveRequest
from open_inference.grpc.service import GRPCInferenceServiceStub
stub = GRPCInferenceServiceStub(grpc.insecure_channel("127.0.0.1:{port}"))
assert stub.ServerLive(ServerLiveRequest()).live
assert stub.ModelReady(ModelReadyRequest(name="delays", version="1")).ready
request = ModelInferRequest(model_name="delays")
distance = request.inputs.add(name="distance", datatype="INT64", shape=[1])
distance.contents.int64_contents.append(10)
carrier = request.inputs.add(name="carrier", datatype="BYTES", shape=[1])
carrier.contents.bytes_contents.append(b"AA")
answer = stub.ModelInfer(request)
assert not answer.raw_output_contents
assert list(answer.outputs[0].contents.fp64_contents) == [0.1]
assert len(answer.outputs[1].contents.bytes_contents) == 1
"""
Call = Callable[[str, Any], Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grpc") / "store"
    store = open_store(folder)
    add_route(store, add_mixed(store))
    store.close()
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """Where a server answers gRPC."""
    free = grpc_port("127.0.0.1", 0)
    command = serve_command(folder)
    command[-1] = command[-1].replace("port=0", f"port=0, grpc_port={free}")
    with ServerProcess(folder, ENDPOINT, command=command):
        yield free


@pytest.fixture
def call(port: int) -> Iterator[Call]:
    """A call by its name with a message of ours."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:

        def ask(name: str, request: Any) -> Any:
            answer = messages()[f"{name}Response"].FromString
            return channel.unary_unary(f"/{SERVICE}/{name}", type(request).SerializeToString, answer)(request)

        yield ask


def _request(**more: Any) -> Any:
    return messages()["ModelInferRequest"](model_name="delays", **more)


def _refused(call: Call, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as refused:
        call("ModelInfer", request)
    error: Any = refused.value
    return error.code().name, error.details()


@pytest.mark.parametrize("client", [TRITON, GENERATED])
def test_a_client_works_beside_our_own_messages(port: int, client: str) -> None:
    """Trap 6: all of them register `inference.*`."""
    done = subprocess.run(
        [sys.executable, "-c", client.format(port=port)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rows_that_were_asked_by_grpc_are_logged(call: Call, folder: Path) -> None:
    request = _request()
    request.inputs.add(name="distance", datatype="FP64", shape=[1]).contents.fp64_contents.append(20)
    request.inputs.add(name="carrier", datatype="BYTES", shape=[1, 1]).contents.bytes_contents.append(b"UA")
    request.inputs.add(name="assay_id", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"by-grpc")
    assert call("ModelInfer", request).outputs[1].contents.bytes_contents == [b"by-grpc"]
    store: Store = open_store(folder)
    (row,) = [one for one in read_all(log_folder(store, ENDPOINT)) if one.id == "by-grpc"]
    store.close()
    assert (row.features, row.output) == ((20.0, "UA"), 0.2)


def test_what_cannot_be_answered_is_refused_in_the_words_of_http(call: Call) -> None:
    one = {"name": "distance", "datatype": "FP64", "shape": [1]}
    request = _request(inputs=[one], raw_input_contents=[b"1", b"2"])
    assert _refused(call, request)[1].startswith("there are 2 raw contents for 1 inputs")
    assert "has 1 bytes" in _refused(call, _request(inputs=[one], raw_input_contents=[b"1"]))[1]
    assert "has 0 values" in _refused(call, _request(inputs=[one]))[1]
    assert "is not raw" in _refused(call, _request(inputs=[{**one, "datatype": "FP16"}]))[1]
    assert "did you mean FP64" in _refused(call, _request(inputs=[{**one, "datatype": "FP65"}]))[1]
    infinite = _request(inputs=[one], raw_input_contents=[np.array([np.inf]).tobytes()])
    assert "is inf" in _refused(call, infinite)[1]
    text = _request(inputs=[{"name": "carrier", "datatype": "BYTES", "shape": [1]}])
    text.inputs[0].contents.bytes_contents.append(b"\xff")
    assert "not UTF-8" in _refused(call, text)[1]
    assert _refused(call, _request(model_version="9", inputs=[one]))[0] == "INVALID_ARGUMENT"
    wanted = _request(inputs=[one], outputs=[{"name": "probabilty"}], raw_input_contents=[np.array([1.0]).tobytes()])
    assert "did you mean 'probability'" in _refused(call, wanted)[1]


def test_bytes_that_are_no_message_are_refused(port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name in ("ModelInfer", "ModelReady"):
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(f"/{SERVICE}/{name}")(b"\x0a\xff")
            error: Any = refused.value
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert "the message cannot be read" in error.details()


def test_an_unknown_version_is_not_found(call: Call) -> None:
    request = messages()["ModelMetadataRequest"](name="delays", version="9")
    with pytest.raises(grpc.RpcError, match="version '9' of delays is not in memory"):
        call("ModelMetadata", request)


def test_without_the_extra_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.startswith("grpc"):
            raise ImportError(name)
        return plain(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"grpcio is not installed(.|\n)*assay-mlops\[grpc\]"):
        grpc_port("127.0.0.1", 0)


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortInUse, match="--grpc-port: 0"):
        grpc_port("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(InvalidInput):
        grpc_port("127.0.0.1", 70_000)


def test_several_workers_answer_on_one_port(folder: Path) -> None:
    free = grpc_port("127.0.0.1", 0)
    command = serve_command(folder, workers=2)
    command[-1] = command[-1].replace("port=0", f"port=0, grpc_port={free}")
    live = messages()["ServerLiveRequest"]()
    with ServerProcess(folder, ENDPOINT, command=command):
        for _ in range(5):
            with grpc.insecure_channel(f"127.0.0.1:{free}") as channel:
                answer = messages()["ServerLiveResponse"].FromString
                call = channel.unary_unary(f"/{SERVICE}/ServerLive", type(live).SerializeToString, answer)
                assert call(live, timeout=10).live
