"""The report in a real browser: at two widths and in both themes, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.page_browser import grave, opened
from tests.steer.summaries import full_turn, only_champion

from assay.steer.report import render

pytestmark = pytest.mark.browser

STORIES = ("full", "champion")
WAYS = [("full", 360, "dark"), ("full", 1280, "light"), ("champion", 360, "light"), ("champion", 1280, "dark")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of a full turn, and of a model that was only judged once."""
    folder = tmp_path_factory.mktemp("reports")
    written = {name: folder / f"{name}.html" for name in STORIES}
    written["full"].write_text(render(full_turn()), encoding="utf-8")
    written["champion"].write_text(render(only_champion()), encoding="utf-8")
    return written


@pytest.fixture(params=WAYS, ids=lambda way: "-".join(map(str, way)))
def page(request: pytest.FixtureRequest, browser: Browser, files: dict[str, Path]) -> Iterator[Page]:
    """The report opened from disk with all details open, offline; nothing but the file may be asked for."""
    story, width, theme = request.param
    with opened(browser, files[story].as_uri(), width=width, theme=theme, offline=True) as page:
        yield page


def test_the_page_fits_the_width(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_axe_finds_nothing_serious(page: Page) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert grave(page) == []


def test_every_value_in_the_page_is_the_one_at_its_path(page: Page) -> None:
    wrong = page.evaluate(
        """() => {
            const summary = JSON.parse(document.getElementById("assay-summary").textContent);
            const unescaped = part => part.replaceAll("~1", ".").replaceAll("~0", "~");
            const all = [...document.querySelectorAll("data")];
            const found = data => data.dataset.path.split(".").reduce((at, part) => at[unescaped(part)], summary);
            const equal = (value, truth) => typeof truth === "number" ? Number(value) === truth : value === truth;
            return { count: all.length,
                     wrong: all.filter(d => !equal(d.value, found(d))).map(d => d.outerHTML) };
        }"""
    )
    assert wrong["count"] > 200
    assert wrong["wrong"] == []


def test_the_keyboard_reaches_links_details_and_every_region_that_scrolls(page: Page) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    scrolling = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(e =>
            (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto") ||
            (e.scrollHeight > e.clientHeight + 1 && getComputedStyle(e).overflowY === "auto"))
            .map(e => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby"))"""
    )
    assert scrolling
    assert None not in scrolling
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate(
            """() => { const e = document.activeElement;
                return [e.tagName, e.getAttribute("aria-label") || e.getAttribute("aria-labelledby"),
                        e === document.body || getComputedStyle(e).outlineStyle !== "none"]; }"""
        )
        if here[0] == "BODY":
            break
        assert here[2], f"{here} has focus that cannot be seen"
        reached.append(here)
    assert set(scrolling) <= {name for _, name, _ in reached}
    assert [tag for tag, _, _ in reached].count("A") == 11, "the skip link and ten sections"
    assert [tag for tag, _, _ in reached].count("SUMMARY") == page.locator("summary").count()


def test_the_skip_link_appears_on_focus_and_leads_to_the_story(page: Page) -> None:
    page.keyboard.press("Tab")
    box = page.locator(".skip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "story"


def test_text_is_never_smaller_than_twelve_pixels_and_never_hidden_by_its_box(page: Page) -> None:
    found = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter(e =>
            [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.getClientRects().length
            && !e.closest(".hidden, svg, script, style, thead"))
            .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12 ||
                         e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll"))
            .map(e => e.outerHTML.slice(0, 100))"""
    )
    assert found == []


def test_labels_of_an_axis_do_not_touch_and_the_page_fits_at_any_width(page: Page) -> None:
    for width in (320, 500, 705, 800, 961, 1100):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"at {width} px"
        assert _touching(page) == 0, f"at {width} px"
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 800})  # A4 with margins
    assert _touching(page) == 0


def _touching(page: Page) -> int:
    count = page.evaluate(
        """() => [...document.querySelectorAll(".ticks, .down, .across, .flags")].flatMap(axis => {
            const boxes = [...axis.querySelectorAll(".tick, .flag > span")].map(t => t.getBoundingClientRect());
            return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
                a.left < b.right + 2 && b.left < a.right + 2 && a.top < b.bottom && b.top < a.bottom));
        }).length"""
    )
    assert isinstance(count, int)
    return count


def test_the_page_prints_in_black_on_white_without_losing_its_charts(page: Page) -> None:
    page.emulate_media(media="print")
    style = page.evaluate("(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))")
    assert style == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.locator("nav").is_hidden()
    assert page.locator(".forest svg").first.is_visible()
