"""The Open Inference Protocol, version 2, over HTTP: what the endpoint is, whether it is ready, and inference.

The endpoint is one model, under its own name and under that of the champion's model. Without a version in the path the
route decides who answers; with one that version does, and its rows are logged as forced. The answer's `model_version`
is the version that answered; it is left out where rows were answered by several, which the parameters `assay_variants`
and `assay_versions` then tell row by row. Request parameters of ours are `assay_unit`, one for all rows, and
`assay_variant`, the name of the variant that has to answer.
"""

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version as package_version
from typing import Any

import msgspec

from assay.errors import InvalidInput
from assay.operate.routing.table import LoadedVariant
from assay.operate.serving.engine import Answered, Asked
from assay.operate.serving.protocols.asking import JSON, Asking, Reply, text_of
from assay.operate.serving.protocols.oip_binary import joined, outgoing, raw_tensor, sized_tensor, split
from assay.operate.serving.protocols.surface import UNITS, VARIANT, Surface
from assay.operate.serving.protocols.tensors import Tensor, from_json

__all__ = ["EXTENSIONS", "SERVER_NAME", "OpenInference", "metadata_of", "platform_of", "said_by"]

SERVER_NAME = "assay"
EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")
_SHOWN = 100  # characters of somebody else's text in a message
_encode = msgspec.json.Encoder().encode
Parameters = Mapping[str, Any]


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


_decode = msgspec.json.Decoder(_Request).decode


class OpenInference:
    """Answers the protocol's paths. `name` is what the server says it is: some programs compare it."""

    def __init__(self, asking: Asking, name: str) -> None:
        self._asking = asking
        self.about = {"name": name, "version": package_version("assay-mlops"), "extensions": EXTENSIONS}

    def server(self) -> Reply:
        """What the server is."""
        return 200, JSON, _encode(self.about)

    def live(self) -> Reply:
        """That it answers at all, with a body: some clients read one."""
        return 200, JSON, b'{"live":true}'

    def ready(self) -> Reply:
        """Whether it answers predictions."""
        ready = self._asking.engine.is_ready
        return 200 if ready else 503, JSON, _encode({"ready": ready, "live": True})

    def models(self) -> Reply:
        """The names it answers to."""
        return 200, JSON, _encode({"models": self._asking.names})

    async def model(self, name: str, version: str | None) -> Reply:
        """Inputs and outputs of the endpoint, or of one version."""
        found = await self._asking.find(name, version)
        surface = Surface([found]) if version else self._asking.surface
        return 200, JSON, _encode(metadata_of(name, sorted(self._asking.versions()), found, surface))

    async def model_ready(self, name: str, version: str | None) -> Reply:
        """Whether the endpoint, or the version, answers predictions."""
        await self._asking.find(name, version)
        ready = self._asking.engine.is_ready
        return 200 if ready else 503, JSON, _encode({"name": name, "ready": ready})

    async def infer(
        self, name: str, version: str | None, headers: dict[bytes, bytes], body: bytes, event_ts: str | None
    ) -> Reply:
        """Predictions for the rows of tensors."""
        started = time.perf_counter_ns()
        self._asking.check_name(name)
        surface, (said, data) = self._asking.surface, split(headers, body)
        if said is None:
            single = [surface.matrix] if surface.matrix else surface.inputs
            request, tensors = _Request([], parameters={"binary_data_output": True}), [raw_tensor(single, data)]
        else:
            request = _read(said)
            tensors = _tensors(request.inputs, data)
        wanted = _wanted(surface, request)
        answered = await self.answer(surface, version, tensors, request.parameters or {}, event_ts, started)
        document = {"model_name": name, **said_by(answered)}
        if request.id is not None:
            document["id"] = request.id
        outputs, parts = [], []
        for output, binary in wanted:
            described, part = outgoing(*surface.answer(output, answered), binary)
            outputs.append(described)
            parts += [] if part is None else [part]
        document["outputs"] = outputs
        if not parts:
            return 200, JSON, _encode(document)
        return 200, *joined(document, parts)

    async def answer(
        self,
        surface: Surface,
        version: str | None,
        tensors: Sequence[Tensor],
        parameters: Parameters,
        event_ts: str | None,
        started: int,
    ) -> Answered:
        """Predictions for the rows that tensors hold, by the version if one is named."""
        rows = surface.rows(tensors)
        units = rows.units
        if units is None and parameters.get(UNITS) is not None:
            count = len(rows.matrix) if rows.matrix is not None else len(next(iter((rows.columns or {}).values())))
            units = [text_of(parameters, UNITS)] * count
        asked = Asked(
            columns=rows.columns,
            matrix=rows.matrix,
            ids=rows.ids,
            units=units,
            forced=text_of(parameters, VARIANT),
            event_ts=event_ts,
            started_ns=started,
        )
        if version:
            asked.version, asked.table = await self._asking.table_of(version)
        return await self._asking.engine.answer(asked)


