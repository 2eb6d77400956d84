"""The hash of a value by type and content, and which classes and functions stand in it."""

import hashlib
import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.steps.files import hash_of_path
from assay.errors import InvalidInput
from assay.record import tables
from assay.record.canonical import digest, digest_bytes

_TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_RECALLS = ("BINGET", "LONG_BINGET")

__all__ = ["content_hash", "is_plain_array", "pickled", "table_hash"]


def content_hash(value: object, where: str, named: list[object], *, follow: bool = False) -> str:
    """The hash; `named` gains the classes and functions that the value's pickle refers to.

    With `follow` a path counts by the file or folder that it leads to, else by its name.
    """
    kind = type(value)
    if isinstance(value, pa.Table):
        return digest(["table", table_hash(value, where)])
    if isinstance(value, np.ndarray) and is_plain_array(value):
        return digest(
            ["array", str(value.dtype), list(value.shape), digest_bytes(np.ascontiguousarray(value).tobytes())]
        )
    # Subclasses (np.float64, named tuples, OrderedDict, enumerations) are values of another type: they are pickled.
    if isinstance(value, list | tuple) and kind in (list, tuple):
        return digest([kind.__name__, [content_hash(item, where, named, follow=follow) for item in value]])
    if isinstance(value, dict) and kind is dict:
        pairs = [
            (content_hash(key, where, named, follow=follow), content_hash(item, where, named, follow=follow))
            for key, item in value.items()
        ]
        return digest(["dict", sorted(pairs)])
    if isinstance(value, set | frozenset) and kind in (set, frozenset):
        return digest([kind.__name__, sorted(content_hash(item, where, named, follow=follow) for item in value)])
    plain = _plain(value)
    if plain is not None:
        return digest([kind.__name__, plain])
    if follow and isinstance(value, Path):
        return digest(["path", hash_of_path(value, where)])
    content, found = pickled(value, where)
    named += found
    return digest(["pickle", _texts_by_value(_settled(content, where))])


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


def table_hash(table: pa.Table, where: str) -> str:
    """Of schema and content; InvalidInput, beginning with `where`, for a table that has no hash."""
    try:
        return tables.content_hash(table)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.what}", expected=error.expected) from error


def is_plain_array(value: NDArray[Any]) -> bool:
    """Whether .npy keeps all of it: no objects, and no subclass such as a masked array."""
    return type(value) is np.ndarray and not value.dtype.hasobject


class _Pickler(pickle.Pickler):
    """Notes the classes and functions that the pickle refers to."""

    def __init__(self, buffer: io.BytesIO) -> None:
        super().__init__(buffer, protocol=5)
        self.named: list[object] = []

    def reducer_override(self, obj: object) -> Any:
        """Called for everything but plain data; changes nothing."""
        self.named.append(obj if hasattr(obj, "__qualname__") else type(obj))
        return NotImplemented


def pickled(value: object, where: str) -> tuple[bytes, list[object]]:
    """The pickle, and the classes and functions in it. InvalidInput where there is none."""
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
    return buffer.getvalue(), pickler.named


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
    return pickled(again, where)[0]


def _texts_by_value(content: bytes) -> str:
    """The hash of a pickle in which it does not matter which equal texts are one object.

    Reading a pickle back makes some of them one (names of attributes) and others two, so that a model that was trained
    a moment ago and the same one read from a store would differ.
    """
    hashed = hashlib.sha256()
    texts: dict[int, str] = {}
    places: dict[int, int] = {}
    text: str | None = None
    count = 0
    for code, argument, _ in pickletools.genops(content):
        if code.name == "MEMOIZE":
            if text is None:
                places[count] = len(places)
                hashed.update(b"M")
            else:
                texts[count] = text
            count += 1
            continue
        text = None
        if code.name in _TEXTS:
            text = str(argument)
            _add(hashed, b"T", text.encode("utf-8", "surrogatepass"))
        elif code.name in _RECALLS and argument in texts:
            _add(hashed, b"T", texts[argument].encode("utf-8", "surrogatepass"))
        elif code.name in _RECALLS:
            _add(hashed, b"G", str(places[int(str(argument))]).encode())
        elif code.name != "FRAME":
            _add(
                hashed,
                code.code.encode("latin-1"),
                argument if isinstance(argument, bytes) else repr(argument).encode(),
            )
    return hashed.hexdigest()


def _add(hashed: "hashlib._Hash", kind: bytes, content: bytes) -> None:
    hashed.update(kind + len(content).to_bytes(8, "little"))
    hashed.update(content)
