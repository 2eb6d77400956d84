import hashlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.record.canonical import canonical_json, digest, digest_bytes, digest_file

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def test_published_hash_of_the_empty_content() -> None:
    assert digest_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_written_without_white_space_and_with_sorted_keys() -> None:
    assert (
        canonical_json({"é": [1, 2.5, None], "a": {"z": True, "b": "ü"}}) == '{"a":{"b":"ü","z":true},"é":[1,2.5,null]}'
    )


@given(JSON)
def test_the_order_of_keys_never_matters(value: object) -> None:
    assert canonical_json(_reversed(value)) == canonical_json(value)
    assert digest(_reversed(value)) == digest(value)


@given(JSON)
def test_it_reads_back_as_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@given(JSON, JSON)
def test_different_texts_have_different_hashes(one: object, other: object) -> None:
    assert (digest(one) == digest(other)) == (canonical_json(one) == canonical_json(other))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_place(number: float) -> None:
    with pytest.raises(InvalidInput, match=r"value\.a\[1\]\.b is") as caught:
        canonical_json({"a": [0, {"b": number}]})
    assert caught.value.expected == "a finite number"
    with pytest.raises(InvalidInput, match=r"value\[0\]\[1\] is"):
        digest(((0.0, number),))


def test_keys_other_than_text_are_refused_with_their_place() -> None:
    with pytest.raises(InvalidInput, match=r"value\.a has the key 1"):
        canonical_json({"a": {1: "b"}})


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), "\ud800", {"a": ["\udfff"]}])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="cannot be written as JSON"):
        digest(value)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_file_is_hashed_in_pieces_like_its_bytes(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "file").write_bytes(content[:size])
    assert digest_file(tmp_path / "file") == hashlib.sha256(content[:size]).hexdigest()
