import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.stats import grouping

KEYS = st.lists(st.integers(0, 30), max_size=60)


@given(KEYS, st.sampled_from([31, 10**9]))
def test_compressed_keys_are_distinct_and_lead_back(keys: list[int], size: int) -> None:
    distinct, positions = grouping.compress(np.array(keys, dtype=np.int64), size)
    assert distinct.tolist() == sorted(set(keys))
    assert distinct[positions].tolist() == keys


@given(KEYS)
def test_folding_sums_the_rows_of_each_key(keys: list[int]) -> None:
    table = np.arange(2 * len(keys), dtype=np.int64).reshape(-1, 2)
    distinct, sums = grouping.fold(np.array(keys, dtype=np.int64), table)
    assert distinct.tolist() == sorted(set(keys))
    for key, row in zip(distinct, sums, strict=True):
        assert row.tolist() == table[np.array(keys) == key].sum(axis=0).tolist()


def test_sums_stay_exact_beyond_what_a_float_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_EXACT", 2**31)  # two rows at a time
    values = np.array([2**30 - 1, 1, 2**29 + 1] * 7, dtype=np.int64)
    groups = np.array([0, 1, 0] * 7, dtype=np.int64)
    assert grouping.sum_by(groups, 3, values).tolist() == [7 * (2**30 + 2**29), 7, 0]
    assert grouping.sum_by(groups, 3).tolist() == [14, 7, 0]


def test_sums_that_could_leave_64_bits_are_refused() -> None:
    groups = np.zeros(4, dtype=np.int64)
    assert grouping.sum_by(groups, 1, np.full(4, 2**60)).tolist() == [2**62]
    with pytest.raises(InvalidInput, match="64 bits"):
        grouping.sum_by(groups, 1, np.full(4, 2**61))


@given(st.lists(st.lists(st.integers(0, 30), max_size=12, unique=True), min_size=1, max_size=4), st.booleans())
def test_tables_are_added_by_key_whatever_their_size(keys: list[list[int]], large: bool) -> None:
    parts = []
    for part, own in enumerate(keys):
        ordered = np.array(sorted(own), dtype=np.int64)
        parts.append((ordered, np.stack([ordered + part, -ordered], axis=1)))
    size = 2**23 if large else 31
    found, table = grouping.total(parts, size)
    every, expected = grouping.fold(np.concatenate([k for k, _ in parts]), np.concatenate([t for _, t in parts]))
    np.testing.assert_array_equal(found, every)
    np.testing.assert_array_equal(table.reshape(-1, 2), expected.reshape(-1, 2))
