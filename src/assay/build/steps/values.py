"""Values between steps: how each kind is kept, and the hash by which two of them are the same.

JSON stays JSON, inline where it is small; a table becomes Parquet, an array .npy, a path the content that is there,
anything else a pickle (which may miss, but never hits falsely). Lists, tuples and dictionaries are kept item by item.
"""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from assay.build.steps.closure import code_of_objects
from assay.build.steps.content import content_hash, is_plain_array, pickled, table_hash
from assay.build.steps.files import keep_path, restored
from assay.errors import InvalidInput
from assay.record import tables
from assay.record.blobs import Blobs
from assay.record.canonical import canonical_json, digest

__all__ = ["Encoded", "decode", "encode", "value_hash"]

Encoded = dict[str, Any]
_INLINE_BYTES = 4096


def value_hash(value: object, where: str = "value") -> str:
    """A hash of type and content: 1, 1.0, True and "1" all differ; the order of a dictionary or a set does not count.

    What is hashed by its pickle also carries the code of the project's classes and functions in it. InvalidInput,
    beginning with `where`, for what cannot be kept.
    """
    try:
        named: list[object] = []
        content = content_hash(value, where, named, follow=True)
    except RecursionError:
        raise InvalidInput(f"{where} is nested too deeply, or holds itself", expected="data that ends") from None
    return digest([content, code_of_objects(named)]) if named else content


def encode(value: object, blobs: Blobs, where: str = "result") -> Encoded:
    """Keep a value; the dictionary says how to get it back. InvalidInput, beginning with `where`, where it cannot."""
    kind = type(value)
    if isinstance(value, pa.Table):
        return {"as": "table", "blob": blobs.put(tables.to_parquet(value)), "hash": table_hash(value, where)}
    if isinstance(value, np.ndarray) and is_plain_array(value):
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        return {"as": "array", "blob": blobs.put(buffer.getvalue())}
    text = _json_of(value)
    if text is not None:
        small = len(text) <= _INLINE_BYTES
        return {"as": "json", "value": value} if small else {"as": "json", "blob": blobs.put(text.encode())}
    if isinstance(value, Path):
        return {**keep_path(value, blobs, where)}
    try:
        if isinstance(value, list | tuple) and kind in (list, tuple):
            return {"as": kind.__name__, "items": [encode(item, blobs, where) for item in value]}
        if isinstance(value, dict) and kind is dict:
            pairs = [[encode(key, blobs, where), encode(item, blobs, where)] for key, item in value.items()]
            return {"as": "dict", "pairs": pairs}
    except RecursionError:
        raise InvalidInput(f"{where} is nested too deeply, or holds itself", expected="data that ends") from None
    return {"as": "pickle", "blob": blobs.put(pickled(value, where)[0])}


def decode(encoded: Encoded, blobs: Blobs) -> object:
    """The value that `encode` kept; NotFound or Tampered where a blob is missing or differs.

    InvalidInput where a pickle cannot be read by the code of now.
    """
    kind = encoded["as"]
    if kind == "json":
        return json.loads(blobs.get(encoded["blob"])) if "blob" in encoded else encoded["value"]
    if kind == "dict":
        pairs: list[tuple[Any, object]] = [(decode(key, blobs), decode(item, blobs)) for key, item in encoded["pairs"]]
        return dict(pairs)
    if kind in ("list", "tuple"):
        items = [decode(item, blobs) for item in encoded["items"]]
        return items if kind == "list" else tuple(items)
    if kind in ("file", "folder"):
        return restored(encoded, blobs)
    content = blobs.get(encoded["blob"])
    if kind == "table":
        return tables.from_parquet(content)
    if kind == "array":
        return np.load(io.BytesIO(content), allow_pickle=False)
    try:
        return pickle.loads(content)  # noqa: S301 - written by this store, hash checked by `get`
    except Exception as error:  # whatever a class does that is gone, renamed or changed
        raise InvalidInput(f"what was kept cannot be read: {type(error).__name__}: {error}") from error


def _json_of(value: object) -> str | None:
    """The value as JSON, where that gives back the very same."""
    try:
        text = canonical_json(value)
    except (ValueError, TypeError, RecursionError):  # no JSON, or a number of more digits than Python writes
        return None
    return text if _same(json.loads(text), value) else None


def _same(left: object, right: object) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(_same(left[key], right[key]) for key in left)
    return left == right
