"""`assay features get`, from the command line and over Assay's own API."""

import json
from datetime import UTC, date, datetime

import msgspec
import pyarrow as pa
import pytest

from assay.build.views.arriving.push import push
from assay.build.views.declared.view import feature_view
from assay.cli.main import run
from assay.errors import InvalidInput
from assay.operate.features.getting import EntityFeatures, get_features
from assay.record.clock import to_us
from assay.record.sqlstore import SqlStore
from assay.server.native import run_operation

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def shops(store: SqlStore) -> SqlStore:
    """A store with the view "shops", by shop and day, brought online."""
    rows = {"shop": [7, 8], "day": [date(2026, 3, 1)] * 2, "at": [NOON, NOON], "stock": [30, 40], "mood": [0.5, None]}
    view = feature_view("shops", entity=["shop", "day"], time="at", source=pa.table(rows), ttl="1d")
    push(view, view.source, store=store, now_us=to_us(NOON))
    return store


def test_entities_are_named_by_their_keys_or_as_json(shops: SqlStore) -> None:
    named = ["shop=7,day=2026-03-01", '{"shop": 8, "day": "2026-03-01"}', '{"shop": null, "day": null}']
    found = get_features(shops, ["shops:stock,shops:mood"], entity=named, now="2026-03-01T13:00:00Z")
    assert found.now == "2026-03-01T13:00:00.000000Z"
    at: dict[str, str | None] = {"shops@1": "2026-03-01T12:00:00.000000Z"}
    first = EntityFeatures({"shop": 7, "day": date(2026, 3, 1)}, {"stock": 30, "mood": 0.5}, {"shops@1": "present"}, at)
    assert found.entities[0] == first
    assert [one.values["stock"] for one in found.entities] == [30, 40, None]
    assert [one.status["shops@1"] for one in found.entities] == ["present", "present", "null_key"]
    prefixed = get_features(shops, ["shops:stock", "shops:mood"], entity=named[:1], now="2026-03-01T13:00", prefix=True)
    assert prefixed.entities[0].values == {"shops__stock": 30, "shops__mood": 0.5}


def test_the_terminal_shows_a_column_for_each_entity(shops: SqlStore, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["features", "get", "shops:*", "--entity", "shop=7,day=2026-03-01", "--entity", "shop=9,day=2026-03-01"]
    place = ["--store", shops.location, "--now", "2026-03-01T13:00:00Z"]
    assert run([*asked, *place]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["stock", "30"] in lines
    assert ["mood", "0.5"] in lines
    assert ["shops@1", "2026-03-01", "12:00:00", "missing"] in lines
    assert run([*asked, *place, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["entities"][0]["values"] == {"stock": 30, "mood": 0.5}


def test_the_same_is_answered_over_http(shops: SqlStore) -> None:
    body = {"features": ["shops:stock"], "entity": ["shop=8,day=2026-03-01"], "now": "2026-03-01T13:00:00Z"}
    answer = json.loads(msgspec.json.encode(run_operation(shops, "features get", json.dumps(body).encode())))
    assert answer["entities"][0]["values"] == {"stock": 40}
    assert answer["entities"][0]["entity"] == {"shop": 8, "day": "2026-03-01"}


@pytest.mark.parametrize(
    ("entity", "said"),
    [
        ("shop", "the entity 'shop' cannot be read"),
        ("shop=x,day=2026-03-01", "the key 'shop' is 'x'"),
        ("shop=7,day=today", "the key 'day' is 'today'"),
        ("shops=7,day=2026-03-01", "did you mean 'shop'"),
        ("{", "is no JSON object"),
        ("shop=7", "a row has no 'day'"),
    ],
)
def test_an_entity_that_cannot_be_read_is_refused_with_what_is_expected(
    shops: SqlStore, entity: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        get_features(shops, ["shops:stock"], entity=[entity])


def test_without_an_entity_or_with_a_moment_that_is_none_nothing_is_read(shops: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="no entity is named"):
        get_features(shops, ["shops:stock"])
    with pytest.raises(InvalidInput, match="the moment 'noon' cannot be read"):
        get_features(shops, ["shops:stock"], entity=["shop=7,day=2026-03-01"], now="noon")
