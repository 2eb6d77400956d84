import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.record.live.journal import Journal, frame, whole_frames


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(0, 400))
def test_what_is_cut_anywhere_gives_the_whole_frames_before(contents: list[bytes], cut: int) -> None:
    data = b"".join(map(frame, contents))[:cut]
    found = [content for content, _ in whole_frames(data)]
    assert found == contents[: len(found)]
    length = sum(len(frame(content)) for content in contents[: len(found) + 1])
    assert len(found) == len(contents) or length > len(data)


def test_a_damaged_frame_ends_the_journal() -> None:
    data = bytearray(b"".join(map(frame, (b"one", b"two", b"three"))))
    data[len(frame(b"one")) + 9] ^= 1
    assert [content for content, _ in whole_frames(bytes(data))] == [b"one"]


def test_a_torn_tail_is_cut_off_and_said(tmp_path: Path) -> None:
    path = tmp_path / "j" / "a.journal"
    journal = Journal(path)
    journal.append(frame(b"one") + frame(b"two"))
    journal.close()
    with path.open("ab") as file:
        file.write(frame(b"three")[:-1])
    again = Journal(path)
    assert again.lost == len(frame(b"three")) - 1
    assert again.size == path.stat().st_size == len(frame(b"one") + frame(b"two"))
    again.append(frame(b"four"))
    assert [content for content, _ in whole_frames(again.read(0, 1000))] == [b"one", b"two", b"four"]
    again.close(remove=True)
    assert not path.exists()


def test_a_journal_has_one_holder(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    with pytest.raises(BlockingIOError):
        Journal(tmp_path / "a.journal")
    journal.close()
    Journal(tmp_path / "a.journal").close()


def test_reading_gives_whole_frames_and_at_least_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", flush_to_disk=True)
    frames = [frame(bytes([65 + number]) * 100) for number in range(5)]
    for one in frames:
        journal.append(one)
    assert journal.read(0, 250) == frames[0] + frames[1]
    assert journal.read(len(frames[0]), 10) == frames[1]
    assert journal.read(journal.size, 100) == b""
    journal.clear()
    assert journal.size == journal.path.stat().st_size == 0
    journal.close()


def test_a_full_disk_leaves_the_journal_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "a.journal")
    journal.append(frame(b"one"))
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:5]) if len(data) > 5 else _full())
    with pytest.raises(OSError, match="No space"):
        journal.append(frame(b"x"))
    monkeypatch.undo()
    journal.append(frame(b"two"))
    assert [content for content, _ in whole_frames(journal.read(0, 1000))] == [b"one", b"two"]
    journal.close()


def _full() -> int:
    raise OSError(28, "No space left on device")
