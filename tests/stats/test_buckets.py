import mmh3
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import bucket_of, row_identities


def murmur3_x86_32(key: bytes) -> int:
    """MurmurHash3 for 32 bits with seed 0, as its author published it."""
    c1, c2, h, mask = 0xCC9E2D51, 0x1B873593, 0, 0xFFFFFFFF

    def mixed(k: int) -> int:
        k = k * c1 & mask
        return (k << 15 | k >> 17) * c2 & mask

    whole = len(key) // 4 * 4
    for start in range(0, whole, 4):
        h ^= mixed(int.from_bytes(key[start : start + 4], "little"))
        h = ((h << 13 | h >> 19) & mask) * 5 + 0xE6546B64 & mask
    h ^= mixed(int.from_bytes(key[whole:], "little"))
    h ^= len(key)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ h >> shift) * factor & mask
    return h ^ h >> 16


@pytest.mark.parametrize(
    ("key", "value"),
    [("ejOoVL", 0), ("bY9fO-", 1), ("SI7p-", 2147483647), ("6LvT0", 2147483648), ("ceQdGm", 4294967295)],
)
def test_the_published_hash_vectors_come_out(key: str, value: int) -> None:
    assert murmur3_x86_32(key.encode()) == value
    assert mmh3.hash(key, 0, False) == value


@given(st.lists(st.text(st.characters(codec="utf-8"))), st.integers(1, 1000), st.integers(0, 2**31))
def test_a_bucket_is_whole_number_arithmetic_on_the_hash(units: list[str], buckets: int, seed: int) -> None:
    expected = [murmur3_x86_32(f"{seed}:{unit}".encode()) * buckets >> 32 for unit in units]
    assert bucket_of(units, buckets, seed).tolist() == expected


def test_arrays_and_lists_give_the_same_buckets() -> None:
    units = ["a", "b", "a", "ü", ""]
    expected = bucket_of(units).tolist()
    assert bucket_of(np.array(units)).tolist() == expected
    assert bucket_of(np.array(units, dtype=object)).tolist() == expected
    assert expected[0] == expected[2]
    plain = pa.array(units)
    for column in (
        plain,
        plain.cast(pa.large_string()),
        plain.dictionary_encode(),
        pa.chunked_array([plain, plain[:2]]),
    ):
        assert bucket_of(column).tolist() == [*expected, *expected[:2]][: len(column)]
    assert bucket_of(pa.array(units).dictionary_encode()[1:4]).tolist() == expected[1:4]
    assert len(bucket_of(pa.array([]))) == len(bucket_of([])) == 0


def test_buckets_are_evenly_filled() -> None:
    filled = np.bincount(bucket_of([str(i) for i in range(50_000)]), minlength=50)
    assert 49 - 6 * 10 < ((filled - 1000) ** 2 / 1000).sum() < 49 + 6 * 10  # chi-square, 49 degrees of freedom


def test_another_seed_gives_other_buckets() -> None:
    units = [str(i) for i in range(1000)]
    assert (bucket_of(units, seed=0) == bucket_of(units, seed=1)).mean() < 0.1


@pytest.mark.parametrize("wrong", [None, 7, "\ud800"])
def test_units_that_are_not_text_are_refused_with_their_row(wrong: object) -> None:
    with pytest.raises(InvalidInput, match=r"units: 1 of 3 values .* in row 1"):
        bucket_of(np.array(["a", wrong, "b"], dtype=object))


@pytest.mark.parametrize("kind", ["plain", "dictionary", "chunked"])
def test_missing_units_in_an_arrow_column_are_refused_with_their_row(kind: str) -> None:
    column = pa.array(["a", None, "b"])
    forms = {
        "plain": column,
        "dictionary": column.dictionary_encode(),
        "chunked": pa.chunked_array([column[:1], column[1:]]),
    }
    with pytest.raises(InvalidInput, match=r"units: 1 of 3 values .* in row 1"):
        bucket_of(forms[kind])
    with pytest.raises(InvalidInput, match=r"units: 3 of 3 values"):
        bucket_of(pa.array([1, 2, 3]))


def test_no_buckets_are_refused() -> None:
    with pytest.raises(InvalidInput, match="buckets"):
        bucket_of(["a"], 0)


def test_rows_without_a_unit_are_told_apart_by_their_numbers() -> None:
    generator = np.random.default_rng(0)
    columns = [generator.random(5000), generator.integers(0, 3, 5000).astype(float)]
    found = row_identities(columns)
    assert len(np.unique(found)) == 5000
    order = generator.permutation(5000)
    assert (row_identities([column[order] for column in columns]) == found[order]).all()
    assert (row_identities([np.array([-0.0])]) == row_identities([np.array([0.0])])).all()
    counts = np.bincount(bucket_of(found, 50), minlength=50)
    assert counts.min() > 60, "5,000 rows in 50 buckets: 100 each, give or take 10"
    assert (bucket_of(found, 50, seed=1) != bucket_of(found, 50, seed=2)).mean() > 0.9
