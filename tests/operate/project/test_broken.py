"""What broke upstream is told from what merely moved."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from tests.operate.loop_helpers import BEGIN

from assay.operate.project.broken import broken_columns, rows_since


def weather(rows: int = 500, *, seed: int = 0, warmer: float = 0.0) -> pa.Table:
    chance = np.random.default_rng(seed)
    return pa.table(
        {
            "celsius": chance.normal(12 + warmer, 6, rows),
            "wind": chance.gamma(2.0, 4.0, rows),
            "sky": chance.choice(["clear", "rain", "snow"], rows),
            "storm": (chance.random(rows) < 0.1).astype(int),
        }
    )


def changed(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def faults(now: pa.Table) -> dict[str, str]:
    return {one.column: one.fault for one in broken_columns(weather(), now)}


@pytest.mark.parametrize("seed", range(20))
def test_a_window_that_only_moved_is_not_broken(seed: int) -> None:
    moved = weather(300, seed=seed + 1, warmer=8.0)
    assert broken_columns(weather(), changed(moved, "wind", np.asarray(moved["wind"]) * 1.4)) == []


@pytest.mark.parametrize(
    ("name", "factor", "words"),
    [
        ("wind", 1.609344, "as from miles to kilometres"),
        ("wind", 1 / 1.609344, "as from kilometres to miles"),
        ("wind", 1000.0, "as from thousands to units"),
        ("wind", 41.0, "times what they were"),
    ],
)
def test_another_unit_is_seen(name: str, factor: float, words: str) -> None:
    now = weather(20_000, seed=1)
    (found,) = broken_columns(weather(20_000), changed(now, name, np.asarray(now[name]) * factor))
    assert (found.column, found.fault) == (name, "unit")
    assert words in found.words


def test_degrees_are_seen_both_ways() -> None:
    there, back = weather(5000), weather(5000, seed=2)
    hot = changed(back, "celsius", np.asarray(back["celsius"]) * 1.8 + 32)
    assert [one.fault for one in broken_columns(there, hot)] == ["unit"]
    assert [one.fault for one in broken_columns(hot, there)] == ["unit"]
    kelvin = changed(back, "celsius", np.asarray(back["celsius"]) + 273.15)
    assert "Kelvin" in broken_columns(there, kelvin)[0].words


def test_a_column_that_is_gone_retyped_missing_or_still_is_broken() -> None:
    now = weather(300, seed=3)
    assert faults(now.drop_columns(["sky"])) == {"sky": "gone"}
    assert faults(changed(now, "celsius", [f"{one} C" for one in now["celsius"].to_pylist()])) == {"celsius": "type"}
    assert faults(changed(now, "wind", [None if i % 3 else 1.0 * i for i in range(300)])) == {"wind": "missing"}
    assert faults(changed(now, "wind", pa.nulls(300))) == {"wind": "missing"}
    assert faults(changed(now, "sky", ["clear"] * 300)) == {"sky": "constant"}


def test_what_stood_still_for_long_before_may_do_so_again() -> None:
    months = pa.table({"month": [1 + day // 200 for day in range(2000)], "gate": [day % 7 for day in range(2000)]})
    now = pa.table({"month": [11] * 200, "gate": [3] * 200})
    assert [one.column for one in broken_columns(months, now)] == ["gate"]


def test_of_few_rows_little_is_said() -> None:
    assert faults(changed(weather(20), "sky", ["clear"] * 20)) == {}
    assert faults(weather(20).drop_columns(["sky"])) == {"sky": "gone"}


def test_new_rows_are_told_by_time_or_by_their_place() -> None:
    begin = BEGIN.replace(tzinfo=None)

    def days(first: int, last: int) -> pa.Table:
        times: list[datetime] = [begin + timedelta(days=day) for day in range(first, last)]
        return pa.table({"day": times, "x": list(range(first, last))})

    assert rows_since(days(0, 10), days(5, 14), "day")["x"].to_pylist() == [10, 11, 12, 13]
    assert rows_since(days(0, 10), days(0, 12), None)["x"].to_pylist() == [10, 11]
    assert rows_since(days(0, 10), days(3, 12), None).num_rows == 9
