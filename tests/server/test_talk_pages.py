"""Pages of conversation: what needs somebody, decision records, what is said; hostile text stays text."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.page_browser import faults, opened, served
from tests.record.talk.talk_world import DAY, acting, begin, later
from tests.server.page_clients import client_of
from tests.server.page_stores import HOSTILE

from assay.record import open_store
from assay.record.alerts.incident_commands import report_incident
from assay.record.sqlstore import SqlStore
from assay.record.talk.deciding import record_decision
from assay.record.talk.standing import look_after_notices
from assay.record.talk.talking import ask_about, comment_on, list_comments
from assay.server.pages import routes

HERE = {"Origin": "http://testserver"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[SqlStore, TestClient]]:
    """A question to ann, an incident that she and bob have to know of, and a decision."""
    store = open_store(tmp_path / "store")
    begin(store, ann="owner", bob="operations")
    ask_about(acting(store, "eve"), "model:churn", f"{HOSTILE}?", to="ann")
    report_incident(acting(store, "eve"), f"all wrong {HOSTILE}", model="churn")
    record_decision(
        acting(store, "ann"), f"Keep {HOSTILE}", context=HOSTILE, option=[HOSTILE], outcome=HOSTILE,
        about="model:churn", evidence=["model:churn"], review="1d",
    )  # fmt: skip
    look_after_notices(store)

    yield store, client_of(store)
    store.close()


def test_the_inbox_says_what_needs_somebody_and_reading_it_is_said(world: tuple[SqlStore, TestClient]) -> None:
    store, client = world
    page = client.get("/inbox?who=ann").text
    assert "What needs ann" in page
    assert "to be read until" in page
    assert 'href="/models/churn#said-' in page
    notice = next(row for row in store.query("notice", {"person": "ann"}) if row["event"] == "incident.opened")
    answer = client.post("/inbox", data={"notice": notice["notice_id"], "by": "bob"}, headers=HERE)
    assert answer.status_code == 403, "only who it is for"
    answer = client.post("/inbox", data={"notice": notice["notice_id"], "by": "ann"}, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox?who=ann")
    assert client.post("/inbox", data={"notice": "all", "by": "ann"}).status_code == 403, "from another site"
    (read,) = store.query("notice", {"notice_id": notice["notice_id"]})
    assert read["read"] is not None
    assert "Read lately" in client.get("/inbox?who=ann").text
    named = base64.b64encode(b"bob:secret").decode()
    mine = client.get("/inbox", headers={"Authorization": f"Basic {named}"}).text
    assert "What needs bob" in mine


def test_looking_at_the_inbox_writes_nothing(world: tuple[SqlStore, TestClient]) -> None:
    store, client = world
    before = store.query("notice"), store.query("outbox")
    client.get("/inbox?who=ann")
    assert (store.query("notice"), store.query("outbox")) == before


def test_something_is_said_asked_and_answered_on_the_page_of_a_record(world: tuple[SqlStore, TestClient]) -> None:
    store, client = world
    incident = store.query("incident")[0]["incident_id"]
    about = {"kind": "incident", "id": incident, "by": "bob"}
    said = client.post("/comments", data={**about, "text": f"@ann {HOSTILE}"}, headers=HERE)
    assert said.status_code == 303
    assert said.headers["location"].startswith(f"/incidents/{incident}#said-")
    client.post("/comments", data={**about, "text": "why?", "to": "owner", "within": "1d"}, headers=HERE)
    asked = next(one for one in list_comments(store, f"incident:{incident}") if one.kind == "question")
    assert (asked.actor, asked.to) == ("bob", ["role:owner"])
    page = client.get(f"/incidents/{incident}").text
    assert page.count('class="written"') >= 2
    answered = {**about, "by": "ann", "text": "because", "answers": asked.comment_id}
    assert client.post("/comments", data=answered, headers=HERE).status_code == 303
    assert list_comments(store, f"incident:{incident}", open_=True) == []
    assert "answered by ann" in client.get(f"/incidents/{incident}").text
    for wrong in (
        {"text": ""},
        {"text": "x", "to": "nobody"},
        {"text": "x", "id": "none"},
        {"text": "x", "answers": "none"},
    ):
        assert client.post("/comments", data={**about, **wrong}, headers=HERE).status_code in (400, 404)
    assert client.post("/comments", data={**about, "text": "x"}).status_code == 403
    assert len(list_comments(store, f"incident:{incident}")) == 3


@pytest.mark.parametrize(
    "address", ["/inbox?who=ann", "/records", "/records/ID", "/models/churn", "/ledger", "/incidents/ID"]
)
def test_text_of_people_stays_text(world: tuple[SqlStore, TestClient], address: str) -> None:
    store, client = world
    kind, key = ("incident", "incident_id") if "incidents" in address else ("decision_record", "record_id")
    comment_on(store, f"incident:{store.query('incident')[0]['incident_id']}", HOSTILE)
    page = client.get(address.replace("ID", store.query(kind)[0][key]))
    assert page.status_code == 200
    assert HOSTILE not in page.text
    if address != "/ledger":
        assert re.search(r"&lt;(script|img|b)", page.text)


def test_a_decision_record_shows_what_it_rests_on_and_that_it_has_to_be_looked_at_again(
    world: tuple[SqlStore, TestClient],
) -> None:
    store, client = world
    later(store, 2 * DAY)
    record = store.query("decision_record")[0]["record_id"]
    page = client.get(f"/records/{record}").text
    assert "review overdue" in page
    assert "unchanged" in page
    assert f"/records/{record}" in client.get("/inbox?who=ann").text
    assert client.get("/records/none").status_code == 404


def test_where_nothing_can_be_changed_no_form_is_offered(world: tuple[SqlStore, TestClient]) -> None:
    store, _ = world
    client = TestClient(Starlette(routes=routes(store)))
    for address in ("/inbox?who=ann", "/models/churn"):
        assert '<form method="post"' not in client.get(address).text
    assert "What was said" in client.get("/models/churn").text


@pytest.mark.browser
def test_the_pages_fit_and_axe_finds_nothing(world: tuple[SqlStore, TestClient], browser: Browser) -> None:
    store, _ = world
    record = store.query("decision_record")[0]["record_id"]
    comment_on(acting(store, "bob"), "model:churn", HOSTILE * 3)
    paths = ["/inbox?who=ann", "/inbox?who=nobody", "/records", f"/records/{record}", "/models/churn"]
    with served(store) as home, opened(browser, f"{home}/inbox") as page:
        for path in paths:
            assert faults(page, home + path, unfolded=True) == [], path
