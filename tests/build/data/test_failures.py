"""What breaks an expectation: how many rows, which, and what is said."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.build.data.checks import (
    CheckResult,
    check_results,
    check_table,
    columns_are,
    expect,
    failures_of,
    in_range,
    is_one_of,
    unique,
)
from assay.build.data.expectations import (
    Columns,
    Exists,
    Expectation,
    Fresh,
    Label,
    LabelRate,
    OneOf,
    Pattern,
    Range,
    Rows,
    Unique,
    Varies,
)
from assay.errors import InvalidInput
from assay.record.clock import Clock
from assay.record.datasets import snapshot
from assay.record.sqlstore import SqlStore

TABLE = pa.table({"n": [1, 2, None, 40], "text": ["a", "b", None, "a"], "day": [1, 1, 2, 2]})
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def check(expectation: Expectation, table: pa.Table = TABLE, **options: Any) -> CheckResult:
    (found,) = check_results(table, [expectation], **options)
    return found


def failing(expectation: Expectation, table: pa.Table) -> list[bool]:
    (found,) = failures_of(table, [expectation])
    assert found.rows is not None
    rows: list[bool] = found.rows().to_pylist()
    assert sum(rows) == found.failing
    return rows


def test_wide_words_hold_for_several_types() -> None:
    table = pa.table(
        {"n": pa.array([1], pa.int16()), "x": [1.5], "t": pa.array(["a"]).dictionary_encode(), "d": [NOON]}
    )
    wide = {"n": "whole number", "x": "number", "t": "text", "d": "time"}
    assert check(Columns(types=wide), table).result == "pass"
    assert check(Columns(types=dict.fromkeys(wide, "any")), table).result == "pass"
    found = check(Columns(types={**wide, "n": "text", "x": "whole number"}), table)
    assert found.detail == "n: int16, expected text, x: double, expected whole number"
    assert check(Columns(types={"n": "number"}, others=True), table).result == "pass"
    assert (
        check(Columns(types={"nn": "number"}, others=True), table).detail == "nn: absent, expected number (is it 'n'?)"
    )


def test_a_promised_column_that_is_absent_is_a_failure_of_the_data_not_of_the_check() -> None:
    expectations = [columns_are(TABLE.schema), in_range("n", 0, 50), unique(["text", "day"]), Label("day")]
    results = check_results(TABLE.drop_columns(["n", "day"]), expectations)
    assert [one.result for one in results] == ["fail"] * 4
    assert [one.detail for one in results[1:]] == [f"there is no column {name!r}" for name in ("n", "day", "day")]
    other = TABLE.set_column(0, "n", pa.array(["1"] * 4))
    assert check_results(other, expectations)[1].detail == "column 'n' is of type string, expected int64"


def test_rows_may_be_too_few_or_too_many() -> None:
    assert check(Rows(4, 4)).result == "pass"
    assert (check(Rows(5)).result, check(Rows(5)).detail) == ("fail", "there are 4 rows")
    assert check(Rows(0, 3)).result == "fail"
    assert check(Rows(1), TABLE.slice(0, 0)).failing_rows == 1


def test_a_share_of_wrong_values_may_be_allowed() -> None:
    found = check(in_range("n", 0, 10, share=0.6))
    assert (found.result, found.failing_rows) == ("pass", 0)
    assert found.detail == "1 of 3 are wrong, which is allowed; for example 40"
    assert check(in_range("n", 0, 10, share=0.7)).failing_rows == 1
    assert check(is_one_of("text", ["a"], share=0.6)).result == "pass"
    assert check(is_one_of("text", ["a"], share=0.7)).result == "fail"


def test_a_range_may_be_open_and_of_times() -> None:
    assert check(in_range("n", low=2)).failing_rows == 1
    assert check(in_range("n", high=2)).failing_rows == 1
    for kind in (pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("s"), pa.date32()):
        days = pa.table({"d": pa.array([date(2026, 1, 1), date(2026, 2, 1), None]).cast(kind)})
        assert check(Range("d", "2026-01-01", "2026-01-31"), days).failing_rows == 1, kind
        assert check(Range("d", "2026-01-01", "2026-02-01"), days).failing_rows == 0, kind
    with pytest.raises(InvalidInput, match="is of type"):
        check(in_range("d", 0, 1), days)
    with pytest.raises(InvalidInput, match="is of type int64, which this check does not read"):
        check(in_range("n", "2026-01-01"))
    with pytest.raises(InvalidInput, match="'tomorrow' is no time"):
        check(in_range("d", "tomorrow"), days)


def test_a_severity_that_is_none_is_refused_and_does_not_pass_as_a_warning() -> None:
    with pytest.raises(InvalidInput, match="is 'stpo'") as raised:
        check(in_range("n", 0, 1, severity="stpo"))  # type: ignore[arg-type] # on purpose
    assert raised.value.hint == "did you mean 'stop'?"
    with pytest.raises(InvalidInput, match="by is 'fortnight'"):
        LabelRate("y", "t", by="fortnight")  # type: ignore[arg-type] # on purpose


def test_frames_of_polars_are_checked_whatever_they_hold_text_in() -> None:
    frame = pl.DataFrame({"text": ["a", "b", None], "kind": pl.Series(["x", "y", "x"], dtype=pl.Categorical)})
    expectations = [
        Columns(types={"text": "text", "kind": "text"}),
        is_one_of("kind", ["x"]),
        Pattern("text", "a"),
        unique(["kind"]),
        Varies("kind"),
    ]
    assert [one.failing_rows for one in check_results(frame, expectations)] == [0, 1, 1, 1, 0]


def test_a_column_of_several_kinds_is_told() -> None:
    with pytest.raises(InvalidInput, match=r"the table cannot be read: .*column mixed"):
        check_results(pd.DataFrame({"mixed": [1, "a"]}), [Rows(1)])


def test_nanoseconds_decimals_and_the_largest_numbers_are_read() -> None:
    table = pa.table(
        {
            "ns": pa.array([1_700_000_000_123_456_789, 1_800_000_000_000_000_001], pa.timestamp("ns")),
            "huge": pa.array([1, 2**64 - 1], pa.uint64()),
            "price": pa.array([Decimal("1.50"), Decimal("99.25")], pa.decimal128(10, 2)),
        }
    )
    found = check(in_range("ns", "2020-01-01", "2026-01-01"), table)
    assert found.detail == "for example 2027-01-15 08:00:00.000000001"
    assert check(Fresh("ns", 1), table, now=datetime(2027, 1, 15, 9, 30, tzinfo=UTC)).failing_rows == 2
    assert check(LabelRate("huge", "ns"), table).result == "pass"
    assert check(in_range("huge", 0, 10), table).detail == f"for example {2**64 - 1}"
    assert check(in_range("huge", -1, 2**63 - 1), table).failing_rows == 1
    assert check(in_range("price", 0, 50), table).detail == "for example Decimal('99.25')"


def test_known_values_may_be_numbers_or_truths() -> None:
    assert check(is_one_of("n", [1, 2])).detail == "for example 40"
    assert check(OneOf("b", (True,)), pa.table({"b": [True, False, None]})).failing_rows == 1


def test_a_pattern_is_of_the_whole_text() -> None:
    table = pa.table({"text": ["ab1", "ab12", "xab1", None]})
    assert failing(Pattern("text", r"[a-z]{2}\d"), table) == [False, True, True, False]
    assert check(Pattern("text", r"[a-z]+\d+"), table).result == "pass"
    assert check(Pattern("text", "ab1|x.*|ab12"), table).result == "pass", "alternatives are each of the whole"
    with pytest.raises(InvalidInput, match="no regular expression"):
        Pattern("text", "(")
    with pytest.raises(InvalidInput, match="is of type int64"):
        check(Pattern("n", "1"))


def test_values_exist_in_another_table_given_kept_or_in_a_file(store: SqlStore, tmp_path: Path) -> None:
    other = pa.table({"key": ["a", "c"]})
    expectation = Exists("text", "others", "key")
    assert check(expectation, tables={"others": other}).detail == "for example 'b'"
    snapshot(store, "others", pa.table({"key": ["z"]}))
    store.clock = Later()
    snapshot(store, "others", other)
    (found,) = check_table(store, "hash", TABLE, [expectation])
    assert found.failing_rows == 1, "the newest version counts"
    pq.write_table(other, tmp_path / "others.parquet")
    assert check(Exists("text", str(tmp_path / "others.parquet"), "key")).failing_rows == 1
    assert (
        check(Exists("n", "t", "k"), tables={"t": pa.table({"k": pa.array([1, 2, 40], pa.int16())})}).result == "pass"
    )
    with pytest.raises(InvalidInput, match="no column 'kye'"):
        check(Exists("text", "others", "kye"), tables={"others": other})
    with pytest.raises(InvalidInput, match="no file"):
        check(Exists("text", "nowhere", "key"))


class Later(Clock):
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=1)


def test_the_newest_time_may_not_be_too_old() -> None:
    table = pa.table({"t": pa.array([NOON, NOON - timedelta(days=9)]), "n": [1, 2]})
    assert check(Fresh("t", 24), table, now=NOON + timedelta(hours=24)).result == "pass"
    found = check(Fresh("t", 24), table, now=NOON + timedelta(hours=25))
    assert (found.result, found.detail) == ("fail", "the newest is 25.0 hours old (2026-01-31 12:00)")
    assert check(Fresh("t", 24), table.slice(0, 0), now=NOON).detail == "there is no time at all"
    assert check(Fresh("d", 24), pa.table({"d": [date(2026, 1, 31)]}), now=NOON).result == "pass"
    with pytest.raises(InvalidInput, match="is of type int64"):
        check(Fresh("n", 24), table)


def test_a_constant_column_and_an_empty_one_do_not_vary() -> None:
    table = pa.table({"a": [1, 1, None], "b": pa.array([None] * 3, pa.string()), "c": [1, 2, 1]})
    assert check(Varies("a"), table).detail == "every value is 1"
    assert check(Varies("b"), table).detail == "every value is missing"
    assert check(Varies("c"), table).result == "pass"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 1, None], "every label is 1"),
        ([None, None, None], "no row has a label"),
        ([0, 1, None], "1 of 3 labels are missing"),
    ],
)
def test_a_label_that_teaches_nothing_is_told(labels: list[int | None], said: str) -> None:
    table = pa.table({"y": pa.array(labels, pa.int64())})
    found = check(Label("y", 0.9), table)
    assert (found.result, found.detail) == ("fail", said)
    assert check(Label("yy"), table).detail == "there is no column 'yy' (is it 'y'?)"


def rates(by_month: dict[str, tuple[int, int]], kind: pa.DataType | None = None) -> pa.Table:
    """Rows with labels: for each month, how many positives of how many."""
    days, labels = [], []
    for month, (positives, rows) in by_month.items():
        days += [f"{month}-{1 + row % 28:02d}" for row in range(rows)]
        labels += [int(row < positives) for row in range(rows)]
    return pa.table({"day": pa.array(days).cast(pa.date32()).cast(kind or pa.date32()), "y": labels})


MONTHS = {f"2025-{m:02d}": (40 + m, 130) for m in range(1, 10)} | {"2025-10": (130, 130), "2025-11": (129, 130)}


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.string()])
def test_periods_whose_labels_are_odd_are_told_together(kind: pa.DataType) -> None:
    table = rates(MONTHS, kind)
    found = check(LabelRate("y", "day"), table)
    assert (found.result, found.failing_rows) == ("fail", 260)
    assert found.detail.startswith("2025-10 to 2025-11: 0.996 of 260 rows, others about 0.3")
    rows = failing(LabelRate("y", "day"), table)
    assert rows == [False] * (table.num_rows - 260) + [True] * 260


def test_quiet_months_pass_and_what_is_compared_can_be_chosen() -> None:
    quiet = rates({month: pair for month, pair in MONTHS.items() if month < "2025-10"})
    assert check(LabelRate("y", "day"), quiet).detail == "9 months"
    assert check(LabelRate("y", "day", by="quarter"), quiet).detail == "3 quarters"
    assert check(LabelRate("y", "day", rate=0.999), quiet.slice(0, 130)).result == "fail", "the reference counts too"


def test_years_may_be_whole_numbers_and_labels_may_be_words() -> None:
    rng = np.random.default_rng(0)
    years = np.repeat([2015, 2016, 2017, 2018], 500)
    labels = np.where(rng.random(2000) < 0.4, "yes", "no")
    table = pa.table({"year": years, "y": labels})
    assert check(LabelRate("y", "year"), table).result == "pass"
    labels[years == 2018] = "yes"
    found = check(LabelRate("y", "year"), pa.table({"year": years, "y": labels}))
    assert found.detail.startswith("2018: 1.000 of 500 rows")
    assert check(LabelRate("y", "year", positive="no"), pa.table({"year": years, "y": labels})).result == "fail"


def test_labels_and_times_that_have_no_rate_are_refused() -> None:
    table = pa.table(
        {"y": [0, 1, 2], "t": [date(2026, 1, 1)] * 3, "words": ["soon", "late", "now"], "x": [0.5, 1.0, 2.0]}
    )
    with pytest.raises(InvalidInput, match="3 different labels"):
        check(LabelRate("y", "t"), table)
    with pytest.raises(InvalidInput, match="text that is no time"):
        check(LabelRate("y", "words", positive=1), table)
    with pytest.raises(InvalidInput, match="is of type double"):
        check(LabelRate("y", "x", positive=1), table)
    with pytest.raises(InvalidInput, match="the positive label 'yes' is no value of column 'y'"):
        check(LabelRate("y", "t", positive="yes"), table)


def test_a_function_of_the_teams_own_may_answer_for_the_table_or_for_each_row() -> None:
    assert check(expect("four rows", lambda table: table.num_rows == 4)).result == "pass"
    found = check(expect("five rows", lambda table: table.num_rows == 5, severity="warn"))
    assert (found.result, found.failing_rows, found.name) == ("warn", 4, "five rows")
    first = expect("first day", lambda table: [value == 1 for value in table["day"].to_pylist()])
    assert failing(first, TABLE) == [False, False, True, True]
    assert check(first).detail == "the first is row 2"
    for bad in (lambda _: 3, lambda _: [True], lambda _: [1, 2, 3, 4]):
        with pytest.raises(InvalidInput, match="the function gave"):
            check(expect("bad", bad))


def test_the_rows_that_repeat_a_key_are_all_but_the_first() -> None:
    table = pa.table({"a": ["x", "y", "x", None, None, "x"], "b": [1, 1, 1, 2, 2, 2]})
    assert failing(Unique(("a", "b")), table) == [False, False, True, False, True, False]
    assert failing(unique("a"), table) == [False, False, True, False, True, True], "one column may be given as a word"


values = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
moments = st.one_of(st.none(), st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)))
floats = st.one_of(st.none(), st.floats(allow_nan=False))
row = st.tuples(values, st.one_of(st.none(), st.text(max_size=2)), moments, floats, st.one_of(st.none(), st.booleans()))


@given(st.lists(st.one_of(row, st.tuples(*[st.sampled_from([None]) for _ in range(5)])), max_size=12), st.data())
def test_keys_are_told_apart_exactly_as_by_python(rows: list[tuple[Any, ...]], data: st.DataObject) -> None:
    rows = rows + [data.draw(st.sampled_from(rows)) for _ in range(3)] if rows else rows
    kinds = [pa.int64(), pa.string(), pa.timestamp("us"), pa.float64(), pa.bool_()]
    table = pa.table([pa.array([one[i] for one in rows], kind) for i, kind in enumerate(kinds)], names=list("abcde"))
    key = data.draw(st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=True))
    # Arrow tells 0.0 from -0.0, and so does this; Python does not.
    plain = [tuple(str(one["abcde".index(name)]) for name in key) for one in rows]
    assert check(unique(key), table).failing_rows == len(plain) - len(set(plain))


def test_a_function_of_the_teams_own_is_called_in_the_callers_thread() -> None:
    import threading

    called_in: list[int] = []

    def own(_: pa.Table) -> bool:
        called_in.append(threading.get_ident())
        return True

    check(expect("noted", own))
    assert called_in == [threading.get_ident()]
