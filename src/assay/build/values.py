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
from numpy.typing import NDArray

from assay.build.closure import code_of_modules
from assay.errors import InvalidInput
from assay.record import tables
from assay.record.blobs import Blobs
from assay.record.canonical import canonical_json, digest, digest_bytes

__all__ = ["Encoded", "decode", "encode", "value_hash"]

Encoded = dict[str, Any]
_INLINE_BYTES = 4096


def value_hash(value: object, where: str = "value") -> str:
    """A hash of type and content: 1, 1.0, True and "1" all differ; the order of a dictionary or a set does not count.

    What is hashed by its pickle also carries the code of the project's classes and functions in it. InvalidInput,
    beginning with `where`, for what cannot be kept.
    """
    try:
        return _hash(value, where)
    except RecursionError:
        raise InvalidInput(f"{where} is nested too deeply, or holds itself", expected="data that ends") from None


def encode(value: object, blobs: Blobs, where: str = "result") -> Encoded:
    """Keep a value; the dictionary says how to get it back. InvalidInput, beginning with `where`, where it cannot."""
    kind = type(value)
    if isinstance(value, pa.Table):
        return {"as": "table", "blob": blobs.put(tables.to_parquet(value)), "hash": _table_hash(value, where)}
    if isinstance(value, np.ndarray) and _is_plain_array(value):
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        return {"as": "array", "blob": blobs.put(buffer.getvalue())}
    if _is_small(value):
        return {"as": "json", "value": value}
    try:
        if isinstance(value, list | tuple) and kind in (list, tuple):
            return {"as": kind.__name__, "items": [encode(item, blobs, where) for item in value]}
        if isinstance(value, dict) and kind is dict:
            pairs = [[encode(key, blobs, where), encode(item, blobs, where)] for key, item in value.items()]
            return {"as": "dict", "pairs": pairs}
    except RecursionError:
        raise InvalidInput(f"{where} is nested too deeply, or holds itself", expected="data that ends") from None
    return {"as": "pickle", "blob": blobs.put(_pickled(value, where)[0])}


def decode(encoded: Encoded, blobs: Blobs) -> object:
    """The value that `encode` kept; NotFound or Tampered where a blob is missing or differs.

    InvalidInput where a pickle cannot be read by the code of now.
    """
    kind = encoded["as"]
    if kind == "json":
        return encoded["value"]
    if kind == "dict":
        pairs: list[tuple[Any, object]] = [(decode(key, blobs), decode(item, blobs)) for key, item in encoded["pairs"]]
        return dict(pairs)
    if kind in ("list", "tuple"):
        items = [decode(item, blobs) for item in encoded["items"]]
        return items if kind == "list" else tuple(items)
    content = blobs.get(encoded["blob"])
    if kind == "table":
        return tables.from_parquet(content)
    if kind == "array":
        return np.load(io.BytesIO(content), allow_pickle=False)
    try:
        return pickle.loads(content)  # noqa: S301 - written by this store, hash checked by `get`
    except Exception as error:  # whatever a class does that is gone, renamed or changed
        raise InvalidInput(f"what was kept cannot be read: {type(error).__name__}: {error}") from error


def _hash(value: object, where: str) -> str:
    kind = type(value)
    if isinstance(value, pa.Table):
        return digest(["table", _table_hash(value, where)])
    if isinstance(value, np.ndarray) and _is_plain_array(value):
        return digest(
            ["array", str(value.dtype), list(value.shape), digest_bytes(np.ascontiguousarray(value).tobytes())]
        )
    # Subclasses (np.float64, named tuples, OrderedDict, enumerations) are values of another type: they are pickled.
    if isinstance(value, list | tuple) and kind in (list, tuple):
        return digest([kind.__name__, [_hash(item, where) for item in value]])
    if isinstance(value, dict) and kind is dict:
        return digest(["dict", sorted((_hash(key, where), _hash(item, where)) for key, item in value.items())])
    if isinstance(value, set | frozenset) and kind in (set, frozenset):
        return digest([kind.__name__, sorted(_hash(item, where) for item in value)])
    plain = _plain(value)
    if plain is not None:
        return digest([kind.__name__, plain])
    content, modules = _pickled(value, where)
    return digest(["pickle", digest_bytes(_settled(content, where)), code_of_modules(sorted(modules))])


def _plain(value: object) -> str | None:
    """A number or a text as text; None for anything else."""
    kind = type(value)
    if isinstance(value, float) and kind is float:
        return value.hex()
    if isinstance(value, int) and kind is int:
        return hex(value)  # of any length, unlike JSON
    if isinstance(value, str) and kind is str:
        return digest_bytes(value.encode("utf-8", "surrogatepass"))
    return repr(value) if value is None or kind is bool else None


def _table_hash(table: pa.Table, where: str) -> str:
    try:
        return tables.content_hash(table)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.what}", expected=error.expected) from error


def _is_plain_array(value: NDArray[Any]) -> bool:
    """Whether .npy keeps all of it: no objects, and no subclass such as a masked array."""
    return type(value) is np.ndarray and not value.dtype.hasobject


def _is_small(value: object) -> bool:
    """Whether JSON gives back the very same value, in little space."""
    try:
        text = canonical_json(value)
    except (ValueError, TypeError, RecursionError):  # no JSON, or a number of more digits than Python writes
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


class _Pickler(pickle.Pickler):
    """Notes the modules of the classes and functions that the pickle refers to."""

    def __init__(self, buffer: io.BytesIO) -> None:
        super().__init__(buffer, protocol=5)
        self.modules: set[str] = set()

    def reducer_override(self, obj: object) -> Any:
        """Called for everything but plain data; changes nothing."""
        named = obj if isinstance(obj, type) or callable(obj) else type(obj)
        module = getattr(named, "__module__", None)
        if isinstance(module, str):
            self.modules.add(module)
        return NotImplemented


def _pickled(value: object, where: str) -> tuple[bytes, set[str]]:
    """The pickle, and the modules of the classes and functions in it."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    try:
        pickler.dump(value)
    except Exception as error:  # a class may raise anything when it is asked for its state
        raise InvalidInput(
            f"{where} is a {type(value).__name__}, which cannot be kept",
            expected="a table, an array, JSON, or something pickle can write",
            hint="pass the data instead of a handle to it",
        ) from error
    return buffer.getvalue(), pickler.modules


def _settled(content: bytes, where: str) -> bytes:
    """The pickle of what the pickle gives back.

    The first pickle of an object also shows which of its equal parts happen to be one object, such as names in the
    code that made it; an estimator that was computed and the same one read back would differ.
    """
    try:
        again = pickle.loads(content)  # noqa: S301 - written a moment ago
    except Exception as error:
        raise InvalidInput(
            f"{where} cannot be read back from its pickle: {type(error).__name__}: {error}",
            hint="pass the data instead of a handle to it",
        ) from error
    return _pickled(again, where)[0]
