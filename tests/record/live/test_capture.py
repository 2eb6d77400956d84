import subprocess
import sys
from pathlib import Path

import pytest

from assay.record.live import capture
from assay.record.live.capture import captured, masked
from assay.record.sqlstore import SqlStore


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["train.py", "--lr", "0.1"], ["train.py", "--lr", "0.1"]),
        (["--password", "hunter2", "--lr", "0.1"], ["--password", "***", "--lr", "0.1"]),
        (["--api-key=abc", "token=xyz"], ["--api-key=***", "token=***"]),
        (["--db", "postgresql://ann:hunter2@host/db"], ["--db", "postgresql://***@host/db"]),
        (["--secret", "--verbose"], ["--secret", "--verbose"]),
        (["https://host/a?b=c"], ["https://host/a?b=c"]),
    ],
)
def test_what_looks_like_a_secret_is_masked(words: list[str], shown: list[str]) -> None:
    assert masked(words) == shown


def _git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=trunk"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_the_code_and_what_was_not_committed_are_kept(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "train.py").write_text("rate = 0.1\n")
    _git(work, "init")
    _git(work, "add", "train.py")
    _git(work, "commit", "-m", "first")
    _git(work, "remote", "add", "origin", "https://ann:hunter2@example.org/repo.git")
    monkeypatch.chdir(work)
    capture._repository.cache_clear()
    clean = captured(store.blobs).git
    assert clean is not None
    assert (clean.branch, clean.dirty, clean.diff) == ("trunk", False, None)
    assert clean.remote == "https://***@example.org/repo.git"
    assert len(clean.commit) == 40
    (work / "train.py").write_text("rate = 0.2\n")
    (work / "new.py").write_text("x = 1\n")
    capture._repository.cache_clear()
    dirty = captured(store.blobs).git
    assert dirty is not None
    assert dirty.diff is not None
    text = store.blobs.get(dirty.diff).decode()
    assert "-rate = 0.1" in text
    assert "+rate = 0.2" in text
    assert (dirty.untracked, dirty.dirty, dirty.below) == (["new.py"], True, "")
    capture._repository.cache_clear()


def test_a_folder_without_a_repository_is_no_fault(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    capture._repository.cache_clear()
    found = captured(store.blobs)
    assert found.git is None
    assert found.folder == str(tmp_path)
    assert found.command[0] == sys.executable
    assert found.variables["OMP_NUM_THREADS"] == "3"
    assert found.memory_bytes is None or found.memory_bytes > 1 << 20
