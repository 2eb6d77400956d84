"""`assay data`: what a user sees."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import CommandLine

from assay.record.location import open_store


def _file(folder: Path, text: str, name: str = "penguins.csv") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_from_a_file_to_a_difference(assay: CommandLine, tmp_path: Path) -> None:
    path = _file(tmp_path, "id,species,mass\n" + "".join(f"{n:03},Adelie,{3000 + n}\n" for n in range(200)))
    said = assay("data", "add", "penguins", path, "--licence", "CC0")
    assert said.code == 0
    first = assay("data", "ls", "penguins", "--json").document["datasets"][0]["hash"]
    assert said.out == f"penguins@{first[:12]}: 200 rows; `assay data show penguins` says what is in it\n"
    _file(tmp_path, "id,species,mass\n" + "".join(f"{n:03},Gentoo,{5000 + n}\n" for n in range(250)))
    assert assay("data", "add", "penguins", path).code == 0
    rows = [line.split() for line in assay("data", "ls").out.splitlines()]
    assert [(row[0], row[1], row[3]) for row in rows if row[:1] in (["orders"], ["penguins"])] == [
        ("orders", "3", "1"),
        ("penguins", "250", "2"),
    ]
    said = assay("data", "diff", f"penguins@{first[:8]}", "penguins")
    assert "- rows 200 -> 250 (+25.0%)" in said.out.splitlines()
    assert "- species: 1 new value (Gentoo), 100.0% of rows; 1 gone (Adelie), 100.0% of rows" in said.out
    assert "- mass: median 3,099.5 -> 5,124.5; nine tenths lie in 5,012 to 5,237, before in 3,010 to 3,190" in said.out
    document = assay("data", "diff", f"penguins@{first[:8]}", "penguins", "--json").document
    assert list(document) == ["before", "after", "same", "added", "removed", "retyped", "columns", "words"]
    assert assay("data", "diff", "penguins", path).out.endswith("the same rows in the same order\n")


def test_show_prints_columns_and_rows_that_were_asked_for(assay: CommandLine, tmp_path: Path) -> None:
    path = _file(tmp_path, "id,species,bill length\n001,[bold]A[/bold],39.1\n002,,\n003,B,40\n")
    assay("data", "add", "penguins", path)
    said = assay("data", "show", "penguins").out
    row = next(line for line in said.splitlines() if line.split()[:2] == ["bill", "length"])
    assert row.split() == ["bill", "length", "double", "1", "(33.3%)", "2", "39.1", "39.55", "40"]
    assert "[bold]A" not in said, "no row was asked for, and no value occurs twice"
    assert "[bold]A[/bold]" in assay("data", "show", "penguins", "--rows", "1").out
    document = json.loads(assay("data", "show", "penguins", "--json").out)
    assert [one["missing"] for one in document["columns"]] == [0, 1, 1]
    assert {"name", "hash", "rows", "versions", "created", "origin", "licence", "bytes"} < set(document)


def test_lineage_names_runs(assay: CommandLine) -> None:
    said = assay("data", "lineage", "orders")
    assert "train [bold]small[/bold]" in said.out
    assert assay("data", "lineage", "orders", "--json").document["versions"][0]["runs"][0]["role"] == "input"


def test_without_datasets_it_says_what_to_do(assay: CommandLine, tmp_path: Path) -> None:
    open_store(tmp_path / "other").close()
    empty = CommandLine(tmp_path / "other", assay.captured)
    assert empty("data", "ls").out == "no datasets yet; `assay data add rows rows.csv` keeps one\n"
    assert empty("data", "ls", "--json").document == {"datasets": []}
    assert "there is no dataset 'x'" in empty.refused("data", "show", "x")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "order"), "did you mean 'orders'?"),
        (("show", "orders@zz"), "has a hash that begins with zz"),
        (("diff", "orders", "nothing"), "there is no dataset 'nothing'"),
        (("lineage", "x"), "there is no dataset 'x'"),
        (("add", "a@b", "rows.csv"), "is no name for a dataset"),
        (("add", "rows", "none.csv"), "there is no file none.csv"),
    ],
)
def test_what_is_refused(assay: CommandLine, arguments: tuple[str, ...], said: str) -> None:
    assert said in assay.refused("data", *arguments)


def test_a_refused_file_makes_no_store(nowhere: CommandLine, tmp_path: Path) -> None:
    nowhere.refused("data", "add", "rows", "none.csv")
    assert not nowhere.place.exists()


def test_a_bad_line_is_named(assay: CommandLine, tmp_path: Path) -> None:
    path = _file(tmp_path, "a,b\n1,2\n1,2,3\n")
    said = assay.refused("data", "add", "rows", path)
    assert f"{path}, line 3" in said
    assert assay("data", "ls", "--json").document["datasets"][0]["name"] == "orders", "nothing was kept"
