import mmh3
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.stats.murmur import murmur3_x86_32

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.lists(TEXT), TEXT, st.integers(0, 2**32 - 1), st.booleans())
def test_every_hash_is_that_of_the_reference(texts: list[str], prefix: str, seed: int, wide: bool) -> None:
    column = pa.array(texts, pa.large_string() if wide else pa.string())
    expected = [mmh3.hash((prefix + text).encode(), seed, False) for text in texts]
    assert murmur3_x86_32(column, prefix.encode(), seed).tolist() == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [("ejOoVL", 0), ("bY9fO-", 1), ("SI7p-", 2147483647), ("6LvT0", 2147483648), ("ceQdGm", 4294967295)],
)
def test_the_published_vectors_come_out(key: str, value: int) -> None:
    assert murmur3_x86_32(pa.array([key])).tolist() == [value]


def test_a_part_of_a_column_is_hashed_as_its_own_rows() -> None:
    texts = ["", "a", "ab", "abc", "abcd", "ü", "abcde"] * 3
    whole = murmur3_x86_32(pa.array(texts))
    np.testing.assert_array_equal(murmur3_x86_32(pa.array(texts)[5:11]), whole[5:11])
    assert len(murmur3_x86_32(pa.array([], pa.string()))) == 0