def metadata_of(name: str, versions: Sequence[int], found: LoadedVariant, surface: Surface) -> dict[str, Any]:
    """The protocol's description of a model."""
    properties: dict[str, str] = {}
    if surface.matrix is not None:
        properties["matrix_input"] = f"{surface.matrix.name} FP64 [-1,{surface.matrix.shape[1]}]: all inputs in one"
    if surface.classes:
        properties["classes"] = _encode(surface.classes).decode()
    return {
        "name": name,
        "versions": [str(number) for number in versions],
        "platform": platform_of(found),
        "inputs": surface.inputs,
        "outputs": surface.outputs,
        "properties": properties,
    }


def platform_of(found: LoadedVariant) -> str:
    """`<project>_<format>` by the form that the model is kept in."""
    return f"{found.model.flavour}_model"


def said_by(answered: Answered) -> dict[str, Any]:
    """Who answered: `model_version` where it was one version, and parameters."""
    positions = set(answered.variants)
    parameters: dict[str, Any] = {"assay_revision": answered.table.revision}
    if len(positions) == 1:
        only = answered.variant(0)
        parameters[VARIANT] = only.variant.name
        said: dict[str, Any] = {"model_version": str(only.model.version.version)}
    else:
        names = [one.variant.name for one in answered.table.variants]
        versions = [str(one.model.version.version) for one in answered.table.variants]
        parameters["assay_variants"] = ",".join([names[one] for one in answered.variants])
        parameters["assay_versions"] = ",".join([versions[one] for one in answered.variants])
        said = {"model_version": versions[0]} if len({versions[one] for one in positions}) == 1 else {}
    if answered.flags and any(answered.flags):
        parameters["assay_flags"] = _encode(answered.flags).decode()
    return {**said, "parameters": parameters}


def _read(body: bytes) -> _Request:
    try:
        return _decode(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the request cannot be read: {error}") from None


def _tensors(inputs: Sequence[_Input], data: memoryview) -> list[Tensor]:
    tensors = []
    for one in inputs:
        size = one.parameters.get("binary_data_size") if one.parameters else None
        if size is None:
            if _is_null(one.data):
                raise InvalidInput(f"input {one.name[:_SHOWN]!r} has no data", expected="data, or binary_data_size")
            tensors.append(from_json(one.name, one.datatype, one.shape, one.data))
            continue
        if not _is_null(one.data):
            raise InvalidInput(f"input {one.name[:_SHOWN]!r} has both data and binary_data_size", expected="one")
        tensor, data = sized_tensor(one.name, one.datatype, one.shape, size, data)
        tensors.append(tensor)
    if len(data):
        raise InvalidInput(f"{len(data)} bytes stand behind the last tensor", expected="none")
    return tensors


def _is_null(data: msgspec.Raw) -> bool:
    return bytes(memoryview(data)[:5]) == b"null"


def _wanted(surface: Surface, request: _Request) -> list[tuple[str, bool]]:
    """The outputs asked for, and whether as bytes."""
    all_binary = bool((request.parameters or {}).get("binary_data_output"))
    asked = {one.name: one.parameters or {} for one in request.outputs or ()}
    for name, parameters in asked.items():
        for refused in ("classification", "shared_memory_region"):
            if refused in parameters:
                raise InvalidInput(f"output {name[:_SHOWN]!r} is wanted with {refused}, which is not supported")
    return [
        (name, bool(all_binary if (own := asked.get(name, {}).get("binary_data")) is None else own))
        for name in surface.chosen(list(asked))
    ]
