"""Pages of approvals: what they say, what their forms keep and refuse, and how they look."""

import re

import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.page_browser import faults, opened, served
from tests.prove.approvals.approval_worlds import ASKER, MODEL, acting, candidate
from tests.server.page_clients import client_of
from tests.server.page_stores import HOSTILE

from assay.prove.approvals.requesting import ask_for_approval
from assay.prove.promotion import promote
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes

HERE = {"Origin": "http://testserver"}


@pytest.fixture
def client(store: SqlStore) -> TestClient:
    return client_of(store)


@pytest.fixture
def address(store: SqlStore) -> str:
    """The page of a request that waits for a peer."""
    version = candidate(store)
    with acting(store, ASKER):
        request = ask_for_approval(store, version, comment=HOSTILE).request
    assert request is not None
    return f"/approvals/{request.request_id}"


def _sent(client: TestClient, address: str, do: str, **fields: str) -> dict[str, str]:
    page = client.get(address).text
    form = next(part for part in page.split('<form method="post"')[1:] if f'name="do" value="{do}"' in part)
    found = re.search(r'name="seen" value="(\w+)"', form)
    assert found is not None
    return {"seen": found[1], "do": do, **fields}


def test_what_waits_is_listed_with_whom_it_waits_for(store: SqlStore, client: TestClient, address: str) -> None:
    page = client.get("/approvals").text
    for said in (f'href="{address}"', 'href="?person=peter"', "waits for somebody", "late/2 waits for one peer"):
        assert said in page, said
    assert address in client.get("/approvals?person=vera").text
    assert "Nothing waits for carl" in client.get("/approvals?person=carl").text
    assert client.get("/approvals?state=nothing").status_code == 400
    assert client.get("/approvals/nothing").status_code == 404


def test_a_request_shows_each_part_with_its_hash_and_its_evidence(
    store: SqlStore, client: TestClient, address: str
) -> None:
    page = client.get(address).text
    for part in ("model", "evaluation", "policy", "card", "objective", "rollout plan"):
        assert f'<th scope="row">{part}</th>' in page, part
    assert 'href="/models/late/2"' in page
    assert 'href="/evaluations/' in page
    assert HOSTILE not in page
    store.append("card", {
        "card_id": "c", "kind": "model", "subject": store.query("approval_request")[0]["mv_id"], "hash": "c" * 64,
        "content_hash": "", "blob": "", "sections": "[]",
    })  # fmt: skip
    page = client.get(address).text
    assert "it was no card, none" in page
    assert "card changed from no card to card cccccccccccc" in page
    assert 'value="approve"' not in page, "there is nothing to say yes to"


def test_a_person_approves_on_the_page_with_a_condition_and_takes_it_back(
    store: SqlStore, client: TestClient, address: str
) -> None:
    sent = _sent(
        client, address, "approve", comment="the segments are fine", conditions="no open alert\r\n", by="peter"
    )
    answer = client.post(address, data=sent, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, address), answer.text
    (row,) = store.query("approval")
    assert (row["approver"], row["role"], row["comment"]) == ("peter", "data-scientist", "the segments are fine")
    page = client.get(address).text
    assert "approved by peter (data-scientist) until" in page
    assert client.post(address, data=sent, headers=HERE).status_code == 409, "it showed another state"
    back = _sent(client, address, "withdraw", comment="not yet", by="peter")
    assert client.post(address, data=back, headers=HERE).status_code == 303
    assert "taken back by peter: not yet" in client.get(address).text
    no = _sent(client, address, "reject", comment="short flights are worse", by="vera")
    assert client.post(address, data=no, headers=HERE).status_code == 303
    assert "vera (validator) rejected it: short flights are worse" in client.get(address).text


def test_who_may_not_approve_cannot_on_the_page_either(store: SqlStore, client: TestClient, address: str) -> None:
    grant_role(store, store.actor.name, "owner")
    sent = _sent(client, address, "approve")
    refusals = {ASKER: "asked for it", "tina": "trained it", "uma": "has no role for it"}
    for name, said in refusals.items():
        answer = client.post(address, data={**sent, "by": name}, headers=HERE)
        assert answer.status_code == 403, name
        assert said in answer.text
    nameless = client.post(address, data=sent, headers=HERE)
    assert nameless.status_code == 400, "whoever runs the server has not said it"
    assert "an approval is a person" in nameless.text
    assert client.post(address, data={**sent, "by": "peter"}, headers={"Origin": "http://else"}).status_code == 403
    wrong = {**sent, "by": "peter"}
    assert client.post(address, data={**wrong, "conditions": "if it rains"}, headers=HERE).status_code == 400
    assert client.post(address, data={**wrong, "until": "1999-01-01"}, headers=HERE).status_code == 400
    assert client.post(address, data={**wrong, "do": "burn"}, headers=HERE).status_code == 400
    assert store.query("approval") == []


def test_broken_glass_is_reviewed_on_the_page(store: SqlStore, client: TestClient, address: str) -> None:
    with acting(store, "olga"):
        promote(store, MODEL, 2, override="the old one is on fire")
    (row,) = store.query("approval_exception")
    assert "1 exception waits for a review" in client.get("/approvals").text
    more = {"exception": row["exception_id"], "outcome": "justified", "comment": "it was on fire"}
    sent = _sent(client, "/approvals", "review", **more)
    assert client.post("/approvals", data={**sent, "by": "olga"}, headers=HERE).status_code == 403
    assert client.post("/approvals", data={**sent, "by": "vera"}, headers=HERE).status_code == 303
    page = client.get("/approvals").text
    assert "Reviewed by vera" in page
    assert "0 exceptions wait" in page


def test_the_page_of_a_version_leads_to_its_approval(store: SqlStore, client: TestClient, address: str) -> None:
    page = client.get("/models/late/2").text
    assert f'href="{address}">late/2 waits for one peer' in page
    assert "assay approve request late 1" in client.get("/models/late/1").text


def test_a_server_that_keeps_nothing_offers_no_forms(store: SqlStore, address: str) -> None:
    reading = TestClient(Starlette(routes=routes(store)))
    page = reading.get(address).text
    assert '<form method="post"' not in page
    assert "assay approve give late 2" in page


@pytest.mark.browser
def test_the_pages_fit_and_axe_finds_nothing(store: SqlStore, browser: Browser, address: str) -> None:
    with acting(store, "olga"):
        promote(store, MODEL, 2, override="the old one is on fire")
    with served(store) as home, opened(browser, f"{home}/approvals") as page:
        for path in ("/approvals", "/approvals?state=all", address):
            assert faults(page, home + path, unfolded=True) == [], path
