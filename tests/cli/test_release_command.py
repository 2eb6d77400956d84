"""`assay release` as people type it."""

from pathlib import Path

import pytest
from tests.operate.releases.release_worlds import versions

from assay.cli.main import run
from assay.record.location import open_store


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A store with a champion and a challenger that the gate let pass."""
    store = open_store(tmp_path / "store")
    versions(store)
    store.close()
    return str(tmp_path / "store")


def test_a_release_is_begun_seen_and_ended(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    begin = ["release", "late", "2", "--strategy", "canary:5,50", "--margin", "errors=0.02", "--detach"]
    assert run(["--store", place, *begin]) == 0
    assert "release" in capsys.readouterr().out
    assert run(["--store", place, "release", "status", "late"]) == 3, "not decided yet"
    said = capsys.readouterr().out
    assert "canary 5 %" in said
    assert "at most 1.00% of releases" in said
    assert run(["--store", place, "release", "ls"]) == 0
    assert "canary:5,50" in capsys.readouterr().out
    assert run(["--store", place, "release", "pause", "late", "lunch"]) == 0, "as it was asked"
    assert run(["--store", place, "release", "resume", "late", "back"]) == 0
    assert run(["--store", place, "release", "abort", "late", "no time"]) == 0
    assert run(["--store", place, "release", "replay", "late"]) == 0
    assert "by a person" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["late", "2", "--strategy", "canry:5"], "did you mean 'canary'?"),
        (["late", "2", "--margin", "eror=0.1"], "did you mean 'errors'?"),
        (["late", "2", "--min-time", "soon"], "such as"),
        (["nowhere", "2"], "there is no endpoint 'nowhere'"),
        (["late", "9"], "9"),
    ],
)
def test_what_cannot_be_is_said_with_what_was_meant(
    place: str, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["--store", place, "release", *arguments, "--detach"]) == 2
    assert said in capsys.readouterr().err
    assert run(["--store", place, "release", "ls"]) == 0
    assert "nothing yet" in capsys.readouterr().out
