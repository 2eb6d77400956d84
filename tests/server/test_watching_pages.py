"""Pages of monitoring, triggers and retrainings: what they say, and how they look."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.page_browser import faults, opened, served
from tests.server.page_stores import HOSTILE
from tests.server.watch_worlds import MODEL, WatchWorld, fill_watched

from assay.operate.monitors.records import monitors_of
from assay.record import open_store
from assay.record.models.registered_models import create_registered_model
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes
from assay.server.pages.monitor_drawing import course_of
from assay.server.pages.monitor_windows import Watched, watched


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, WatchWorld]]:
    store = open_store(tmp_path_factory.mktemp("watched") / "store")
    yield store, fill_watched(store)
    store.close()


@pytest.fixture(scope="module")
def client(world: tuple[SqlStore, WatchWorld]) -> TestClient:
    return TestClient(Starlette(routes=routes(world[0])))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[TestClient]:
    store = open_store(tmp_path / "store")
    create_registered_model(store, "quiet")
    yield TestClient(Starlette(routes=routes(store)))
    store.close()


def test_models_are_listed_with_the_state_of_their_worst_monitor(client: TestClient) -> None:
    page = client.get("/monitoring").text
    for said in (
        f'href="/monitoring/{MODEL}"',
        "</span> alarm</span>",
        'href="/alerts?model=late">3 open</a>',
        'href="/triggers?model=late">4</a>',
        "under way",
    ):
        assert said in page, said


def test_what_changed_stands_in_the_order_of_how_much_it_matters(client: TestClient) -> None:
    page = client.get(f"/monitoring/{MODEL}").text
    changed = page[page.index('id="changed"') : page.index('id="quality"')]
    rows = [changed.index(f'<th scope="row" class="wrap">{name}') for name in ("auc", "distance", "carrier", "score")]
    assert rows == sorted(rows)
    assert "the mean moved, from" in changed
    assert "&#34;" not in changed.split("<tbody>")[0]
    assert "origin=LGA" in changed
    assert changed.count('scope="row" class="wrap">distance') == 1, "one line a column, whatever the segments"


def test_what_is_not_calibrated_is_said_to_be_so(client: TestClient, world: tuple[SqlStore, WatchWorld]) -> None:
    page = client.get(f"/monitoring/{MODEL}").text
    assert "<strong>Uncalibrated:</strong> skew." in page
    assert "<strong>Uncalibrated:</strong>" in client.get(f"/monitors/{world[1].monitors['skew']}").text
    assert "<strong>Uncalibrated:</strong>" not in client.get(f"/monitors/{world[1].monitors['auc']}").text


def test_measured_and_estimated_quality_stand_beside_each_other_with_intervals(client: TestClient) -> None:
    page = client.get(f"/monitoring/{MODEL}").text
    quality = page[page.index('id="quality"') : page.index('id="monitors"')]
    assert quality.index("measured on labels: 0.6") < quality.index("estimated without labels: 0.6")
    assert quality.count('class="course of-') == 4, "two lines, and a key to each"
    assert quality.count('class="area of-') == 2


def test_a_monitor_shows_each_window_with_its_state_and_bound(
    client: TestClient, world: tuple[SqlStore, WatchWorld]
) -> None:
    page = client.get(f"/monitors/{world[1].monitors['inputs']}").text
    assert page.count('<path class="point uncalibrated"') == 11 + 1, "and the key"
    assert page.count('<path class="point alarm"') == 4 + 1
    assert "2026-04-05: alarm" in page
    assert 'href="https://wiki.example/inputs"' in page
    assert "What was found in 2026-04-05" in page
    assert "origin=JFK" in page
    earlier = client.get(f"/monitors/{world[1].monitors['inputs']}?window=2026-03-20").text
    assert "What was found in 2026-03-20" in earlier


def test_a_column_is_drawn_then_and_now(client: TestClient) -> None:
    def shown(query: str) -> str:
        page = client.get(f"/monitoring/{MODEL}?{query}").text
        return page[page.index('id="then-and-now"') :]

    usual = shown("")
    assert "<strong>distance</strong>: median from" in usual, "the one that changed most"
    assert '<path class="then"' in usual
    assert "30 windows from 2026-03-02 on, 15,000 rows" in usual
    carriers = shown("column=carrier&segment=origin%3DJFK")
    assert "in origin=JFK" in carriers
    assert "&#39;WN&#39; from" in carriers
    assert carriers.count('<tr><th scope="row"') == 5
    assert shown("column=weekday").count('<tr><th scope="row"') == 7, "few values one by one"
    assert "True" in shown("column=holiday") or "true" in shown("column=holiday")
    assert client.get(f"/monitoring/{MODEL}?column=nothing").status_code == 400


def test_triggers_say_how_they_stand_why_and_what_they_did(client: TestClient) -> None:
    page = client.get(f"/triggers?model={MODEL}").text
    for said in (
        "schedule 0 6 * * 1 Europe/Berlin",
        "2026-04-13 04:00:00",
        "<strong>under way</strong>: retraining",
        "cannot be told",
        "it was planned for 2026-03-02 05:00 UTC",
        "drill",
        "cannot be told: drift shown by no such monitor",
        "blocked",
    ):
        assert said in page, said


def test_a_retraining_is_told_from_what_fired_it_to_its_end(
    client: TestClient, world: tuple[SqlStore, WatchWorld]
) -> None:
    listed = client.get("/stories").text
    assert [listed.count(f"</span> {word}</span>") for word in ("promoted", "refused", "under way")] == [2, 2, 1]
    promoted, refused, *_, running = world[1].stories
    page = client.get(f"/stories/{promoted}").text
    parts = ("it was planned for 2026-03-02 05:00 UTC", "48,211 rows", "version 2 was promoted", "is the champion")
    places = [page.rindex(part) for part in parts]
    assert places == sorted(places)
    assert f'href="/models/{MODEL}/2"' in page
    page = client.get(f"/stories/{refused}").text
    assert '<span class="verdict-word fail">fail</span>' in page
    assert "ended here" in page
    page = client.get(f"/stories/{running}").text
    assert 'aria-current="step"' in page
    assert "assay watch stop" in page


def test_what_is_not_there_yet_says_what_to_do(empty: TestClient) -> None:
    for address, said in {
        "/monitoring": "assay promote MODEL VERSION",
        "/monitoring/quiet": "assay promote quiet VERSION",
        "/triggers": "[triggers.weekly]",
        "/stories": "assay retrain MODEL",
    }.items():
        assert said in empty.get(address).text, address
    for address in ("/monitoring/nothing", "/monitors/nothing", "/stories/nothing"):
        assert empty.get(address).status_code == 404, address


def test_what_people_wrote_is_text_on_these_pages(client: TestClient, world: tuple[SqlStore, WatchWorld]) -> None:
    for address in ("/monitoring", f"/monitoring/{MODEL}", *(f"/monitors/{one}" for one in world[1].monitors.values())):
        assert HOSTILE not in client.get(address).text, address


def test_open_alerts_are_counted_in_the_head_of_every_page(client: TestClient, empty: TestClient) -> None:
    assert '<span class="hidden">, 3 open</span>' in client.get("/").text
    assert 'class="count"' not in empty.get("/").text


@pytest.mark.browser
def test_pages_of_monitoring_fit_and_are_accessible_in_both_themes(
    browser: Browser, world: tuple[SqlStore, WatchWorld]
) -> None:
    store, ids = world
    paths = ["/monitoring", f"/monitoring/{MODEL}", f"/monitoring/{MODEL}?column=carrier", "/triggers", "/stories"]
    paths += [f"/monitors/{ids.monitors[name]}" for name in ("inputs", "auc", "skew", HOSTILE)]
    paths += [f"/stories/{one}" for one in (ids.stories[0], ids.stories[1], ids.stories[-1])]
    with served(store) as home, opened(browser, f"{home}/monitoring") as page:
        for path in paths:
            assert faults(page, home + path) == [], path


@pytest.mark.browser
def test_a_walk_from_the_head_to_a_retraining_by_keyboard_and_clicks(
    browser: Browser, world: tuple[SqlStore, WatchWorld]
) -> None:
    with served(world[0]) as home, opened(browser, home) as page:
        page.get_by_role("link", name="Monitoring").press("Enter")
        page.get_by_role("link", name=MODEL).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Monitoring of {MODEL}")
        page.get_by_label("Column").select_option("carrier")
        page.get_by_role("button", name="Show").press("Enter")
        expect(page.get_by_role("region", name="carrier then and now").get_by_role("row", name="WN")).to_be_visible()
        page.get_by_role("link", name="retrainings").click()
        page.get_by_role("region", name="Retrainings").get_by_role("link").nth(0).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Retraining of {MODEL}")


def test_a_bound_that_changes_its_side_is_drawn_on_both(world: tuple[SqlStore, WatchWorld]) -> None:
    monitors = {one.monitor_id: one for one in monitors_of(world[0])}
    found = watched(world[0], monitors[world[1].monitors["auc"]])
    one_sided = course_of(found)
    flipped = [seen._replace(bound=0.1 if place % 2 else -0.1) for place, seen in enumerate(found.seen)]
    two_sided = course_of(Watched(found.monitor, flipped))
    assert one_sided is not None
    assert two_sided is not None
    assert [len([number for number, _ in drawn.lines if number == 1]) for drawn in (one_sided, two_sided)] == [1, 2]
    assert all(path.count(" ") == len(flipped) for number, path in two_sided.lines if number == 1)
    levels = [{point.split(" ")[1] for point in re.split("[ML]", path)[1:]} for _, path in two_sided.lines[1:]]
    assert [len(one) for one in levels] == [1, 1], "each is level"
