"""The page of checks is true: every check is there, and every test and file it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| (T\d+) \| .+? \| (.+) \|$", (ROOT / "docs/mlflow_wire.md").read_text(), re.MULTILINE)


def test_every_check_is_listed_once_in_order() -> None:
    assert [name for name, _ in ROWS] == [f"T{number}" for number in range(1, 24)]


@pytest.mark.parametrize(("name", "held_by"), ROWS, ids=[name for name, _ in ROWS])
def test_what_holds_a_check_is_there(name: str, held_by: str) -> None:
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)(?:::(\w+))?`", held_by)
    assert named
    for path, test in named:
        text = (ROOT / path).read_text()
        assert not test or re.search(rf"^def {test}\(", text, re.MULTILINE), f"{path} has no {test}"
