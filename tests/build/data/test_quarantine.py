"""Rows that break an expectation are set apart with the reason; the rest goes on."""

import pyarrow as pa
import pytest

from assay.build.data.checks import columns_are, expect, in_range, is_one_of, unique
from assay.build.data.expectations import Rows
from assay.build.data.quarantine import BROKEN, quarantine
from assay.errors import InvalidInput, Refused
from assay.record.datasets import dataset
from assay.record.sqlstore import SqlStore

TABLE = pa.table({"id": [1, 2, 3, 3, 5], "n": [1, 99, 3, 77, None], "kind": ["a", "b", "a", "z", "a"]})
EXPECTATIONS = [
    columns_are(TABLE.schema),
    in_range("n", 0, 10),
    unique("id"),
    is_one_of("kind", ["a", "b"], severity="warn"),
    expect("not the first", lambda table: [row != 0 for row in range(table.num_rows)], severity="warn"),
]


def test_rows_that_break_what_stops_are_set_apart_with_every_reason(store: SqlStore) -> None:
    found = quarantine(store, "orders", TABLE, EXPECTATIONS)
    assert found.kept["id"].to_pylist() == [1, 3, 5]
    assert found.set_apart["id"].to_pylist() == [2, 3]
    assert found.set_apart[BROKEN].to_pylist() == ["n in [0, 10]", "n in [0, 10]; id is unique"]
    assert found.counts == {"n in [0, 10]": 2, "id is unique": 1}
    assert found.kept_version.name == "orders"
    assert dataset(store, found.kept_version.hash).equals(found.kept)
    assert found.set_apart_version is not None
    assert found.set_apart_version.name == "orders-quarantine"
    assert dataset(store, found.set_apart_version.hash).num_rows == 2


def test_what_warns_sets_rows_apart_where_that_is_asked(store: SqlStore) -> None:
    found = quarantine(store, "orders", TABLE, EXPECTATIONS, severity="warn")
    assert found.kept["id"].to_pylist() == [3, 5]
    assert found.set_apart[BROKEN].to_pylist()[0] == "not the first"
    assert found.counts["kind is known"] == 1


def test_a_table_without_a_fault_goes_on_whole(store: SqlStore) -> None:
    found = quarantine(store, "orders", TABLE, [in_range("n", 0, 100)])
    assert found.kept.equals(TABLE)
    assert (found.set_apart.num_rows, found.set_apart_version) == (0, None)
    assert store.query("artifact", {"name": "orders-quarantine"}) == []


def test_what_no_row_can_be_blamed_for_is_refused_and_keeps_nothing(store: SqlStore) -> None:
    with pytest.raises(Refused, match="about the whole table") as raised:
        quarantine(store, "orders", TABLE, [*EXPECTATIONS, Rows(100)])
    assert raised.value.where == "100 rows or more: there are 5 rows"
    assert store.query("artifact") == []
    assert quarantine(store, "orders", TABLE, [Rows(100, severity="warn")], severity="warn").kept.num_rows == 5


def test_rows_that_were_in_quarantine_do_not_go_in_again_unseen(store: SqlStore) -> None:
    apart = quarantine(store, "orders", TABLE, EXPECTATIONS).set_apart
    with pytest.raises(InvalidInput, match="take that column away"):
        quarantine(store, "orders", apart, EXPECTATIONS)


def test_the_rest_passes_what_it_was_checked_with(store: SqlStore) -> None:
    kept = quarantine(store, "orders", TABLE, EXPECTATIONS, severity="warn").kept
    again = quarantine(store, "orders", kept, EXPECTATIONS[:4])
    assert again.kept.num_rows == kept.num_rows
