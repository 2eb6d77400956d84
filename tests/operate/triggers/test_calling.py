"""Somebody fires a trigger: once a key, and not where a rule keeps it back."""

from datetime import UTC, datetime, timedelta

import pytest

from assay.errors import InvalidInput, NotFound
from assay.operate.triggers.calling import fire_trigger
from assay.operate.triggers.commands import list_triggers, trigger_history
from assay.operate.triggers.definition import TriggerDefinition
from assay.operate.triggers.firing import fire_by_hand, fire_due
from assay.operate.triggers.records import declare_triggers
from assay.operate.triggers.stories import end_story
from assay.record.contract import in_threads
from assay.record.sqlstore import SqlStore

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def declared(store: SqlStore) -> None:
    store.clock.advance(BEGIN)
    rules = {
        "loaded": TriggerDefinition(manual=True, cooldown="1d"),
        "off": TriggerDefinition(manual=True, enabled=False),
    }
    declare_triggers(store, "delays", "flights", rules)


def test_a_key_fires_once_whoever_sends_it_how_often(store: SqlStore) -> None:
    def call(_: int = 0) -> str:
        return fire_trigger(store, "loaded", key="load 7", reason="the month is loaded").fire_id

    (first,) = set(in_threads(call, 6))
    (fired,) = trigger_history(store)
    assert (fired.fire_id, fired.outcome, fired.run_type) == (first, "fired", "event")
    assert fired.reason == "the month is loaded"
    assert len(store.query("retraining")) == 1
    end_story(store, first, "promoted", "done")
    assert call() == first, "also when its story has ended"
    assert len(store.query("retraining")) == 1


def test_a_rule_keeps_it_back_and_the_same_key_fires_later(store: SqlStore) -> None:
    end_story(store, fire_trigger(store, "loaded").fire_id, "promoted", "done")
    kept = fire_trigger(store, "loaded", key="load 8")
    assert kept.outcome == "blocked"
    assert "it rests until 2026-01-02" in kept.reason
    assert fire_trigger(store, "loaded", key="load 8") == kept
    store.clock.advance(BEGIN + timedelta(days=1, hours=1))
    assert fire_trigger(store, "loaded", key="load 8").outcome == "fired"
    assert fire_due(store, store.clock.latest()) == [], "nothing fires it by itself"


def test_only_declared_triggers_that_are_on_are_fired(store: SqlStore) -> None:
    fire_by_hand(store, "delays", "flights", "why not")
    for name, error, words in (
        ("none", NotFound, "none"),
        ("off", InvalidInput, "is off"),
        ("by hand", InvalidInput, "the loop's own"),
    ):
        with pytest.raises(error, match=words):
            fire_trigger(store, name)
    with pytest.raises(InvalidInput, match="the key is empty"):
        fire_trigger(store, "loaded", key=" ")
    assert {one.name: one.condition for one in list_triggers(store)}["by hand"] == "somebody says so: `assay retrain`"


def test_the_loops_own_names_are_not_declared(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="the loop has one"):
        declare_triggers(store, "delays", "flights", {"regression": TriggerDefinition(manual=True)})
