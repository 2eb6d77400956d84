"""What a run was started with, noted without asking: command line, place, machine, code and what was not committed."""

import functools
import os
import platform
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from assay.record.blobs import Blobs
from assay.record.environment import git

__all__ = ["RERUN_OF", "RERUN_TAG", "Captured", "Git", "captured", "masked"]

RERUN_OF = "ASSAY_RERUN_OF"  # the variable that tells a process which run it repeats; kept as a tag of its run
RERUN_TAG = "assay.rerun_of"

_MOST_DIFF = 20 << 20  # bytes of uncommitted changes that are kept
_MOST_UNTRACKED = 1_000
_SECRET = re.compile(r"(?i)(pass(word|wd)?|secret|token|api[-_]?key|credential|private[-_]?key)")
_MASK = "***"


class Git(msgspec.Struct, frozen=True):
    """The working folder's repository.

    `diff` is the blob of what was changed and not committed, `untracked` are files that git does not know, `below` is
    where in the repository the folder is.
    """

    commit: str
    branch: str | None
    remote: str | None
    dirty: bool
    committed: str | None
    diff: str | None
    untracked: list[str]
    below: str


class Captured(msgspec.Struct, frozen=True):
    """Kept as JSON in `run.detail`. `variables` are those that steer numeric libraries and name the job."""

    command: list[str]
    folder: str
    script: str | None
    host: str
    user_python: str
    cpus: int | None
    memory_bytes: int | None
    variables: dict[str, str]
    git: Git | None


_VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PYTHONHASHSEED", "SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST"),
    *("GITHUB_RUN_ID", "GITLAB_CI", "CI_JOB_ID", "CI"),
)


def captured(blobs: Blobs) -> Captured:
    """What can be seen from here; secrets are masked. The diff of uncommitted changes is kept as a blob."""
    return Captured(
        command=masked([sys.executable, *sys.argv]),
        folder=str(Path.cwd()),
        script=str(Path(sys.argv[0]).resolve()) if sys.argv and Path(sys.argv[0]).is_file() else None,
        host=platform.node(),
        user_python=platform.python_version(),
        cpus=os.cpu_count(),
        memory_bytes=_memory(),
        variables={name: os.environ[name] for name in _VARIABLES if name in os.environ},
        git=_git(str(Path.cwd()), blobs),
    )


def masked(words: list[str]) -> list[str]:
    """Words of a command line without what looks like a secret: the value of an option that is named so."""
    shown, hide = [], False
    for word in words:
        name, equals, _ = word.partition("=")
        if hide and not word.startswith("-"):
            shown.append(_MASK)
        elif equals and _SECRET.search(name):
            shown.append(f"{name}={_MASK}")
        else:
            shown.append(_without_password(word))
        hide = word.startswith("-") and not equals and bool(_SECRET.search(word))
    return shown


def _without_password(text: str) -> str:
    """An address without the password in it."""
    if "://" not in text or "@" not in text:
        return text
    parts = urlsplit(text)
    if not parts.password and not parts.username:
        return text
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{_MASK}@{place}"))


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _git(folder: str, blobs: Blobs) -> Git | None:
    found = _repository(folder)
    if found is None:
        return None
    changed = bool(found.diff or found.untracked)
    blob = blobs.put(found.diff) if found.diff else None
    return Git(
        *(found.commit, found.branch, found.remote, changed, found.committed, blob, found.untracked, found.below)
    )


class _Repository(msgspec.Struct, frozen=True):
    commit: str
    committed: str
    branch: str | None
    remote: str | None
    diff: bytes
    untracked: list[str]
    below: str


@functools.lru_cache(maxsize=16)
def _repository(folder: str) -> _Repository | None:
    """What git says about a folder, looked up once for each in a process."""
    head = git(folder, "log", "-1", "--format=%H %cI")
    if not head:
        return None
    commit, _, committed = head.decode().strip().partition(" ")
    branch = git(folder, "rev-parse", "--abbrev-ref", "HEAD").decode(errors="replace").strip()
    remote = git(folder, "config", "--get", "remote.origin.url").decode(errors="replace").strip()
    diff = git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff")
    untracked = git(folder, "ls-files", "--others", "--exclude-standard").decode(errors="replace").splitlines()
    below = git(folder, "rev-parse", "--show-prefix").decode(errors="replace").strip()
    whole = diff if len(diff) <= _MOST_DIFF else b""  # half of one could not be applied
    shown = _without_password(remote) or None
    return _Repository(commit, committed, branch or None, shown, whole, untracked[:_MOST_UNTRACKED], below)
