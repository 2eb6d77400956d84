"""Every page in a real browser: on the store of the demo, on a small one and on one of many runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect
from tests.page_browser import fits, grave, opened, served
from tests.server.page_stores import Small, fill_many, fill_small, points

from assay.demo.operation import demo
from assay.record import open_store
from assay.record.sqlstore import SqlStore
from assay.record.tracking.run_changes import log, update_run

pytestmark = pytest.mark.browser

WAYS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((360, "dark"), (1280, "light"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server of 10,000 runs, and their experiment."""
    store = open_store(tmp_path_factory.mktemp("many") / "store")
    experiment = fill_many(store)
    with served(store) as address:
        yield address, experiment
    store.close()


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, Small]]:
    store = open_store(tmp_path_factory.mktemp("small") / "store")
    yield store, fill_small(store)
    store.close()


@pytest.fixture(scope="module")
def small(small_store: tuple[SqlStore, Small]) -> Iterator[tuple[str, Small]]:
    with served(small_store[0]) as address:
        yield address, small_store[1]


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, SqlStore]]:
    """The store of a fast turn of the demo, and its server."""
    folder: Path = tmp_path_factory.mktemp("demo")
    store = open_store(folder / "store")
    demo(store, fast=True, report=str(folder / "report.html"))
    with served(store) as address:
        yield address, store
    store.close()


def _look_right(browser: Browser, address: str, places: list[str]) -> None:
    """They fit, and axe finds nothing serious: on a phone in the dark and on a desk in the light."""
    with opened(browser, address) as page:
        for place in places:
            page.goto(address + place, wait_until="networkidle")
            for width, theme in WAYS:
                page.set_viewport_size({"width": width, "height": 800})
                page.emulate_media(color_scheme=theme)
                assert fits(page), f"{place} at {width} px"
                assert grave(page) == [], f"{place} at {width} px, {theme}"


def test_every_page_of_the_demo_fits_and_axe_finds_nothing_serious(
    browser: Browser, turned: tuple[str, SqlStore]
) -> None:
    address, store = turned
    runs = [row["run_id"] for row in store.query("run", {"kind": "train"}, order_by=["started"])]
    model = store.query("model_version", order_by=["version"])
    evaluation = store.query("evaluation", order_by=["ts"])[-1]["evaluation_id"]
    experiment = store.query("run", limit=1)[0]["experiment_id"]
    places = ["/", "/runs", f"/experiments/{experiment}", f"/runs/{runs[0]}", f"/compare?runs={','.join(runs)}"]
    places += ["/models", f"/models/{model[0]['model']}", f"/models/{model[0]['model']}/{model[-1]['version']}"]
    places += ["/evaluations", f"/evaluations/{evaluation}", "/datasets", "/ledger", "/projects"]
    _look_right(browser, address, places)


def test_pages_of_runs_with_charts_files_and_odd_names_fit(browser: Browser, small: tuple[str, Small]) -> None:
    address, ids = small
    places = ["/", "/?q=try", f"/experiments/{ids.experiment}", *(f"/runs/{run}" for run in (ids.runs[0], ids.long))]
    places += [f"/runs/{ids.runs[0]}/files/{name}" for name in ("plot.png", "table.csv", "page.html", "model.bin")]
    places += [f"/compare?runs={','.join(ids.runs)}", "/datasets"]
    places += ["/logged-models", f"/logged-models?experiment={ids.experiment}", f"/logged-models/{ids.logged}"]
    places += ["/models/net", "/models/net/1", "/projects", "/projects/small%20nets"]
    _look_right(browser, address, places)
    with opened(browser, f"{address}/nothing", errors=1) as page:
        assert page.title().startswith("Not found")
        assert grave(page) == []


def test_the_table_of_ten_thousand_runs_fits(browser: Browser, many: tuple[str, str]) -> None:
    address, experiment = many
    table = f"/experiments/{experiment}"
    _look_right(browser, address, [table, f"{table}?group=params.lr", f"{table}?filter=metrics.auc+%3E", "/"])


def test_a_running_run_is_shown_anew_without_losing_its_zoom_until_it_ends(
    browser: Browser, small: tuple[str, Small], small_store: tuple[SqlStore, Small]
) -> None:
    address, ids = small
    store, run = small_store[0], ids.runs[2]
    with opened(browser, f"{address}/runs/{run}") as page:
        chart = page.locator(".chart[data-key=loss]")
        expect(chart.locator("canvas")).to_be_visible()
        chart.locator(".plot").focus()
        with page.expect_response(lambda answer: "from=" in answer.url):
            page.keyboard.press("+")
        page.wait_for_timeout(200)  # drawn with the finer points
        chart.locator("canvas").evaluate("canvas => { canvas.dataset.kept = 'yes'; }")
        log(store, run, metrics={"loss": points([0.125] * 50), "fresh": points([1.0, 2.0])})
        button = page.get_by_role("button", name="Start updates")  # who wants no motion starts them
        with page.expect_response(lambda answer: "from=" in answer.url):
            button.click()
        expect(page.get_by_role("region", name="Metrics").get_by_role("row", name="loss")).to_contain_text("0.125")
        expect(page.locator(".chart[data-key=fresh] canvas")).to_be_attached()
        expect(chart.locator("canvas")).to_have_attribute("data-kept", "yes")  # new points, not a new picture
        page.get_by_role("button", name="Pause updates").focus()
        update_run(store, run, status="finished")
        expect(page.locator(".head .state")).to_contain_text("finished")
        expect(page.locator("#told[role=status]")).to_have_text("The run has ended: finished.")
        expect(page.get_by_role("button", name="updates")).to_have_count(0)


