"""Expectations about tables: what passes, warns and fails, and what is recorded."""

import json
import math

import pyarrow as pa
import pytest

from assay.build.data.checks import (
    CheckResult,
    Expectation,
    check_table,
    columns_are,
    in_range,
    is_one_of,
    unique,
    values_present,
)
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore

TABLE = pa.table({"n": [1, 2, None, 40], "text": ["a", "b", None, "a"], "day": [1, 1, 2, 2]})
EMPTY = TABLE.slice(0, 0)


def result(store: SqlStore, expectation: Expectation, table: pa.Table = TABLE) -> CheckResult:
    (found,) = check_table(store, "hash", table, [expectation])
    return found


def test_columns_are_in_any_order_but_none_more_or_less(store: SqlStore) -> None:
    expectation = columns_are(TABLE.schema)
    assert result(store, expectation).result == "pass"
    assert result(store, expectation, TABLE.select(["day", "n", "text"])).result == "pass"
    assert result(store, expectation, EMPTY).result == "pass"
    wrong = TABLE.drop_columns(["day"]).append_column("new", pa.array([1.0] * 4))
    found = result(store, expectation, wrong)
    assert (found.result, found.kind, found.failing_rows) == ("fail", "data_schema", 4)
    assert found.detail == "day: absent, expected int64, new: double, expected no such column"
    other = TABLE.set_column(0, "n", pa.array([1.0] * 4))
    assert result(store, expectation, other).detail == "n: double, expected int64"
    assert result(store, expectation, other.slice(0, 0)).failing_rows == 1, "an empty table fails as well"


def test_a_column_that_is_there_twice_is_wrong(store: SqlStore) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])
    found = result(store, columns_are(pa.schema({"n": pa.int64()})), twice)
    assert (found.result, found.detail) == ("fail", "more than one column is called n")
    with pytest.raises(InvalidInput, match="the table has more than one column 'n'"):
        check_table(store, "hash", twice, [in_range("n", 0, 1)])


@pytest.mark.parametrize(
    ("present", "rows", "share", "expected"),
    [
        (4, 4, 1.0, "pass"),
        (3, 4, 1.0, "fail"),
        (3, 4, 0.75, "pass"),
        (3, 4, 0.76, "fail"),
        (9, 10, 0.9, "pass"),  # 1 - 0.9 is a little less than 0.1
        (7, 100, 0.07, "pass"),  # 0.07 * 100 is a little more than 7
        (0, 3, 0.0, "pass"),
        (0, 0, 1.0, "pass"),
    ],
)
def test_enough_values_are_present(store: SqlStore, present: int, rows: int, share: float, expected: str) -> None:
    table = pa.table({"n": pa.array([1] * present + [None] * (rows - present), pa.int64())})
    found = result(store, values_present("n", share=share), table)
    assert found.result == expected
    assert found.failing_rows == (rows - present if expected == "fail" else 0)
    assert found.detail == f"{rows - present} of {rows} values are missing"


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(InvalidInput, match="share is"):
        values_present("n", share=share)


def test_a_range_holds_both_ends_and_null_is_not_outside(store: SqlStore) -> None:
    assert result(store, in_range("n", 1, 40)).result == "pass"
    assert result(store, in_range("n", 5, 6), EMPTY).result == "pass"
    assert result(store, in_range("n", 5, 6), pa.table({"n": pa.array([None], pa.int64())})).result == "pass"
    found = result(store, in_range("n", 2, 39))
    assert (found.result, found.failing_rows, found.detail) == ("fail", 2, "for example 1")
    assert found.name == "n in [2, 39]"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_in_no_range(store: SqlStore, value: float) -> None:
    found = result(store, in_range("n", -1e300, 1e300), pa.table({"n": [0.0, value, None]}))
    assert (found.result, found.failing_rows) == ("fail", 1)


