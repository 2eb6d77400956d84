"""Changes from pages: only from a page of this server, with who makes them, never over the change of another."""

import base64
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.server.conftest import RunningServer
from tests.server.page_clients import client_of
from tests.server.page_stores import HOSTILE, Small, fill_small

from assay.record import open_store
from assay.record.changes import changes
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes

Told = tuple[SqlStore, Small, TestClient]
HERE = {"Origin": "http://testserver"}


def _told(store: SqlStore) -> Told:
    small = fill_small(store)
    return store, small, client_of(store)


@pytest.fixture
def told(either_store: SqlStore) -> Told:
    return _told(either_store)


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One store for all that changes nothing."""
    store = open_store(tmp_path_factory.mktemp("refusing") / "store")
    yield _told(store)
    store.close()


def _fields(client: TestClient, address: str) -> dict[str, list[str]]:
    """The fields that the form of a page would send as it stands."""
    form = client.get(address).text.split('<form method="post"')[1].split("</form>")[0]
    seen = re.findall(r'name="seen" value="(\w+)"', form)
    name = re.findall(r'name="name" value="([^"]*)"', form)
    return {"seen": seen, "name": name, "note": [""], "description": [""]}


def test_a_name_a_note_and_tags_are_kept_with_who_changed_them_and_what_they_said(told: Told) -> None:
    store, small, client = told
    address = f"/runs/{small.runs[0]}"
    sent = {**_fields(client, address), "name": ["other"], "note": ["one\r\ntwo"], "by": ["Ana"]}
    sent |= {"tag-key": ["team"], "tag-value": ["b"], "new-key": ["stage"], "new-value": ["second"]}
    answer = client.post(address, data=sent, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    kept = {row["key"]: row["value"] for row in store.query("run_tag", {"run_id": small.runs[0]})}
    assert kept == {"mlflow.runName": "other", "mlflow.note.content": "one\ntwo", "team": "b", "stage": "second"}
    told_changes = {
        (one["what"], one["before"], one["after"], one["actor"]) for one in changes(store, "run", small.runs[0])
    }
    assert told_changes == {
        ("name", "try 0", "other", "Ana"),
        ("tag mlflow.note.content", None, "one\ntwo", "Ana"),
        ("tag team", HOSTILE, "b", "Ana"),
        ("tag stage", None, "second", "Ana"),
    }
    page = client.get(address).text
    assert "<h1>other</h1>" in page
    assert 'id="changes"' in page


def test_a_form_that_changes_nothing_leaves_no_trace_and_a_removed_tag_is_gone(told: Told) -> None:
    store, small, client = told
    address = f"/runs/{small.runs[1]}"
    same = {**_fields(client, address), "tag-key": ["team"], "tag-value": ["a"]}
    assert client.post(address, data=same, headers=HERE).status_code == 303
    assert changes(store, "run", small.runs[1]) == []
    gone = {**_fields(client, address), "tag-key": ["team"], "tag-value": ["a"], "tag-drop": ["team"]}
    assert client.post(address, data=gone, headers=HERE).status_code == 303
    assert store.query("run_tag", {"run_id": small.runs[1], "key": "team"}) == []
    assert [(one["what"], one["before"]) for one in changes(store, "run", small.runs[1])] == [("tag team", "a")]


def test_a_note_is_no_sign_of_life_of_a_run_that_is_lost(told: Told) -> None:
    _, small, client = told
    address = f"/runs/{small.long}"
    fields = _fields(client, address)
    assert client.post(address, data={**fields, "name": ["x"], "note": ["it died"]}, headers=HERE).status_code == 303
    assert 'class="state lost"' in client.get(address).text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://testserver:81"},
        {**HERE, "Sec-Fetch-Site": "cross-site"},
        {**HERE, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_comes_from_elsewhere_is_refused_and_changes_nothing(refusing: Told, headers: dict[str, str]) -> None:
    store, small, client = refusing
    address = f"/runs/{small.runs[0]}"
    answer = client.post(address, data={**_fields(client, address), "name": ["taken"]}, headers=headers)
    assert answer.status_code == 403
    assert "which is not this server" in answer.text
    assert store.get("run", {"run_id": small.runs[0]})["name"] == "try 0"


def test_two_who_change_the_same_do_not_undo_each_other(told: Told) -> None:
    store, small, client = told
    address = f"/runs/{small.runs[0]}"
    both = _fields(client, address)
    assert client.post(address, data={**both, "name": ["first"]}, headers=HERE).status_code == 303
    late = client.post(address, data={**both, "name": ["second"]}, headers=HERE)
    assert late.status_code == 409
    assert "somebody changed this in the meantime" in late.text
    assert store.get("run", {"run_id": small.runs[0]})["name"] == "first"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": [" "]}, "name cannot be kept"),
        ({"name": ["x" * 501]}, "name cannot be kept"),
        ({"new-key": ["team"]}, "there is a tag team already"),
        ({"new-key": ["mlflow.user"], "new-value": ["x"]}, "one of MLflow"),
        ({"new-value": ["x"]}, "a value and no name"),
        ({"new-key": ["../x"]}, "Invalid tag name"),
        ({"by": ["x" * 101]}, "your name cannot be kept"),
        ({"note": ["x" * 600_000]}, "the form is too large"),
    ],
)
def test_what_cannot_be_kept_is_said_and_nothing_of_it_is_kept(
    refusing: Told, wrong: dict[str, list[str]], said: str
) -> None:
    store, small, client = refusing
    address = f"/runs/{small.runs[0]}"
    sent = {**_fields(client, address), "tag-key": ["team"], "tag-value": ["b"], **wrong}
    answer = client.post(address, data=sent, headers=HERE)
    assert answer.status_code == 400
    assert said in answer.text
    assert store.query("run_tag", {"run_id": small.runs[0], "key": "team"})[0]["value"] == HOSTILE


def test_a_body_that_is_no_form_is_refused(refusing: Told) -> None:
    _, small, client = refusing
    for kind, body in (("application/json", b"{}"), ("application/x-www-form-urlencoded", b"name=%ff")):
        answer = client.post(f"/runs/{small.runs[0]}", content=body, headers={**HERE, "Content-Type": kind})
        assert answer.status_code == 400
    assert client.post("/runs/nobody", data={"name": "x"}, headers=HERE).status_code == 404
    assert client.post("/models/net/99999999999", data={"name": "x"}, headers=HERE).status_code == 404


def test_a_version_is_described_and_tagged_by_the_user_of_the_request(told: Told) -> None:
    store, _, client = told
    fields = {**_fields(client, "/models/net/1"), "description": ["the first"], "by": ["somebody else"]}
    fields |= {
        "tag-key": ["team"],
        "tag-value": [HOSTILE],
        "tag-drop": ["team"],
        "new-key": ["night"],
        "new-value": ["1"],
    }
    user = {"Authorization": "Basic " + base64.b64encode(b"ben:secret").decode()}
    answer = client.post("/models/net/1", data=fields, headers={**HERE, **user})
    assert (answer.status_code, answer.headers["location"]) == (303, "/models/net/1")
    version = store.query("model_version", {"model": "net"})[0]
    assert version["description"] == "the first"
    assert [(row["key"], row["value"]) for row in store.query("model_version_tag", {"mv_id": version["mv_id"]})] == [
        ("night", "1")
    ]
    assert {
        (one["what"], one["before"], one["after"], one["actor"]) for one in changes(store, "version", version["mv_id"])
    } == {
        ("description", None, "the first", "ben"),
        ("tag night", None, "1", "ben"),
        ("tag team", HOSTILE, None, "ben"),
    }


def test_where_nothing_may_be_written_no_page_offers_it_and_no_form_is_taken(refusing: Told) -> None:
    store, small, _ = refusing
    client = TestClient(Starlette(routes=routes(store)))
    for address in (f"/runs/{small.runs[0]}", "/models/net/1"):
        assert 'method="post"' not in client.get(address).text
        assert client.post(address, data={"name": "x"}, headers=HERE).status_code == 405


def test_the_server_keeps_what_a_page_sends_through_its_one_writer(sqlite_server: RunningServer) -> None:
    made = sqlite_server.post("runs/create", {"experiment_id": "0", "run_name": "before"})["run"]["info"]["run_id"]
    page = sqlite_server.call("GET", f"/runs/{made}").content.decode()
    seen = page.split('name="seen" value="')[1].split('"')[0]
    body = urlencode({"seen": seen, "name": "after", "note": "said on a page", "by": "Ana"}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = sqlite_server.call("POST", f"/runs/{made}", body, headers=kind)
    assert refused.status == 403
    kept = sqlite_server.call("POST", f"/runs/{made}", body, headers={**kind, "Origin": sqlite_server.url})
    assert "<h1>after</h1>" in kept.content.decode(), "it leads back to the page"
    tags = sqlite_server.get(f"runs/get?run_id={made}")["run"]["data"]["tags"]
    assert {"key": "mlflow.note.content", "value": "said on a page"} in tags
