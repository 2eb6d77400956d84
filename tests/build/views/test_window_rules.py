"""What an aggregate over a window means, sentence by sentence. Times are hours."""

import math
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assay.build.views.declared.aggregates import Aggregate, count, distinct, last, max_of, mean, min_of, sum_of
from assay.build.views.declared.history import as_rows
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.matching import aggregating, kept_rows
from assay.build.views.matching.aggregating import windowed
from assay.build.views.matching.kept_rows import KeptRows
from assay.build.views.matching.matching import STATUSES, Matched, Mode
from assay.build.views.matching.wanted import wanted
from assay.errors import InvalidInput

_START = datetime(2026, 1, 1, tzinfo=UTC)


def hour(number: float | None) -> datetime | None:
    return None if number is None else _START + timedelta(hours=number)


def found(
    feature: Aggregate | dict[str, Aggregate],
    rows: Sequence[tuple[Any, ...]],
    t: Sequence[float | None],
    *,
    mode: Mode = "event",
    keys: Sequence[int | None] | None = None,
    kinds: Sequence[pa.DataType | None] = (),
    **more: Any,
) -> Matched:
    """The features of label rows of the key 1; a row is (key, hour, value) or (key, hour, value, created, event)."""
    columns: dict[str, pa.Array] = {
        "k": pa.array([row[0] for row in rows], pa.int64()),
        "at": pa.array([hour(row[1]) for row in rows], pa.timestamp("us", "UTC")),
        "v": pa.array([row[2] for row in rows], *kinds),
    }
    is_dated = any(len(row) > 3 for row in rows)
    if is_dated:
        columns["loaded"] = pa.array([hour(row[3]) for row in rows], pa.timestamp("us", "UTC"))
    if any(len(row) > 4 for row in rows):
        columns["order"] = pa.array([row[4] for row in rows], pa.int64())
        more["event"] = "order"
    table = pa.table(columns)
    features = feature if isinstance(feature, dict) else {"f": feature}
    view: FeatureView = feature_view(
        "v", entity="k", time="at", source=table, created="loaded" if is_dated else None, features=features, **more
    )
    labels = pa.table(
        {
            "k": pa.array(keys or [1] * len(t), pa.int64()),
            "t": pa.array([hour(one) for one in t], pa.timestamp("us", "UTC")),
        }
    )
    return windowed(wanted(labels, ["k"], None, "t"), [as_rows(view, table, 0)], view, mode)


def values(feature: Aggregate, rows: Sequence[tuple[Any, ...]], t: Sequence[float | None], **more: Any) -> list[Any]:
    return list(found(feature, rows, t, **more).values.column("f").to_pylist())


def test_a_row_at_exactly_t_counts_and_one_exactly_as_old_as_the_window_does_not() -> None:
    rows = [(1, 0, 5)]
    just = 1 / 3_600_000_000
    assert values(count(over="2h"), rows, [-just, 0, 1, 2 - just, 2, 3]) == [0, 1, 1, 1, 0, 0]
    assert values(sum_of("v", over="2h"), rows, [-just, 0, 1, 2 - just, 2, 3]) == [None, 5, 5, 5, None, None]


def test_with_strict_a_row_at_exactly_t_does_not_count_either() -> None:
    rows = [(1, 0, 5)]
    just = 1 / 3_600_000_000
    assert values(count(over="2h"), rows, [0, just, 2 - just, 2], strict=True) == [0, 1, 1, 0]


def test_a_row_counts_only_from_its_delay_on_and_leaves_as_early_as_without() -> None:
    assert values(count(over="3h"), [(1, 0, 5)], [0, 0.99, 1, 2.99, 3], delay="1h") == [0, 0, 1, 1, 0]


def test_a_delay_as_long_as_the_window_leaves_nothing() -> None:
    assert values(count(over="3h"), [(1, 0, 5)], [0, 1, 2, 3, 4], delay="3h") == [0, 0, 0, 0, 0]


