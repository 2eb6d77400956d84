"""The rules of the point-in-time join, one test each; sections 3.1 to 3.6 of its specification."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.join_report import check_rules
from assay.build.views.joining.training_set import TrainingSet, training_set
from assay.build.views.matching.matching import Matched, latest
from assay.build.views.matching.wanted import wanted
from assay.errors import AssayError, InvalidInput

_START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    """A day counted from the first of January 2026."""
    return _START + timedelta(days=number)


def spend(*rows: tuple[Any, ...], **declared: Any) -> FeatureView:
    """A view of rows (customer, ts, created, amount), written in this order."""
    schema = {"customer": pa.int64(), "ts": pa.timestamp("us", "UTC"), "loaded": pa.timestamp("us", "UTC")}
    kinds = {**schema, "amount": pa.float64()}
    columns = {name: pa.array([row[place] for row in rows], kind) for place, (name, kind) in enumerate(kinds.items())}
    how = {"entity": "customer", "time": "ts", "created": "loaded", "source": pa.table(columns), **declared}
    view: FeatureView = feature_view("spend", **how)
    return view


def labels(*rows: tuple[Any, Any], **more: Any) -> pa.Table:
    """Label rows (customer, t)."""
    return pa.table(
        {
            "customer": pa.array([row[0] for row in rows], pa.int64()),
            "t": pa.array([row[1] for row in rows], pa.timestamp("us", "UTC")),
            **more,
        }
    )


def amounts(rows: pa.Table, view: FeatureView, **how: Any) -> list[Any]:
    """What each label row gets."""
    found: list[Any] = training_set(rows, [view], **how).table.column("amount").to_pylist()
    return found


def statuses(rows: pa.Table, view: FeatureView, **how: Any) -> list[Any]:
    """Why it gets it."""
    found: list[Any] = training_set(rows, [view], status=True, **how).table.column("spend__status").to_pylist()
    return found


# Rows


def test_rows_out_equal_rows_in_one_for_one_in_the_same_order() -> None:
    rows = labels((2, day(9)), (1, day(5)), (3, day(1)), (1, day(2)), row=pa.array([10, 11, 12, 13]))
    view = spend((1, day(1), day(1), 1.0), (1, day(4), day(4), 2.0), (2, day(3), day(3), 3.0))
    found = training_set(rows, [view]).table
    assert found.select(rows.column_names).equals(rows)
    assert found.column("amount").to_pylist() == [3.0, 2.0, None, 1.0]


def test_two_label_rows_of_the_same_key_and_time_both_come_back_with_their_own_columns() -> None:
    rows = labels((1, day(5)), (1, day(5)), note=pa.array(["first", "second"]))
    found = training_set(rows, [spend((1, day(1), day(1), 7.0))]).table
    assert found.column("note").to_pylist() == ["first", "second"]
    assert found.column("amount").to_pylist() == [7.0, 7.0]


def test_rows_that_are_there_twice_in_a_view_repeat_no_label_row() -> None:
    view = spend(*[(1, day(1), day(1), 7.0)] * 5)
    assert amounts(labels((1, day(5))), view) == [7.0]


def test_views_with_different_entities_do_not_restrict_each_other() -> None:
    shops = pa.table({"shop": ["a"], "at": pa.array([day(1)]), "area": [50.0]})
    area = feature_view("area", entity="shop", time="at", source=shops)
    rows = labels((1, day(5)), (None, day(5)), (2, day(5)), shop=pa.array(["a", "a", None]))
    found = training_set(rows, [spend((1, day(1), day(1), 7.0)), area]).table
    assert found.column("amount").to_pylist() == [7.0, None, None]
    assert found.column("area").to_pylist() == [50.0, 50.0, None]


def test_a_view_without_rows_gives_nulls() -> None:
    assert amounts(labels((1, day(5))), spend()) == [None]
    assert statuses(labels((1, day(5))), spend()) == ["missing"]


def test_no_label_rows_give_no_rows_with_all_columns_of_their_types() -> None:
    found = training_set(labels(), [spend((1, day(1), day(1), 7.0))], status=True).table
    assert found.num_rows == 0
    assert found.schema.field("amount").type == pa.float64()
    assert found.schema.field("spend__ts").type == pa.timestamp("us", "UTC")
    assert found.column_names == ["customer", "t", "amount", "spend__status", "spend__ts"]


def test_an_empty_frame_of_pandas_goes_with_keys_of_any_type() -> None:
    names = feature_view("names", entity="name", time="ts", source=pa.table({"name": ["a"], "ts": [day(1)], "v": [1]}))
    rows = pa.table({"name": pa.nulls(0), "t": pa.array([], pa.timestamp("us"))})
    assert training_set(rows, [names]).table.column_names == ["name", "t", "v"]


# Which row is taken


def test_keys_are_the_same_column_by_column_not_as_texts_put_together() -> None:
    source = pa.table({"a": ["x", "xy", "x|y", ""], "b": ["yz", "z", "z", "x"], "ts": [day(1)] * 4, "v": [1, 2, 3, 4]})
    view = feature_view("pairs", entity=["a", "b"], time="ts", source=source)
    rows = pa.table({"b": ["z", "yz", "z", "x", ""], "a": ["xy", "x", "x|y", "", "x"], "t": [day(2)] * 5})
    assert training_set(rows, [view]).table.column("v").to_pylist() == [2, 1, 3, 4, None]


@pytest.mark.parametrize(
    "keys",
    [
        ["", "a", "a ", "A", "a'b", 'a"b', "a,b", "ü", "u\u0308", "日本", "\x00"],
        [0, -1, 2**63 - 1, -(2**63), 2**53, 2**53 + 1],
        [b"", b"\x00", b"\xff\xfe", b"a"],
        [True, False],
        [date(1969, 12, 31), date(2026, 1, 1), date(9999, 12, 31)],
    ],
)
def test_keys_of_every_kind_find_exactly_themselves(keys: list[Any]) -> None:
    source = pa.table({"k": pa.array(keys), "ts": [day(1)] * len(keys), "v": list(range(len(keys)))})
    view = feature_view("by_key", entity="k", time="ts", source=source)
    rows = pa.table({"k": pa.array(keys[::-1]), "t": [day(2)] * len(keys)})
    assert training_set(rows, [view]).table.column("v").to_pylist() == list(range(len(keys)))[::-1]


def test_a_null_in_a_key_matches_nothing_not_even_another_null() -> None:
    view = spend((None, day(1), day(1), 7.0), (1, day(1), day(1), 8.0))
    assert amounts(labels((None, day(5)), (1, day(5))), view) == [None, 8.0]
    assert statuses(labels((None, day(5))), view) == ["null_key"]


def test_keys_of_another_type_are_an_error_that_names_both() -> None:
    rows = pa.table({"customer": ["1"], "t": [day(5)]})
    with pytest.raises(InvalidInput, match="is text in the rows and whole numbers in"):
        training_set(rows, [spend((1, day(1), day(1), 7.0))])


def test_whole_floats_are_keys_as_pandas_makes_them_of_numbers_with_gaps() -> None:
    rows = pa.table({"customer": [1.0, None, float("nan")], "t": [day(5)] * 3})
    assert amounts(rows, spend((1, day(1), day(1), 7.0))) == [7.0, None, None]
    with pytest.raises(InvalidInput, match=r"1\.5"):
        training_set(pa.table({"customer": [1.5], "t": [day(5)]}), [spend()])


def test_the_row_of_the_greatest_time_is_taken() -> None:
    view = spend((1, day(3), day(3), 3.0), (1, day(4), day(1), 4.0), (1, day(2), day(9), 2.0))
    assert amounts(labels((1, day(5))), view) == [4.0]


def test_of_the_same_time_the_row_created_last_is_taken() -> None:
    view = spend((1, day(3), day(4), 4.0), (1, day(3), day(3), 3.0))
    assert amounts(labels((1, day(5))), view) == [4.0]


def test_a_row_without_created_counts_as_older_than_any() -> None:
    view = spend((1, day(3), day(-900), 4.0), (1, day(3), None, 3.0))
    assert amounts(labels((1, day(5))), view) == [4.0]


def test_of_the_same_time_and_created_the_row_written_last_is_taken() -> None:
    view = spend((1, day(3), day(3), 1.0), (1, day(3), day(3), 2.0))
    found = training_set(labels((1, day(5))), [view])
    assert found.table.column("amount").to_pylist() == [2.0]
    assert found.report is not None
    assert found.report.views[0].ties == 1
    assert "created or the order of writing decided" in str(found.report)


def test_the_row_wins_as_a_whole_also_where_a_feature_of_it_is_null() -> None:
    assert amounts(labels((1, day(5))), spend((1, day(3), day(3), 1.0), (1, day(4), day(4), None))) == [None]
    assert statuses(labels((1, day(5))), spend((1, day(4), day(4), None))) == ["present"]


def test_a_key_that_was_never_seen_or_only_later_gives_null() -> None:
    view = spend((1, day(6), day(6), 7.0))
    assert amounts(labels((1, day(5)), (2, day(5))), view) == [None, None]
    assert statuses(labels((1, day(5)), (2, day(5))), view) == ["missing", "missing"]


# What is visible


def test_in_event_time_a_correction_written_later_is_used_and_counted() -> None:
    view = spend((1, day(1), day(1), 1.0), (1, day(1), day(8), 2.0))
    found = training_set(labels((1, day(5)), (1, day(9))), [view])
    assert found.table.column("amount").to_pylist() == [2.0, 2.0]
    assert "1 of 2 rows use a value written after the label time" in str(found.report)


def test_in_knowledge_time_a_row_counts_from_when_it_was_created() -> None:
    view = spend((1, day(1), day(1), 1.0), (1, day(1), day(8), 2.0))
    rows = labels((1, day(0)), (1, day(5)), (1, day(8)), (1, day(9)))
    assert amounts(rows, view, as_of="known") == [None, 1.0, 2.0, 2.0]


def test_in_knowledge_time_a_row_without_created_is_never_visible() -> None:
    assert amounts(labels((1, day(5))), spend((1, day(1), None, 1.0)), as_of="known") == [None]
    assert amounts(labels((1, day(5))), spend((1, day(1), None, 1.0))) == [1.0]


def test_in_knowledge_time_an_old_event_that_arrives_late_displaces_no_newer_one() -> None:
    view = spend((1, day(3), day(3), 3.0), (1, day(1), day(4), 1.0))
    assert amounts(labels((1, day(5))), view, as_of="known") == [3.0]


def test_in_knowledge_time_a_row_created_before_its_time_waits_for_its_time() -> None:
    assert amounts(labels((1, day(2)), (1, day(4))), spend((1, day(3), day(1), 3.0)), as_of="known") == [None, 3.0]


def test_a_history_loaded_in_one_go_is_told_with_the_two_ways_out() -> None:
    view = spend(*[(customer, day(1), day(300), 1.0) for customer in range(200)])
    rows = labels(*[(customer, day(5)) for customer in range(200)])
    text = str(training_set(rows, [view], as_of="known").report)
    assert "0 of 200 rows match in knowledge time, 200 in event time: the history looks like a backfill" in text
    assert 'as_of="event"' in text
    assert "`delay`" in text
    assert "backfill" not in str(training_set(labels((999, day(5))), [view], as_of="known").report)


def test_what_was_known_needs_a_created_column_or_a_log() -> None:
    with pytest.raises(InvalidInput, match="no created column and no log"):
        training_set(labels((1, day(5))), [spend(created=None)], as_of="known")


# Edges


def test_a_row_at_exactly_the_label_time_counts_unless_the_view_is_strict() -> None:
    rows = labels((1, day(3)))
    assert amounts(rows, spend((1, day(3), day(3), 3.0))) == [3.0]
    assert amounts(rows, spend((1, day(3), day(3), 3.0), strict=True)) == [None]
    assert amounts(rows, spend((1, day(3), day(3), 3.0)), as_of="known") == [3.0]
    assert amounts(rows, spend((1, day(2), day(3), 3.0), strict=True), as_of="known") == [None]
    assert amounts(rows, spend((1, day(2), day(2), 3.0), strict=True), as_of="known") == [3.0]


def test_with_a_delay_a_row_counts_only_so_much_later() -> None:
    view = spend((1, day(3), day(3), 3.0), (1, day(1), day(1), 1.0), delay="2d")
    assert amounts(labels((1, day(4)), (1, day(5))), view) == [1.0, 3.0]
    assert amounts(labels((1, day(4)), (1, day(5))), view, as_of="known") == [1.0, 3.0]
    assert amounts(labels((1, day(5))), replace(view, strict=True)) == [1.0]


def test_a_row_exactly_as_old_as_the_ttl_is_valid_and_one_older_is_not() -> None:
    view = spend((1, day(3), day(3), 3.0), ttl="2d")
    rows = labels((1, day(5)), (1, day(5) + timedelta(microseconds=1)))
    assert amounts(rows, view) == [3.0, None]
    assert statuses(rows, view) == ["present", "expired"]


def test_an_expired_row_keeps_its_label_row_and_gives_way_to_no_other() -> None:
    view = spend((1, day(3), day(3), None), (1, day(2.5), day(4), 2.0), ttl="1d")
    assert amounts(labels((1, day(3.5)), (1, day(9))), view) == [None, None]
    assert statuses(labels((1, day(3.5)), (1, day(9))), view) == ["present", "expired"]


def test_the_ttl_is_measured_on_the_event_time_also_in_knowledge_time() -> None:
    view = spend((1, day(1), day(5), 1.0), ttl="2d")
    assert amounts(labels((1, day(6))), view, as_of="known") == [None]
    assert statuses(labels((1, day(4)), (1, day(6))), view, as_of="known") == ["missing", "expired"]


def test_without_a_ttl_a_value_holds_for_ever_and_a_ttl_of_nothing_is_refused() -> None:
    assert amounts(labels((1, day(90_000))), spend((1, day(-90_000), day(1), 3.0))) == [3.0]
    with pytest.raises(InvalidInput, match="ttl is 0"):
        spend(ttl="0d")


_AT_NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.timestamp("us"), [datetime(2026, 3, 29, 12)]),
        (pa.timestamp("s", "Europe/Berlin"), [_AT_NOON]),  # the day on which the clocks went forward
        (pa.timestamp("ms", "America/New_York"), [_AT_NOON]),
        (pa.timestamp("ns", "+05:30"), [_AT_NOON]),
    ],
)
def test_times_of_any_zone_and_unit_mean_the_same_moment(kind: pa.DataType, values: list[datetime]) -> None:
    source = pa.table({"customer": [1, 1], "ts": pa.array([*values, _AT_NOON + timedelta(hours=1)], kind), "v": [1, 2]})
    view = feature_view("zones", entity="customer", time="ts", source=source)
    moments = [_AT_NOON - timedelta(microseconds=1), _AT_NOON, _AT_NOON + timedelta(hours=1)]
    assert training_set(labels(*[(1, one) for one in moments]), [view]).table.column("v").to_pylist() == [None, 1, 2]


def test_dates_mean_midnight_in_utc() -> None:
    source = pa.table({"customer": [1], "ts": [date(2026, 1, 2)], "v": [1]})
    view = feature_view("days", entity="customer", time="ts", source=source)
    rows = labels((1, day(1) - timedelta(microseconds=1)), (1, day(1)))
    assert training_set(rows, [view]).table.column("v").to_pylist() == [None, 1]


@pytest.mark.parametrize("epoch", [0, -1_000_000, 1_000_000])
def test_nanoseconds_are_rounded_down_the_same_on_both_sides_also_before_1970(epoch: int) -> None:
    times = pa.array([epoch + 999, epoch + 1000], pa.timestamp("ns"))
    view = feature_view("fine", entity="k", time="ts", source=pa.table({"k": [1, 1], "ts": times, "v": [1, 2]}))
    rows = pa.table({"k": [1] * 3, "t": pa.array([epoch - 1, epoch, epoch + 1999], pa.timestamp("ns"))})
    assert training_set(rows, [view]).table.column("v").to_pylist() == [None, 1, 2]


def test_nan_is_null() -> None:
    assert amounts(labels((1, day(5))), spend((1, day(3), day(3), float("nan")))) == [None]


def test_a_label_row_without_a_time_stays_and_matches_nothing() -> None:
    view = spend((1, day(3), day(3), 3.0))
    assert amounts(labels((1, None), (1, day(5))), view) == [None, 3.0]
    assert statuses(labels((1, None)), view) == ["missing"]


# Status and rules


def test_the_status_says_why_and_the_time_of_the_row_that_was_used() -> None:
    view = spend((1, day(3), day(3), 3.0), (2, day(1), day(1), 1.0), ttl="3d")
    found = training_set(labels((1, day(5)), (2, day(5)), (3, day(5)), (None, day(5))), [view], status=True)
    assert found.table.column("spend__status").to_pylist() == ["present", "expired", "missing", "null_key"]
    assert found.table.column("spend__ts").to_pylist() == [day(3), None, None, None]
    assert "spend: 1 present, 1 missing, 1 expired, 1 null key (25.0 %)" in str(found)


def _doctored(changes: Mapping[str, Any], **declared: Any) -> None:
    view = spend((1, day(3), day(3), 3.0), **declared)
    asked = wanted(labels((1, day(5))), ["customer"], None, "t")
    rows = pa.table(
        {
            "customer": pa.array([1]),
            **{name: pa.array([_us(day(3))]) for name in ("__ts", "__created")},
            "__arrival": pa.array([0]),
            "amount": pa.array([3.0]),
        }
    )
    found: Matched = latest(asked, [rows], view, "known")
    check_rules(asked, found, view, "known")
    check_rules(asked, replace(found, **changes), view, "known")


@pytest.mark.parametrize(
    ("changes", "declared", "said"),
    [
        ({"ts": 6}, {}, "from the future"),
        ({"created": 6}, {}, "not known then"),
        ({"ts": 1}, {"ttl": "3d"}, "older than its ttl"),
        ({"status": np.array([1], np.int8)}, {}, "not present"),
        ({"values": pa.table({"amount": [3.0, 3.0]})}, {}, "gave 2 rows for 1"),
    ],
)
def test_a_result_that_breaks_a_rule_is_an_error(changes: dict[str, Any], declared: dict[str, Any], said: str) -> None:
    made = {name: np.array([_us(day(one))]) if isinstance(one, int) else one for name, one in changes.items()}
    with pytest.raises(AssayError, match=said):
        _doctored(made, **declared)


def _us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


# Determinism


def test_shuffled_histories_give_the_same_bits_a_hundred_times() -> None:
    random = np.random.default_rng(3)
    count = 3000
    source = pa.table(
        {
            "customer": random.integers(0, 50, count),
            "ts": pa.array(random.integers(0, 40, count) * 3_600_000_000, pa.timestamp("us", "UTC")),
            "loaded": pa.array(np.arange(count) * 1_000_000, pa.timestamp("us", "UTC")),
            "amount": random.normal(size=count),
        }
    )
    rows = pa.table(
        {
            "customer": random.integers(0, 55, 500),
            "t": pa.array(random.integers(0, 50, 500) * 3_600_000_000, pa.timestamp("us", "UTC")),
        }
    )

    def again(table: pa.Table) -> TrainingSet:
        return training_set(rows, [spend(source=table)], as_of="known", status=True)

    first = again(source).table
    assert 0 < first.column("amount").null_count < 500
    for _ in range(100):
        assert again(source.take(random.permutation(count))).table.equals(first)


def test_no_stale_version_of_a_thousand_entities_is_taken_in_any_order() -> None:
    random = np.random.default_rng(5)
    versions = [
        (customer, day(1), day(1 + version), float(version)) for customer in range(1000) for version in range(4)
    ]
    rows = labels(*[(customer, day(9)) for customer in range(1000)])
    for order in (random.permutation(4000), np.arange(4000), np.arange(4000)[::-1]):
        assert amounts(rows, spend(*[versions[place] for place in order])) == [3.0] * 1000
