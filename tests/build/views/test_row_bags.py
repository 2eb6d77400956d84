"""Rows by content: equal rows have equal hashes whatever Arrow makes of them, and what is new or gone is counted."""

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.build.views.arriving import row_bags
from assay.build.views.arriving.row_bags import RowBags
from assay.build.views.log.row_hashes import HASH, row_hashes

COLUMNS: dict[str, tuple[list[Any], pa.DataType]] = {
    "whole": ([1, 2, None, -(2**63)], pa.int64()),
    "large": ([2**64 - 1, 0, None, 1], pa.uint64()),
    "small": ([1, 2, None, 3], pa.int8()),
    "float": ([1.5, -1.5, None, float("inf")], pa.float64()),
    "half": ([1.5, -1.5, None, 2.5], pa.float32()),
    "text": (["", "a", None, "ä"], pa.string()),
    "bytes": ([b"", b"a", None, b"\0"], pa.binary()),
    "flag": ([True, False, None, None], pa.bool_()),
    "day": ([date(1970, 1, 1), date(1960, 1, 1), None, date(2026, 1, 1)], pa.date32()),
    "time": ([0, -1, None, 1], pa.timestamp("us", "UTC")),
    "money": ([Decimal("1.10"), Decimal("2.00"), None, Decimal("0.01")], pa.decimal128(10, 2)),
    "list": ([[1], [], None, [1, None]], pa.list_(pa.int64())),
    "nothing": ([None, None, None, None], pa.null()),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_each_value_of_each_type_has_a_hash_of_its_own(name: str) -> None:
    values, kind = COLUMNS[name]
    table = pa.table({name: pa.array(values, kind)})
    found = row_hashes(table, [name])
    distinct = len({repr(value) for value in values})
    assert len(np.unique(found)) == distinct
    assert np.array_equal(
        row_hashes(pa.concat_tables([table.slice(2), table.slice(0, 2)]), [name])[[2, 3, 0, 1]], found
    )
    assert not np.isin(row_hashes(table, [name], 7)["low"], found["low"]).any(), "another salt"


def test_rows_differ_by_the_column_in_which_a_value_stands() -> None:
    table = pa.table({"a": [1, 2, None], "b": [2, 1, None], "c": ["x", "x", "x"]})
    assert len(np.unique(row_hashes(table, ["a", "b", "c"]))) == 3
    assert not np.array_equal(row_hashes(table, ["a", "b"]), row_hashes(table, ["b", "a"]))


def test_a_column_of_categories_hashes_as_its_values_do() -> None:
    texts = pa.chunked_array([["a", "b"], ["b", None]])
    coded = pa.chunked_array([texts.chunk(0).dictionary_encode(), texts.chunk(1).dictionary_encode()])
    plain, large = pa.table({"x": texts}), pa.table({"x": texts.cast(pa.large_string())})
    assert np.array_equal(row_hashes(pa.table({"x": coded}), ["x"]), row_hashes(plain, ["x"]))
    assert np.array_equal(row_hashes(large, ["x"]), row_hashes(plain, ["x"]))


rows = st.lists(st.integers(0, 5), max_size=30)


@given(rows, rows)
def test_what_is_new_and_what_has_gone_is_the_difference_of_bags(
    tmp_path_factory: pytest.TempPathFactory, known: list[int], seen: list[int]
) -> None:
    bags = RowBags(tmp_path_factory.mktemp("bags"))
    hashes = row_hashes(pa.table({"x": pa.array([*known, *seen], pa.int64())}), ["x"])
    half = len(known) // 2
    bags.known(hashes[:half], np.arange(half) + 100)
    bags.known(hashes[half : len(known)], np.arange(half, len(known)) + 100)
    bags.seen(hashes[len(known) :], np.arange(len(seen)))
    is_new, gone = bags.compared(len(seen))
    assert Counter(np.array(seen, int)[is_new].tolist()) == Counter(seen) - Counter(known)
    assert Counter(known[place - 100] for place in gone) == Counter(known) - Counter(seen)
    for value in range(6):  # of equal rows the last ones are new, or have gone
        places = [place for place, one in enumerate(seen) if one == value]
        assert sorted(is_new[places]) == is_new[places].tolist()


def test_rows_that_agree_in_half_of_the_hash_are_different_rows(tmp_path: Path) -> None:
    bags = RowBags(tmp_path)
    hashes = np.array([(1, 1), (1, 2), (2, 1)], HASH)
    bags.known(hashes[:1], np.array([5]))
    bags.seen(hashes, np.arange(3))
    is_new, gone = bags.compared(3)
    assert (is_new.tolist(), gone.tolist()) == ([False, True, True], [])
    assert row_bags._BAGS == 1 << row_bags._BITS