def test_a_note_and_tags_are_written_on_the_page_with_who_wrote_them(
    browser: Browser, small: tuple[str, Small]
) -> None:
    address, ids = small
    with opened(browser, f"{address}/runs/{ids.runs[1]}") as page:
        page.get_by_text("Edit name, note and tags").click()
        page.get_by_label("Name", exact=True).fill("renamed")
        page.get_by_label("Note").fill("two\nlines")
        page.get_by_label("Remove tag team").check()
        page.get_by_label("New tag").fill("stage")
        page.get_by_label("Its value").fill("second")
        page.get_by_label("Your name").first.fill("Ana")
        assert grave(page) == []
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("renamed")
        expect(page.locator(".written")).to_have_text("two\nlines")
        rows = page.get_by_role("region", name="What was changed").get_by_role("row")
        expect(rows.filter(has_text="Ana")).to_have_count(4)
        expect(page.get_by_role("region", name="Tags").get_by_role("row", name="team")).to_have_count(0)
    with opened(browser, f"{address}/models/net/1") as page:
        page.get_by_text("Edit description and tags").click()
        page.get_by_label("Description").fill("the first")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".written")).to_have_text("the first")


def test_a_walk_by_clicking_from_experiments_to_a_decision(browser: Browser, turned: tuple[str, SqlStore]) -> None:
    with opened(browser, turned[0]) as page:
        page.get_by_role("link", name="flights-late").click()
        page.get_by_role("link", name="candidate 1").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("candidate 1")
        page.get_by_role("link", name="flights-late 3").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("flights-late 3")
        page.get_by_role("link", name="evaluation hold-out: pass").click()
        expect(page.get_by_role("heading", name="Verdict: pass")).to_be_visible()
        page.get_by_role("link", name="decision 3").click()
        expect(page).to_have_url(f"{turned[0]}/ledger#entry-3")


def test_the_theme_is_chosen_kept_and_followed(browser: Browser, small: tuple[str, Small]) -> None:
    with opened(browser, small[0]) as page:
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.get_by_role("button", name="Dark theme").click()
        dark = page.evaluate(ground)
        assert dark != light
        page.reload()
        assert page.evaluate(ground) == dark
        page.get_by_role("button", name="Light theme").click()
        assert page.evaluate(ground) == light


def test_addresses_that_mlflow_prints_lead_to_the_run(browser: Browser, small: tuple[str, Small]) -> None:
    address, ids = small
    with opened(browser, f"{address}/#/experiments/{ids.experiment}/runs/{ids.runs[0]}") as page:
        page.wait_for_url(f"{address}/runs/{ids.runs[0]}")
        page.goto(f"{address}/#/experiments/{ids.experiment}")
        page.wait_for_url(f"{address}/experiments/{ids.experiment}")


def test_the_skip_link_leads_to_the_content(browser: Browser, small: tuple[str, Small]) -> None:
    with opened(browser, small[0]) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"


def test_charts_are_smoothed_put_on_a_log_scale_and_zoomed_with_finer_points(
    browser: Browser, small: tuple[str, Small]
) -> None:
    address, ids = small
    with opened(browser, f"{address}/runs/{ids.long}") as page:
        chart = page.locator(".chart").first
        expect(chart.locator("canvas")).to_be_visible()
        expect(chart.get_by_role("rowheader")).to_contain_text("alert")
        with page.expect_response(lambda answer: "from=" in answer.url) as zoomed:
            plot = chart.locator(".plot")
            plot.focus()
            page.keyboard.press("+")
        steps = zoomed.value.json()["series"][0]["step"]
        assert steps[0] >= 20_000
        assert steps[-1] <= 80_000
        with page.expect_response(lambda answer: "series?" in answer.url and "from=" not in answer.url):
            page.keyboard.press("0")
        page.get_by_label("Smoothing").fill("0.9")
        expect(page.locator("output")).to_have_text("0.9")
        page.get_by_label("log scale").check()
        with page.expect_response(lambda answer: "x=time" in answer.url):
            page.get_by_label("Across").select_option("relative")
        expect(chart.locator("canvas")).to_be_visible()


def test_a_chart_is_zoomed_with_the_mouse_and_goes_back(browser: Browser, small: tuple[str, Small]) -> None:
    address, ids = small
    with opened(browser, f"{address}/runs/{ids.long}") as page:
        over = page.locator(".u-over").first
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=5)
        with page.expect_response(lambda answer: "from=" in answer.url) as zoomed:
            page.mouse.up()
        steps = zoomed.value.json()["series"][0]["step"]
        assert 30_000 < steps[0] < 50_000 < steps[-1] < 70_000
        with page.expect_response(lambda answer: "series?" in answer.url and "from=" not in answer.url):
            page.locator(".u-over").first.dblclick()


