"""Pages of cards and dossiers: what they say, what their forms keep, and how they look and print."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from starlette.testclient import TestClient
from tests.page_browser import faults, opened, served
from tests.server.page_clients import client_of
from tests.steer.cards.card_worlds import HOSTILE, fill_cards
from tests.steer.dossier.dossier_worlds import fill_dossier

from assay.record import open_store
from assay.record.sqlstore import SqlStore

HERE = {"Origin": "http://testserver"}
CARD, DOSSIER = "/models/late/2/card", "/models/late/2/dossier"


def _client(store: SqlStore, *, may_write: bool = True) -> TestClient:
    return client_of(store, may_write=may_write)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    store = open_store(tmp_path_factory.mktemp("documents") / "store")
    fill_dossier(store)
    yield store
    store.close()


def test_a_card_is_shown_with_how_it_stands(full: SqlStore) -> None:
    page = _client(full).get(CARD).text
    assert '<span class="mark strong">current</span><span class="mark">complete</span>' in page
    assert 'href="/evaluations/' in page
    assert "What ana knows of ethics." in page
    old = _client(full).get("/models/late/1/card").text
    assert "not written yet" in old
    assert "<script>alert" not in page
    assert HOSTILE not in page


def test_a_version_leads_to_its_documents_and_a_dataset_to_its_card(full: SqlStore) -> None:
    client = _client(full)
    version = client.get("/models/late/2").text
    assert f'href="{CARD}"' in version
    assert f'href="{DOSSIER}"' in version
    listed = client.get("/datasets").text
    address = listed.split('<a href="/datasets/hold-out/card')[1].split('"')[0]
    page = client.get(f"/datasets/hold-out/card{address}").text
    assert "Card of hold-out" in page
    assert "is a service" not in page


def test_a_dossier_is_shown_with_the_coverage_of_each_point(full: SqlStore) -> None:
    page = _client(full).get(DOSSIER).text
    assert "Of 16 points 14 are filled from records and 0 by people; 2 are empty." in page
    assert page.count('<th scope="row"><a href="#') == 16
    assert "is evidence for it" in page
    assert "complies with" not in page
    assert HOSTILE not in page


@pytest.mark.parametrize(("form", "media"), [("md", "text/markdown"), ("html", "text/html"), ("csv", "text/csv")])
def test_both_are_taken_away_as_files(full: SqlStore, form: str, media: str) -> None:
    for address in (CARD, DOSSIER):
        answer = _client(full).get(f"{address}?form={form}")
        assert answer.headers["content-type"].startswith(media)
        assert answer.headers["content-disposition"].endswith(f'.{form}"')
        assert "<script>" not in answer.text or form == "csv"
    assert _client(full).get(f"{CARD}?form=exe").status_code == 400


def test_what_is_not_there_is_said(full: SqlStore) -> None:
    client = _client(full)
    for address in (
        "/models/late/9/card",
        "/models/none/1/dossier",
        "/datasets/none/card",
        f"/models/late/{2**40}/card",
    ):
        assert client.get(address).status_code == 404, address


def test_forms_keep_what_people_say_with_their_names(store: SqlStore) -> None:
    fill_cards(store)
    client = _client(store)
    said = {"do": "write", "part": "ethics", "text": "Nobody\r\nis harmed.", "by": "eve", "valid_until": "4w"}
    answer = client.post(CARD, data={**said, "scope": "version"}, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, CARD)
    (kept,) = store.query("card_text")
    assert (kept["subject_kind"], kept["owner"], kept["actor"]) == ("version", "eve", "eve")
    assert kept["text"] == "Nobody\nis harmed."
    assert client.post(CARD, data={"do": "keep", "by": "eve"}, headers=HERE).status_code == 303
    (row,) = store.query("card")
    assert (row["actor"], row["name"]) == ("eve", "late/2")
    assert "incomplete" in client.get(CARD).text
    client.post(DOSSIER, data={"point": "7", "text": "EN 1", "by": "eve", "scope": "all"}, headers=HERE)
    assert "filled by eve on" in client.get(DOSSIER).text
    answer = client.post(
        "/datasets/hold-out/card", data={"part": "consent", "text": "No people.", "by": "eve"}, headers=HERE
    )
    assert answer.headers["location"] == "/datasets/hold-out/card"
    assert "No people." in client.get("/datasets/hold-out/card").text
    client.post("/datasets/hold-out/card", data={"do": "keep", "by": "eve"}, headers=HERE)
    assert len(store.query("card", {"kind": "dataset"})) == 1


def test_forms_refuse_what_cannot_be_and_who_may_not(store: SqlStore) -> None:
    fill_cards(store)
    client = _client(store)
    said = {"do": "write", "part": "ethics", "text": "x", "by": "eve"}
    assert client.post(CARD, data=said).status_code == 403, "from another site"
    assert client.post(CARD, data={**said, "part": "nothing"}, headers=HERE).status_code == 400
    assert client.post(CARD, data={**said, "text": " "}, headers=HERE).status_code == 400
    assert (
        client.post(
            DOSSIER, data={"point": "7", "text": "It complies with all.", "by": "eve"}, headers=HERE
        ).status_code
        == 400
    )
    assert client.post("/models/late/9/card", data=said, headers=HERE).status_code == 404
    assert store.query("card_text") == []
    assert store.query("card") == []
    closed = _client(store, may_write=False)
    assert '<form method="post"' not in closed.get(CARD).text
    assert closed.post(CARD, data=said, headers=HERE).status_code == 405


@pytest.mark.browser
def test_the_pages_fit_and_axe_finds_nothing_serious(browser: Browser, full: SqlStore) -> None:
    with served(full) as address, opened(browser, address) as page:
        for place in (CARD, DOSSIER, "/datasets/hold-out/card"):
            assert faults(page, address + place, impacts=("serious", "critical")) == [], place
            page.emulate_media(media="print")
            assert not page.locator(".edit, .top nav, footer").first.is_visible()
            assert page.locator(".document table").first.is_visible()
            page.emulate_media(media="screen")
