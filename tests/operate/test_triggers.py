from datetime import UTC, datetime

import pytest

from assay.errors import InvalidInput, NotFound
from assay.operate.triggers import define_trigger, fire, link_run
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

NOW = datetime(2013, 11, 6, tzinfo=UTC)
LATER = datetime(2013, 11, 7, tzinfo=UTC)


@pytest.fixture
def alert(store: SqlStore) -> str:
    store.clock.advance(NOW)
    store.append("alert", {"alert_id": "alarm", "monitor_id": "m", "opened": "2013-11-05", "message": "worse"})
    return "alarm"


@pytest.mark.parametrize("kind", ["manual", "schedule", "data", "drift", "performance", "event"])
def test_a_trigger_of_each_type_is_recorded_as_enabled(store: SqlStore, kind: str) -> None:
    trigger = define_trigger(store, "delays", kind, "flights")
    (row,) = store.query("trigger_def")
    assert (trigger.trigger_id, trigger.model, trigger.type, trigger.pipeline) == tuple(
        row[name] for name in ("trigger_id", "model", "type", "pipeline")
    )
    assert row["enabled"] == 1


def test_an_unknown_type_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match=r"no trigger of type 'whim'\n  expected: manual | schedule"):
        define_trigger(store, "delays", "whim", "flights")
    assert store.query("trigger_def") == []


def test_firing_acknowledges_the_alert_and_the_run_closes_it(store: SqlStore, alert: str) -> None:
    trigger = define_trigger(store, "delays", "performance", "flights")
    fired = fire(store, trigger, "quality decayed", alert_id=alert)
    (row,) = store.query("trigger_fire")
    assert (row["fire_id"], row["trigger_id"], row["reason"]) == (fired, trigger.trigger_id, "quality decayed")
    assert row["linked_run"] is None
    seen = store.get("alert", {"alert_id": alert})
    assert (seen["acked"], seen["closed"]) == ("2013-11-06T00:00:00.000000Z", None)

    store.clock.advance(LATER)
    with start_run(store, "delays", trigger_type=trigger.type) as run:
        link_run(store, fired, run.run_id)
    seen = store.get("alert", {"alert_id": alert})
    assert (seen["acked"], seen["closed"]) == ("2013-11-06T00:00:00.000000Z", "2013-11-07T00:00:00.000000Z")
    assert (seen["action"], seen["linked_run"]) == ("retrain", run.run_id)
    assert store.get("trigger_fire", {"fire_id": fired})["linked_run"] == run.run_id


def test_a_trigger_fires_without_an_alert_too(store: SqlStore, alert: str) -> None:
    trigger = define_trigger(store, "delays", "schedule", "flights")
    fired = fire(store, trigger, "four months passed")
    link_run(store, fired, "some run")
    assert store.get("trigger_fire", {"fire_id": fired})["linked_run"] == "some run"
    assert store.get("alert", {"alert_id": alert})["acked"] is None


def test_what_is_not_there_is_refused_and_nothing_is_recorded(store: SqlStore) -> None:
    trigger = define_trigger(store, "delays", "event", "flights")
    with pytest.raises(NotFound):
        fire(store, trigger, "why", alert_id="no such alert")
    assert store.query("trigger_fire") == []
    with pytest.raises(NotFound):
        link_run(store, "no such firing", "run")
