import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.errors import InvalidInput, NotFound
from assay.record.live.rerun import rerun
from assay.record.sqlstore import SqlStore
from assay.record.tracking.comparing import diff
from assay.record.tracking.runs import start_run

_TRAIN = """
import random, sys
import assay

with assay.run("again", seed=7, params={"rate": RATE}, system_metrics=False) as run:
    run.log({"loss": RATE * random.random(), "fixed": 1.0})
    NOISE
"""


def _git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def _script(folder: Path, rate: str, noise: str = "pass") -> None:
    (folder / "train.py").write_text(_TRAIN.replace("RATE", rate).replace("NOISE", noise))


def _train(store: SqlStore, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "ASSAY_STORE": store.location}
    command = [sys.executable, "train.py", *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return str(store.query("run", order_by=["-started"], limit=1)[0]["run_id"])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    _git(folder, "init")
    _script(folder, "0.5")
    _git(folder, "add", ".")
    _git(folder, "commit", "-m", "first")
    return folder


@pytest.mark.slow
def test_a_run_is_repeated_with_the_code_it_had(store: SqlStore, work: Path) -> None:
    _script(work, "0.25")  # not committed
    first = _train(store, work)
    _script(work, "0.125")  # what is there now does not matter
    found = rerun(store, first[:8])
    assert found.reproduced
    assert (found.run_id, found.metrics, found.notes) == (first, [], [])
    assert [change.key for change in found.difference.tags] == ["assay.rerun_of"]
    assert diff(store, first, found.repeated_as).params == []
    listed = subprocess.run(["git", "-C", work, "worktree", "list"], capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1, "nothing is left behind"


@pytest.mark.slow
def test_what_differs_is_said(store: SqlStore, work: Path) -> None:
    noise = "import os; run.log({'noise': float(int.from_bytes(os.urandom(6)))})"
    _script(work, "0.5", noise)
    (work / "data.csv").write_text("a\n1\n")
    found = rerun(store, _train(store, work))
    assert not found.reproduced
    assert [change.key for change in found.metrics] == ["noise"]
    assert found.notes == ["files that git did not know are not there: data.csv"]


@pytest.mark.slow
def test_a_command_that_fails_now_is_said_with_its_last_words(store: SqlStore, work: Path) -> None:
    (work / "flag").write_text("")
    _script(work, "0.5", "import pathlib; assert pathlib.Path('flag').exists(), 'no flag'")
    first = _train(store, work)
    with pytest.raises(InvalidInput, match="AssertionError: no flag"):
        rerun(store, first)


@pytest.mark.slow
def test_what_cannot_be_repeated_is_said(store: SqlStore, work: Path) -> None:
    with start_run(store, "plain") as plain:
        pass
    with pytest.raises(InvalidInput, match="did not note how it was started"):
        rerun(store, plain.run_id)
    secret = _train(store, work, "--password", "hunter2")
    with pytest.raises(InvalidInput, match="held a secret"):
        rerun(store, secret)
    first = _train(store, work)
    subprocess.run(["rm", "-rf", work / ".git"], check=True)
    _git(work, "init")
    with pytest.raises(NotFound, match="is not in the repository"):
        rerun(store, first)
    with pytest.raises(InvalidInput, match="tolerance"):
        rerun(store, first, tolerance=1.5)
