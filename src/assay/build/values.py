"""Values between steps: how each kind is kept, and the hash by which two of them are the same.

Small JSON stays inline; a table becomes Parquet, an array .npy, anything else a pickle (which may miss, but never
hits falsely). Lists, tuples and dictionaries are kept item by item.
"""

import io
import json
import pickle
from typing import Any

import numpy as np
import pyarrow as pa

from assay.errors import InvalidInput
from assay.record import tables
from assay.record.blobs import Blobs
from assay.record.canonical import canonical_json, digest, digest_bytes

__all__ = ["Encoded", "decode", "encode", "value_hash"]

Encoded = dict[str, Any]
_INLINE_BYTES = 4096


def value_hash(value: object, where: str = "value") -> str:
    """A hash of type and content: 1, 1.0, True and "1" all differ."""
    if isinstance(value, pa.Table):
        return digest(["table", tables.content_hash(value)])
    if isinstance(value, np.ndarray) and value.dtype != object:
        return digest(
            ["array", str(value.dtype), list(value.shape), digest_bytes(np.ascontiguousarray(value).tobytes())]
        )
    if isinstance(value, list | tuple):
        return digest([type(value).__name__, [value_hash(item, where) for item in value]])
    if isinstance(value, dict):
        items = sorted((value_hash(key, where), value_hash(item, where)) for key, item in value.items())
        return digest(["dict", items])
    if isinstance(value, float):
        return digest(["float", value.hex()])
    if value is None or isinstance(value, bool | int | str):
        return digest([type(value).__name__, value])
    return digest(["pickle", digest_bytes(_pickled(value, where))])


def encode(value: object, blobs: Blobs, where: str = "result") -> Encoded:
    """Keep a value; the dictionary says how to get it back."""
    if isinstance(value, pa.Table):
        return {"as": "table", "blob": blobs.put(tables.to_parquet(value)), "hash": tables.content_hash(value)}
    if isinstance(value, np.ndarray) and value.dtype != object:
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        return {"as": "array", "blob": blobs.put(buffer.getvalue())}
    if isinstance(value, list | tuple) and not _is_small(value):
        return {"as": type(value).__name__, "items": [encode(item, blobs, where) for item in value]}
    if isinstance(value, dict) and not _is_small(value):
        pairs = [[encode(key, blobs, where), encode(item, blobs, where)] for key, item in value.items()]
        return {"as": "dict", "pairs": pairs}
    if _is_small(value):
        return {"as": "json", "value": value}
    return {"as": "pickle", "blob": blobs.put(_pickled(value, where))}


def decode(encoded: Encoded, blobs: Blobs) -> object:
    """The value that `encode` kept; NotFound or Tampered where a blob is missing or differs."""
    kind = encoded["as"]
    if kind == "json":
        return encoded["value"]
    if kind == "dict":
        return {_key(decode(key, blobs)): decode(item, blobs) for key, item in encoded["pairs"]}
    if kind in ("list", "tuple"):
        items = [decode(item, blobs) for item in encoded["items"]]
        return items if kind == "list" else tuple(items)
    content = blobs.get(encoded["blob"])
    if kind == "table":
        return tables.from_parquet(content)
    if kind == "array":
        return np.load(io.BytesIO(content), allow_pickle=False)
    return pickle.loads(content)  # noqa: S301 - written by this store, hash checked by `get`


def _key(value: object) -> Any:
    return value


def _is_small(value: object) -> bool:
    """Whether JSON gives back the very same value, in little space."""
    try:
        text = canonical_json(value)
    except (InvalidInput, TypeError, RecursionError):
        return False
    return len(text) <= _INLINE_BYTES and _same(json.loads(text), value)


def _same(left: object, right: object) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(_same(left[key], right[key]) for key in left)
    return left == right


def _pickled(value: object, where: str) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{where} is a {type(value).__name__}, which cannot be kept",
            expected="a table, an array, JSON, or something pickle can write",
            hint="return the data instead of a handle to it",
        ) from error
