import json
import platform
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from assay.record import environment as module
from assay.record.canonical import digest
from assay.record.environment import code_version, environment
from assay.record.sqlstore import SqlStore


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    module._code_version.cache_clear()
    yield
    module._code_version.cache_clear()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "train.py").write_text("print(1)")
    git("add", ".")
    git("commit", "-m", "first", "--date", "2013-04-01T09:30:00+02:00")
    return tmp_path


def test_the_environment_is_recorded_once(store: SqlStore) -> None:
    key = environment(store)
    assert environment(store) == key
    (row,) = store.query("environment")
    detail = json.loads(row["detail"])
    assert digest(detail) == key
    assert detail["python"] == platform.python_version()
    assert detail["packages"]["numpy"] == metadata.version("numpy")


def test_the_code_is_its_commit(repository: Path) -> None:
    found = code_version(repository)
    head = subprocess.run(["git", "-C", repository, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert found.code_sha == head.stdout.strip()
    assert not found.dirty
    assert found.commit_ts is not None
    (repository / "inner").mkdir()
    assert code_version(repository / "inner").code_sha == found.code_sha


@pytest.mark.parametrize("name", ["train.py", "new.py"])
def test_what_is_not_committed_is_said(repository: Path, name: str) -> None:
    (repository / name).write_text("print(2)")
    assert code_version(repository).dirty


def test_outside_a_repository_the_code_is_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = code_version(tmp_path)
    assert found.code_sha == f"assay-mlops=={metadata.version('assay-mlops')}"
    assert (found.dirty, found.commit_ts) == (False, None)


@pytest.mark.parametrize("error", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 5)])
def test_without_git_the_code_is_the_installed_package(
    repository: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert code_version(repository).code_sha.startswith("assay-mlops==")


def test_the_code_here_is_that_of_the_working_folder(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    assert code_version() == code_version(repository)
