import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.errors import InvalidInput, NotFound
from assay.record.artifacts import (
    ArtifactEntry,
    artifact_file,
    checked_path,
    delete_artifact,
    files_below,
    list_artifacts,
    put_artifact,
    put_artifact_folder,
    read_pieces,
)
from assay.record.sqlstore import SqlStore

_ROOT = "1/0123/artifacts"


def _read(store: SqlStore, path: str) -> bytes:
    return b"".join(read_pieces(store, artifact_file(store, path)))


def test_what_is_put_is_read_back(either_store: SqlStore) -> None:
    kept = put_artifact(either_store, f"{_ROOT}/a/b c+ü.txt", [b"one ", b"", b"two"])
    assert (kept.path, kept.size) == (f"{_ROOT}/a/b c+ü.txt", 7)
    assert _read(either_store, f"{_ROOT}/a/b c+ü.txt") == b"one two"
    assert b"".join(read_pieces(either_store, kept, 4)) == b"two"
    assert b"".join(read_pieces(either_store, kept, 1, 3)) == b"ne"
    put_artifact(either_store, f"{_ROOT}/empty", [])
    assert _read(either_store, f"{_ROOT}/empty") == b""


def test_writing_again_moves_the_pointer_and_equal_content_is_kept_once(store: SqlStore) -> None:
    first = put_artifact(store, f"{_ROOT}/a", [b"1"])
    second = put_artifact(store, f"{_ROOT}/a", [b"2"])
    third = put_artifact(store, f"{_ROOT}/b", [b"1"])
    assert (_read(store, f"{_ROOT}/a"), third.blob == first.blob, second.blob == first.blob) == (b"2", True, False)
    assert store.blobs.get(first.blob) == b"1"
    files = [path for path in store.blobs.root.rglob("*") if path.is_file()]
    assert len(files) == 2


def test_an_upload_that_breaks_off_leaves_what_was_there(store: SqlStore) -> None:
    put_artifact(store, f"{_ROOT}/a", [b"old"])

    def broken() -> Iterator[bytes]:
        yield b"new"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        put_artifact(store, f"{_ROOT}/a", broken())
    assert _read(store, f"{_ROOT}/a") == b"old"
    assert [path.name for path in store.blobs.root.rglob(".new-*")] == []


def test_folders_are_listed_by_name(either_store: SqlStore) -> None:
    for name in ("model/MLmodel", "model/code/a.py", "b.txt", "model.txt"):
        put_artifact(either_store, f"{_ROOT}/{name}", [name.encode()])
    assert list_artifacts(either_store, _ROOT) == [
        ArtifactEntry("b.txt", is_folder=False, size=5),
        ArtifactEntry("model", is_folder=True, size=None),
        ArtifactEntry("model.txt", is_folder=False, size=9),
    ]
    assert [entry.name for entry in list_artifacts(either_store, f"{_ROOT}/model/")] == ["MLmodel", "code"]
    assert list_artifacts(either_store, f"{_ROOT}/b.txt") == []
    assert list_artifacts(either_store, f"{_ROOT}/nothing") == []
    assert [file.path for file in files_below(either_store, f"{_ROOT}/model")] == [
        f"{_ROOT}/model/MLmodel",
        f"{_ROOT}/model/code/a.py",
    ]
    with pytest.raises(InvalidInput, match="is a folder"):
        artifact_file(either_store, f"{_ROOT}/model")


def test_a_folder_goes_with_its_content(either_store: SqlStore) -> None:
    for name in ("model/MLmodel", "model/code/a.py", "model.txt"):
        put_artifact(either_store, f"{_ROOT}/{name}", [b"x"])
    assert delete_artifact(either_store, f"{_ROOT}/model") == 2
    assert [entry.name for entry in list_artifacts(either_store, _ROOT)] == ["model.txt"]
    with pytest.raises(NotFound, match="No such artifact"):
        delete_artifact(either_store, f"{_ROOT}/model")
    with pytest.raises(NotFound, match="No such artifact"):
        artifact_file(either_store, f"{_ROOT}/model/MLmodel")


def test_a_path_is_a_file_or_a_folder(store: SqlStore) -> None:
    put_artifact(store, f"{_ROOT}/a/b", [b"x"])
    with pytest.raises(InvalidInput, match="is a folder"):
        put_artifact(store, f"{_ROOT}/a", [b"x"])
    with pytest.raises(InvalidInput, match="leads through a file"):
        put_artifact(store, f"{_ROOT}/a/b/c", [b"x"])


@pytest.mark.parametrize(
    "path",
    [
        *("../x", "a/../../x", "/etc/passwd", "a\\b", "a#b", "a\x00b", "a//b", "a/./b", "%2e%2e/x", "%252e%252e%252fx"),
        *("..", "a/%2e%2e", "a%5cb", "\ud800", "x" * 3000, "%2fetc", "a%00"),
    ],
)
def test_a_path_that_leads_outside_is_refused(store: SqlStore, path: str) -> None:
    for refused in (checked_path, lambda p: put_artifact(store, p, [b"x"]), lambda p: delete_artifact(store, p)):
        with pytest.raises(InvalidInput, match="Invalid path"):
            refused(path)
    assert store.query("artifact_file") == []


def test_the_files_of_a_sealed_folder_can_only_be_read(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "model" / "code").mkdir(parents=True)
    for name in ("MLmodel", "code/a.py"):
        (tmp_path / "model" / name).write_text(name)
    digest = store.blobs.put_folder(tmp_path / "model")
    assert _read(store, f"sealed/{digest}/code/a.py") == b"code/a.py"
    assert [entry.name for entry in list_artifacts(store, f"sealed/{digest}")] == ["MLmodel", "code"]
    assert [entry.name for entry in list_artifacts(store, f"sealed/{digest}/code")] == ["a.py"]
    for refused in (lambda p: put_artifact(store, p, [b"x"]), lambda p: delete_artifact(store, p)):
        with pytest.raises(InvalidInput, match="Invalid path"):
            refused(f"sealed/{digest}/MLmodel")
    for missing in (f"sealed/{'0' * 64}/MLmodel", f"sealed/{digest}/nothing", "sealed/"):
        with pytest.raises(NotFound, match="No such artifact"):
            artifact_file(store, missing)
    with pytest.raises(InvalidInput, match="is a folder"):
        artifact_file(store, f"sealed/{digest}")


def test_a_folder_of_the_disk_is_kept_whole(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "deep" / "a.txt").write_text("a")
    (tmp_path / "out" / "b.txt").write_text("b")
    kept = put_artifact_folder(store, f"{_ROOT}/out", tmp_path / "out")
    assert [file.path for file in kept] == [f"{_ROOT}/out/b.txt", f"{_ROOT}/out/deep/a.txt"]
    put_artifact_folder(store, f"{_ROOT}/one.txt", tmp_path / "out" / "b.txt")
    assert _read(store, f"{_ROOT}/one.txt") == b"b"
    with pytest.raises(NotFound, match="there is no file"):
        put_artifact_folder(store, f"{_ROOT}/x", tmp_path / "nothing")


def test_a_large_file_takes_little_memory(store: SqlStore) -> None:
    piece = bytes(1 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = put_artifact(store, f"{_ROOT}/large", (piece for _ in range(200)))
    assert sum(map(len, read_pieces(store, kept))) == kept.size == 200 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes
