import errno
import fcntl
import os
import resource
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.operate.serving_helpers import ROOT, prediction

from assay.errors import InvalidInput, StoreMismatch, StoreUnavailable
from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.frames import framed
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import LogReader, read_all, segment_pieces
from assay.operate.predictions.recovering import LogState, inspect, recover
from assay.record.location import open_store


def _ids(predictions: list[Prediction]) -> list[str]:
    return [one.id for one in predictions]


def _segment(folder: Path) -> Path:
    (path,) = folder.glob("*.log")
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("log")
    with LogWriter(folder) as writer:
        writer.append([prediction(str(number), features=(1.0, "é" * number)) for number in range(5)])
    return _segment(folder).read_bytes()


def _ends(content: bytes) -> list[int]:
    ends, start = [], 0
    while start < len(content):
        start += 8 + int.from_bytes(content[start : start + 4], "little")
        ends.append(start)
    return ends


# --- writing and reading ----------------------------------------------------------------------------------------------


def test_what_was_appended_is_read_once_and_in_order(tmp_path: Path) -> None:
    reader = LogReader(tmp_path)
    records = [
        prediction("1", features=(float("inf"), None, "x")),
        prediction("2", output=None, status="error", error="ValueError: é"),
    ]
    with LogWriter(tmp_path) as writer:
        assert reader.read_new() == []
        writer.append(records)
        assert reader.read_new() == records
        assert reader.read_new() == []
        writer.append([prediction("3")])
        assert _ids(reader.read_new()) == ["3"]
        assert writer.counts == (3, 3, 0)
    assert _ids(read_all(tmp_path)) == ["1", "2", "3"]


def test_a_segment_sorts_by_time_and_names_its_process(tmp_path: Path) -> None:
    LogWriter(tmp_path).close()
    time.sleep(0.001)
    LogWriter(tmp_path).close()
    first, second = sorted(tmp_path.glob("*.log"))
    stamp, pid = first.stem.split("-")
    assert len(stamp) == len("20261123T210000123456")
    assert stamp < second.stem.split("-")[0]
    assert int(pid) == os.getpid()


def test_a_full_segment_is_followed_by_another_and_the_reader_goes_on(tmp_path: Path) -> None:
    reader, seen = LogReader(tmp_path), []
    for durability in ("process", "interval", "always"):
        with LogWriter(tmp_path, durability=durability, segment_bytes=500) as writer:
            for number in range(20):
                writer.append([prediction(f"{durability}{number}")])
                seen += _ids(reader.read_new())
    assert len(list(tmp_path.glob("*.log"))) > 10
    assert seen == [f"{durability}{number}" for durability in ("process", "interval", "always") for number in range(20)]
    assert seen == _ids(read_all(tmp_path))


def test_an_old_segment_ends_when_it_is_turned_over_and_an_empty_one_stays(tmp_path: Path) -> None:
    with LogWriter(tmp_path, segment_s=0.0) as writer, LogWriter(tmp_path) as young:
        writer.turn_over()
        young.append([prediction("1")])
        young.turn_over()
        assert len(segments(tmp_path)) == 2
        writer.append([prediction("2")])
        writer.turn_over()
        assert len(segments(tmp_path)) == 3
        writer.append([prediction("3")])
    assert sorted(_ids(read_all(tmp_path))) == ["1", "2", "3"]


def test_an_old_segment_goes_on_where_another_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with LogWriter(tmp_path, segment_s=0.0) as writer:
        writer.append([prediction("1")])
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            writer.turn_over()
        writer.append([prediction("2")])
    assert _ids(read_all(tmp_path)) == ["1", "2"]


def test_a_reader_beside_a_writer_sees_every_record_once(tmp_path: Path) -> None:
    reader, seen, done = LogReader(tmp_path), [], threading.Event()

    def write() -> None:
        with LogWriter(tmp_path, segment_bytes=20_000) as writer:
            for number in range(0, 3000, 3):
                writer.append([prediction(str(number + offset)) for offset in range(3)])
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        seen += _ids(reader.read_new())
    thread.join()
    seen += _ids(reader.read_new())
    assert seen == [str(number) for number in range(3000)]


def test_a_frame_that_is_still_being_written_comes_with_the_next_call(tmp_path: Path, written: bytes) -> None:
    path, reader, seen = tmp_path / "20260101T000000000000-1.log", LogReader(tmp_path), []
    for end in range(0, len(written) + 1, 7):
        path.write_bytes(written[:end])
        seen += _ids(reader.read_new())
    path.write_bytes(written)
    assert seen + _ids(reader.read_new()) == ["0", "1", "2", "3", "4"]


