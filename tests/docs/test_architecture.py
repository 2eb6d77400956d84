"""The page of the architecture is true: it names every module, and no module that is not there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/architecture.md"
SOURCES = ROOT / "src/assay"


def test_the_page_names_every_module() -> None:
    there = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py") and "versions" not in path.parts
    }
    named = set(re.findall(r"`([a-z0-9_/]+\.py)`", PAGE.read_text()))
    assert named == there


def test_every_decision_has_a_status_and_is_short() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{n:04d}" for n in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]} ")
        assert "Status: " in text
        assert len(text.splitlines()) <= 25
