import re
import sys

import pytest
from tests.cli.conftest import CommandLine

from assay.cli.progress import shown
from assay.operation import OPERATIONS, Operation
from assay.progress import tell
from assay.record.store import Store


def _text(drawn: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)


@pytest.fixture
def _telling(assay: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assay("runs")

    def runs(store: Store) -> None:
        """List runs."""
        tell("train", 0.0, "model [/] {x}")
        tell("train", 1.0)

    monkeypatch.setitem(OPERATIONS, "runs", Operation("runs", runs, False))


def test_stages_are_shown_with_their_last_detail(capsys: pytest.CaptureFixture[str]) -> None:
    with shown():
        tell("data", 0.0, "snapshot")
        tell("data", 0.5)
        tell("train", 0.5, "small [/] of {two}")
        tell("train", 0.7)
        tell("data", 1.0, "3 tables")
    captured = capsys.readouterr()
    assert captured.out == ""
    last = _text(captured.err)
    assert re.search(r"data .*3 tables", last)
    assert re.search(r"train .*small \[/\] of \{two\}", last)
    tell("data", 0.0, "nobody listens any more")


@pytest.mark.usefixtures("_telling")
def test_in_a_pipe_and_beside_json_it_is_quiet(assay: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert assay("runs").err == ""
    _is_a_terminal(monkeypatch)
    assert assay("runs", "--json").err == ""


@pytest.mark.usefixtures("_telling")
def test_on_a_terminal_a_person_sees_it(assay: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    _is_a_terminal(monkeypatch)
    said = assay("runs")
    assert said.out == ""
    assert "train" in _text(said.err)


def _is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
