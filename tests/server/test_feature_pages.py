"""Pages of feature views: what they say, and how they look."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.page_browser import faults, opened, served
from tests.server.feature_worlds import fill_features
from tests.server.page_stores import HOSTILE

from assay.record import open_store
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    store = open_store(tmp_path_factory.mktemp("features") / "store")
    fill_features(store)
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(filled: SqlStore) -> TestClient:
    return TestClient(Starlette(routes=routes(filled)))


def test_views_are_listed_with_what_is_in_production_stale_or_failed(client: TestClient) -> None:
    page = client.get("/features").text
    assert 'href="/features/congestion"' in page
    assert 'href="/models/delays/1"' in page
    assert '<span class="verdict-word fail">older than promised</span>' in page
    assert '<span class="verdict-word fail">2 failed</span> <span class="note">replay, check: delay in [5, inf]' in page
    assert HOSTILE not in page
    assert escape(HOSTILE, quote=False)[:20] in page


def test_features_are_found_by_words(client: TestClient) -> None:
    page = client.get("/features?q=delay").text
    assert 'href="/features/congestion#feature-delay"' in page
    assert "late_airports@1" in page
    assert "odd.view-1" not in page
    assert "No feature has all of these words." in client.get("/features?q=delay+zebra").text
    assert client.get("/features?q=++").text == client.get("/features").text


def test_a_view_says_what_is_declared_who_uses_it_and_what_was_found(client: TestClient) -> None:
    page = client.get("/features/congestion").text
    for said in (
        "version 2",
        "How busy an airport is, hour by hour.",
        "14d",
        "never older than 6h is promised",
        "15.0 %",
        "serves delays",
        "3 of 2,000 served otherwise, fail",
        "0 of 50 entities differ",
        "no value was unknown then",
        "40 rows in 8 parts",
        "33.3 %",
        "ttl 7d → 14d\ndelay none → 30m\nfreshness promise none → 6h",
    ):
        assert said in page, said


def test_an_older_version_has_a_page_and_says_which_is_the_newest(client: TestClient) -> None:
    page = client.get("/features/congestion/1").text
    assert "the newest is 2" in page
    assert "nothing materialised" not in page, "the log is that of the view"
    assert "Rows that arrived" not in page, "what arrived is that of the version"


def test_what_is_not_there_is_a_page_that_says_so(client: TestClient) -> None:
    for address in ("/features/congestio", "/features/congestion/9", "/features/congestion/0"):
        answer = client.get(address)
        assert answer.status_code == 404
    assert "did you mean &#39;congestion&#39;" in client.get("/features/congestio").text


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    try:
        assert "assay features register FILE.py" in TestClient(Starlette(routes=routes(store))).get("/features").text
    finally:
        store.close()


@pytest.mark.browser
def test_pages_of_features_fit_and_are_accessible_in_both_themes(browser: Browser, filled: SqlStore) -> None:
    with served(filled) as home, opened(browser, f"{home}/features") as page:
        for path in ("/features", "/features?q=delay", "/features/congestion", "/features/odd.view-1"):
            assert faults(page, home + path, narrow=390) == [], path


@pytest.mark.browser
def test_a_view_is_found_and_opened_by_keyboard(browser: Browser, filled: SqlStore) -> None:
    with served(filled) as home, opened(browser, f"{home}/features") as page:
        page.get_by_role("searchbox").focus()
        page.keyboard.type("airports delay_7d")
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="Features that were found").get_by_role("link")).to_have_count(1)
        page.get_by_role("link", name="delay_7d").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("late_airports")
        expect(page.locator("#feature-delay_7d")).to_be_in_viewport()
        expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Features")).to_have_attribute(
            "aria-current", "page"
        )
