"""What a run was made with: the code's commit, Python and the installed packages."""

import functools
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import msgspec

from assay.record.canonical import canonical_json, digest
from assay.record.store import Store

__all__ = ["CodeVersion", "Installed", "code_version", "environment", "git", "installed"]

_GIT_SECONDS = 5
_MOST_COMMITS = 100


class CodeVersion(msgspec.Struct, frozen=True):
    """Commit of the working folder, or the installed package where there is none; `dirty`: not all is committed.

    `authors` are the names and addresses of those who wrote the commit, of a merge those who wrote what it merged, with
    co-authors.
    """

    code_sha: str
    dirty: bool
    commit_ts: str | None
    authors: tuple[str, ...] = ()


def code_version(folder: Path | None = None) -> CodeVersion:
    """The version of the code in `folder` (default: here), looked up once for each folder in a process."""
    return _code_version(str((folder or Path.cwd()).absolute()))


class Installed(msgspec.Struct, frozen=True):
    """Python, platform and packages as JSON, under their hash, and on which host."""

    hash: str
    detail: str
    host: str


def environment(store: Store) -> str:
    """Record Python, platform and installed packages; returns the hash they are kept under."""
    found = installed()
    store.append_many("environment", [{"env_hash": found.hash, "detail": found.detail}], skip_existing=True)
    return found.hash


@functools.lru_cache(maxsize=1)
def installed() -> Installed:
    """What is installed here, looked up once in a process."""
    detail = _installed()
    return Installed(digest(detail), canonical_json(detail), platform.node())


@functools.lru_cache(maxsize=64)
def _code_version(folder: str) -> CodeVersion:
    commit = git(folder, "log", "-1", "--format=%H %cI").decode().strip()
    if not commit:
        return CodeVersion(f"assay-mlops=={metadata.version('assay-mlops')}", dirty=False, commit_ts=None)
    sha, committed = commit.split(" ", 1)
    dirty = bool(git(folder, "status", "--porcelain").strip())
    return CodeVersion(sha, dirty=dirty, commit_ts=committed, authors=_authors(folder))


def _authors(folder: str) -> tuple[str, ...]:
    """Who wrote the last commit; of a merge those who wrote what came in with it, not who merged."""
    form = "--format=%an%n%ae%n%(trailers:key=Co-authored-by,valueonly)"
    told = git(folder, "log", "--no-merges", f"-{_MOST_COMMITS}", form, "HEAD^1..HEAD")
    told = told or git(folder, "log", "-1", form)  # the first commit of all has none before it
    named = [part.strip(" <>") for line in told.decode(errors="replace").splitlines() for part in line.split(" <")]
    return tuple(dict.fromkeys(name for name in named if name))


def git(folder: str, *arguments: str) -> bytes:
    """What git says about a folder; nothing where it fails, is not installed, or hangs on a network folder."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", folder, *arguments],  # noqa: S607
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def _installed() -> dict[str, object]:
    packages = {found.name.lower(): found.version for found in metadata.distributions() if found.name}
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": dict(sorted(packages.items())),
    }
