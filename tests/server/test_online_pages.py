"""Pages of endpoints, releases and online tests: what they say, and how they look."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.operate.releases.release_worlds import ENDPOINT
from tests.operate.serving_helpers import prediction
from tests.page_browser import faults, opened, served
from tests.server.online_worlds import Online, fill_online
from tests.server.page_stores import HOSTILE

from assay.operate.predictions.compacting import compact_predictions
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.releases.moving import abort
from assay.operate.releases.records import find_rollout
from assay.record import open_store
from assay.record.clock import iso
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes
from assay.server.pages.endpoint_traffic import traffic_of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, Online]]:
    store = open_store(tmp_path_factory.mktemp("online") / "store")
    yield store, fill_online(store)
    store.close()


@pytest.fixture(scope="module")
def client(world: tuple[SqlStore, Online]) -> TestClient:
    return TestClient(Starlette(routes=routes(world[0])))


def test_endpoints_are_listed_with_who_answers_and_what_is_under_way(
    client: TestClient, world: tuple[SqlStore, Online]
) -> None:
    page = client.get("/endpoints").text
    for said in (
        'href="/endpoints/late"',
        'href="/models/late/1">late 1</a> <span class="note">90 %',
        'href="/models/late/2">late 2</a> <span class="note">10 %',
        f'href="/releases/{world[1].running}">release of version 2</a>',
        "1 of 2 answer by this route",
    ):
        assert said in page, said


def test_an_endpoint_says_who_serves_what_was_answered_and_what_was_decided(client: TestClient) -> None:
    page = client.get(f"/endpoints/{ENDPOINT}").text
    for said in (
        "serving",
        "host-1",
        '<span class="verdict-word pass">up to date</span>',
        '<span class="verdict-word inconclusive">not the newest yet</span>',
        "Requests a minute",
        "Errors in percent of the answers",
        "95 of 100 answers took at most so many milliseconds",
        "release rolled back: errors for",
        "test clicks",
    ):
        assert said in page, said
    assert HOSTILE not in page
    assert client.get(f"/endpoints/{ENDPOINT}?span=7d").status_code == 200
    assert client.get(f"/endpoints/{ENDPOINT}?span=3d").status_code == 400
    assert client.get("/endpoints/nowhere").status_code == 404


def test_traffic_is_what_was_logged_in_parts_and_in_segments(world: tuple[SqlStore, Online]) -> None:
    store, _ = world
    shown = traffic_of(store, ENDPOINT, timedelta(days=2), 50, patience_s=60)
    assert shown.is_whole
    counted = {(one.mv_id, one.role): int(one.rows.sum()) for one in shown.traffic}
    assert sum(rows for (_, role), rows in counted.items() if role == "live") == 600 + 300 + 120 + 600 + 200
    assert sum(rows for (_, role), rows in counted.items() if role == "shadow") == 120
    again = traffic_of(store, ENDPOINT, timedelta(days=2), 50).traffic
    assert {(one.mv_id, one.role): int(one.rows.sum()) for one in again} == counted
    champion = again[0]
    median = champion.quantile_ms(0.5)
    assert median is not None
    assert 1.2 < median < 1.9, "0.1 ms and half of an exponential with mean 2 ms"


def test_a_page_does_not_wait_for_all_that_was_not_counted_yet(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    try:
        now = store.clock.now()
        for hours in (5, 3, 1):
            moment = iso(now - timedelta(hours=hours))
            with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
                writer.append([prediction(str(hours), ts=moment, mv_id="v")])
        first = traffic_of(store, ENDPOINT, timedelta(hours=24), 24, patience_s=0.0)
        assert not first.is_whole
        assert [int(one.rows.sum()) for one in first.traffic] == [1]
        assert first.traffic[0].rows[-2:].sum() == 1, "the newest comes first"
        deadline = time.monotonic() + 10
        while not (shown := traffic_of(store, ENDPOINT, timedelta(hours=24), 24)).is_whole:
            assert time.monotonic() < deadline
        assert int(shown.traffic[0].rows.sum()) == 3
    finally:
        store.close()


def test_what_is_over_for_long_is_shown_up_to_its_end(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    try:
        assert traffic_of(store, ENDPOINT, timedelta(hours=1), 60).traffic == []
        with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
            moments = ["2013-08-01T10:00:00.000000Z", "2013-08-01T10:50:30.000000Z", "2013-07-01T00:00:00.000000Z"]
            writer.append([prediction(moment, event_ts=moment) for moment in moments])
        for _ in range(2):
            shown = traffic_of(store, ENDPOINT, timedelta(hours=1), 60)
            assert shown.until.strftime("%Y-%m-%d %H:%M") == "2013-08-01 10:51"
            assert int(shown.traffic[0].rows.sum()) == 2
            compact_predictions(store, ENDPOINT)
    finally:
        store.close()


def test_a_release_that_was_rolled_back_says_why_and_on_what(
    client: TestClient, world: tuple[SqlStore, Online]
) -> None:
    page = client.get(f"/releases/{world[1].rolled_back}").text
    for said in (
        "rolled back",
        '<span class="verdict-word fail">fail</span>',
        "errors for",
        "the champion&#39;s share",
        "ended here",
        "in at most 1.00% of releases",
        "&#34;guardrails&#34;",
    ):
        assert said in page, said
    checked = client.get(f"/releases/{world[1].rolled_back}?check").text
    assert "All decisions come out the same, to the last bit." in checked
    assert "made again: the same" in checked


def test_a_release_that_runs_says_what_is_still_needed(client: TestClient, world: tuple[SqlStore, Online]) -> None:
    page = client.get(f"/releases/{world[1].running}").text
    assert 'aria-current="step"' in page
    assert "more units of the challenger in this step" in page
    assert "to come" in page


def test_what_people_wrote_is_text_on_a_page(client: TestClient, world: tuple[SqlStore, Online]) -> None:
    page = client.get(f"/releases/{world[1].ended}").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    for address in ("/releases/nothing", "/tests/nothing"):
        assert client.get(address).status_code == 404


def test_a_test_says_its_verdict_its_intervals_and_whether_shares_hold(
    client: TestClient, world: tuple[SqlStore, Online]
) -> None:
    page = client.get(f"/tests/{world[1].test}").text
    for said in (
        "inconclusive",
        "clicks of v2 minus the champion",
        "Nothing speaks against it",
        "enough was seen",
        "margin",
    ):
        assert said in page, said


def test_an_empty_store_says_how_to_begin(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    try:
        assert "assay promote MODEL VERSION" in TestClient(Starlette(routes=routes(store))).get("/endpoints").text
    finally:
        store.close()


@pytest.mark.browser
def test_pages_of_endpoints_fit_and_are_accessible_in_both_themes(
    browser: Browser, world: tuple[SqlStore, Online]
) -> None:
    store, ids = world
    paths = ["/endpoints", f"/endpoints/{ENDPOINT}", f"/tests/{ids.test}"]
    paths += [f"/releases/{one}" for one in (ids.rolled_back, ids.ended, ids.running)]
    with served(store) as home, opened(browser, f"{home}/endpoints") as page:
        for path in paths:
            assert faults(page, home + path, narrow=390) == [], path


@pytest.mark.browser
def test_a_release_that_ends_is_seen_on_the_open_page(browser: Browser, world: tuple[SqlStore, Online]) -> None:
    store, ids = world
    with served(store) as home, opened(browser, f"{home}/releases/{ids.running}") as page:
        expect(page.locator(".head .state")).to_contain_text("running")
        page.get_by_role("button", name="Start updates").press("Enter")
        abort(store, find_rollout(store, ids.running), "the page should say so")
        expect(page.locator(".head .state")).to_contain_text("stopped", timeout=10_000)
        expect(page.locator("#told[role=status]")).to_have_text("The release has ended: stopped.")
