import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.stats.varint import pack, unpack


@given(st.lists(st.integers(0, 2**63 - 1)))
def test_bytes_lead_back_to_the_numbers(values: list[int]) -> None:
    assert unpack(pack(np.array(values, dtype=np.int64))).tolist() == values


def test_small_numbers_take_a_byte_and_the_largest_nine() -> None:
    assert pack(np.array([0, 1, 127])) == b"\x00\x01\x7f"
    assert pack(np.array([128, 300])) == b"\x80\x01\xac\x02"
    assert len(pack(np.array([2**63 - 1]))) == 9


@pytest.mark.parametrize("wrong", [b"\x80", b"\x01\xff", b"\xff" * 9 + b"\x01"])
def test_bytes_that_are_no_numbers_are_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"end within|63 bits"):
        unpack(wrong)
