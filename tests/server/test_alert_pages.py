"""Pages of alerts and incidents: what they say, what their forms keep and refuse, and how they look."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.page_browser import faults, opened, served
from tests.server.page_clients import client_of
from tests.server.page_stores import HOSTILE
from tests.server.watch_worlds import MODEL, WatchWorld, fill_watched

from assay.record import open_store
from assay.record.alerts.alert import open_alert
from assay.record.sqlstore import SqlStore
from assay.record.store import Row, Store
from assay.server.pages import routes

HERE = {"Origin": "http://testserver"}
Told = tuple[SqlStore, TestClient]


def _client(store: SqlStore) -> TestClient:
    return client_of(store)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlStore, WatchWorld]]:
    store = open_store(tmp_path_factory.mktemp("alerts") / "store")
    yield store, fill_watched(store)
    store.close()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """A store of its own, with one alert and the incident that it opened."""
    store = open_store(tmp_path / "store")
    open_alert(store, "monitor:auc:late", "auc 0.61", severity="critical", model=MODEL, owner="ops")
    yield store, _client(store)
    store.close()


def _row(store: Store, kind: str) -> Row:
    (row,) = store.query(kind)
    return row


def _sent(client: TestClient, address: str, do: str, **fields: str) -> dict[str, str]:
    """The fields of the form that does something, as the page gives it."""
    page = client.get(address).text
    form = next(part for part in page.split('<form method="post"')[1:] if f'name="do" value="{do}"' in part)
    found = re.search(r'name="seen" value="(\w+)"', form)
    assert found is not None
    return {"seen": found[1], "do": do, **fields}


def test_alerts_are_listed_with_severity_owner_age_and_runbook(world: tuple[SqlStore, WatchWorld]) -> None:
    client = _client(world[0])
    page = client.get("/alerts").text
    assert page.index("auc 0.681") < page.index("its shape is another"), "the worst first"
    for said in ('<span class="mark bad">critical</span>', '?owner=ana">ana</a>', 'href="https://wiki.example/inputs"'):
        assert said in page, said
    assert "an old feed" not in page
    assert HOSTILE not in page
    assert "an old feed stood still" in client.get("/alerts?state=closed").text
    assert "auc 0.681" not in client.get("/alerts?owner=ana").text
    assert client.get("/alerts?state=nothing").status_code == 400
    assert client.get("/alerts/nothing").status_code == 404


def test_an_alert_is_acknowledged_snoozed_and_closed_with_who_did_it(told: Told) -> None:
    store, client = told
    address = f"/alerts/{_row(store, 'alert')['alert_id']}"
    for do, fields in (
        ("acknowledge", {"note": "I look at it", "owner": "ben"}),
        ("snooze", {"for": "4h", "reason": "a fix is on its way"}),
        ("close", {"action": "fixed", "reason": "the feed came back"}),
    ):
        answer = client.post(address, data={**_sent(client, address, do, **fields), "by": "Ana"}, headers=HERE)
        assert (answer.status_code, answer.headers["location"]) == (303, address), answer.text
    row = _row(store, "alert")
    assert (row["owner"], row["acked_by"], row["closed_by"]) == ("ben", "Ana", "Ana")
    assert (row["action"], row["reason"]) == ("fixed", "the feed came back")
    assert row["snoozed"] is not None
    page = client.get(address).text
    for said in ("I look at it", "a fix is on its way", "Closed as fixed: the feed came back"):
        assert said in page, said
    assert 'name="do"' not in page, "there is nothing left to do"


def test_a_form_of_an_alert_is_refused_from_elsewhere_without_a_reason_or_over_the_change_of_another(
    told: Told,
) -> None:
    store, client = told
    before = _row(store, "alert")
    address = f"/alerts/{before['alert_id']}"
    closing = _sent(client, address, "close", action="fixed", reason="it is well")
    assert client.post(address, data=closing, headers={"Origin": "http://elsewhere"}).status_code == 403
    assert client.post(address, data={**closing, "reason": " "}, headers=HERE).status_code == 400
    assert client.post(address, data={**closing, "action": "burnt"}, headers=HERE).status_code == 400
    assert client.post(address, data={**closing, "do": "burn"}, headers=HERE).status_code == 400
    snoozing = _sent(client, address, "snooze")
    assert client.post(address, data={**snoozing, "for": "soon"}, headers=HERE).status_code == 400
    assert _row(store, "alert") == before
    acked = _sent(client, address, "acknowledge", note="", owner="ops")
    assert client.post(address, data=acked, headers=HERE).status_code == 303
    assert client.post(address, data=closing, headers=HERE).status_code == 409, "it showed another state"
    assert _row(store, "alert")["closed"] is None


def test_an_incident_goes_from_its_start_to_what_was_learnt(told: Told) -> None:
    store, client = told
    address = f"/incidents/{_row(store, 'incident')['incident_id']}"
    assert "the harm goes on" in client.get(address).text
    for do, fields in (
        ("note", {"note": "the feed is in feet", "started": "2026-01-05T10:00", "owner": "ana", "cause": "a new unit"}),
        ("restore", {"at": "", "reason": "the feed was mended"}),
        ("close", {"cause": "a new unit", "learnt": "units are checked"}),
    ):
        answer = client.post(address, data={**_sent(client, address, do, **fields), "by": "Ana"}, headers=HERE)
        assert (answer.status_code, answer.headers["location"]) == (303, address), answer.text
    row = _row(store, "incident")
    assert (row["started"], row["owner"], row["cause"]) == ("2026-01-05T10:00:00.000000Z", "ana", "a new unit")
    assert (row["learnt"], row["closed"] is not None) == ("units are checked", True)
    page = client.get(address).text
    for said in ("to notice", "units are checked", "the feed is in feet", "the feed was mended", "Ana"):
        assert said in page, said
    assert "auc 0.61" in client.get("/incidents?state=closed").text
    assert client.get("/incidents/nothing").status_code == 404


def test_a_person_opens_an_incident_on_the_page(told: Told) -> None:
    store, client = told
    sent = {"title": "answers in feet", "model": MODEL, "severity": "warning", "by": "Ana"}
    answer = client.post("/incidents", data=sent, headers=HERE)
    assert answer.status_code == 303, answer.text
    page = client.get(answer.headers["location"]).text
    assert "<h1>answers in feet</h1>" in page
    assert "a person" in page
    assert client.post("/incidents", data={**sent, "title": " "}, headers=HERE).status_code == 400
    assert len(store.query("incident")) == 2


def test_where_nothing_can_be_changed_no_form_is_offered(world: tuple[SqlStore, WatchWorld]) -> None:
    reading = TestClient(Starlette(routes=routes(world[0])))
    for address in (f"/alerts/{world[1].alerts[0]}", "/incidents"):
        assert '<form method="post"' not in reading.get(address).text


def test_a_model_and_an_endpoint_lead_to_their_alerts(world: tuple[SqlStore, WatchWorld]) -> None:
    client = _client(world[0])
    for address in (f"/models/{MODEL}", f"/endpoints/{MODEL}"):
        page = client.get(address).text
        assert f'href="/alerts?model={MODEL}">alerts <span class="count">3</span></a>' in page, address
        assert f'href="/monitoring/{MODEL}"' in page, address
    assert "auc 0.681" in client.get(f"/endpoints/{MODEL}").text


def test_without_alerts_the_page_says_where_they_come_from(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    try:
        client = _client(store)
        assert "No alert was ever opened" in client.get("/alerts").text
        assert "assay incident open" in client.get("/incidents").text
    finally:
        store.close()


@pytest.mark.browser
def test_pages_of_alerts_and_incidents_fit_and_are_accessible_in_both_themes(
    browser: Browser, world: tuple[SqlStore, WatchWorld]
) -> None:
    store, ids = world
    incident = store.query("incident", limit=1)[0]["incident_id"]
    paths = ["/alerts", "/alerts?state=all", "/incidents", f"/incidents/{incident}"]
    paths += [f"/alerts/{one}" for one in ids.alerts]
    with served(store) as home, opened(browser, f"{home}/alerts") as page:
        for path in paths:
            assert faults(page, home + path, unfolded=True) == [], path


@pytest.mark.browser
def test_an_alert_is_acknowledged_with_the_keyboard(browser: Browser, told: Told) -> None:
    store, _ = told
    with served(store) as home, opened(browser, f"{home}/alerts") as page:
        page.get_by_role("link", name="auc 0.61").press("Enter")
        page.get_by_label("What is known").fill("I look at it")
        page.get_by_label("Your name").first.fill("Ana")
        page.get_by_role("button", name="Acknowledge").press("Enter")
        expect(page.locator(".head .state")).to_contain_text("acknowledged")
        expect(page.get_by_role("region", name="What was done")).to_contain_text("I look at it")