def test_a_row_counts_in_knowledge_time_only_after_it_was_written() -> None:
    rows = [(1, 0, 5, 2), (1, 1, 7, 1)]
    assert values(sum_of("v", over="6h"), rows, [0, 1, 2, 5.9, 6, 7], mode="known") == [None, 7, 12, 12, 7, None]
    assert values(sum_of("v", over="6h"), rows, [0, 1, 2]) == [5, 12, 12]


def test_a_row_of_which_nobody_knows_when_it_was_written_counts_in_event_time_alone() -> None:
    rows = [(1, 0, 5, None), (1, 0.5, 7, 0.5)]
    assert values(count(over="6h"), rows, [1], mode="known") == [1]
    assert values(count(over="6h"), rows, [1]) == [2]


def test_a_row_written_after_it_has_left_the_window_never_counts() -> None:
    assert values(count(over="2h"), [(1, 0, 5, 3)], [0, 1, 2, 3, 4], mode="known") == [0, 0, 0, 0, 0]


def test_a_correction_replaces_its_row() -> None:
    rows = [(1, 0, 5, 0), (1, 0, 8, 2), (1, 1, 1, 1)]
    assert values(sum_of("v", over="9h"), rows, [0, 1, 2, 3], mode="known") == [5, 6, 9, 9]
    assert values(count(over="9h"), rows, [0, 1, 2, 3], mode="known") == [1, 2, 2, 2]
    assert values(mean("v", over="9h"), rows, [1, 2], mode="known") == [3.0, 4.5]


def test_a_correction_after_t_is_used_in_event_time_and_counted_as_later() -> None:
    rows = [(1, 0, 5, 0), (1, 0, 8, 2)]
    result = found(sum_of("v", over="9h"), rows, [0, 1, 2, 3])
    assert result.values.column("f").to_pylist() == [8, 8, 8, 8]
    assert result.later == 2
    assert result.ties == 4


def test_a_correction_with_null_takes_the_value_away_and_leaves_the_row() -> None:
    rows = [(1, 0, 5, 0), (1, 0, None, 2)]
    assert values(sum_of("v", over="9h"), rows, [1, 2], mode="known") == [5, None]
    assert values(count("v", over="9h"), rows, [1, 2], mode="known") == [1, 0]
    assert values(count(over="9h"), rows, [1, 2], mode="known") == [1, 1]


def test_of_versions_without_created_the_one_that_arrived_last_counts() -> None:
    assert values(sum_of("v", over="9h"), [(1, 0, 5), (1, 0, 8), (1, 0, 6)], [0]) == [6]


def test_a_version_with_created_counts_before_one_without() -> None:
    assert values(sum_of("v", over="9h"), [(1, 0, 5, 1), (1, 0, 8, None)], [2]) == [5]


def test_an_older_version_that_comes_late_changes_nothing() -> None:
    rows = [(1, 0, 8, 2), (1, 0, 5, 1)]  # in order of arrival
    assert values(sum_of("v", over="9h"), rows, [1, 2, 3], mode="known") == [5, 8, 8]


def test_events_tell_two_rows_of_one_time_apart() -> None:
    rows = [(1, 0, 5, 0, 100), (1, 0, 8, 0, 200), (1, 0, 6, 1, 100)]
    assert values(sum_of("v", over="9h"), rows, [0, 1], mode="known") == [13, 14]


def test_a_correction_may_move_an_event_out_of_the_window_or_into_it() -> None:
    away = [(1, 10, 5, 10, 100), (1, 2, 5, 11, 100)]
    assert values(count(over="3h"), away, [10, 11, 12], mode="known") == [1, 0, 0]
    back = [(1, 2, 5, 2, 100), (1, 10, 5, 11, 100)]
    assert values(count(over="3h"), back, [2, 4, 5, 10, 11, 12, 13], mode="known") == [1, 1, 0, 0, 1, 1, 0]


def test_rows_without_an_event_are_each_an_event_of_their_own() -> None:
    rows = [(1, 0, 5, 0, None), (1, 0, 8, 0, None), (1, 0, 6, 1, 100)]
    assert values(sum_of("v", over="9h"), rows, [0, 1], mode="known") == [13, 19]


