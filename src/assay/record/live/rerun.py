"""`assay rerun`: a run once more with the code, command and seed it had, and whether it gives the same."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operation import operation
from assay.progress import tell
from assay.record.environment import git
from assay.record.live.capture import RERUN_OF, RERUN_TAG, Captured
from assay.record.store import Row, Store
from assay.record.tracking.comparing import Difference, ValueChange, diff
from assay.record.tracking.runs import find_run

__all__ = ["Rerun", "rerun"]

_LAST_LINES = 12


class Rerun(msgspec.Struct, frozen=True):
    """A run and its repetition. `reproduced`: every metric of the first has the same last value in the second.

    `metrics` are those that differ, `difference` is everything that does. `notes` say what could not be the same.
    """

    run_id: str
    repeated_as: str
    reproduced: bool
    metrics: list[ValueChange]
    difference: Difference
    notes: list[str]


@operation("rerun", local=True)
def rerun(
    store: Store,
    run: str,
    *,
    tolerance: Annotated[float, "How far the last value of a metric may be off, as a share of it"] = 0.0,
) -> Rerun:
    """Run the command of a run once more with its code, and say whether the metrics agree and what differs.

    The commit it ran, with what was not committed, is put into a folder of its own; data that a script reads by a path
    are those that are there now. Runs of `assay.run` can be repeated, from scripts that can be started again.
    """
    if not 0 <= tolerance < 1:
        raise InvalidInput(f"the tolerance is {tolerance}", expected="0 to less than 1")
    row = find_run(store, run)
    captured = _captured(row)
    before = {found["run_id"] for found in store.query("run_tag", {"key": RERUN_TAG, "value": row["run_id"]})}
    notes: list[str] = []
    with _code(store, captured, notes) as folder:
        tell("rerun", 0, " ".join(captured.command[1:3]))
        _start(store, row, captured, folder)
        tell("rerun", 1)
    after = store.query("run_tag", {"key": RERUN_TAG, "value": row["run_id"]})
    made = [found["run_id"] for found in after if found["run_id"] not in before]
    if not made:
        raise NotFound("the command ended well and made no run in this store", hint="does it use `assay.run`?")
    difference = diff(store, row["run_id"], made[-1])
    off = [change for change in difference.metrics if _is_off(change, tolerance)]
    return Rerun(row["run_id"], made[-1], not off, off, difference, notes)


def _captured(row: Row) -> Captured:
    if not row["detail"]:
        raise InvalidInput(
            f"run {row['run_id'][:8]} did not note how it was started", expected="a run that `assay.run` made"
        )
    captured = msgspec.json.decode(row["detail"], type=Captured)
    if "***" in " ".join(captured.command):
        raise InvalidInput(
            "its command line held a secret, which was not kept",
            hint="give it by a variable, and run the command by hand",
        )
    if captured.script is None:
        raise InvalidInput(
            f"run {row['run_id'][:8]} was not started from a script", expected="a file that Python was started with"
        )
    return captured


@contextmanager
def _code(store: Store, captured: Captured, notes: list[str]) -> Iterator[Path]:
    """A folder with the code as it was, or the folder of then where nobody knows how it was."""
    folder = Path(captured.folder)
    if captured.git is None:
        notes.append("the code was in no repository: what is in the folder now was run")
        if not folder.is_dir():
            raise NotFound(f"the folder {folder} is gone", hint="the run cannot be repeated on this machine")
        yield folder
        return
    here = folder if folder.is_dir() else Path.cwd()
    if not git(str(here), "cat-file", "-t", captured.git.commit):
        raise NotFound(
            f"commit {captured.git.commit[:12]} is not in the repository at {here}",
            hint=f"fetch it from {captured.git.remote or 'where it was pushed to'}, or start `assay rerun` in a clone",
        )
    if captured.git.untracked:
        notes.append(f"files that git did not know are not there: {', '.join(captured.git.untracked[:5])}")
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary) / "code"
        _git_or_fail(here, "worktree", "add", "--detach", str(tree), captured.git.commit)
        try:
            if captured.git.diff:
                patch = Path(temporary) / "uncommitted.patch"
                patch.write_bytes(store.blobs.get(captured.git.diff))
                _git_or_fail(tree, "apply", "--whitespace=nowarn", str(patch))
            yield tree / captured.git.below
        finally:
            git(str(here), "worktree", "remove", "--force", str(tree))


def _start(store: Store, row: Row, captured: Captured, folder: Path) -> None:
    python = captured.command[0] if Path(captured.command[0]).is_file() else sys.executable
    script = Path(captured.script or "")
    inside = Path(captured.folder)
    arguments = captured.command[2:]
    if captured.git is not None and script.is_relative_to(inside):
        script = folder / script.relative_to(inside)
    environment = {**os.environ, **captured.variables, RERUN_OF: row["run_id"], "ASSAY_STORE": store.location}
    done = subprocess.run(  # noqa: S603 - what the run itself was
        [python, str(script), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
        raise InvalidInput(f"the command failed with code {done.returncode}\n{last}", where=str(script))


def _git_or_fail(folder: Path, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "-C", str(folder), *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise InvalidInput(f"git {arguments[0]} failed: {done.stderr.strip()}", where=str(folder))


def _is_off(change: ValueChange, tolerance: float) -> bool:
    before, after = change.before, change.after
    if before is None:  # a metric that only the repetition has
        return False
    if not isinstance(before, float) or not isinstance(after, float):
        return True
    return not abs(after - before) <= tolerance * abs(before)
