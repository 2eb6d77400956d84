"""What is new in a source comes into the log once and online, however it comes; what was cut short is gone on with."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.build.data.checks import in_range
from assay.build.data.expectations import Expectations
from assay.build.views.arriving import source_log
from assay.build.views.arriving.materialize import Materialized, materialize, materialize_view
from assay.build.views.arriving.source_log import take_source
from assay.build.views.declared.history import ARRIVAL, ARRIVED, CREATED
from assay.build.views.declared.view import feature_view
from assay.build.views.log import log
from assay.build.views.log.freshness import freshness
from assay.build.views.log.log import log_parts, logged_rows
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import register, view_of
from assay.build.views.registry.source_rows import SourceRows
from assay.errors import Conflict, InvalidInput
from assay.record.datasets import snapshot
from assay.record.sqlstore import SqlStore

START_US = 1_770_000_000_000_000
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def rows_of(places: Any, **more: Any) -> pa.Table:
    """A row for each number: its customer is the number modulo 5, its time so many seconds after the start."""
    numbers = np.asarray(list(places), np.int64)
    times = pa.array(START_US + numbers * 1_000_000, pa.timestamp("us", "UTC"))
    columns = {"customer": numbers % 5, "at": times, "spend": numbers * 1.0, **more}
    return pa.table(columns)


class Source:
    """A Parquet file with a view over it."""

    def __init__(self, store: SqlStore, folder: Path, rows: pa.Table, **more: Any) -> None:
        self.store, self.path = store, folder / "rows.parquet"
        self.write(rows)
        given = {"entity": "customer", "time": "at", "source": str(self.path), **more}
        self.version = register(store, feature_view("spend", **given))

    def write(self, rows: pa.Table) -> None:
        """Replace the file."""
        pq.write_table(rows, self.path)

    def run(self, **more: Any) -> Materialized:
        """Materialise it."""
        return materialize_view(self.store, self.version, view_of(self.version), **more)

    def logged(self) -> list[float]:
        """The values in the log, in order of arrival."""
        return [value for part in logged_rows(self.store, self.version) for value in part["spend"].to_pylist()]

    def served(self, now_us: int | None = None) -> dict[int, float | None]:
        """The value of each customer online."""
        online = open_online(self.store)
        answers = online.table(self.version).read([(key,) for key in range(5)], now_us or 2 * START_US)
        online.close()
        return {key: None if one.row is None else one.row[3] for key, one in enumerate(answers)}


def accepted(_rows: pa.Table) -> None:
    """Rows are as they are."""


@pytest.fixture
def source(store: SqlStore, tmp_path: Path) -> Callable[..., Source]:
    return lambda rows, **more: Source(store, tmp_path, rows, **more)


def test_all_rows_of_a_source_are_logged_and_served_with_the_newest_included(source: Callable[..., Source]) -> None:
    one = source(rows_of(range(20)))
    found = one.run()
    assert (found.source.logged, found.source.gone, found.written.applied) == (20, 0, 5)
    assert one.logged() == list(range(20))
    assert one.served() == {0: 15, 1: 16, 2: 17, 3: 18, 4: 19}


def test_running_twice_adds_nothing(source: Callable[..., Source]) -> None:
    one = source(rows_of(range(20)))
    one.run()
    found = one.run()
    assert (found.source.logged, found.source.gone, found.written.rows, found.agreement) == (0, 0, 0, None)
    assert one.logged() == list(range(20))


def test_of_a_source_that_grew_at_its_end_the_rest_is_logged(source: Callable[..., Source]) -> None:
    one = source(rows_of(range(20)))
    one.run()
    one.write(rows_of(range(25)))
    assert one.run().source.logged == 5
    assert one.logged() == list(range(25))
    assert one.served()[4] == 24


def test_a_late_row_is_logged_and_hides_no_newer_one(source: Callable[..., Source]) -> None:
    one = source(rows_of([10, 11, 12]))
    one.run()
    one.write(rows_of([10, 11, 12, 0]))
    found = one.run()
    assert (found.source.logged, found.written.applied, found.written.older) == (1, 0, 1)
    assert one.served()[0] == 10


def test_a_late_row_in_the_middle_of_the_source_is_found_by_content(source: Callable[..., Source]) -> None:
    one = source(rows_of([10, 11, 12]))
    one.run()
    one.write(rows_of([12, 3, 10, 11]))
    found = one.run()
    assert (found.source.logged, found.source.gone) == (1, 0)
    assert one.logged() == [10, 11, 12, 3]
    assert one.served()[3] == 3


def test_equal_rows_are_counted_and_only_the_ones_too_many_are_new(source: Callable[..., Source]) -> None:
    one = source(rows_of([1, 1, 2]))
    one.run()
    one.write(rows_of([2, 1, 1, 1, 2]))
    assert one.run().source.logged == 2
    assert sorted(one.logged()) == [1, 1, 1, 2, 2]


def test_what_has_gone_is_told_and_counts_until_a_rebuild_leaves_it_out(source: Callable[..., Source]) -> None:
    one = source(rows_of(range(20)))
    one.run()
    one.write(rows_of([*range(14), *range(15, 20)]).slice(0, 18))  # 14 and 19 go
    found = one.run()
    assert (found.source.gone, found.gone, found.left_out) == (2, 2, 0)
    assert one.run().gone == 2, "it is told again"
    assert one.served()[4] == 19
    found = one.run(rebuild=True)
    assert (found.gone, found.left_out) == (0, 2)
    assert one.served() == {0: 15, 1: 16, 2: 17, 3: 18, 4: 9}
    assert one.logged() == [*range(14), 15, 16, 17, 18]
    assert one.run().source.logged == 0


def test_a_rebuild_changes_no_arrival_of_what_stays(source: Callable[..., Source], store: SqlStore) -> None:
    one = source(rows_of(range(20)))
    one.run()
    columns = [ARRIVAL, ARRIVED, CREATED, "spend"]
    before = pa.concat_tables(logged_rows(store, one.version)).select(columns)
    one.write(rows_of(range(1, 20)))
    one.run(rebuild=True)
    assert pa.concat_tables(logged_rows(store, one.version)).select(columns).equals(before.slice(1))


def test_a_row_that_comes_back_after_it_had_gone_is_new_again(source: Callable[..., Source]) -> None:
    first, other = rows_of([10]), rows_of([10], spend=[99.0])
    one = source(first)
    for rows, value in ((first, 10), (other, 99), (first, 10), (other, 99)):
        one.write(rows)
        one.run()
        assert one.served()[0] == value
    assert one.logged() == [10, 99, 10, 99]


def test_an_interrupted_comparison_is_gone_on_with(
    source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = source(rows_of(range(20)))
    one.run()
    one.write(rows_of([*range(30, 50), *range(20)]))
    batches: list[int] = []

    def interrupt(*given: Any, **more: Any) -> Any:
        if given[2] == "seen":
            raise KeyboardInterrupt
        batches.append(given[3].num_rows)
        return entered(*given, **more)

    entered: Any = log.entered
    with monkeypatch.context() as patch:
        patch.setattr(source_log, "entered", interrupt)
        with pytest.raises(KeyboardInterrupt):
            one.run()
    found = one.run()
    assert (found.source.logged, found.source.gone) == (0, 0)
    assert one.logged() == [*range(20), *range(30, 50)]
    assert one.served()[4] == 49


def test_a_created_column_decides_between_rows_of_one_time(source: Callable[..., Source]) -> None:
    seen = [START_US + 50, START_US + 60, None]
    rows = rows_of([5, 5, 5], spend=[1.0, 2.0, 3.0], seen=pa.array(seen, pa.timestamp("us", "UTC")))
    one = source(rows, created="seen")
    found = one.run()
    assert (found.written.applied, found.written.unusable) == (1, 1)
    assert one.served()[0] == 2
    one.write(pa.concat_tables([rows, rows_of([5], spend=[9.0], seen=pa.array([START_US + 55], rows["seen"].type))]))
    assert one.run().source.logged == 1
    assert one.served()[0] == 2, "it came later and was known before"


def test_a_dataset_and_a_function_are_sources_too(store: SqlStore) -> None:
    def doubled(rows: pa.Table) -> pa.Table:
        return rows.set_column(2, "spend", pa.array([2 * value for value in rows["spend"].to_pylist()]))

    snapshot(store, "orders", rows_of(range(10)))
    plain = feature_view("plain", entity="customer", time="at", source="orders")
    made = feature_view(entity="customer", time="at", source="orders")(doubled)
    versions = [register(store, plain), register(store, made)]
    materialize(store)
    snapshot(store, "orders", rows_of(range(12)))
    found = materialize(store)
    assert [one.source.logged for one in found.views] == [2, 2]
    values = [pa.concat_tables(logged_rows(store, one))["spend"].to_pylist() for one in versions]
    assert values == [list(range(12)), [2 * number for number in range(12)]]
    assert materialize(store, ["plain"]).views[0].source.read == 0, "a dataset that is the same is not read"


def test_files_of_a_folder_are_taken_as_they_come(source: Callable[..., Source], tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    pq.write_table(rows_of(range(5)), folder / "b.parquet")
    one = source(rows_of([]), source=str(folder))
    one.run()
    pq.write_table(rows_of(range(5, 9)), folder / "c.parquet")
    assert one.run().source.logged == 4
    pq.write_table(rows_of(range(20, 22)), folder / "a.parquet")
    assert one.run().source.logged == 2
    assert one.logged() == [*range(9), 20, 21]


def test_csv_and_json_files_are_read_a_file_at_a_time(source: Callable[..., Source], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer,at,spend\n1,2026-01-01 00:00:00,1\n2,2026-01-01 00:00:00,2\n")
    (tmp_path / "b.csv").write_text("customer,at,spend\n1,2026-01-02 00:00:00,2.5\n")
    one = source(rows_of([]), source=str(tmp_path / "*.csv"))
    assert one.run().source.logged == 3
    assert one.logged() == [1.0, 2.0, 2.5]


def test_rows_from_the_future_wait_and_are_served_when_their_time_has_come(source: Callable[..., Source]) -> None:
    one = source(rows_of([5, 100]), delay="10s")
    found = one.run(now_us=lambda: START_US + 20_000_000)
    assert (found.written.applied, found.written.waiting) == (1, 1)
    assert one.served(START_US + 109_999_999)[0] == 5
    assert one.served(START_US + 110_000_000)[0] == 100


def test_rows_that_break_a_check_are_refused_and_nothing_changes(
    source: Callable[..., Source], store: SqlStore
) -> None:
    checks = Expectations((in_range("spend", 0, 100),))
    one = source(rows_of(range(3)), checks=checks)
    one.run()
    one.write(rows_of([0, 1, 2, 3, 500]))
    with pytest.raises(InvalidInput, match=r"1 of 2 rows for spend@1 break .*spend"):
        one.run()
    assert one.logged() == [0, 1, 2]
    one.write(rows_of([0, 1, 2, 3, 50]))
    assert one.run().source.logged == 2
    results = store.query("test_result", {"subject_id": "spend@1", "tag": "D1"}, order_by=["ts"])
    assert [row["result"] for row in results] == ["pass", "fail", "pass"]


def test_batches_before_the_one_that_is_refused_are_served(source: Callable[..., Source], tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    pq.write_table(rows_of(range(5)), folder / "a.parquet")
    one = source(rows_of([]), source=str(folder), checks=Expectations((in_range("spend", 0, 100),)))
    pq.write_table(rows_of([200]), folder / "b.parquet")
    with pytest.raises(InvalidInput, match="1 of 1 rows for spend@1 break"):
        one.run()
    assert one.logged() == list(range(5))
    assert one.served() == {key: key for key in range(5)}
    pq.write_table(rows_of([20]), folder / "b.parquet")
    assert one.run().source.logged == 1
    assert one.served()[0] == 20


def test_of_several_views_one_that_cannot_be_read_keeps_no_other_back(store: SqlStore, tmp_path: Path) -> None:
    for name in ("one", "two"):
        pq.write_table(rows_of(range(3)), tmp_path / f"{name}.parquet")
        register(store, feature_view(name, entity="customer", time="at", source=str(tmp_path / f"{name}.parquet")))
    (tmp_path / "one.parquet").unlink()
    found = materialize(store)
    assert [one.view for one in found.views] == ["two@1"]
    assert list(found.failed) == ["one@1"]
    assert "there is no file" in found.failed["one@1"]
    assert not found.sound
    with pytest.raises(InvalidInput, match="there is no file"):
        materialize(store, ["one"])


def test_a_column_that_has_another_type_by_now_is_named(source: Callable[..., Source]) -> None:
    one = source(rows_of(range(3)))
    one.run()
    one.write(rows_of(range(3), spend=["a", "b", "c"]))
    with pytest.raises(InvalidInput, match="the column 'spend' of spend@1 is string"):
        one.run()


def test_whole_numbers_in_a_column_of_floats_are_the_same_rows(source: Callable[..., Source]) -> None:
    one = source(rows_of(range(3)))
    one.run()
    one.write(rows_of(range(3), spend=[0, 1, 2]))
    assert one.run().source.logged == 0


def test_it_works_on_every_store(either_store: SqlStore, tmp_path: Path) -> None:
    one = Source(either_store, tmp_path, rows_of(range(3_000)))
    one.run()
    one.write(rows_of([*range(10, 3_000), 5_000]))
    found = one.run(rebuild=True)
    assert (found.source.logged, found.source.gone, found.left_out) == (1, 10, 10)
    assert found.agreement is not None
    assert (found.agreement.compared, found.agreement.differing) == (5, 0)
    assert one.served()[0] == 5_000


def test_after_a_run_online_is_compared_with_offline_and_the_result_is_kept(
    source: Callable[..., Source], store: SqlStore
) -> None:
    one = source(rows_of(range(20)), ttl="9000d")
    found = one.run()
    assert found.agreement is not None
    assert (found.agreement.compared, found.agreement.differing, found.agreement.example) == (5, 0, None)
    online = open_online(store)
    online.table(one.version).erase([(3,)])
    online.close()
    one.write(rows_of(range(22)))
    found = one.run()
    assert found.agreement is not None
    assert found.agreement.differing == 1
    assert (
        found.agreement.example == f"customer=3: online ['missing'], offline ['present', {START_US + 18_000_000}, 18.0]"
    )
    results = store.query("test_result", {"kind": "online_agreement"}, order_by=["ts"])
    assert [row["result"] for row in results] == ["pass", "fail"]
    assert "customer" not in "".join(row["detail"] for row in results)


def test_freshness_is_the_age_of_the_newest_row_and_of_the_last_arrival(
    source: Callable[..., Source], store: SqlStore
) -> None:
    one = source(rows_of(range(20)))
    assert freshness(store, one.version).rows == 0
    assert freshness(store, one.version).age_us is None
    one.run(now_us=lambda: START_US + 60_000_000)
    found = freshness(store, one.version, START_US + 100_000_000)
    assert (found.rows, found.age_us, found.arrived_ago_us) == (20, 81_000_000, 40_000_000)


def test_the_time_of_arrival_is_the_event_time_of_a_replay(source: Callable[..., Source], store: SqlStore) -> None:
    store.clock.advance(NOW)
    one = source(rows_of(range(3)))
    one.run()
    store.clock.advance(NOW + timedelta(days=1))
    one.write(rows_of(range(4)))
    one.run()
    arrived = [value for part in logged_rows(store, one.version) for value in part[ARRIVED].to_pylist()]
    assert arrived == [int(NOW.timestamp()) * 1_000_000] * 3 + [int(NOW.timestamp() + 86_400) * 1_000_000]


def test_of_a_source_that_changes_while_it_is_read_nothing_is_logged(
    source: Callable[..., Source], store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = source(rows_of(range(10)))
    one.run()
    reads = iter([rows_of([9, 8, 20, 21]), rows_of([9, 8, 20, 31])])
    monkeypatch.setattr(SourceRows, "_tables", lambda _self: iter([next(reads)]))
    monkeypatch.setattr(SourceRows, "signature", None)
    with pytest.raises(Conflict, match="changes while it is read"):
        take_source(store, one.version, SourceRows(view_of(one.version), store), lambda: 1, accepted)
    assert one.logged() == list(range(10))


def test_two_processes_that_log_the_same_source_log_each_row_once(
    source: Callable[..., Source], store: SqlStore
) -> None:
    one = source(rows_of(range(40)))
    rows = SourceRows(view_of(one.version), store, 10)
    others = iter([True])

    def other_comes_first(_rows: pa.Table) -> None:
        if next(others, False):
            take_source(store, one.version, rows, lambda: 1, accepted)

    with pytest.raises(Conflict, match="another process logs the source"):
        take_source(store, one.version, rows, lambda: 1, other_comes_first)
    assert one.run().source.logged == 0
    assert one.logged() == list(range(40))


def test_the_log_keeps_what_is_known_of_the_source_with_each_part(
    source: Callable[..., Source], store: SqlStore
) -> None:
    one = source(rows_of(range(10)))
    one.run()
    parts = log_parts(store, one.version)
    assert [(part.kind, part.rows, part.source_rows) for part in parts] == [("source", 10, 10), ("seen", 0, 10)]
    assert (parts[0].least_ts, parts[0].greatest_ts) == (START_US, START_US + 9_000_000)
    assert parts[0].source_hash == parts[1].source_hash
