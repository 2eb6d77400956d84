"""What people decide of a retraining on its page: to let it go on, or to end it."""

import re

import pytest
from starlette.testclient import TestClient
from tests.server.page_clients import client_of

from assay.operate.triggers.firing import fire_by_hand
from assay.operate.watching.story import StageResult, advance, find_story
from assay.record.sqlstore import SqlStore

HERE = {"Origin": "http://testserver"}


@pytest.fixture
def client(store: SqlStore) -> TestClient:
    return client_of(store)


@pytest.fixture
def waiting(store: SqlStore) -> str:
    """A story that waits for a person."""
    fired = fire_by_hand(store, "late", "assay.toml", "a new law")
    advance(store, find_story(store, fired.fire_id), StageResult(words="version 2 waits for a person", next="approve"))
    return fired.fire_id


def _sent(client: TestClient, address: str, do: str, reason: str) -> dict[str, str]:
    form = next(part for part in client.get(address).text.split("<form")[1:] if f'value="{do}"' in part)
    found = re.search(r'name="seen" value="(\w+)"', form)
    assert found is not None
    return {"seen": found[1], "do": do, "reason": reason, "by": "Ana"}


def test_a_retraining_that_waits_is_approved_once_with_a_reason(
    store: SqlStore, client: TestClient, waiting: str
) -> None:
    address = f"/stories/{waiting}"
    sent = _sent(client, address, "approve", "the figures are good")
    assert client.post(address, data={**sent, "reason": " "}, headers=HERE).status_code == 400
    assert client.post(address, data=sent, headers={"Origin": "http://elsewhere"}).status_code == 403
    assert client.post(address, data=sent, headers=HERE).status_code == 303
    approved = find_story(store, waiting).detail["approved"]
    assert isinstance(approved, dict)
    assert (approved["who"], approved["reason"]) == ("Ana", "the figures are good")
    assert client.post(address, data=sent, headers=HERE).status_code == 409
    page = client.get(address).text
    assert 'value="approve"' not in page
    assert "the figures are good" in page


def test_a_retraining_is_ended_with_a_reason_and_then_offers_nothing(
    store: SqlStore, client: TestClient, waiting: str
) -> None:
    address = f"/stories/{waiting}"
    sent = _sent(client, address, "stop", "a mistake")
    assert client.post(address, data={**sent, "do": "burn"}, headers=HERE).status_code == 400
    assert client.post(address, data=sent, headers=HERE).status_code == 303
    story = find_story(store, waiting)
    assert (story.status, story.reason) == ("stopped", "a mistake")
    assert 'name="do"' not in client.get(address).text