def test_runs_are_compared_in_charts_parallel_coordinates_and_a_scatter(
    browser: Browser, small: tuple[str, Small]
) -> None:
    address, ids = small
    with opened(browser, f"{address}/compare?runs={','.join(ids.runs)}") as page:
        assert page.locator("#parallel path.run").count() == 3
        assert page.locator("#scatter circle").count() == 3
        page.get_by_label("Up").select_option(label="metric loss")
        assert page.locator("#scatter circle").count() == 3
        chart = page.locator(".chart[data-key=loss]")
        chart.scroll_into_view_if_needed()
        legend = chart.get_by_role("rowheader")
        expect(legend).to_have_count(3)
        button = legend.first.get_by_role("button")
        button.click()
        assert button.get_attribute("aria-pressed") == "false"


def test_the_table_is_filtered_while_typing_and_a_half_filter_keeps_the_rows(
    browser: Browser, many: tuple[str, str]
) -> None:
    address, experiment = many
    with opened(browser, f"{address}/experiments/{experiment}") as page:
        page.keyboard.press("/")
        page.keyboard.type("metrics.auc > 0.7 and params.optim")
        expect(page.locator("#trouble")).to_contain_text("^")
        assert page.locator("#runs tbody tr").count() >= 50
        page.keyboard.type("izer = 'sgd'")
        expect(page.locator("#trouble .trouble")).to_have_count(0)
        expect(page).to_have_url(re.compile("filter=metrics.auc"))
        names = page.locator("#runs tbody th").all_text_contents()
        assert all(int(name[-1]) % 2 for name in names)
        page.get_by_role("link", name="auc", exact=True).click()
        expect(page.get_by_role("columnheader", name="auc")).to_have_attribute("aria-sort", "descending")
        assert "sgd" in page.url


def test_more_rows_come_when_the_end_is_near(browser: Browser, many: tuple[str, str]) -> None:
    address, experiment = many
    with opened(browser, f"{address}/experiments/{experiment}") as page:
        rows = page.locator("#runs tbody tr")
        assert rows.count() >= 50
        for _ in range(3):
            page.locator(".scroll.long").evaluate("box => box.scrollTo(0, box.scrollHeight)")
            page.wait_for_timeout(300)
        expect(rows.nth(160)).to_be_attached()
        names = rows.locator("th").all_text_contents()
        assert len(names) == len(set(names))


def test_columns_are_chosen_and_kept_for_the_next_visit(browser: Browser, many: tuple[str, str]) -> None:
    address, experiment = many
    with opened(browser, f"{address}/experiments/{experiment}") as page:
        page.get_by_text("Columns").click()
        page.get_by_label("team").check()
        expect(page.get_by_role("columnheader", name="team")).to_be_visible()
        assert "show=tags.team" in page.url
        page.get_by_label("loss", exact=True).uncheck()
        expect(page.get_by_role("columnheader", name="loss")).to_have_count(0)
        page.keyboard.press("Escape")
        page.goto(f"{address}/experiments/{experiment}")
        expect(page.get_by_role("columnheader", name="team")).to_be_visible()
        expect(page.get_by_role("columnheader", name="loss")).to_have_count(0)


def test_runs_are_marked_and_compared_with_the_keyboard_alone(browser: Browser, many: tuple[str, str]) -> None:
    address, experiment = many
    with opened(browser, f"{address}/experiments/{experiment}") as page:
        for key in "jxjjx":
            page.keyboard.press(key)
        expect(page.get_by_role("button", name="Compare 2 runs")).to_be_enabled()
        page.keyboard.press("c")
        expect(page.get_by_role("heading", level=1)).to_have_text("Comparison of 2 runs")
        expect(page.get_by_role("columnheader").get_by_role("link")).to_have_text(["run 09999", "run 09997"])


def test_a_range_is_marked_with_shift(browser: Browser, many: tuple[str, str]) -> None:
    address, experiment = many
    with opened(browser, f"{address}/experiments/{experiment}") as page:
        page.get_by_label("Mark run 09998").click()
        page.get_by_label("Mark run 09994").click(modifiers=["Shift"])
        expect(page.get_by_role("button", name="Compare 5 runs")).to_be_enabled()


def test_without_scripts_tables_are_read_filtered_and_compared(browser: Browser, many: tuple[str, str]) -> None:
    address, experiment = many
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/experiments/{experiment}")
    page.get_by_label("Filter").fill("params.lr = '0.1'")
    page.get_by_role("button", name="Show").click()
    assert page.locator("#runs tbody tr").count() == 50
    page.get_by_role("link", name="More runs").click()
    assert page.locator("#runs tbody tr").count() == 50
    for box in page.locator("input[name=runs]").all()[:2]:
        box.check()
    page.get_by_role("button", name="Compare marked runs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Comparison of 2 runs")
    context.close()