def test_where_no_row_counts_counts_are_0_and_all_else_is_null() -> None:
    features = {
        "rows": count(over="1h"), "values": count("v", over="1h"), "different": distinct("v", over="1h"),
        "sum": sum_of("v", over="1h"), "mean": mean("v", over="1h"), "last": last("v", over="1h"),
    }  # fmt: skip
    nothing = {"rows": 0, "values": 0, "different": 0, "sum": None, "mean": None, "last": None}
    result = found(features, [(1, 0, 5)], [9, 0.5], keys=[1, 2])
    assert result.values.to_pylist() == [nothing, nothing]
    assert [STATUSES[one] for one in result.status] == ["missing", "missing"]
    assert found(features, [], [0], kinds=[pa.int64()]).values.to_pylist() == [nothing]


def test_without_key_or_time_every_feature_is_null() -> None:
    result = found(count(over="1h"), [(1, 0, 5), (None, 0, 6)], [0, None, 0, None], keys=[None, 1, 1, None])
    assert result.values.column("f").to_pylist() == [None, None, 1, None]
    assert [STATUSES[one] for one in result.status] == ["null_key", "missing", "present", "null_key"]


def test_no_label_rows_give_columns_of_the_same_types() -> None:
    features = {
        "n": count(over="1h"),
        "s": sum_of("v", over="1h"),
        "m": mean("v", over="1h"),
        "l": last("v", over="1h"),
    }
    some, none = found(features, [(1, 0, 5)], [0]), found(features, [(1, 0, 5)], [])
    assert none.values.num_rows == 0
    assert none.values.schema == some.values.schema
    assert some.values.schema.types == [pa.int64(), pa.int64(), pa.float64(), pa.int64()]


def test_sum_mean_count_and_distinct_leave_nulls_out_and_last_does_not() -> None:
    rows = [(1, 0, 4), (1, 1, 8), (1, 2, None)]
    assert values(sum_of("v", over="9h"), rows, [2]) == [12]
    assert values(mean("v", over="9h"), rows, [2]) == [6.0]
    assert values(count("v", over="9h"), rows, [2]) == [2]
    assert values(distinct("v", over="9h"), rows, [2]) == [2]
    assert values(last("v", over="9h"), rows, [1, 2]) == [8, None]
    assert values(count(over="9h"), rows, [2]) == [3]


def test_nan_is_null() -> None:
    rows = [(1, 0, 4.0), (1, 1, math.nan)]
    assert values(sum_of("v", over="9h"), rows, [1]) == [4.0]
    assert values(count("v", over="9h"), rows, [1]) == [1]


def test_distinct_counts_texts_once_as_long_as_one_of_them_is_in_the_window() -> None:
    rows = [(1, 0, "a"), (1, 1, "b"), (1, 2, "a"), (1, 3, ""), (2, 3, "c"), (1, 3.5, None)]
    assert values(distinct("v", over="2h"), rows, [0, 1, 2, 3, 3.5, 4, 5, 6]) == [1, 2, 2, 2, 2, 1, 0, 0]


def test_distinct_counts_a_text_once_where_older_rows_of_it_come_late() -> None:
    rows = [(1, 5, "a", 5), (1, 1, "a", 6), (1, 2, "a", 7), (1, 3, "b", 8)]
    assert values(distinct("v", over="9h"), rows, [5, 7, 8, 10.5, 11.5, 12, 14], mode="known") == [1, 1, 2, 2, 2, 1, 0]


def test_with_strict_a_row_written_at_the_very_moment_is_later() -> None:
    rows = [(1, 0, 5, 2)]
    assert found(count(over="9h"), rows, [1, 2, 3], strict=True).later == 2
    assert found(count(over="9h"), rows, [1, 2, 3]).later == 1


def test_distinct_takes_minus_0_for_0() -> None:
    assert values(distinct("v", over="9h"), [(1, 0, 0.0), (1, 1, -0.0), (1, 2, 1.0)], [2]) == [2]


