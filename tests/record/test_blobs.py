import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.errors import InvalidInput, NotFound, StoreUnavailable, Tampered
from assay.record.blobs import Blobs
from assay.record.canonical import digest_bytes


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "deep" / "er").mkdir(parents=True)
    (made / "weights").write_bytes(b"\0\1")
    (made / "deep" / "er" / "käy.txt").write_text("one")
    (made / "deep" / "same.txt").write_text("one")
    return made


def _files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 5000])
def test_content_comes_back(blobs: Blobs, content: bytes) -> None:
    digest = blobs.put(content)
    assert digest == digest_bytes(content)
    assert blobs.has(digest)
    assert blobs.get(digest) == content
    assert _files(blobs.root) == [f"{digest[:2]}/{digest}"]


def test_the_same_content_is_kept_once(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a")
    first = blobs.put(b"a")
    written = blobs.path(first).stat().st_mtime_ns
    assert blobs.put(b"a") == blobs.put_file(tmp_path / "file") == first
    assert blobs.path(first).stat().st_mtime_ns == written
    assert len(_files(blobs.root)) == 1


def test_missing_content(blobs: Blobs) -> None:
    assert not blobs.has("0" * 64)
    with pytest.raises(NotFound, match="no blob with hash 000000000000"):
        blobs.get("0" * 64)


@pytest.mark.parametrize("content", [b"b", b"", b"aa"])
def test_changed_content_is_refused(blobs: Blobs, content: bytes) -> None:
    digest = blobs.put(b"a")
    blobs.path(digest).write_bytes(content)
    with pytest.raises(Tampered, match="does not match its hash") as caught:
        blobs.get(digest)
    assert caught.value.where == str(blobs.path(digest))


def test_content_that_cannot_be_read(blobs: Blobs) -> None:
    digest = digest_bytes(b"a")
    blobs.path(digest).mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        blobs.get(digest)


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_put_leaves_nothing(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(*((os, "fsync", fail) if step == "fsync" else (Path, "replace", fail)))
    with pytest.raises(StoreUnavailable if isinstance(error, OSError) else KeyboardInterrupt):
        blobs.put(b"content")
    assert _files(blobs.root) == []
    monkeypatch.undo()
    assert blobs.get(blobs.put(b"content")) == b"content"


def test_processes_put_the_same_content_at_once(blobs: Blobs) -> None:
    script = (
        "import sys; from pathlib import Path; from assay.record.blobs import Blobs\n"
        "blobs = Blobs(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        "for number in range(100): blobs.put(bytes([number]) * 100_000)"
    )
    command = [sys.executable, "-c", script, str(blobs.root)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n", timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    digests = [digest_bytes(bytes([number]) * 100_000) for number in range(100)]
    assert _files(blobs.root) == sorted(f"{digest[:2]}/{digest}" for digest in digests)
    assert all(blobs.get(digest) for digest in digests)


def test_a_folder_comes_back(blobs: Blobs, folder: Path, tmp_path: Path) -> None:
    digest = blobs.put_folder(folder)
    assert blobs.manifest(digest) == {
        "deep/er/käy.txt": digest_bytes(b"one"),
        "deep/same.txt": digest_bytes(b"one"),
        "weights": digest_bytes(b"\0\1"),
    }
    target = blobs.folder(digest, tmp_path / "cache" / "model")
    assert _files(target) == _files(folder)
    assert (target / "weights").read_bytes() == b"\0\1"
    assert blobs.folder(digest, target) == target
    assert blobs.put_folder(target) == digest
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_the_hash_of_a_folder_sees_names_and_contents(blobs: Blobs, folder: Path) -> None:
    digest = blobs.put_folder(folder)
    (folder / "weights").rename(folder / "weight")
    renamed = blobs.put_folder(folder)
    (folder / "weight").write_bytes(b"\0\2")
    assert len({digest, renamed, blobs.put_folder(folder)}) == 3


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_an_empty_folder_is_refused(blobs: Blobs, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="the folder is empty"):
        blobs.put_folder(tmp_path / name)


def test_a_folder_with_a_changed_file_is_refused(blobs: Blobs, folder: Path, tmp_path: Path) -> None:
    digest = blobs.put_folder(folder)
    target = blobs.folder(digest, tmp_path / "cache")
    (target / "weights").write_bytes(b"\0\2")
    with pytest.raises(Tampered, match="weights does not match its recorded hash"):
        blobs.folder(digest, target)


def test_a_folder_with_an_added_file_is_refused(blobs: Blobs, folder: Path, tmp_path: Path) -> None:
    digest = blobs.put_folder(folder)
    target = blobs.folder(digest, tmp_path / "cache")
    (target / "deep" / "more.py").write_text("import os")
    with pytest.raises(Tampered, match="a file was added"):
        blobs.folder(digest, target)


def test_a_folder_with_a_missing_file_is_refused(blobs: Blobs, folder: Path, tmp_path: Path) -> None:
    digest = blobs.put_folder(folder)
    target = blobs.folder(digest, tmp_path / "cache")
    (target / "deep" / "er" / "käy.txt").unlink()
    with pytest.raises(Tampered, match=r"käy\.txt does not match"):
        blobs.folder(digest, target)


@pytest.mark.parametrize("which", ["weights", "manifest"])
def test_a_folder_of_changed_content_is_not_made(blobs: Blobs, folder: Path, tmp_path: Path, which: str) -> None:
    digest = blobs.put_folder(folder)
    changed = digest if which == "manifest" else digest_bytes(b"\0\1")
    blobs.path(changed).write_bytes(b'{"weights": "0"}')
    with pytest.raises(Tampered):
        blobs.folder(digest, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "model"]


def test_two_make_the_same_folder_at_once(
    blobs: Blobs, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = blobs.put_folder(folder)
    rename = Path.rename

    def late(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        blobs.folder(digest, target)  # the other one is first
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    assert _files(blobs.folder(digest, tmp_path / "cache")) == _files(folder)
