"""Splits by time: no row is in two parts, and none is judged on what came before it was learned from."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from assay.build.data.splits import split_by_time
from assay.errors import InvalidInput

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = [START + timedelta(days=day) for day in range(10)]
TABLE = pa.table({"time": pa.array(DAYS, pa.timestamp("us", "UTC")), "row": range(10)})


def rows(parts: list[pa.Table]) -> list[list[int]]:
    return [part["row"].to_pylist() for part in parts]


def test_a_part_holds_its_first_moment_and_not_its_last() -> None:
    parts = split_by_time(TABLE, "time", [DAYS[2], DAYS[4], DAYS[9]])
    assert rows(parts) == [[2, 3], [4, 5, 6, 7, 8]]
    assert parts[0].schema == TABLE.schema


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_cut_may_be_finer_than_the_column(unit: str) -> None:
    table = TABLE.set_column(0, "time", TABLE["time"].cast(pa.timestamp(unit, "UTC")))
    cuts = [DAYS[0] + timedelta(microseconds=1), DAYS[3] + timedelta(microseconds=1), DAYS[5]]
    parts = split_by_time(table, "time", cuts)
    assert rows(parts) == [[1, 2, 3], [4]]
    assert parts[0].schema == table.schema


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("us", "Asia/Tokyo"), pa.date32()])
def test_times_without_a_zone_and_dates_are_utc(kind: pa.DataType) -> None:
    table = TABLE.set_column(0, "time", TABLE["time"].cast(kind))
    elsewhere = timezone(timedelta(hours=5))
    parts = split_by_time(table, "time", [DAYS[1].astimezone(elsewhere), DAYS[2].astimezone(elsewhere), DAYS[4]])
    assert rows(parts) == [[1], [2, 3]]


def test_a_row_without_a_time_is_in_no_part() -> None:
    table = pa.table({"time": pa.array([None, DAYS[0], None, DAYS[1]], pa.timestamp("us", "UTC")), "row": range(4)})
    assert rows(split_by_time(table, "time", [DAYS[0], DAYS[2]])) == [[1, 3]]


@pytest.mark.parametrize("cuts", [[], [DAYS[0]], [DAYS[0], DAYS[0]], [DAYS[0], DAYS[2], DAYS[1]]])
def test_cuts_ascend(cuts: list[datetime]) -> None:
    with pytest.raises(InvalidInput, match="cuts are") as raised:
        split_by_time(TABLE, "time", cuts)
    assert raised.value.expected == "two or more ascending moments"


def test_a_cut_has_a_time_zone() -> None:
    with pytest.raises(InvalidInput, match="a cut has no time zone"):
        split_by_time(TABLE, "time", [datetime(2026, 1, 1), datetime(2026, 1, 2)])


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no rows of 'time' lie from 2026-01-10 12:00:00"):
        split_by_time(TABLE, "time", [DAYS[0], DAYS[9] + timedelta(hours=12), DAYS[9] + timedelta(days=3)])


def test_a_wrong_column_is_told_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="the table has no column 'tmie'") as raised:
        split_by_time(TABLE, "tmie", DAYS[:2])
    assert (raised.value.hint, raised.value.expected) == ("did you mean 'time'?", "time, row")
    with pytest.raises(InvalidInput, match="column 'row' is of type int64"):
        split_by_time(TABLE, "row", DAYS[:2])
