"""The pages of checks are true: every check is there, and every test and file it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {
    "mlflow_wire.md": [f"T{number}" for number in range(1, 24)],
    "online_checks.md": [
        *(f"O{number}" for number in range(1, 23)),
        "O22b",
        *(f"O{number}" for number in range(23, 27)),
    ],
}


def _rows(page: str) -> list[tuple[str, str]]:
    return re.findall(r"^\| ([TO]\d+b?) \| .+? \| (.+) \|$", (ROOT / "docs" / page).read_text(), re.MULTILINE)


ROWS = [(page, *row) for page in PAGES for row in _rows(page)]


@pytest.mark.parametrize("page", PAGES)
def test_every_check_is_listed_once_in_order(page: str) -> None:
    assert [name for name, _ in _rows(page)] == PAGES[page]


@pytest.mark.parametrize(("page", "name", "held_by"), ROWS, ids=[name for _, name, _ in ROWS])
def test_what_holds_a_check_is_there(page: str, name: str, held_by: str) -> None:
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)(?:::(\w+))?`", held_by)
    assert named
    for path, test in named:
        text = (ROOT / path).read_text()
        assert not test or re.search(rf"^(?:async )?def {test}\(", text, re.MULTILINE), f"{page}: {path} has no {test}"
