"""A small store made by hand, and the command line called on it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.operate.serving_helpers import ENDPOINT, add_version, prediction

from assay.build.steps.step import step
from assay.cli.main import run
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.prove.promotion import promote
from assay.record.datasets import snapshot
from assay.record.location import open_store
from assay.record.tracking.runs import start_run

ROOT = Path(__file__).parents[2]


@dataclass
class Said:
    """What a call of the command line left: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


@dataclass
class CommandLine:
    """Calls `assay` with a store: in this process, or in one of its own."""

    place: Path
    captured: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Said:
        self.captured.readouterr()
        code = run(["--store", str(self.place), *arguments])
        shown = self.captured.readouterr()
        return Said(code, shown.out, shown.err)

    def refused(self, *arguments: str, code: int = 2) -> str:
        """Standard error of a call that has to end with that code and without output or traceback."""
        said = self(*arguments)
        assert said.code == code, said
        assert said.out == ""
        assert "Traceback" not in said.err
        assert len(said.err.splitlines()) <= 5
        return said.err

    def command(self, *arguments: str) -> list[str]:
        """The command of a process that does the same."""
        return [sys.executable, "-m", "assay", "--store", str(self.place), *arguments]

    def process(self, *arguments: str, command: Sequence[str] | None = None) -> Said:
        done = subprocess.run(
            command or self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        return Said(done.returncode, done.stdout, done.stderr)


@step
def double(number: int) -> int:
    return 2 * number


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test has a copy of."""
    place = tmp_path_factory.mktemp("filled") / "store"
    store = open_store(place)
    data = snapshot(store, "orders", pa.table({"n": [1, 2, 3]}), source_system="tests", licence="CC0-1.0")
    with start_run(store, "delays", "train [bold]small[/bold]", model="delays", pipeline="nightly", seed=7) as outer:
        outer.params({"learning_rate": 0.125, "depth": "[red][/] :warning: deep"})
        outer.tags({"team": "ground"})
        outer.metrics({"auc": 0.71828, "rows": 336776})
        outer.metrics({"auc": 0.75}, step=1)
        outer.uses(data.artifact_id, "orders")
        double(3)
        double(3)
        version = add_version(store)
    with pytest.raises(ArithmeticError), start_run(store, "prices", "broken"):
        raise ArithmeticError("no [such] number")
    promote(store, "delays", version.version, override="the first one")
    add_version(store)
    with LogWriter(log_folder(store, ENDPOINT)) as writer:
        writer.append([prediction(str(number)) for number in range(4)])
    store.close()
    return place


@pytest.fixture
def filled(prepared: Path, tmp_path: Path) -> Path:
    """A store with a run that has a child and a failed neighbour, two versions, decisions and predictions."""
    return Path(shutil.copytree(prepared, tmp_path / "store"))


@pytest.fixture
def assay(filled: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line on the filled store."""
    return CommandLine(filled, capsys)


@pytest.fixture
def nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line where there is no store."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path / "nothing", capsys)
