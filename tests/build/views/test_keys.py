"""Keys of entities: one width each, so that equal keys are equal, and other kinds are refused by name."""

from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest

from assay.build.views.declared.keys import check_same_keys, key_type, normalised_key
from assay.errors import InvalidInput


def _key(values: Any, kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return normalised_key(pa.table({"k": pa.array(values, kind)}), "k", "the labels")


@pytest.mark.parametrize("kind", [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64()])
def test_whole_numbers_of_every_width_are_the_same_keys(kind: pa.DataType) -> None:
    found = _key([1, 100, None], kind)
    assert found.type == pa.int64()
    assert found.to_pylist() == [1, 100, None]


def test_floats_that_are_whole_are_numbers_and_nan_is_null_as_pandas_writes_gaps() -> None:
    assert _key([1.0, float("nan"), -3.0, None]).to_pylist() == [1, None, -3, None]
    assert _key([1.0, 2.0], pa.float32()).type == pa.int64()


def test_a_float_that_is_not_whole_is_refused_with_its_value() -> None:
    with pytest.raises(InvalidInput, match=r"the key 'k' of the labels has the value 1\.5"):
        _key([1.0, 1.5])


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 2.0**63, 1e300])
def test_a_float_beyond_64_bits_is_refused(value: float) -> None:
    with pytest.raises(InvalidInput, match="larger than 64 bits"):
        _key([1.0, value])


def test_an_integer_beyond_64_bits_is_refused() -> None:
    with pytest.raises(InvalidInput, match="whole numbers of 64 bits"):
        _key([2**63], pa.uint64())
    assert _key([2**63 - 1], pa.uint64()).to_pylist() == [2**63 - 1]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_text_of_every_width_is_the_same_key_whatever_it_holds(kind: pa.DataType) -> None:
    texts = ["", "a|b", "a'b\"", "é☂", None]
    found = _key(texts, kind)
    assert found.type == pa.large_string()
    assert found.to_pylist() == texts


def test_categories_are_the_texts_they_stand_for() -> None:
    found = _key(pa.array(["a", "b", "a", None]).dictionary_encode())
    assert found.type == pa.large_string()
    assert found.to_pylist() == ["a", "b", "a", None]


def test_bytes_booleans_and_dates_are_keys() -> None:
    assert _key([b"a", b""], pa.binary()).type == pa.large_binary()
    assert _key([b"ab"], pa.binary(2)).to_pylist() == [b"ab"]
    assert _key([True, None]).type == pa.bool_()
    assert _key([date(1969, 1, 1)], pa.date64()).to_pylist() == [date(1969, 1, 1)]


def test_times_and_nested_values_are_no_keys() -> None:
    for values in ([datetime(2024, 1, 1)], [[1]], [{"a": 1}]):
        with pytest.raises(InvalidInput, match="whole numbers, text, bytes, booleans or dates"):
            _key(values)


def test_a_column_of_nothing_is_a_key_that_is_always_missing() -> None:
    assert _key([None, None], pa.null()).to_pylist() == [None, None]


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="carriar"):
        normalised_key(pa.table({"carrier": ["AA"]}), "carriar", "the labels")


def test_text_against_integers_is_an_error_that_names_both_types() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_same_keys(["id"], [pa.large_string()], [pa.int64()], "spend")
    assert "the key 'id' is text in the rows and whole numbers in 'spend'" in str(refused.value)
    check_same_keys(["id", "day"], [pa.int64(), pa.date32()], [pa.int64(), pa.date32()], "spend")


def test_every_normalised_type_has_a_word() -> None:
    kinds = [pa.int64(), pa.large_string(), pa.large_binary(), pa.bool_(), pa.date32()]
    assert list(map(key_type, kinds)) == ["whole numbers", "text", "bytes", "booleans", "dates"]
