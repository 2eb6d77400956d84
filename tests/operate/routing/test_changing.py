from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from tests.operate.routing.routes_helpers import SPLIT, promoted, variant
from tests.operate.serving_helpers import ENDPOINT, Fixed, add_version

from assay.build.models.packaging import package_model
from assay.errors import Conflict, InvalidInput, NotFound
from assay.operate.routing.changing import end_split, set_shadows, set_split
from assay.operate.routing.endpoint_commands import shadow_endpoint
from assay.prove.alias_commands import point_alias
from assay.prove.promotion import promote, rollback
from assay.record import ledger
from assay.record.identity import Actor
from assay.record.models.registry import ModelVersion
from assay.record.models.routes import Route, Split, Variant, current_route
from assay.record.sqlstore import SqlStore
from assay.record.store import Store
from assay.record.tracking.runs import start_run


def _split(store: Store, versions: list[ModelVersion], **changes: object) -> Route:
    variants = [variant(versions[0], 90), variant(versions[1], 10, "challenger")]
    arguments = {"variants": variants, "split": SPLIT, "kind": "test", "reason": "to see", **changes}
    return set_split(store, ENDPOINT, arguments.pop("variants"), **arguments)  # type: ignore[arg-type] # as given


def test_a_split_and_its_decision_come_into_being_together(either_store: SqlStore) -> None:
    made = promoted(either_store, 3)
    route = _split(either_store, made, shadows=[variant(made[2], 0, "shadow")], detail={"test_id": "t1"})
    assert route == current_route(either_store, ENDPOINT)
    assert (route.revision, route.split) == (2, SPLIT)
    (entry,) = ledger.entries(either_store, kind="test")
    assert entry.subject == ENDPOINT
    assert entry.detail == {
        "endpoint": ENDPOINT,
        "from_revision": 1,
        "variants": [
            {"name": "champion", "version": "delays/1", "hash": made[0].hash, "weight": 90},
            {"name": "challenger", "version": "delays/2", "hash": made[1].hash, "weight": 10},
        ],
        "shadows": [{"name": "shadow", "version": "delays/3", "hash": made[2].hash, "weight": 0}],
        "split": {
            "experiment": "test",
            "phase": 1,
            "salt": "salt",
            "hash_version": "murmur3",
            "coverage": 10_000,
            "segment": None,
        },
        "reason": "to see",
        "test_id": "t1",
    }
    (row,) = either_store.query("route", {"revision": 2})
    assert row["decision"] == entry.seq
    assert ledger.verify(either_store).sound


def test_who_changes_a_route_that_has_changed_is_told_by_whom(store: SqlStore) -> None:
    made = promoted(store)
    store.actor = Actor("rosa")
    _split(store, made, expect=1)
    before = store.query("ledger")
    with pytest.raises(Conflict, match="was changed by rosa at ") as raised:
        _split(store, made, expect=1)
    assert "revision 1, it is 2 now" in str(raised.value.expected)
    with pytest.raises(Conflict):
        set_shadows(store, ENDPOINT, [], kind="test", reason="", expect=1)
    with pytest.raises(Conflict):
        end_split(store, ENDPOINT, kind="test", reason="", expect=1)
    assert store.query("ledger") == before
    assert _split(store, made, expect=2).revision == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": Split("t", 1, "s", coverage=10_001)}, "the coverage is 10001"),
        ({"split": Split("t", 1, "s", coverage=-1)}, "the coverage is -1"),
        ({"split": Split("t", 1, "s", segment="distnce > 3")}, "did you mean distance"),
        ({"split": Split("t", 1, "s", segment="carrier > 3")}, "cannot compare carrier"),
        ({"split": Split("t", 1, "s", hash_version="murmur")}, "did you mean 'murmur3'"),  # type: ignore[arg-type] # wrong on purpose
        ({"split": None}, "without a split"),
        ({"variants": []}, "is not its champion"),
    ],
)
def test_a_split_that_cannot_be_is_refused_and_changes_nothing(
    store: SqlStore, changes: dict[str, object], said: str
) -> None:
    made = promoted(store)
    before = store.query("ledger")
    with pytest.raises(InvalidInput) as raised:
        _split(store, made, **changes)
    assert said in str(raised.value)
    assert store.query("ledger") == before
    assert current_route(store, ENDPOINT).revision == 1


def test_wrong_weights_and_another_champion_are_refused(store: SqlStore) -> None:
    first, second = promoted(store)
    for weights, said in (((1, -1), "has the weight -1"), ((0, 0), "all weights are 0"), ((2**31, 1), "add up to")):
        variants = [variant(first, weights[0]), variant(second, weights[1], "challenger")]
        with pytest.raises(InvalidInput, match=said):
            _split(store, [first, second], variants=variants)
    with pytest.raises(InvalidInput, match="not its champion") as raised:
        _split(store, [second, first])
    assert raised.value.expected == "delays/1"
    with pytest.raises(NotFound, match="did you mean 'delays'"):
        set_split(store, "delay", [variant(first)], split=None, kind="test", reason="")