def test_the_log_of_an_endpoint_lies_beside_the_blobs(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert log_folder(store, "delays") == tmp_path / "predictions" / "delays"
    assert read_all(log_folder(store, "delays")) == []
    for name in ("", "..", "a/b", ".hidden"):
        with pytest.raises(InvalidInput, match="cannot name an endpoint"):
            log_folder(store, name)
    store.close()


def test_a_record_of_an_unknown_form_is_said_and_not_passed_over(tmp_path: Path) -> None:
    payload = msgspec.msgpack.encode(["too", "short"])
    frame = struct.pack("<II", len(payload), zlib.crc32(payload)) + payload
    (tmp_path / "1.log").write_bytes(frame)
    reader = LogReader(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreMismatch, match="a form this version does not know"):
            reader.read_new()


# --- damage -----------------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_after_any_truncation_exactly_the_whole_records_before_it_are_read(
    data: st.DataObject, written: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    length = data.draw(st.integers(0, len(written) - 1))
    folder = tmp_path_factory.mktemp("truncated")
    (folder / "1.log").write_bytes(written[:length])
    whole = [str(number) for number, end in enumerate(_ends(written)) if end <= length]
    assert _ids(read_all(folder)) == whole
    state = inspect(folder)
    assert (state.segments, state.records, state.damaged) == (1, len(whole), [])
    assert state.torn == ([] if length in [0, *_ends(written)] else ["1.log"])
    assert len(recover(folder)) == len(state.torn)
    assert inspect(folder) == LogState(1, len(whole), [], [])


@given(data=st.data())
def test_after_any_changed_byte_exactly_the_records_before_it_are_read(
    data: st.DataObject, written: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    position = data.draw(st.integers(0, len(written) - 1))
    changed = written[position] ^ data.draw(st.integers(1, 255))
    content = written[:position] + bytes([changed]) + written[position + 1 :]
    folder = tmp_path_factory.mktemp("flipped")
    (folder / "1.log").write_bytes(content)
    ends = _ends(written)
    whole = [str(number) for number, end in enumerate(ends) if end <= position]
    assert _ids(read_all(folder)) == whole
    state = inspect(folder)
    is_last = position >= ends[-2]
    assert (state.torn, state.damaged) == (["1.log"], []) if is_last else ([], ["1.log"])
    assert len(recover(folder)) == is_last  # what is damaged in the middle is left as it is
    assert ((folder / "1.log").read_bytes() == content) != is_last


def test_a_corrupt_length_and_a_row_of_zeros_end_the_reading(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "1.log").write_bytes(b"\xff\xff\xff\xff" + written[4:])
    (tmp_path / "2.log").write_bytes(written + bytes(4096))  # what was set aside and not used
    assert _ids(read_all(tmp_path)) == ["0", "1", "2", "3", "4"]
    assert inspect(tmp_path) == LogState(2, 5, torn=[], damaged=["1.log"])


def test_a_segment_in_use_is_not_recovered(tmp_path: Path) -> None:
    with LogWriter(tmp_path) as writer:
        writer.append([prediction()])
        path = _segment(tmp_path)
        size = path.stat().st_size
        assert recover(tmp_path) == []
        assert path.stat().st_size == size  # what is set aside is not cut off either
    with path.open("ab") as file:
        file.write(b"unfinished")
    (sentence,) = recover(tmp_path)
    assert sentence == f"{path.name}: 10 bytes of an unfinished record cut off after 1 records"
    assert recover(tmp_path) == []


def test_killing_a_writer_loses_no_record_it_said_was_logged(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}]; from pathlib import Path\n"
        "from tests.operate.serving_helpers import append_until_killed\n"
        f"append_until_killed(Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(300)]
        child.kill()
        said += child.stdout.readlines()
    logged = int([line for line in said if line.endswith("\n")][-1])
    ids = _ids(read_all(tmp_path))
    assert ids == [str(number) for number in range(len(ids))]
    assert len(ids) >= logged >= 900
    recover(tmp_path)
    assert inspect(tmp_path) == LogState(1, len(ids), [], [])


# --- disks that do not take it ----------------------------------------------------------------------------------------


def _frame(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes of the frame of `prediction`; that much is set aside at a time from now on."""
    size = len(framed(msgspec.msgpack.encode(prediction("1"))))
    monkeypatch.setattr("assay.operate.predictions.log._ROOM_BYTES", size)
    return size


def test_on_a_full_disk_nothing_half_written_stays_and_it_goes_on_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = _frame(monkeypatch)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with LogWriter(tmp_path) as writer:
        writer.append([prediction("1")])
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 * frame + 20, limits[1]))  # room for one and a piece
            with pytest.raises(StoreUnavailable, match="the disk is full"):
                writer.append([prediction("2"), prediction("3")])
            assert _ids(read_all(tmp_path)) == ["1"]
            writer.append([prediction("4")])
            with pytest.raises(StoreUnavailable, match="the disk is full"):
                writer.append([prediction("5")])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert writer.counts == (5, 2, 0)
        writer.append([prediction("6")])
    assert _ids(read_all(tmp_path)) == ["1", "4", "6"]
    assert inspect(tmp_path).torn == []


def test_a_writer_that_sheds_goes_on_without_room_and_says_afterwards_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = _frame(monkeypatch)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with LogWriter(tmp_path, policy="shed") as writer:
        writer.append([prediction("1")])
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (frame + 20, limits[1]))
            writer.append([prediction("2"), prediction("3"), prediction("4")])
            writer.append([prediction("5")])
            assert writer.counts == (5, 1, 4)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        writer.append([prediction("6")])
        writer.append([prediction("7")])
        assert writer.counts == (7, 3, 4)
    assert _ids(read_all(tmp_path)) == ["1", "6", "7"]
    ((gap,),) = [piece.gaps for piece in segment_pieces(_segment(tmp_path))]
    assert (gap.dropped, gap.reason) == (4, "File too large")
    assert gap.since < gap.until
    assert inspect(tmp_path) == LogState(1, 3, [], [], dropped=4)


def test_a_gap_is_put_on_record_when_the_writer_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for is_full_to_the_end in (False, True):
        folder = tmp_path / str(is_full_to_the_end)
        with monkeypatch.context() as patch, LogWriter(folder, policy="shed", durability="always") as writer:
            patch.setattr(os, "posix_fallocate", full)
            writer.append([prediction("1"), prediction("2")])
            if not is_full_to_the_end:
                patch.undo()
        assert writer.counts == (2, 0, 2)
        assert inspect(folder).dropped == (0 if is_full_to_the_end else 2)


def test_what_was_set_aside_and_not_used_is_given_back_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LogWriter(tmp_path) as writer:
        writer.append([prediction("1")])
        used = _frame(monkeypatch)
        assert _segment(tmp_path).stat().st_size > 100 * used
        assert inspect(tmp_path) == LogState(1, 1, [], [])  # what is set aside is no damage
    assert _segment(tmp_path).stat().st_size == used


def test_where_it_cannot_be_given_back_nobody_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch, LogWriter(tmp_path) as writer:
        writer.append([prediction("1")])
        patch.setattr(os, "ftruncate", refuse)
    assert _ids(read_all(tmp_path)) == ["1"]
    assert inspect(tmp_path).torn == []
    assert recover(tmp_path) == []  # nothing to tell of
    assert _segment(tmp_path).stat().st_size == _frame(monkeypatch)


def test_where_the_disk_does_not_take_what_was_logged_nothing_more_is_accepted_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.operate.predictions.log._SYNC_INTERVAL_S", 0.01)
    refused = threading.Event()

    def refuse(_file: int) -> None:
        refused.set()
        raise OSError(errno.EIO, "broken")

    with LogWriter(tmp_path) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", refuse)
            writer.append([prediction("1")])
            assert refused.wait(5)
            _repeat(lambda: not _takes(writer, "2"))
        _repeat(lambda: _takes(writer, "3"))
    assert _ids(read_all(tmp_path))[-1] == "3"


def _takes(writer: LogWriter, id: str) -> bool:
    try:
        writer.append([prediction(id)])
    except StoreUnavailable:
        return False
    return True


def _repeat(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_always_brings_each_append_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    with LogWriter(tmp_path, durability="process") as writer:
        writer.append([prediction("1")])
    assert len(calls) == 0
    with LogWriter(tmp_path, durability="always") as writer:
        writer.append([prediction("1")])
        writer.append([prediction("2")])
        assert len(calls) == 2


def test_a_folder_that_cannot_be_made_or_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable):
        LogWriter(tmp_path / "file" / "log")
    writer = LogWriter(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(StoreUnavailable):
        writer.append([prediction()])


def test_a_file_system_without_locks_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.log").write_bytes(b"unfinished")

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with LogWriter(tmp_path) as writer:
        writer.append([prediction()])
    assert recover(tmp_path) == []
