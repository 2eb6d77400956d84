"""How histories are read: what is left out, what is read ahead, and columns that nobody wants."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from assay.build.views.declared.view import feature_view
from assay.build.views.joining.engines.parquet import Bounds, ParquetPart, parquet_part
from assay.build.views.joining.reading import Engine, ahead, history, narrowed
from assay.build.views.joining.training_set import training_set
from assay.build.views.matching.wanted import wanted
from assay.errors import InvalidInput

_US = pa.timestamp("us", "UTC")
# Four row groups of three rows, by time.
HISTORY = pa.table(
    {"k": [1, 2, 3] * 4, "ts": pa.array(range(12), _US), "v": range(12), "w": [float(one) for one in range(12)]}
)


@pytest.fixture
def part(tmp_path: Path) -> ParquetPart:
    pq.write_table(HISTORY, tmp_path / "history.parquet", row_group_size=3)
    return parquet_part(fs.LocalFileSystem(), str(tmp_path / "history.parquet"), 0)


def _asked(*keys: int) -> dict[str, pa.Array]:
    return {"k": pa.array(keys)} if keys else {}


def test_row_groups_later_than_all_label_rows_are_not_read(part: ParquetPart) -> None:
    groups = part.groups(Bounds("ts", 5, None, {}))
    assert [(group.number, group.start, group.rows) for group in groups] == [(0, 0, 3), (1, 3, 3)]


def test_of_row_groups_that_have_expired_for_all_only_keys_and_times_are_read(part: ParquetPart) -> None:
    assert [group.used for group in part.groups(Bounds("ts", 99, 6, {}))] == [False, False, True, True]


def test_row_groups_without_a_key_that_is_asked_for_are_not_read(part: ParquetPart) -> None:
    assert len(part.groups(Bounds("ts", 99, None, _asked(3, 9)))) == 4
    assert part.groups(Bounds("ts", 99, None, _asked(4, 9))) == []


def test_without_statistics_all_is_read(tmp_path: Path) -> None:
    pq.write_table(HISTORY, tmp_path / "bare.parquet", row_group_size=3, write_statistics=False)
    bare = parquet_part(fs.LocalFileSystem(), str(tmp_path / "bare.parquet"), 0)
    assert all(group.used for group in bare.groups(Bounds("ts", -1, 99, _asked(9))))
    assert not bare.has_all("ts")


@pytest.mark.parametrize("engine", ["arrow", "duckdb", "polars"])
def test_what_is_left_out_changes_no_status(engine: Engine, part: ParquetPart) -> None:
    view = feature_view("history", entity="k", time="ts", source=part.path, ttl="1s")
    late = 11 + 1_000_001
    rows = pa.table({"k": [3, 2, 3, 9], "t": pa.array([late, late, late - 1, late], _US)})
    found = training_set(rows, [view], engine=engine, status=True).table
    assert found.column("history__status").to_pylist() == ["expired", "expired", "present", "missing"]
    assert found.column("v").to_pylist() == [None, None, 11, None]


def test_only_columns_that_are_wanted_are_read(part: ParquetPart) -> None:
    view = feature_view("history", entity="k", time="ts", source=part.path, features={"x": "w + 1", "y": "x * 2"})
    assert narrowed(view, ["x"]).expressions == {"x": "w + 1"}
    assert narrowed(view, ["y"]).expressions == {"x": "w + 1", "y": "x * 2"}
    asked = wanted(pa.table({"k": [1], "t": pa.array([5], _US)}), ["k"], None, "t")
    _, rows = list(history(narrowed(view, ["y"]), None).batches(asked))[:2]
    assert rows.column_names == ["k", "__ts", "__created", "__arrival", "y"]


def test_files_of_a_folder_may_state_narrower_types(tmp_path: Path) -> None:
    pq.write_table(HISTORY.slice(0, 6), tmp_path / "1.parquet")
    narrow = pa.schema([("k", pa.int16()), ("ts", _US), ("v", pa.int8()), ("w", pa.float32())])
    pq.write_table(HISTORY.slice(6).cast(narrow), tmp_path / "2.parquet")
    view = feature_view("history", entity="k", time="ts", source=str(tmp_path))
    rows = pa.table({"k": [1, 1], "t": pa.array([5, 11], _US)})
    assert training_set(rows, [view]).table.select(["v", "w"]).to_pydict() == {"v": [3, 9], "w": [3.0, 9.0]}


def test_what_is_read_ahead_comes_in_order_and_its_error_after_what_came_before() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise InvalidInput("the sixth is broken")

    taken = ahead(items())
    assert list(itertools.islice(taken, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(InvalidInput, match="the sixth is broken"):
        next(taken)


def test_who_stops_taking_ends_the_reading() -> None:
    before = threading.active_count()
    taken = ahead(iter(range(1000)))
    assert next(taken) == 0
    taken.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
