import struct

import msgspec
import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.operate.serving.protocols.tensors import DATATYPES, bytes_of, from_bytes, from_json


def _json(datatype: str, shape: list[int], text: str) -> list[object]:
    return list(from_json("x", datatype, shape, msgspec.Raw(text.encode())).values)


@pytest.mark.parametrize("datatype", [name for name, (kind, _) in DATATYPES.items() if kind is not None])
def test_every_datatype_of_numbers_comes_from_bytes_and_goes_to_them(datatype: str) -> None:
    values = [0, 1] if datatype == "BOOL" else [0, 1, 2, 100]
    if datatype == "BF16":
        data = b"".join(struct.pack("<f", value)[2:] for value in values)
    else:
        data = bytes_of(datatype, values)
    assert from_bytes("x", datatype, [len(values)], data).values.tolist() == values  # type: ignore[union-attr]


def test_bytes_are_little_endian_and_row_major() -> None:
    assert bytes_of("INT16", [1, -2]) == b"\x01\x00\xfe\xff"
    assert bytes_of("FP64", [1.5]) == struct.pack("<d", 1.5)
    assert np.asarray(from_bytes("x", "FP16", [1], np.array([1.5], "<f2").tobytes()).values).tolist() == [1.5]


def test_text_stands_behind_its_length() -> None:
    data = b"\x02\x00\x00\x00AA\x00\x00\x00\x00\x03\x00\x00\x00\xe2\x82\xac"
    assert from_bytes("x", "BYTES", [3], data).values == ["AA", "", "€"]
    assert bytes_of("BYTES", ["AA", "", "€"]) == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x02\x00\x00\x00A", "do not end with an element"),
        (b"\x01\x00\x00\x00A\x01", "do not end with an element"),
        (b"\x01\x00\x00", "do not end with an element"),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00", "do not end with an element"),
        (b"\xff\xff\xff\xffA", "do not end with an element"),
        (b"\x01\x00\x00\x00\xff", "not UTF-8"),
    ],
)
def test_text_that_does_not_fit_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        from_bytes("x", "BYTES", [1], data)


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'x' has 7 bytes\n.*8 for the shape \[1\] of FP64"):
        from_bytes("x", "FP64", [1], b"1234567")


def test_a_boolean_is_a_byte_of_0_or_1() -> None:
    assert list(from_bytes("x", "BOOL", [2], b"\x01\x00").values) == [True, False]
    with pytest.raises(InvalidInput, match="has a byte 2"):
        from_bytes("x", "BOOL", [1], b"\x02")


def test_nan_is_a_missing_number_and_infinity_is_refused() -> None:
    assert np.isnan(from_bytes("x", "FP32", [2], np.array([np.nan, 1], "<f4").tobytes()).values[0])
    with pytest.raises(InvalidInput, match="value 1 of input 'x' is -inf"):
        from_bytes("x", "FP64", [2], np.array([1, -np.inf]).tobytes())
    with pytest.raises(InvalidInput, match="is inf"):
        from_bytes("x", "BF16", [1], b"\x80\x7f")


@pytest.mark.parametrize("text", ["[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]", "[[[1,2],[3,4],[5,6]]]"])
def test_data_may_be_flat_or_nested(text: str) -> None:
    shape = [1, 3, 2] if text.startswith("[[[") else [2, 3]
    assert _json("INT32", shape, text) == [1, 2, 3, 4, 5, 6]


def test_null_is_a_missing_value() -> None:
    assert _json("FP64", [2], "[null, 1.5]") == [None, 1.5]
    assert _json("BYTES", [2, 1], '[[null], ["AA"]]') == [None, "AA"]


@pytest.mark.parametrize(
    ("datatype", "shape", "text", "why"),
    [
        ("FP64", [1], '["1.5"]', "Expected `float | null`, got `str`"),
        ("FP64", [1], "[true]", "got `bool`"),
        ("FP64", [1], "[NaN]", "not JSON"),
        ("FP64", [1], "[1e999]", "out of range"),
        ("FP64", [1], "1.5", "Expected `array`"),
        ("FP64", [1], "[[1.5], 2]", "got `array`"),
        ("FP64", [2, 2], "[[1],[2,3,4]]", "2 different lengths"),
        ("FP64", [3], "[1, 2]", "has 2 values\n.*3 for the shape"),
        ("INT64", [1], "[1.5]", "got `float`"),
        ("UINT8", [1], "[256]", "<= 255"),
        ("INT8", [1, 1], "[[-129]]", ">= -128"),
        ("BOOL", [1], "[1]", "Expected `bool"),
        ("BYTES", [1], "[1]", "Expected `str"),
        ("FP8", [1], "[1]", "did you mean FP"),
        ("FP64", [-1], "[1]", "lengths of 0 or more"),
        ("FP64", [1] * 40, "[1]", "lengths of 0 or more"),
        ("FP64", [2**62, 2**62], "[1]", "has 1 values"),
    ],
)
def test_data_that_do_not_fit_are_refused(datatype: str, shape: list[int], text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        _json(datatype, shape, text)
