"""The binary tensor extension of the Open Inference Protocol: JSON, and behind it the bytes of tensors."""

from collections.abc import Sequence
from typing import Any

import msgspec

from assay.errors import InvalidInput
from assay.operate.serving.protocols.tensors import Tensor, TensorSpec, bytes_of, from_bytes

__all__ = ["LENGTH_HEADER", "joined", "outgoing", "raw_tensor", "sized_tensor", "split"]

LENGTH_HEADER = b"inference-header-content-length"
_MAX_DIGITS = 18


def split(headers: dict[bytes, bytes], body: bytes) -> tuple[bytes | None, memoryview]:
    """The JSON and the bytes behind it; None where the header says that there is no JSON.

    The header counts the JSON as it is after decompression. InvalidInput for one that cannot be.
    """
    said = headers.get(LENGTH_HEADER)
    view = memoryview(body)
    if said is None:
        return body, view[:0]
    text = said.strip()
    length = int(text) if text.isdigit() and len(text) <= _MAX_DIGITS else -1
    if not 0 <= length <= len(body):
        raise InvalidInput(
            f"inference-header-content-length is {said[:50].decode('latin-1')!r}",
            expected=f"the bytes of the JSON, at most the {len(body)} of the body",
        )
    return (bytes(view[:length]) if length else None), view[length:]


def sized_tensor(
    name: str, datatype: str, shape: Sequence[int], size: object, data: memoryview
) -> tuple[Tensor, memoryview]:
    """A tensor whose `binary_data_size` bytes come next, and what is left behind it."""
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise InvalidInput(f"binary_data_size of input {name[:100]!r} is {str(size)[:50]}", expected="bytes, 0 or more")
    if size > len(data):
        raise InvalidInput(f"input {name[:100]!r} has {len(data)} bytes left of the body", expected=f"{size} bytes")
    return from_bytes(name, datatype, shape, data[:size]), data[size:]


def raw_tensor(inputs: Sequence[TensorSpec], data: memoryview) -> Tensor:
    """A body without JSON: the one input of the model, as many rows as there are bytes for.

    InvalidInput where the model has several inputs and no single one that stands for them.
    """
    if len(inputs) != 1:
        raise InvalidInput(
            f"a body without JSON is for a model of one input, and this has {len(inputs)}",
            expected="inference-header-content-length: the bytes of the JSON in front of the tensors",
        )
    only = inputs[0]
    if only.datatype == "BYTES":  # one element, without its length
        return from_bytes(only.name, "BYTES", [1], len(data).to_bytes(4, "little") + bytes(data))
    width = only.shape[-1] if len(only.shape) == 2 else 1
    rows, rest = divmod(len(data), width * _SIZES[only.datatype])
    if rest or not rows:
        raise InvalidInput(f"the body has {len(data)} bytes", expected=f"rows of {width} values of {only.datatype}")
    return from_bytes(only.name, only.datatype, [rows, width] if len(only.shape) == 2 else [rows], data)


_SIZES = {"FP64": 8, "FP32": 4, "INT64": 8, "INT32": 4, "BOOL": 1}


def joined(document: dict[str, Any], parts: Sequence[bytes]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of an answer of which some tensors are the bytes in `parts`."""
    said = msgspec.json.encode(document)
    headers = [(b"content-type", b"application/octet-stream"), (LENGTH_HEADER, str(len(said)).encode())]
    return headers, b"".join([said, *parts])


def outgoing(spec: TensorSpec, values: Sequence[Any], binary: bool) -> tuple[dict[str, Any], bytes | None]:
    """An output as it stands in the JSON, and its bytes where it is binary."""
    said: dict[str, Any] = {"name": spec.name, "shape": spec.shape, "datatype": spec.datatype}
    if not binary:
        return {**said, "data": values}, None
    data = bytes_of(spec.datatype, values)
    return {**said, "parameters": {"binary_data_size": len(data)}}, data
