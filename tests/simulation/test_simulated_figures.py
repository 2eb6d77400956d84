"""Shares with their Monte-Carlo error, and the section of the page they are written into."""

import re
from pathlib import Path

import pytest
from benchmarks.simulations.figures import BEGIN, END, Row, Share, Table, markdown, write_section
from benchmarks.simulations.pages import PAGES, TABLES

DOCS = Path(__file__).parents[2] / "docs"
TABLE = Table("Nothing", "For nobody.", "100 runs", [Row({"rows": "20"}, {"share": Share(0.05, 100), "none": None})])


def test_a_share_says_how_sure_it_is() -> None:
    assert str(Share(0.05, 400)) == ".050 ± .011"
    assert str(Share(0.05)) == ".050"
    assert str(Share(1.0, 400)) == "1.000 ± .000"


def test_a_share_is_compared_within_three_standard_errors() -> None:
    assert Share(0.082, 400).at_most(0.05)
    assert not Share(0.084, 400).at_most(0.05)
    assert not Share(0.0501).at_most(0.05)
    assert Share(0.92, 400).at_least(0.95)
    assert not Share(0.91, 400).at_least(0.95)
    assert Share(0.0, 100).near(Share(0.02, 4000))
    assert not Share(0.0, 1000).near(Share(0.02, 4000))
    assert Share(0.0209).near(Share(0.021, 40_000))


def test_the_section_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_section(page, [TABLE], 7)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| rows | share | none |\n|---|---:|---:|\n| 20 | .050 ± .022 | – |" in text
    assert "Seed 7; 100 runs." in text


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="does not have the marks"):
        write_section(page, [TABLE], 7)
    assert page.read_text() == "nothing"


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_every_table_in_order(page: str) -> None:
    section = (DOCS / page).read_text().partition(BEGIN)[2].partition(END)[0]
    assert len(re.findall(r"^Seed \d+; ", section, re.MULTILINE)) == len(PAGES[page])
    assert markdown(TABLE, 1).startswith("### ")
    assert section.count("\n### ") == len(PAGES[page])


def test_every_table_stands_on_one_page() -> None:
    assert sorted(name for names in PAGES.values() for name in names) == sorted(TABLES)
