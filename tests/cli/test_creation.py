"""A refused input makes no store."""

from pathlib import Path

import pytest

from assay.cli.main import run


@pytest.mark.parametrize("wrong", [["--seed=-1"], ["--report", "/no/such/folder/report.html"], ["--seed", "x"]])
def test_a_refused_first_demo_leaves_nothing_behind(wrong: list[str], tmp_path: Path) -> None:
    assert run(["--store", str(tmp_path / "store"), "demo", *wrong]) == 2
    assert list(tmp_path.iterdir()) == []
