import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.operate.serving_helpers import ENDPOINT, ROOT, prediction

from assay.errors import Conflict, NotFound
from assay.operate.predictions.compacting import compact_if_free, compact_predictions, only_one
from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.parts import all_parts, part_path, reading
from assay.operate.predictions.rows import rows
from assay.operate.predictions.tail import Tail
from assay.record.sqlstore import SqlStore


def _log(store: SqlStore, *ids: str, day: str = "2013-08-01", **changes: object) -> None:
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        writer.append([prediction(id, event_ts=f"{day}T10:00:00.000000Z", **changes) for id in ids])


def _ids(store: SqlStore) -> list[str]:
    return sorted(rows(store, ENDPOINT, columns=["id"]).read_all()["id"].to_pylist())


def test_closed_segments_become_a_file_for_each_day(store: SqlStore) -> None:
    _log(store, "a", "b")
    _log(store, "c", day="2013-08-02")
    before = rows(store, ENDPOINT).read_all().sort_by("id")
    found = compact_predictions(store, ENDPOINT)
    assert (found.segments, found.rows, found.parts, found.left, found.waiting) == (2, 3, 2, [], 0)
    assert [(part.day, part.rows) for part in all_parts(store, ENDPOINT)] == [("2013-08-01", 2), ("2013-08-02", 1)]
    assert segments(log_folder(store, ENDPOINT)) == []
    assert rows(store, ENDPOINT).read_all().sort_by("id").equals(before)
    again = compact_predictions(store, ENDPOINT)
    assert (again.segments, again.rows, again.parts) == (0, 0, 0)
    assert compact_if_free(store, ENDPOINT) is None


def test_a_segment_in_use_is_left_until_its_writer_is_gone(store: SqlStore) -> None:
    with LogWriter(log_folder(store, ENDPOINT)) as writer:
        writer.append([prediction("a")])
        assert compact_predictions(store, ENDPOINT).segments == 0
        writer.append([prediction("b")])
        assert _ids(store) == ["a", "b"]
    assert compact_predictions(store, ENDPOINT).rows == 2
    assert _ids(store) == ["a", "b"]


def test_small_parts_of_a_day_are_put_together(store: SqlStore) -> None:
    tail = Tail(store, ENDPOINT)
    for number in range(10):
        _log(store, f"{number}", features=(1.0,) * number)
        compact_predictions(store, ENDPOINT)
        if number == 4:
            assert sorted(tail.read_new()["id"].to_pylist()) == ["0", "1", "2", "3", "4"]
    parts = all_parts(store, ENDPOINT)
    assert len(parts) < 5
    assert _ids(store) == [str(number) for number in range(10)]
    assert sorted(tail.read_new()["id"].to_pylist()) == [str(number) for number in range(5, 10)]
    assert len(list(log_folder(store, ENDPOINT).rglob("*.parquet"))) == len(parts)


def test_a_tail_goes_on_where_it_was_after_its_segment_was_compacted(store: SqlStore) -> None:
    tail, other = Tail(store, ENDPOINT), Tail(store, ENDPOINT)
    with LogWriter(log_folder(store, ENDPOINT)) as writer:
        writer.append([prediction("a"), prediction("b")])
        assert tail.read_new()["id"].to_pylist() == ["a", "b"]
        writer.append([prediction("c")])
    compact_predictions(store, ENDPOINT)
    _log(store, "d")
    assert sorted(tail.read_new()["id"].to_pylist()) == ["c", "d"]
    assert tail.read_new().num_rows == 0
    assert [one.id for one in other.predictions()] == ["a", "b", "c", "d"]


def test_nothing_is_deleted_while_somebody_reads(store: SqlStore) -> None:
    _log(store, "a")
    stream = rows(store, ENDPOINT, columns=["id"])
    assert compact_predictions(store, ENDPOINT).waiting == 1
    assert stream.read_all()["id"].to_pylist() == ["a"]
    assert _ids(store) == ["a"], "the segment is still there, and not read"
    del stream
    assert compact_predictions(store, ENDPOINT).waiting == 0
    with reading(log_folder(store, ENDPOINT)):
        assert compact_if_free(store, ENDPOINT) is None


def test_one_process_compacts_at_a_time(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="has no prediction log"):
        compact_predictions(store, ENDPOINT)
    _log(store, "a")
    with only_one(log_folder(store, ENDPOINT)):
        with pytest.raises(Conflict, match="another process compacts this log"):
            compact_predictions(store, ENDPOINT)
        assert compact_if_free(store, ENDPOINT) is None
    found = compact_if_free(store, ENDPOINT)
    assert found is not None
    assert found.rows == 1


def test_a_damaged_segment_and_one_of_an_unknown_form_stay_as_they_are(store: SqlStore) -> None:
    _log(store, "a", "b", "c")
    (path,) = segments(log_folder(store, ENDPOINT))
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    _log(store, "d")
    found = compact_predictions(store, ENDPOINT)
    assert (found.segments, found.left) == (1, [f"{path.name}: a bad record stands before good ones"])
    assert path.read_bytes() == content


def test_a_torn_end_is_not_compacted(store: SqlStore) -> None:
    _log(store, "a", "b")
    (path,) = segments(log_folder(store, ENDPOINT))
    path.write_bytes(path.read_bytes()[:-3])
    assert compact_predictions(store, ENDPOINT).rows == 1
    assert _ids(store) == ["a"]


def test_a_part_that_no_record_names_is_kept_where_it_alone_has_its_rows(store: SqlStore) -> None:
    _log(store, "a")
    compact_predictions(store, ENDPOINT)
    (part,) = all_parts(store, ENDPOINT)
    path = part_path(store, part)
    copy = path.with_name("copy.parquet")
    copy.write_bytes(path.read_bytes())
    compact_predictions(store, ENDPOINT)
    assert not copy.exists(), "its segment is in the part that is on record"
    store.remove("prediction_part", {"part_id": part.part_id})
    compact_predictions(store, ENDPOINT)
    assert path.exists()


def test_parts_are_parquet_for_anybody(store: SqlStore) -> None:
    _log(store, "a", features=(1.5, "AA"))
    compact_predictions(store, ENDPOINT)
    table = pq.read_table(log_folder(store, ENDPOINT) / "parts")
    assert table["features"].to_pylist() == [{"f0": 1.5, "f1": "AA"}]
    assert [str(day) for day in table["day"].to_pylist()] == ["2013-08-01"]


def test_killed_compactions_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}]; from pathlib import Path\n"
        "from tests.operate.predictions.compaction_kills import kill_compactions\n"
        f"print(*kill_compactions(Path({str(tmp_path)!r}), 24, 7))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    written, killed = map(int, done.stdout.split())
    assert written == 960
    assert killed >= 10