def test_a_range_goes_upwards() -> None:
    with pytest.raises(InvalidInput, match="the range is 2 to 1"):
        in_range("n", 2, 1)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_known_values_are_known_however_they_are_held(store: SqlStore, kind: pa.DataType) -> None:
    table = pa.table({"text": pa.array(["a", "b", None, "a"], pa.string()).cast(kind)})
    assert result(store, is_one_of("text", ["a", "b", "c"]), table).result == "pass"
    found = result(store, is_one_of("text", ["b"]), table)
    assert (found.result, found.failing_rows, found.detail) == ("fail", 2, "for example 'a'")
    assert result(store, is_one_of("text", []), table).failing_rows == 3
    assert result(store, is_one_of("text", []), table.slice(0, 0)).result == "pass"


def test_unique_looks_at_all_columns_together(store: SqlStore) -> None:
    assert result(store, unique(["text", "day"])).result == "pass"
    found = result(store, unique(["day"]))
    assert (found.result, found.failing_rows, found.name) == ("fail", 2, "day is unique")
    assert found.detail == "2 rows repeat the key of another"
    assert result(store, unique(["text", "day"]), EMPTY).result == "pass"
    nulls = pa.table({"a": [None, None, 1], "b": [1, 1, 1]})
    assert result(store, unique(["a", "b"]), nulls).failing_rows == 1, "null agrees with null"
    assert result(store, unique(["a"]), pa.table({"a": [1, 1, 1]})).failing_rows == 2


@pytest.mark.parametrize(
    "expectation",
    [
        values_present("day", share=1.0, severity="warn"),
        in_range("n", 2, 3, severity="warn"),
        is_one_of("text", ["a"], severity="warn"),
        unique(["day"], severity="warn"),
    ],
    ids=lambda expectation: expectation.name,
)
def test_what_need_not_stop_only_warns(store: SqlStore, expectation: Expectation) -> None:
    table = TABLE.append_column("extra", pa.array([1] * 4)).set_column(2, "day", pa.array([1, 1, None, 2]))
    assert result(store, expectation, table).result == "warn"


@pytest.mark.parametrize("make", [values_present, lambda n: in_range(n, 0, 1), lambda n: is_one_of(n, ["a"])])
@pytest.mark.parametrize(("name", "hint"), [("txet", "did you mean 'text'?"), ("zzzzzz", None)])
def test_a_wrong_column_is_told_with_the_nearest(store: SqlStore, make: type, name: str, hint: str | None) -> None:
    with pytest.raises(InvalidInput, match=f"the table has no column '{name}'") as raised:
        check_table(store, "hash", TABLE, [in_range("n", 0, 50), make(name)])
    assert raised.value.hint == hint
    assert raised.value.expected == "n, text, day"
    assert store.query("test_result") == [], "a check that cannot be made records nothing"


def test_a_wrong_column_of_a_key_is_told(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="the table has no column 'dya'"):
        check_table(store, "hash", TABLE, [unique(["text", "dya"])])


@pytest.mark.parametrize("expectation", [in_range("text", 0, 1), is_one_of("n", ["a"])], ids=lambda e: e.name)
def test_a_column_of_another_type_is_told(store: SqlStore, expectation: Expectation) -> None:
    with pytest.raises(InvalidInput, match=r"is of type (string|int64), which this check does not read"):
        check_table(store, "hash", TABLE, [expectation])


def test_each_result_is_recorded_about_the_dataset(store: SqlStore) -> None:
    expectations = [in_range("n", 0, 50), unique(["day"]), is_one_of("text", ["a"], severity="warn")]
    results = check_table(store, "hash of the data", TABLE, [columns_are(TABLE.schema), *expectations])
    rows = store.query("test_result", order_by=["id"])
    by_name = {json.loads(row["detail"])["name"]: row for row in rows}
    assert len(rows) == len(results) == 4
    for found in results:
        row = by_name[found.name]
        assert (row["subject_kind"], row["subject_id"]) == ("dataset", "hash of the data")
        assert (row["tag"], row["mode"], row["kind"], row["result"]) == ("D1", "auto", found.kind, found.result)
        assert json.loads(row["detail"]) == {
            "name": found.name,
            "rows": found.failing_rows,
            "found": found.detail,
        }
    assert [found.result for found in results] == ["pass", "pass", "fail", "warn"]
    assert check_table(store, "hash", TABLE, []) == []
