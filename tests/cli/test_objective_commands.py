"""What the commands of objectives print, for people and as JSON."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.cli.conftest import CommandLine
from tests.steer.objectives.objective_world import BEGIN, MODEL, Shop, open_shop, terms_with, value_with

from assay.record.location import open_store
from assay.steer.objectives.files import terms_as_toml

TERMS = terms_with(value=value_with(valid_until=date(2999, 12, 31)))  # the clock is that of the wall


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "store"
    store = open_store(folder)
    open_shop(store)
    shop = Shop.of(store)
    shop.serve(BEGIN, 31, labelled=0.5)
    shop.serve(datetime(2026, 2, 1, tzinfo=UTC), 28)
    store.close()
    return folder


@pytest.fixture
def objective(filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line on a copy of that store, whose objective was decided from a file."""
    shutil.copytree(filled, tmp_path / "store")
    (tmp_path / "objective.toml").write_text(terms_as_toml(TERMS))
    line = CommandLine(tmp_path / "store", capsys)
    said = line("objective", "new", MODEL, str(tmp_path / "objective.toml"))
    assert said.code == 0
    assert f"version 1 of the objective of {MODEL}" in said.out
    return line


def test_a_value_is_printed_by_basis_and_equals_the_document(objective: CommandLine) -> None:
    said, document = objective("objective", "value", MODEL), objective("objective", "value", MODEL, "--json").document
    shown = [line.split() for line in said.out.splitlines()]
    rows = [(month["month"], part) for month in document["months"] for part in month["parts"]]
    assert [(month, part["basis"]) for month, part in rows] == [
        ("2026-01", "observed"),
        ("2026-01", "estimated"),
        ("2026-02", "observed"),
    ]
    for month, part in rows:
        assert any(
            line[:4] == [month, part["basis"], f"{part['decisions']:,}", f"{part['value']:,.0f}"] for line in shown
        )
    assert "figures of different bases are never added" in said.out
    assert objective("objective", "value", MODEL, "--json").out == objective("objective", "value", MODEL, "--json").out


def test_a_review_is_opened_listed_and_decided(objective: CommandLine) -> None:
    assert objective("objective", "review").out == "nothing yet\n", "nothing speaks against it"
    said = objective(
        *("objective", "observe", MODEL, "--value", "50", "--basis", "observed"),
        *("--from", "2026-03-01", "--to", "2026-04-01", "--note", "counted by hand"),
    )
    assert "counted by hand" in said.out
    (review,) = objective("objective", "review", MODEL, "--json").document
    assert [cause["kind"] for cause in review["causes"]] == ["kpi"]
    listed = objective("objective", "ls").out
    assert review["review_id"][:8] in listed
    assert "below its floor" in objective("objective", "show", MODEL).out
    assert "no review ends with 'kepp'" in objective.refused(
        "objective", "decide", MODEL, "--outcome", "kepp", "--reason", "x"
    )
    closed = objective("objective", "decide", MODEL, "--outcome", "keep", "--reason", "a slow month")
    assert "keep, by " in closed.out
    assert "a slow month" in closed.out
    assert objective("objective", "review").out == "nothing yet\n"


def test_a_threshold_is_advised_with_a_picture(objective: CommandLine, tmp_path: Path) -> None:
    said = objective("objective", "threshold", MODEL, "--plot", str(tmp_path / "plot.svg"))
    assert "EUR more in 2026-02" in said.out
    assert "present" in said.out
    assert (tmp_path / "plot.svg").exists()


def test_what_is_wrong_is_said_in_at_most_five_lines(objective: CommandLine, tmp_path: Path) -> None:
    assert f"{MODEL}s has no objective" in objective.refused("objective", "value", f"{MODEL}s")
    assert "did you mean 'late'" in objective.refused("objective", "show", "lat")
    text = terms_as_toml(TERMS).replace("floor = 100", "flor = 100")
    (tmp_path / "wrong.toml").write_text(text)
    err = objective.refused("objective", "new", MODEL, str(tmp_path / "wrong.toml"))
    assert "wrong.toml, line " in err
    assert "did you mean 'floor'" in err
    assert "cannot be read" in objective.refused("objective", "new", MODEL, str(tmp_path / "nothing.toml"))
