"""The page of an evaluation: everything is on it, nothing breaks out of it, and a browser finds no fault."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from playwright.sync_api import Browser, Page
from tests.page_browser import ANY_IMPACT, fits, grave, opened
from tests.prove.worlds import ACCURACY, Part, world

from assay.errors import InvalidInput
from assay.prove.drawing import draw_gaps
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.gate import gate

NAMES = {"a": Part(900), "b": Part(700, -0.1, disagreement=0.2), "c": Part(5), "<script>alert(1)</script>": Part(40)}


def evaluation() -> Evaluation:
    table = world(NAMES, seed=4)
    table = table.append_column("day", pa.array(["mon", "tue", "wed"] * (table.num_rows // 3) + ["mon"]))
    other = world({"a": Part(300)}, seed=5).append_column("day", pa.array(["mon"] * 300))
    return evaluate(
        "new", table, baseline="old", label="late", unit="unit", segments=["segment", "day"], datasets={"july": other}
    )


class Words(HTMLParser):
    """The text of a page, and its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_has_the_verdict_and_every_number() -> None:
    found = evaluation()
    result = gate(found, ACCURACY)
    page = Words(found.to_html(result))
    text = " ".join(page.texts)
    assert f"Verdict: {result.verdict}" in text
    assert all(reason in text for reason in result.reasons)
    for row in found.table().rows:
        assert row.segment in text
        assert row.value is None or f"{row.value:.4f}" in text
    assert f"hash {found.dataset_hash[:12]}" in text
    assert "script" not in page.tags
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_a_notebook_gets_the_pictures_without_the_table() -> None:
    plot = evaluation().plot()
    assert "Difference to the baseline" in plot._repr_html_()
    assert "All numbers" not in plot._repr_html_()
    assert "<html" not in plot._repr_html_()


def test_the_pictures_are_saved_as_a_page(tmp_path: Path) -> None:
    evaluation().plot().save(tmp_path / "plots.html")
    assert (tmp_path / "plots.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_model_alone_has_a_page_too() -> None:
    page = evaluate("new", world(NAMES), label="late").to_html()
    assert "new on labelled rows" in page
    assert "Value with its 95 % interval" in page


def test_one_picture_is_a_drawing_of_its_own(tmp_path: Path) -> None:
    plot = evaluation().plot()
    drawings = {
        "forest": plot.forest("auc", cross=1),
        "july": plot.forest("auc", dataset="july"),
        "datasets": plot.forest("auc", segment="segment=a"),
        "heatmap": plot.heatmap("auc", "segment", "day"),
    }
    for name, drawing in drawings.items():
        drawing.save(tmp_path / f"{name}.svg")
        root = ElementTree.parse(tmp_path / f"{name}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert drawing._repr_svg_() == drawing.svg
    assert "day=mon" in drawings["forest"].svg
    assert "segment=b &amp; day=mon" not in drawings["forest"].svg
    assert "&lt;script&gt;" in drawings["heatmap"].svg
    assert ">july<" in drawings["datasets"].svg


def test_a_picture_of_what_is_not_there_is_refused() -> None:
    plot = evaluation().plot()
    with pytest.raises(InvalidInput, match=r"no metric 'acu'.*\n.*\n.*'auc'"):
        plot.forest("acu")
    with pytest.raises(InvalidInput, match="no dataset 'juli'"):
        plot.forest("auc", dataset="juli")
    with pytest.raises(InvalidInput, match="no segment 'segment=z'"):
        plot.forest("auc", segment="segment=z")
    with pytest.raises(InvalidInput, match="no crosses of 'day' and 'segment'"):
        plot.heatmap("auc", "day", "segment")
    with pytest.raises(InvalidInput, match="no groups"):
        draw_gaps([])


def test_functions_without_a_name_have_a_title_too() -> None:
    table = world(NAMES)
    page = evaluate(lambda rows: rows["new"], table, baseline=lambda rows: rows["old"], label="late").to_html()
    assert "<h1>Two functions</h1>" in page


@pytest.fixture(params=[(400, "dark"), (1280, "light")], ids=lambda way: "-".join(map(str, way)))
def page(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page opened from disk in Chromium, offline."""
    width, theme = request.param
    found = evaluation()
    (tmp_path / "page.html").write_text(found.to_html(gate(found, ACCURACY)), encoding="utf-8")
    with opened(browser, (tmp_path / "page.html").as_uri(), width=width, theme=theme, offline=True) as page:
        yield page


@pytest.mark.browser
def test_axe_finds_nothing_and_the_page_fits(page: Page) -> None:
    assert grave(page, ANY_IMPACT) == []
    assert fits(page)