def test_last_takes_the_newest_row_and_not_the_one_that_came_last() -> None:
    rows = [(1, 3, "new", 3), (1, 1, "late", 5)]
    assert values(last("v", over="4h"), rows, [3, 5, 6.5, 7], mode="known") == ["new", "new", "new", None]


def test_last_falls_back_where_a_correction_moves_the_newest_event_away() -> None:
    rows = [(1, 5, "a", 6, 100), (1, 4, "b", 6, 200), (1, 1, "a", 8, 100)]
    assert values(last("v", over="9h"), rows, [6, 7, 8, 9], mode="known") == ["a", "a", "b", "b"]


def test_last_is_of_any_type() -> None:
    day = _START.date()
    assert values(last("v", over="4h"), [(1, 0, day)], [0, 9]) == [day, None]
    assert values(last("v", over="4h"), [(1, 0, [1, 2])], [0, 9]) == [[1, 2], None]
    assert values(last("v", over="4h"), [(1, 0, True)], [0, 9]) == [True, None]


def test_categories_are_what_they_stand_for() -> None:
    kind = pa.dictionary(pa.int32(), pa.string())
    assert values(distinct("v", over="4h"), [(1, 0, "a"), (1, 1, "a")], [1], kinds=[kind]) == [1]
    assert values(last("v", over="4h"), [(1, 0, "a")], [1], kinds=[kind]) == ["a"]


def test_booleans_are_summed_as_0_and_1() -> None:
    rows = [(1, 0, True), (1, 1, False), (1, 2, True)]
    assert values(sum_of("v", over="9h"), rows, [2]) == [2]
    assert values(mean("v", over="9h"), rows, [2]) == [2 / 3]


def test_whole_numbers_beyond_2_to_the_53_are_summed_exactly() -> None:
    large = 2**53
    rows = [(1, 0, large), (1, 1, 1), (1, 2, 2**62), (1, 3, -(2**62)), (1, 4, 1)]
    assert values(sum_of("v", over="90d"), rows, [0, 1, 2, 3, 4]) == [
        large, large + 1, 2**62 + large + 1, large + 1, large + 2
    ]  # fmt: skip
    assert values(mean("v", over="90d"), rows, [4]) == [float(large + 2) / 5]


def test_sums_on_the_way_may_leave_64_bits() -> None:
    most = 2**63 - 1
    rows = [(1, 0, most), (1, 0.5, most), (1, 1, -most), (1, 1.5, -(2**63))]
    assert values(sum_of("v", over="9h"), rows, [1.5]) == [-1]
    assert values(sum_of("v", over="1h"), [(1, 0, most), (1, 1, most)], [0, 1]) == [most, most]


def test_whole_numbers_without_sign_are_summed_exactly() -> None:
    rows = [(1, 0, 2**63 - 5), (1, 1, 4)]
    assert values(sum_of("v", over="9h"), rows, [0, 1], kinds=[pa.uint64()]) == [2**63 - 5, 2**63 - 1]
    assert values(mean("v", over="9h"), [(1, 0, 2**64 - 1)], [0], kinds=[pa.uint64()]) == [float(2**64 - 1)]
    assert values(sum_of("v", over="9h"), [(1, 0, 200), (1, 1, 200)], [1], kinds=[pa.uint8()]) == [400]


def test_a_sum_that_leaves_64_bits_is_refused_and_its_mean_is_not() -> None:
    rows = [(1, 0, 2**63 - 1), (1, 1, 1)]
    with pytest.raises(InvalidInput, match=r"the feature 'f' of 'v' is sum\(v\) over 9h, which leaves 64 bits"):
        values(sum_of("v", over="9h"), rows, [1])
    assert values(mean("v", over="9h"), rows, [1]) == [2.0**62]


def test_floats_that_cancel_leave_what_is_left() -> None:
    rows = [(1, 0, 1e16), (1, 1, 1.0), (1, 2, -1e16), (1, 3, 1e-300)]
    assert values(sum_of("v", over="9h"), rows, [2, 3]) == [1.0, 1.0]
    assert values(sum_of("v", over="2h"), [(1, 0, 1e300), (1, 1, 0.1), (1, 2, 0.2)], [0, 1, 2]) == [
        1e300, 1e300, math.fsum([0.1, 0.2])
    ]  # fmt: skip


