"""Tensors of the Open Inference Protocol: their datatypes, and their values as JSON and as bytes.

BYTES become text. JSON says a missing value as null, bytes say a missing number as NaN. Infinity is refused: neither
JSON nor the prediction log has a form for it.
"""

import math
import struct
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest

__all__ = ["DATATYPES", "Tensor", "TensorSpec", "bytes_of", "from_bytes", "from_json", "from_values"]

Values = NDArray[Any] | list[Any]
_SHOWN = 100  # characters of somebody else's text in a message
_MAX_RANK = 32
_LENGTH = struct.Struct("<I")


class TensorSpec(msgspec.Struct, frozen=True):
    """A tensor as metadata say it; -1 stands for any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class Tensor(msgspec.Struct, frozen=True):
    """A tensor that came: flat `values`, row by row, of numbers, booleans, text or None; or an array."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Values


def _whole(bits: int, signed: bool) -> Any:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    bounds = msgspec.Meta(ge=low, le=high) if high < 2**63 else msgspec.Meta(ge=low)  # all that a bound may be
    return Annotated[int, bounds]


# The datatype, its bytes as numpy reads them (None: of any length), and what JSON has to be.
DATATYPES: dict[str, tuple[np.dtype[Any] | None, Any]] = {
    "BOOL": (np.dtype("?"), bool),
    **{f"UINT{bits}": (np.dtype(f"<u{bits // 8}"), _whole(bits, False)) for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": (np.dtype(f"<i{bits // 8}"), _whole(bits, True)) for bits in (8, 16, 32, 64)},
    "FP16": (np.dtype("<f2"), float),
    "FP32": (np.dtype("<f4"), float),
    "FP64": (np.dtype("<f8"), float),
    "BF16": (np.dtype("<u2"), float),  # the upper half of an FP32
    "BYTES": (None, str),
}
_FLAT: dict[str, Callable[[bytes | msgspec.Raw], list[Any]]] = {
    name: msgspec.json.Decoder(list[kind | None]).decode  # type: ignore[valid-type] # made of the table
    for name, (_, kind) in DATATYPES.items()
}
_ANY = msgspec.json.Decoder(list[Any]).decode


def from_json(name: str, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Tensor:
    """A tensor out of its JSON, flat or nested; InvalidInput names the tensor and the place in it."""
    count = _count(name, datatype, shape)
    try:
        values = _FLAT[datatype](data)
    except msgspec.ValidationError as error:
        values = _nested(name, datatype, data, len(shape), error)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the data of input {name[:_SHOWN]!r} are not JSON: {error}") from None
    if len(values) != count:
        raise InvalidInput(
            f"input {name[:_SHOWN]!r} has {len(values)} values", expected=f"{count} for the shape {list(shape)}"
        )
    return Tensor(name, datatype, tuple(shape), values)


def from_bytes(name: str, datatype: str, shape: Sequence[int], data: memoryview | bytes) -> Tensor:
    """A tensor out of little-endian, row-major bytes without gaps; InvalidInput names it."""
    count = _count(name, datatype, shape)
    kind = DATATYPES[datatype][0]
    if kind is None:
        return Tensor(name, datatype, tuple(shape), _texts(name, data, count))
    if len(data) != count * kind.itemsize:
        raise InvalidInput(
            f"input {name[:_SHOWN]!r} has {len(data)} bytes",
            expected=f"{count * kind.itemsize} for the shape {list(shape)} of {datatype}",
        )
    values = np.frombuffer(data, kind)
    if datatype == "BOOL":
        values = np.frombuffer(data, np.uint8)
        if values.size and values.max() > 1:
            raise InvalidInput(f"input {name[:_SHOWN]!r} has a byte {values.max()}", expected="0 or 1 for BOOL")
        values = values.astype(bool)
    if datatype == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    if datatype in _WITH_NAN:
        values = _finite(name, values.astype(np.float64))
    return Tensor(name, datatype, tuple(shape), values)


def from_values(name: str, datatype: str, shape: Sequence[int], values: list[Any]) -> Tensor:
    """A tensor whose values another format has decoded, text as bytes; InvalidInput names it."""
    count = _count(name, datatype, shape)
    if len(values) != count:
        raise InvalidInput(
            f"input {name[:_SHOWN]!r} has {len(values)} values", expected=f"{count} for the shape {list(shape)}"
        )
    if datatype == "BYTES":
        return Tensor(name, datatype, tuple(shape), _decoded(name, values))
    if datatype in _WITH_NAN:
        return Tensor(name, datatype, tuple(shape), _finite(name, np.array(values, np.float64)))
    return Tensor(name, datatype, tuple(shape), values)


_WITH_NAN = {"FP16", "FP32", "FP64", "BF16"}


def bytes_of(datatype: str, values: Sequence[Any]) -> bytes:
    """The values of a tensor that goes out, as bytes; text before its length."""
    kind = DATATYPES[datatype][0]
    if kind is not None:
        return np.asarray(values, kind).tobytes()
    texts = [value.encode() for value in values]
    return b"".join([part for text in texts for part in (_LENGTH.pack(len(text)), text)])


def _count(name: str, datatype: str, shape: Sequence[int]) -> int:
    if datatype not in DATATYPES:
        close = nearest(datatype[:_SHOWN], list(DATATYPES))
        raise InvalidInput(
            f"input {name[:_SHOWN]!r} is of datatype {datatype[:_SHOWN]!r}",
            expected=", ".join(DATATYPES),
            hint=f"did you mean {close}?" if close else None,
        )
    if len(shape) > _MAX_RANK or any(length < 0 for length in shape):
        raise InvalidInput(
            f"input {name[:_SHOWN]!r} has the shape {str(list(shape))[:_SHOWN]}", expected="lengths of 0 or more"
        )
    return math.prod(shape)


def _nested(name: str, datatype: str, data: msgspec.Raw, rank: int, error: Exception) -> list[Any]:
    """Nested lists flattened; what is not nested was refused for good reason."""
    kind: Any = list[DATATYPES[datatype][1] | None]  # type: ignore[misc] # a type of the table
    try:
        values, depth = _ANY(data), 0
        while depth < rank and values and all(isinstance(value, list) for value in values):
            lengths = {len(value) for value in values}
            if len(lengths) > 1:
                raise InvalidInput(f"the lists in input {name[:_SHOWN]!r} are of {len(lengths)} different lengths")
            values, depth = [one for value in values for one in value], depth + 1
        if not depth:
            raise error
        flat: list[Any] = msgspec.convert(values, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise InvalidInput(
            f"input {name[:_SHOWN]!r} of {datatype}: {wrong}", expected="values of its datatype, or null for missing"
        ) from None
    return flat


def _finite(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.isinf(values).any():
        place = int(np.flatnonzero(np.isinf(values))[0])
        raise InvalidInput(
            f"value {place} of input {name[:_SHOWN]!r} is {values[place]}",
            expected="a finite number; NaN (in JSON: null) stands for a value that is not known",
        )
    return values


def _texts(name: str, data: memoryview | bytes, count: int) -> list[Any]:
    """Bytes of text as text, where they are UTF-8, each after its length."""
    whole, found, place = bytes(data), list[Any](), 0
    while place < len(whole) and len(found) < count:
        if place + 4 > len(whole):
            break
        (length,) = _LENGTH.unpack_from(whole, place)
        place += 4 + length
        if place > len(whole):
            break
        found.append(whole[place - length : place])
    if len(found) != count or place != len(whole):
        raise InvalidInput(
            f"the bytes of input {name[:_SHOWN]!r} do not end with an element",
            expected=f"{count} elements, each after its length in 4 bytes",
        )
    return _decoded(name, found)


def _decoded(name: str, texts: Sequence[bytes]) -> list[Any]:
    try:
        return [text.decode() for text in texts]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"input {name[:_SHOWN]!r} has text that is not UTF-8: {error.reason}") from None
