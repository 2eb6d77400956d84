"""Places outside of the store where an anchor is said: a file elsewhere, or a git repository. Each is one line of JSON.

One place holds the anchors of one ledger. What was once there counts, also where somebody took it out again: a file is
what it is now, of a repository every line that any commit ever added is read.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InvalidInput, StoreUnavailable
from assay.record.clock import iso, written_moment

__all__ = ["ANCHORS", "Anchor", "append_line", "commit_line", "is_time", "read_anchors"]

ANCHORS = "ledger-anchors.jsonl"  # in a repository
PURPOSE = "assay ledger anchor"
_SECONDS = 60
# Nothing of the repository's own configuration is run.
_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "--no-pager")


@dataclass(frozen=True, slots=True)
class Anchor:
    """What was said of the chain, and where: the file's line, or the commit that added it."""

    said: dict[str, Any]
    place: str


def append_line(path: Path, text: str) -> str:
    """Append an anchor to a file and give its place; when it returns, the line is on disk."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(handle, "wb") as file:
            file.write(f"{text}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be written: {error.strerror}") from error
    return str(path)


def commit_line(repository: Path, text: str, said: str, *, push: bool) -> str:
    """Commit an anchor to a git repository and give the commit; whatever else is staged there stays as it is."""
    top = Path(_git(repository, "rev-parse", "--show-toplevel").strip())
    path = top / ANCHORS
    before = path.stat().st_size if path.exists() else None
    append_line(path, text)
    try:
        _git(top, "add", "--", ANCHORS)
        _git(top, "commit", "--quiet", "--only", "-m", f"Ledger anchor: {said}", "--", ANCHORS)
    except (InvalidInput, StoreUnavailable):
        if before is None:
            _git(top, "rm", "--quiet", "--cached", "--force", "--ignore-unmatch", "--", ANCHORS)
            path.unlink()
        else:
            os.truncate(path, before)
            _git(top, "add", "--", ANCHORS)
        raise
    commit = _git(top, "rev-parse", "HEAD").strip()
    if push:
        _git(top, "push", "--quiet")
    return commit


def read_anchors(place: str) -> list[Anchor]:
    """All anchors in a file or a git repository, in the order they were said. InvalidInput for what is none."""
    path = Path(place).expanduser().absolute()
    if path.is_dir():
        found = _in_git(path)
    else:
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{place} cannot be read", expected="a file of anchors, or a git repository") from error
        found = [Anchor(_said(line), f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    for one in found:
        if one.said.get("purpose") != PURPOSE or not is_time(one.said.get("time")):
            raise InvalidInput(f"{one.place} is no anchor", expected="one line of JSON for each anchor")
    return found


def is_time(text: object) -> bool:
    """Whether an anchor says so when it was made: UTC, as `iso` writes it."""
    found = written_moment(text) if isinstance(text, str) else None
    return found is not None and iso(found) == text


def _in_git(repository: Path) -> list[Anchor]:
    """Lines that commits of any branch added, oldest first."""
    asked = (
        "log",
        "--all",
        "--reverse",
        "--format=commit %H",
        "--unified=0",
        "--no-color",
        "--no-ext-diff",
        "-p",
        "-m",
    )
    told = _git(repository, *asked, "--", f":(top){ANCHORS}").splitlines()
    found, commit, seen = list[Anchor](), "", set[str]()
    for line in told:
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line.startswith("+{") and line not in seen:
            seen.add(line)
            found.append(Anchor(_said(line[1:]), f"{repository} commit {commit[:12]}"))
    return found


def _said(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _git(folder: Path, *arguments: str) -> str:
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or "_NAME" in name or "_EMAIL" in name
    }
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the folder is named by who asks
            ["git", "-C", str(folder), *_QUIET, *arguments],  # noqa: S607
            env={**own, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise InvalidInput("git is not installed, and this needs it") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreUnavailable(f"git does not answer in {folder}: {type(error).__name__}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines() or ["nothing"]
        raise InvalidInput(
            f"git {arguments[0]} failed in {folder}: {said[-1]}", hint="a git repository with a work tree"
        )
    return done.stdout.decode(errors="replace")
