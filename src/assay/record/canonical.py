"""Canonical JSON and content hashes: the same value always gives the same bytes."""

import hashlib
import json
import math
from pathlib import Path

from assay.errors import InvalidInput

__all__ = ["canonical_json", "digest", "digest_bytes", "digest_file"]

_CHUNK = 1 << 20


def canonical_json(value: object) -> str:
    """Sorted keys, no white space, UTF-8 as is (after RFC 8785; floats as Python's shortest repr).

    Raises InvalidInput for what JSON cannot hold, NaN and infinity among it.
    """
    _refuse_non_finite(value)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        text.encode()  # half a surrogate pair is text to Python and to nobody else
    except (TypeError, UnicodeEncodeError) as error:
        raise InvalidInput(f"cannot be written as JSON: {error}") from error
    return text


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return digest_bytes(canonical_json(value).encode())


def digest_bytes(content: bytes | memoryview) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal, read in pieces."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _refuse_non_finite(value: object, where: str = "value") -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{where} is {value}", expected="a finite number", hint="leave it out or use null")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidInput(f"{where} has the key {key!r}", expected="text as keys")
            _refuse_non_finite(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            _refuse_non_finite(item, f"{where}[{position}]")
