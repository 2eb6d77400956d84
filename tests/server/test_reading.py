from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.server.wire.dispatch import query_fields
from assay.server.wire.errors import WireError
from assay.server.wire.reading import Int, Name, read_body, read_fields


class Inner(msgspec.Struct):
    key: Name
    value: float
    step: Int = 0


class Asked(msgspec.Struct):
    name: Name
    text: str = ""
    number: Int | None = None
    flag: bool = False
    status: Literal["A", "B"] | None = None
    items: list[Inner] = []
    words: list[str] = []


def _read(**fields: Any) -> Asked:
    return read_body(Asked, msgspec.json.encode(fields), {})


def test_numbers_may_come_as_text() -> None:
    found = _read(
        name="n", number="7", items=[{"key": "k", "value": "NaN"}, {"key": "k", "value": "-Infinity", "step": "3"}]
    )
    assert found.number == 7
    assert found.items[0].value != found.items[0].value
    assert (found.items[1].value, found.items[1].step) == (float("-inf"), 3)
    assert _read(name="n", items=[{"key": "k", "value": True}]).items[0].value == 1.0
    assert _read(name="n", items=[{"key": "k", "value": 2}]).items[0].value == 2.0


def test_null_is_left_out_and_unknown_fields_are_ignored() -> None:
    found = _read(name="n", number=None, items=None, text=None, other=[1], nameCamel="x")
    assert found == Asked(name="n")


def test_the_literals_of_other_writers_are_read() -> None:
    found = read_body(Asked, b'{"name": "n", "items": [{"key": "k", "value": Infinity}]}', {})
    assert found.items[0].value == float("inf")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Missing value for required parameter 'name'. See the API docs"),
        ({"name": ""}, "Missing value for required parameter 'name'."),
        ({"name": 123}, "Invalid value 123 for parameter 'name' supplied:  Hint: Value was of type 'int'."),
        ({"name": "n", "number": "x"}, "Invalid value \"x\" for parameter 'number'"),
        ({"name": "n", "number": 1.5}, "Invalid value 1.5 for parameter 'number'"),
        ({"name": "n", "number": 2**63}, "Invalid value 9223372036854775808 for parameter 'number'"),
        ({"name": "n", "flag": "yes"}, "Invalid value \"yes\" for parameter 'flag'"),
        ({"name": "n", "status": "C"}, "Invalid value \"C\" for parameter 'status'"),
        ({"name": "n", "items": "nope"}, "Invalid value \"nope\" for parameter 'items'"),
        ({"name": "n", "items": [1]}, "Invalid value 1 for parameter 'items[0]'"),
        ({"name": "n", "items": [{"key": "k", "value": 1}, {"key": "k"}]}, "required parameter 'items[1].value'"),
        (
            {"name": "n", "items": [{"key": "k", "value": "1e999"}]},
            "Invalid value \"1e999\" for parameter 'items[0].value'",
        ),
        ({"name": "n", "text": "a\x00b"}, "parameter 'text' holds the character NUL"),
        ({"name": "n", "words": ["a", 1]}, "Invalid value 1 for parameter 'words[1]'"),
    ],
)
def test_a_mistake_is_said_in_the_words_of_mlflow(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError) as refused:
        _read(**fields)
    assert message in refused.value.message
    assert (refused.value.status, refused.value.code) == (400, "INVALID_PARAMETER_VALUE")


def test_a_long_value_is_cut_in_a_message() -> None:
    with pytest.raises(WireError) as refused:
        _read(name="n", number="9" * 5_000)
    assert len(refused.value.message) < 500


def test_a_body_that_is_not_utf_8_is_refused_like_any_that_is_no_json() -> None:
    for path in ({}, {"text": "x"}):
        with pytest.raises(WireError, match="Missing value for required parameter 'name'"):
            read_body(Asked, b'{"name": "\xff"}', path)


def test_a_query_is_read_like_a_body() -> None:
    found = read_fields(Asked, query_fields(b"name=a%20b&number=3&flag=true&words=x&words=y&text=%C3%A9"))
    assert found == Asked(name="a b", number=3, flag=True, words=["x", "y"], text="é")
    assert read_fields(Asked, query_fields(b"name=n&words=x")).words == ["x"]
    with pytest.raises(WireError, match="more than 2000"):
        query_fields(b"&".join(b"a=1" for _ in range(2_001)))


def test_fields_of_the_path_come_before_those_of_the_body() -> None:
    assert read_body(Asked, b'{"name": "body"}', {"name": "path"}).name == "path"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Asked.__struct_fields__, JSON)))
def test_any_json_is_taken_or_refused(fields: dict[str, Any]) -> None:
    try:
        body = msgspec.json.encode(fields)
    except (UnicodeEncodeError, msgspec.MsgspecError):
        return
    try:
        found = read_body(Asked, body, {})
    except WireError:
        return
    assert found.name


@given(st.binary(max_size=100))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        read_body(Asked, body, {})