def test_a_sum_of_floats_is_rounded_once() -> None:
    numbers = [0.1] * 10
    rows = [(1, place / 10, one) for place, one in enumerate(numbers)]
    assert sum(numbers) != math.fsum(numbers)
    assert values(sum_of("v", over="9h"), rows, [2]) == [math.fsum(numbers)] == [1.0]
    assert values(mean("v", over="9h"), rows, [2]) == [0.1]


def test_infinite_numbers_are_summed_as_ieee_754_says_and_leave_with_the_window() -> None:
    rows = [(1, 0, math.inf), (1, 1, 1.0), (1, 2, -math.inf), (1, 3, 2.0)]
    assert values(sum_of("v", over="3h"), rows, [0, 1, 2, 3, 4, 5]) == [
        math.inf, math.inf, None, -math.inf, -math.inf, 2.0
    ]  # fmt: skip
    assert values(mean("v", over="9h"), rows, [1]) == [math.inf]
    assert values(sum_of("v", over="9h"), [(1, 0, 1.7e308), (1, 1, 1.7e308)], [0, 1]) == [1.7e308, math.inf]
    assert values(sum_of("v", over="9h"), [(1, 0, 1.7e308), (1, 1, 1.7e308), (1, 1, -math.inf)], [1]) == [-math.inf]


def test_the_order_of_rows_and_their_batches_change_no_bit() -> None:
    chance = random.Random(3)
    rows = [(1, chance.uniform(0, 50), chance.gauss(0, 1) * 10 ** chance.randint(-9, 9)) for _ in range(300)]
    t = [chance.uniform(0, 60) for _ in range(40)]
    first = values(sum_of("v", over="12h"), rows, t)
    for _ in range(5):
        chance.shuffle(rows)
        assert values(sum_of("v", over="12h"), rows, t) == first
    for moment, one in zip(t, first, strict=True):
        inside = [row[2] for row in rows if moment - 12 < row[1] <= moment]
        assert one == (math.fsum(inside) if inside else None)


def test_label_rows_of_one_key_and_time_are_two_rows() -> None:
    assert values(count(over="2h"), [(1, 0, 5)], [1, 1, 0, 3, 1]) == [1, 1, 1, 0, 1]


def test_a_key_with_many_rows_and_many_label_rows_is_counted_right() -> None:
    rows = [(1, place / 60, 1) for place in range(20_000)]
    t = [place / 7 for place in range(1500)]
    expected = [sum(1 for row in rows if moment - 24 < row[1] <= moment) for moment in t[::100]]
    features = {"n": count(over="24h"), "s": sum_of("v", over="24h"), "d": distinct("v", over="24h")}
    result = found(features, rows, t)
    assert result.values.column("n").to_pylist()[::100] == expected
    assert result.values.column("s").to_pylist() == result.values.column("n").to_pylist()
    assert set(result.values.column("d").to_pylist()) == {1}


def test_min_and_max_leave_with_the_window_and_leave_nulls_out() -> None:
    rows = [(1, 0, 7), (1, 1, 2), (1, 2, None), (1, 3, 5)]
    assert values(min_of("v", over="2h"), rows, [-1, 0, 1, 2, 3, 4, 9]) == [None, 7, 2, 2, 5, 5, None]
    assert values(max_of("v", over="2h"), rows, [-1, 0, 1, 2, 3, 4, 9]) == [None, 7, 7, 2, 5, 5, None]


def test_min_and_max_forget_what_was_corrected() -> None:
    rows = [(1, 0, 99, 0), (1, 0, 3, 2), (1, 1, 5, 1)]
    assert values(max_of("v", over="9h"), rows, [1, 2, 3], mode="known") == [99, 5, 5]
    assert values(min_of("v", over="9h"), rows, [1, 2, 3], mode="known") == [5, 3, 3]


