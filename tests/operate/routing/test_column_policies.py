"""What an endpoint says of values that its models never saw: stored with the route, kept by whatever changes that."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.operate.serving_helpers import ENDPOINT, add_route, add_version

from assay.errors import InvalidInput, NotFound
from assay.operate.routing.column_policies import set_column_policy
from assay.operate.routing.watching import Watcher
from assay.operate.serving.plan import Plan
from assay.operate.serving.policies import SignatureError
from assay.record.ledger import entries
from assay.record.location import open_store
from assay.record.models.column_policy import ColumnPolicy
from assay.record.models.routes import append_route, current_route
from assay.record.sqlstore import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(tmp_path / "store")
    add_route(opened, add_version(opened))
    yield opened
    opened.close()


def test_without_a_word_it_shows_what_counts_and_changes_nothing(store: SqlStore) -> None:
    found = set_column_policy(store, ENDPOINT)
    assert found.revision == 1
    assert [one.column for one in found.counts] == ["*", "distance", "carrier"]
    assert found.counts[0] == ColumnPolicy("*", "refuse", "refuse", "flag", "flag", "refuse")
    assert found.own == []


def test_a_policy_is_a_new_revision_with_its_decision_and_adds_up(store: SqlStore) -> None:
    set_column_policy(store, ENDPOINT, "carrier", unseen="refuse", reason="typing errors")
    found = set_column_policy(store, ENDPOINT, "carrier", missing="impute")
    assert found.revision == 3
    assert found.own == [ColumnPolicy("carrier", missing="impute", unseen="refuse")]
    assert found.counts[2] == ColumnPolicy("carrier", "impute", "refuse", "flag", "refuse")
    first, second = entries(store, kind="column_policy")[::-1]
    assert first.detail["reason"] == "typing errors"
    assert second.detail["policy"] == {"column": "carrier", "missing": "impute", "unseen": "refuse"}
    again = set_column_policy(store, ENDPOINT, "carrier", reset=True, unseen="flag")
    assert again.own == [ColumnPolicy("carrier", unseen="flag")]
    assert set_column_policy(store, ENDPOINT, "carrier", reset=True).own == []


def test_it_stays_when_versions_change(store: SqlStore) -> None:
    set_column_policy(store, ENDPOINT, extra="flag")
    route = current_route(store, ENDPOINT)
    with store.transaction():
        after = append_route(store, ENDPOINT, route.variants, decision=1)
    assert after.policies == (ColumnPolicy("*", extra="flag"),)
    assert current_route(store, ENDPOINT) == after


def test_a_server_takes_it_over(store: SqlStore) -> None:
    body = b'{"rows": [{"distance": 1.6, "carrier": "DL"}]}'
    watcher = Watcher(store, current_route(store, ENDPOINT))
    assert Plan(watcher.table).inputs.read(body).flags == [{"carrier": "unseen"}]
    set_column_policy(store, ENDPOINT, "carrier", unseen="refuse")
    watcher = Watcher(store, current_route(store, ENDPOINT))
    with pytest.raises(SignatureError, match="row 0: column 'carrier' is 'DL', which training did not have"):
        Plan(watcher.table).inputs.read(body)


def test_what_cannot_be_is_refused_and_changes_nothing(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="did you mean 'carrier'"):
        set_column_policy(store, ENDPOINT, "carier", unseen="refuse")
    with pytest.raises(InvalidInput, match="refuse or impute"):
        set_column_policy(store, ENDPOINT, "distance", mistyped="flag")
    with pytest.raises(NotFound, match="there is no endpoint 'dealys'"):
        set_column_policy(store, "dealys", "carrier", unseen="refuse")
    assert current_route(store, ENDPOINT).revision == 1
