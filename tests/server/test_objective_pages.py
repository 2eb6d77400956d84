"""Pages of objectives: what they say, what their form keeps and refuses, and how they look."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.page_browser import faults, opened, served
from tests.server.page_clients import client_of
from tests.server.page_stores import HOSTILE
from tests.steer.objectives.objective_world import BEGIN, MODEL, Shop, open_shop, terms_with, value_with

from assay.record import open_store
from assay.record.objective_terms import Baseline, Terms
from assay.record.objectives import decide_objective, objective_of
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes
from assay.steer.objectives.reviewing import review_objectives

HERE = {"Origin": "http://testserver"}
RANGES = {"late": {"leave": 0.0, "warn": (2.0, 4.0, 6.0)}, "on time": {"leave": 0.0, "warn": (-2.0, -1.0, 0.0)}}
TERMS = terms_with(
    statement=f"fewer customers wait {HOSTILE}", review_on=date(2026, 3, 1), value=value_with(matrix=RANGES)
)


def _client(store: SqlStore) -> TestClient:
    return client_of(store)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """Three months of decisions; outcomes of the last are few, and its users are others."""
    opened_store = open_store(tmp_path_factory.mktemp("objectives") / "store")
    open_shop(opened_store)
    shop = Shop.of(opened_store)
    shop.serve(BEGIN, 31)
    shop.serve(datetime(2026, 2, 1, tzinfo=UTC), 28, labelled=0.6)
    shop.serve(datetime(2026, 3, 1, tzinfo=UTC), 31, labelled=0.3, shops=["A", "B", HOSTILE])
    opened_store.clock.advance(datetime(2026, 2, 2, tzinfo=UTC))
    decide_objective(opened_store, MODEL, TERMS)
    opened_store.clock.advance(datetime(2026, 4, 2, tzinfo=UTC))
    review_objectives(opened_store)
    yield opened_store
    opened_store.close()


def test_all_objectives_are_listed_with_what_waits(store: SqlStore) -> None:
    page = _client(store).get("/objectives").text
    assert f'<a href="/objectives/{MODEL}">{MODEL}</a> <span class="mark bad">to be decided</span>' in page
    assert "EUR a month" in page
    assert HOSTILE not in page


def test_an_objective_says_how_it_stands_what_it_is_worth_and_what_has_to_be_decided(store: SqlStore) -> None:
    page = _client(store).get(f"/objectives/{MODEL}").text
    assert HOSTILE not in page
    for said in ("In March 2026 late added", "Not known:", "users have changed", "the review was due on 2026-03-01"):
        assert said in page, said
    for basis in ("observed", "estimated"):
        assert f"<td>{basis}</td>" in page
    assert page == _client(store).get(f"/objectives/{MODEL}").text, "the same store gives the same page"
    assert _client(store).get("/objectives/nothing").status_code == 404


def test_a_log_that_cannot_be_read_as_the_objective_wants_is_said_on_the_page(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    try:
        client = _client(store)
        assert "No model says what it is for" in client.get("/objectives").text
        open_shop(store)
        Shop.of(store).serve(BEGIN, 1)
        decide_objective(store, MODEL, terms_with(baseline=Baseline(words="x", rule="nonsense(")))
        page = client.get(f"/objectives/{MODEL}").text
        assert "What it is worth cannot be told" in page
        assert "baseline.rule" in page
    finally:
        store.close()


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(tmp_path / "store")
    open_shop(store)
    terms: Terms = msgspec.structs.replace(TERMS, segments=[])
    decide_objective(store, MODEL, terms)
    store.clock.advance(datetime(2026, 3, 2, tzinfo=UTC))
    review_objectives(store)
    yield store
    store.close()


def test_a_review_is_decided_on_the_page_once(waiting: SqlStore) -> None:
    client, address = _client(waiting), f"/objectives/{MODEL}"
    page = client.get(address).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', page))
    sent = {**hidden, "outcome": "keep", "reason": "it is fine", "by": "ann"}
    assert client.post(address, data=sent, headers={"Origin": "http://elsewhere"}).status_code == 403
    assert client.post(address, data={**sent, "reason": " "}, headers=HERE).status_code == 400
    assert client.post(address, data={**sent, "outcome": ""}, headers=HERE).status_code == 400
    done = client.post(address, data=sent, headers=HERE)
    assert (done.status_code, done.headers["location"]) == (303, address)
    (row,) = waiting.query("objective_review")
    assert (row["outcome"], row["words"], row["closed_by"]) == ("keep", "it is fine", "ann")
    assert client.post(address, data=sent, headers=HERE).status_code == 409
    assert "it is fine" in client.get(address).text
    assert objective_of(waiting, MODEL) is not None


def test_what_is_retired_leads_back_to_the_list(waiting: SqlStore) -> None:
    client, address = _client(waiting), f"/objectives/{MODEL}"
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', client.get(address).text))
    sent = {**hidden, "outcome": "retire", "reason": "nobody needs it", "by": "ann"}
    assert client.post(address, data=sent, headers=HERE).headers["location"] == "/objectives"
    assert objective_of(waiting, MODEL) is None


def test_where_nothing_can_be_changed_no_form_is_offered(store: SqlStore) -> None:
    page = TestClient(Starlette(routes=routes(store))).get(f"/objectives/{MODEL}").text
    assert "What has to be decided" in page
    assert '<form method="post"' not in page


@pytest.mark.browser
def test_pages_of_objectives_fit_and_are_accessible_in_both_themes(browser: Browser, store: SqlStore) -> None:
    with served(store) as home, opened(browser, f"{home}/objectives") as page:
        for path in ("/objectives", f"/objectives/{MODEL}"):
            assert faults(page, home + path) == [], path
