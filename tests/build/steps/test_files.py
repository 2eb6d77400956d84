"""Paths count by what they lead to."""

import os
from pathlib import Path

import pytest

import assay
from assay.build.steps import files
from assay.errors import InvalidInput
from assay.record.canonical import digest_file
from assay.record.sqlstore import SqlStore


class Executed(list[object]):
    """What ran; no part of a key."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return (Executed, ())


EXECUTED = Executed()


@pytest.fixture(autouse=True)
def _nothing_executed_yet() -> None:
    EXECUTED.clear()


@assay.step
def length(path: Path) -> int:
    EXECUTED.append(path.name)
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    return sum(len(one.read_text()) for one in found if one.is_file())


@assay.step
def written(text: str, to: str) -> Path:
    EXECUTED.append(text)
    Path(to).parent.mkdir(parents=True, exist_ok=True)
    Path(to).write_text(text)
    return Path(to)


@assay.step
def folder_of(names: list[str], to: str) -> Path:
    EXECUTED.append("folder")
    for name in names:
        (Path(to) / name).parent.mkdir(parents=True, exist_ok=True)
        (Path(to) / name).write_text(name)
    return Path(to)


def test_a_file_rewritten_in_place_counts_whatever_its_size_and_times_say(store: SqlStore, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("aaaa")
    before = path.stat()
    with assay.start_run(store, "files"):
        for text, ran in (("aaaa", 1), ("aaaa", 1), ("bbbb", 2), ("cccc", 3), ("aaaa", 3)):
            path.write_text(text)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert length(path) == 4
            assert len(EXECUTED) == ran, text
        other = tmp_path / "deep" / "copy.csv"
        other.parent.mkdir()
        other.write_text("bbbb")
        assert length(other) == 4
        assert len(EXECUTED) == 3, "the same content under another path is remembered"


def test_a_file_that_has_settled_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.csv"
    path.write_text("aaaa")
    read: list[Path] = []
    hashed = digest_file

    def counted(one: Path) -> str:
        read.append(one)
        return hashed(one)

    monkeypatch.setattr(files, "digest_file", counted)
    first = [files.hash_of_path(path) for _ in range(3)]
    assert len(read) == 3, "it was changed a moment ago: the next change may leave no trace"
    monkeypatch.setattr(files, "_SETTLED_NS", -(10**12))
    assert [files.hash_of_path(path) for _ in range(3)] == first
    assert len(read) == 4
    stood = path.stat()
    path.write_text("bbbb")
    os.utime(path, ns=(stood.st_atime_ns, stood.st_mtime_ns))
    assert files.hash_of_path(path) != first[0]


def test_a_folder_counts_by_all_its_files(store: SqlStore, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1.csv").write_text("1")
    with assay.start_run(store, "files"):
        assert [length(folder), length(folder)] == [1, 1]
        (folder / "a" / "2.csv").write_text("22")
        assert length(folder) == 3
        (folder / "a" / "2.csv").rename(folder / "a" / "3.csv")
        assert length(folder) == 3
        assert len(EXECUTED) == 3


def test_a_path_that_leads_nowhere_is_refused_by_name(store: SqlStore, tmp_path: Path) -> None:
    with assay.start_run(store, "files"), pytest.raises(InvalidInput) as raised:
        length(tmp_path / "nothing.csv")
    assert raised.value.what.startswith(f"{__name__}.length: argument path: there is no file or folder")
    assert raised.value.hint == "pass a text where the step is to write"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_path_that_is_returned_comes_back_with_its_content(store: SqlStore, tmp_path: Path, kind: str) -> None:
    def made() -> Path:
        if kind == "file":
            return written("hello", str(tmp_path / "out" / "x"))
        return folder_of(["x", "sub/y"], str(tmp_path / "out" / "all"))

    with assay.start_run(store, "files"):
        path = made()
        one = path if kind == "file" else path / "x"
        was = one.read_text()
        assert made() == path
        assert len(EXECUTED) == 1
        for child in sorted(path.rglob("*"), reverse=True):
            child.unlink() if child.is_file() else child.rmdir()
        path.rmdir() if kind == "folder" else path.unlink()
        assert made() == path
        assert one.read_text() == was
        assert len(EXECUTED) == 1, "what is gone is written again"
        one.write_text("edited")
        assert made() == path
        assert one.read_text() == was
        assert len(EXECUTED) == 2, "what was edited is computed again"
    reasons = [row["reason"] for row in store.query("step", {"state": "done"}, order_by=["started"])]
    assert reasons == [None, f"computed again: {path} is not what the step has made any more"]
