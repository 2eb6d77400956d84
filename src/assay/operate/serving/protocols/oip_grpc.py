"""The Open Inference Protocol over gRPC, beside HTTP in the same process and over the same engine.

Tensors come as raw bytes or in typed fields, and answers take the form of the question. What HTTP refuses is refused
here with the same words. One process listens with several workers on one port as HTTP does.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from assay.errors import AssayError, InvalidInput, MissingExtra, PortInUse
from assay.listening import listen
from assay.operate.serving.engine import Engine, RequestError
from assay.operate.serving.protocols.asking import Asking, refusal
from assay.operate.serving.protocols.grpc_messages import SERVICE, messages
from assay.operate.serving.protocols.oip import SERVER_NAME, OpenInference, metadata_of, said_by
from assay.operate.serving.protocols.surface import Surface
from assay.operate.serving.protocols.tensors import DATATYPES, Tensor, bytes_of, from_bytes, from_values

__all__ = ["grpc_port", "start_grpc"]

_MAX_MESSAGE = 16 * 1024 * 1024
_GRACE_S = 5.0
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
}  # FP16 and BF16 come as raw bytes only


def grpc_port(host: str, port: int) -> int:
    """The port, of 0 one that is free, if gRPC can listen on it. MissingExtra, PortInUse."""
    try:
        import google.protobuf  # noqa: F401 - whether they are there
        import grpc.aio  # noqa: F401
    except ImportError as error:
        raise MissingExtra("grpc", "grpcio") from error
    try:
        with listen(host, port) as probe:
            taken: int = probe.getsockname()[1]
    except PortInUse as error:
        raise PortInUse(
            str(error).partition("\n")[0], hint="choose another --grpc-port: 0 takes any free one"
        ) from error
    return taken


async def start_grpc(engine: Engine, host: str, port: int, name: str = SERVER_NAME) -> Callable[[], Awaitable[None]]:
    """Listen there, beside the other workers of the endpoint; gives what ends it. `name` is what the server says it is.
    PortInUse.
    """
    import grpc.aio

    service = _Service(engine, name)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", _MAX_MESSAGE)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, service.handlers()),))
    try:
        server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError as error:
        raise PortInUse(f"gRPC cannot listen on {host}:{port}: {error}", hint="choose another --grpc-port") from error
    await server.start()

    async def stop() -> None:
        await server.stop(_GRACE_S)

    return stop


class _Service:
    """The calls of the protocol; each takes a message and gives one."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._asking = Asking(engine)
        self._oip = OpenInference(self._asking, name)
        self._messages = messages()

    def handlers(self) -> dict[str, Any]:
        """What gRPC calls, by name."""
        import grpc

        calls = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ServerMetadata": self._server,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model,
            "ModelInfer": self._infer,
        }
        return {
            name: grpc.unary_unary_rpc_method_handler(
                _guarded(call, self._messages[f"{name}Request"]),
                response_serializer=self._messages[f"{name}Response"].SerializeToString,
            )
            for name, call in calls.items()
        }

    async def _live(self, _: Any) -> Any:
        return self._messages["ServerLiveResponse"](live=True)

    async def _ready(self, _: Any) -> Any:
        return self._messages["ServerReadyResponse"](ready=self._asking.engine.is_ready)

    async def _server(self, _: Any) -> Any:
        return self._messages["ServerMetadataResponse"](**self._oip.about)

    async def _model_ready(self, request: Any) -> Any:
        await self._asking.find(request.name, request.version)
        return self._messages["ModelReadyResponse"](ready=self._asking.engine.is_ready)

    async def _model(self, request: Any) -> Any:
        found = await self._asking.find(request.name, request.version)
        surface = Surface([found]) if request.version else self._asking.surface
        said = metadata_of(request.name, sorted(self._asking.versions()), found, surface)
        answer = self._messages["ModelMetadataResponse"](
            name=said["name"], versions=said["versions"], platform=said["platform"]
        )
        for field, specs in ((answer.inputs, surface.inputs), (answer.outputs, surface.outputs)):
            for one in specs:
                field.add(name=one.name, datatype=one.datatype, shape=one.shape)
        return answer

    async def _infer(self, request: Any) -> Any:
        started = time.perf_counter_ns()
        parameters = {name: _value(one) for name, one in request.parameters.items()}
        self._asking.check_name(request.model_name)
        surface = self._asking.surface
        wanted = surface.chosen([one.name for one in request.outputs])
        answered = await self._oip.answer(surface, request.model_version, _tensors(request), parameters, None, started)
        said = said_by(answered)
        answer = self._messages["ModelInferResponse"](
            model_name=request.model_name, model_version=said.get("model_version", ""), id=request.id
        )
        for name, value in said["parameters"].items():
            answer.parameters[name].CopyFrom(self._parameter(value))
        for name in wanted:
            spec, values = surface.answer(name, answered)
            output = answer.outputs.add(name=spec.name, datatype=spec.datatype, shape=spec.shape)
            if request.raw_input_contents:
                answer.raw_output_contents.append(bytes_of(spec.datatype, values))
            else:
                listed = [one.encode() for one in values] if spec.datatype == "BYTES" else values
                getattr(output.contents, _CONTENTS[spec.datatype]).extend(listed)
        return answer

    def _parameter(self, value: object) -> Any:
        kind = "bool_param" if isinstance(value, bool) else "int64_param" if isinstance(value, int) else "string_param"
        return self._messages["InferParameter"](**{kind: value})


def _guarded(call: Callable[[Any], Awaitable[Any]], message: Any) -> Callable[[bytes, Any], Awaitable[Any]]:
    """A call with the bytes of a message, whose refusals become statuses of gRPC."""
    import grpc
    from google.protobuf.message import DecodeError

    codes = {
        400: grpc.StatusCode.INVALID_ARGUMENT,
        404: grpc.StatusCode.NOT_FOUND,
        503: grpc.StatusCode.UNAVAILABLE,
        504: grpc.StatusCode.DEADLINE_EXCEEDED,
    }

    async def answer(request: bytes, context: Any) -> Any:
        try:
            return await call(message.FromString(request))
        except DecodeError as error:  # left to gRPC it would be a fault of the server, with a traceback for each
            return await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the message cannot be read: {error}")
        except (AssayError, RequestError) as error:
            status, text, _ = refusal(error)
            return await context.abort(codes.get(status, grpc.StatusCode.INTERNAL), text)

    return answer


def _tensors(request: Any) -> list[Tensor]:
    raw: Sequence[bytes] = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise InvalidInput(
            f"there are {len(raw)} raw contents for {len(request.inputs)} inputs", expected="one for each"
        )
    tensors = []
    for place, one in enumerate(request.inputs):
        if raw:
            tensors.append(from_bytes(one.name, one.datatype, one.shape, raw[place]))
            continue
        field = _CONTENTS.get(one.datatype)
        if field is None and one.datatype in DATATYPES:
            raise InvalidInput(f"input {one.name[:100]!r} of {one.datatype} is not raw", expected="raw_input_contents")
        tensors.append(
            from_values(one.name, one.datatype, one.shape, list(getattr(one.contents, field or "bytes_contents")))
        )
    return tensors


def _value(parameter: Any) -> Any:
    kind = parameter.WhichOneof("parameter_choice")
    return getattr(parameter, kind) if kind else None