def test_variants_that_take_a_column_as_another_kind_are_refused(store: SqlStore) -> None:
    made = promoted(store)
    with start_run(store, "other") as run:
        table = pa.table({"distance": ["far", "near"], "carrier": ["AA", "UA"]})
        other = package_model(store, "delays", Fixed(0.5), table, ["distance", "carrier"], run=run)
    with pytest.raises(InvalidInput, match="'distance' is number for champion and text for challenger"):
        _split(store, [made[0], other])


class Numbers:
    """A regressor."""

    def predict(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        return np.zeros(len(X))


class Classes:
    """Of three classes each is as likely."""

    classes_ = ("a", "b", "c")

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        return np.full((len(X), 3), 1 / 3)


@pytest.mark.parametrize(
    ("estimator", "gives"),
    [
        (Numbers(), "predicts numbers"),
        (Classes(), "tells the classes a, b, c apart"),
    ],
)
def test_versions_that_answer_with_another_kind_of_value_are_refused_and_change_nothing(
    store: SqlStore, estimator: Any, gives: str
) -> None:
    made = promoted(store)
    other = add_version(store, estimator)
    before = store.query("ledger")
    shown = rf"champion \(delays/1\) gives a probability, and \w+ \(delays/3\) {gives}"
    with pytest.raises(InvalidInput, match=shown):
        _split(store, [made[0], other])
    with pytest.raises(InvalidInput, match=shown):
        set_shadows(store, ENDPOINT, [variant(other, 0, "shadow")], kind="test", reason="")
    with pytest.raises(InvalidInput, match=shown):
        shadow_endpoint(store, ENDPOINT, "delays@3")
    assert store.query("ledger") == before
    assert current_route(store, ENDPOINT).revision == 1
    promote(store, ENDPOINT, 3, override="alone it may")
    set_shadows(store, ENDPOINT, [variant(add_version(store, estimator), 0, "shadow")], kind="test", reason="")


def test_a_salt_keeps_its_hash_for_ever(store: SqlStore) -> None:
    made = promoted(store)
    _split(store, made)
    end_split(store, ENDPOINT, kind="test", reason="over")
    with pytest.raises(InvalidInput, match="the salt 'salt' was used with the hash murmur3 at revision 2"):
        _split(store, made, split=Split("test", 2, "salt", hash_version="gb_v2"))
    assert _split(store, made, split=Split("test", 2, "salt")).revision == 4


def test_shadows_come_and_go_without_touching_who_answers(store: SqlStore) -> None:
    made = promoted(store, 3)
    before = _split(store, made)
    with_shadow = set_shadows(store, ENDPOINT, [variant(made[2], 0, "shadow")], kind="test", reason="look")
    assert (with_shadow.variants, with_shadow.split) == (before.variants, before.split)
    assert with_shadow.shadows == (Variant(made[2].mv_id, made[2].hash, 0, "shadow"),)
    over = end_split(store, ENDPOINT, kind="test", reason="over")
    assert over == Route(ENDPOINT, 4, before.variants[:1])


# --- promotions and rollbacks -----------------------------------------------------------------------------------------


def test_a_promotion_ends_the_split_and_says_what_ended(either_store: SqlStore) -> None:
    made = promoted(either_store, 3)
    _split(either_store, made, shadows=[variant(made[2], 0, "shadow")])
    done = promote(either_store, ENDPOINT, 2, override="it is better")
    assert current_route(either_store, ENDPOINT) == Route(ENDPOINT, 3, (variant(made[1]),))
    (entry, _) = ledger.entries(either_store, kind="promotion")
    assert entry.seq == done.decision
    assert entry.detail["ended"] == {
        "revision": 2,
        "experiment": "test",
        "phase": 1,
        "variants": [
            {"name": "champion", "mv_id": made[0].mv_id, "weight": 90},
            {"name": "challenger", "mv_id": made[1].mv_id, "weight": 10},
        ],
        "shadows": [{"name": "shadow", "mv_id": made[2].mv_id, "weight": 0}],
    }


def test_a_rollback_ends_the_split_too(store: SqlStore) -> None:
    made = promoted(store)
    promote(store, ENDPOINT, 2, override="it is better")
    _split(store, made[::-1])
    rollback(store, ENDPOINT)
    assert current_route(store, ENDPOINT) == Route(ENDPOINT, 4, (variant(made[0]),))
    (entry,) = ledger.entries(store, kind="rollback")
    assert entry.detail["ended"]["experiment"] == "test"  # type: ignore[index] # a mapping


def test_an_alias_that_moves_alone_changes_no_route(store: SqlStore) -> None:
    made = promoted(store)
    route = _split(store, made)
    point_alias(store, ENDPOINT, "shadow", 2)
    assert current_route(store, ENDPOINT) == route