def test_min_and_max_are_of_texts_times_booleans_decimals_and_infinite_numbers() -> None:
    day = _START.date()
    assert values(min_of("v", over="9h"), [(1, 0, "b"), (1, 1, "é"), (1, 2, "a")], [1, 2]) == ["b", "a"]
    assert values(max_of("v", over="9h"), [(1, 0, day), (1, 1, day - timedelta(1))], [1]) == [day]
    assert values(max_of("v", over="9h"), [(1, 0, False), (1, 1, True)], [0, 1]) == [False, True]
    assert values(min_of("v", over="9h"), [(1, 0, math.inf), (1, 1, -math.inf)], [0, 1]) == [math.inf, -math.inf]
    prices = [(1, 0, Decimal("1.50")), (1, 1, Decimal("-2.25"))]
    assert values(min_of("v", over="9h"), prices, [0, 1]) == [Decimal("1.50"), Decimal("-2.25")]
    with pytest.raises(InvalidInput, match="expected: a column of single values"):
        values(max_of("v", over="9h"), [(1, 0, [1])], [0])


def test_min_and_max_have_one_zero() -> None:
    for rows in ([(1, 0, 0.0), (1, 1, -0.0)], [(1, 0, -0.0), (1, 1, 0.0)]):
        for one in (min_of, max_of):
            assert math.copysign(1, values(one("v", over="9h"), rows, [1])[0]) == 1


def test_the_same_column_over_several_windows_and_kinds_in_one_view() -> None:
    rows = [(1, place, place) for place in range(100)]
    result = found(
        {"d": sum_of("v", over="90d"), "h": sum_of("v", over="1h"), "two": mean("v", over="2h"), "n": count(over="3h")},
        rows, [99, 50],
    )  # fmt: skip
    assert result.values.to_pylist() == [
        {"d": 4950, "h": 99, "two": 98.5, "n": 3}, {"d": 1275, "h": 50, "two": 49.5, "n": 3}
    ]  # fmt: skip


def test_a_sum_of_text_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match=r"the feature 'f' of 'v' is sum\(v\) over 9h, and that column is of type str"
    ):
        values(sum_of("v", over="9h"), [(1, 0, "a")], [0])
    with pytest.raises(InvalidInput, match="cast it to double"):
        values(mean("v", over="9h"), [(1, 0, 1)], [0], kinds=[pa.decimal128(9, 2)])


def test_distinct_lists_are_refused() -> None:
    with pytest.raises(InvalidInput, match="expected: a column of single values"):
        values(distinct("v", over="9h"), [(1, 0, [1])], [0])


def test_a_column_that_is_not_there_is_named_with_the_nearest_right_one() -> None:
    with pytest.raises(InvalidInput, match="no column 'vv'"):
        values(sum_of("vv", over="9h"), [(1, 0, 1)], [0])


def test_rows_that_wait_on_disk_are_counted_as_others_are_and_leave_nothing_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chance = random.Random(5)
    hours = [chance.randint(0, 99) for _ in range(3000)]
    rows = [(chance.randint(1, 40), one, chance.gauss(0, 1), one + chance.randint(0, 9)) for one in hours]
    keys, t = [chance.randint(0, 40) for _ in range(300)], [chance.randint(0, 110) for _ in range(300)]
    features = {"s": sum_of("v", over="24h"), "d": distinct("v", over="9h"), "l": last("v", over="40h")}
    together = found(features, rows, t, keys=keys, mode="known")
    folders: list[list[str]] = []
    write = KeptRows._write

    def watched(kept: KeptRows) -> None:
        write(kept)
        folders.append([one.name for one in tmp_path.iterdir()])

    monkeypatch.setattr(KeptRows, "_write", watched)
    monkeypatch.setattr(kept_rows, "IN_MEMORY", 10_000)
    monkeypatch.setattr(aggregating, "_AT_ONCE", 500)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    on_disk = found(features, rows, t, keys=keys, mode="known")
    assert on_disk.values.equals(together.values)
    assert len(folders) > 1
    assert all(len(names) == 1 for names in folders)
    assert not list(tmp_path.iterdir())
