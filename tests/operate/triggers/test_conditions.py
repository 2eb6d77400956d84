from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from assay.operate.triggers.commands import list_triggers, rehearse_trigger, trigger_history
from assay.operate.triggers.conditions import Look, truth_of
from assay.operate.triggers.definition import (
    Condition,
    Costs,
    NewData,
    StaleFeatures,
    TriggerDefinition,
    Upstream,
)
from assay.operate.triggers.firing import fire_due
from assay.operate.triggers.records import declare_triggers, find_trigger
from assay.operate.triggers.stories import end_story
from assay.operate.triggers.truth import Truth
from assay.prove.promotion import promote
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.datasets import snapshot
from assay.record.models.registry import ModelVersion, register
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import Run, start_run

BEGIN = datetime(2013, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAY_S = 86_400


def add_version(store: SqlStore, folder: Path, model: str, run: Run | None = None) -> ModelVersion:
    folder = folder / model
    folder.mkdir()
    (folder / "model").write_text(model)
    return register(store, model, folder, run=run, signature={})


@pytest.fixture
def champion(store: SqlStore, tmp_path: Path) -> ModelVersion:
    store.clock.advance(BEGIN)
    with start_run(store, "delays", model="delays") as run:
        used = snapshot(store, "flights", pa.table({"x": list(range(100))}))
        run.uses(used.artifact_id, used.name)
        version = add_version(store, tmp_path, "delays", run)
    promote(store, "delays", version.version, override="a test")
    return version


def found(store: SqlStore, condition: Condition, day: float = 1) -> Truth:
    store.clock.advance(BEGIN + day * DAY)
    kept = {name: getattr(condition, name) for name in Condition.__struct_fields__}
    declare_triggers(store, "delays", "flights", {"only": TriggerDefinition(**kept)})
    look = Look.alone(store, find_trigger(store, "only"), store.clock.latest())
    return truth_of(look, condition)


def curve(store: SqlStore, version: ModelVersion, per_day: float) -> None:
    slope = per_day / DAY_S
    detail = {"per_second": slope, "low": slope / 2, "high": slope * 2}
    row = {"id": version.mv_id, "subject_kind": "model_version", "subject_id": version.mv_id, "tag": "M4"}
    rest = {"kind": "staleness", "result": "pass", "mode": "auto", "detail": canonical_json(detail)}
    store.append("test_result", {**row, **rest})


def test_a_champion_grows_old(store: SqlStore, champion: ModelVersion) -> None:
    young = found(store, Condition(max_age="10d"), 4)
    assert (young.holds, young.next) == (False, iso(BEGIN + 10 * DAY))
    old = found(store, Condition(max_age="10d"), 11)
    assert old.holds
    assert old.words == "version 1 is 11.0 days old, 10.0 days are allowed"


def test_decay_says_at_which_age_a_loss_is_reached(store: SqlStore, champion: ModelVersion) -> None:
    missing = found(store, Condition(decay=0.02))
    assert (missing.holds, missing.words) == (None, "version 1 of delays has no staleness curve")
    curve(store, champion, per_day=0.001)
    assert found(store, Condition(decay=0.02), 19).holds is False
    assert found(store, Condition(decay=0.02), 21).holds


def test_a_model_that_does_not_decay_is_left_alone(store: SqlStore, champion: ModelVersion) -> None:
    curve(store, champion, per_day=-0.001)
    assert found(store, Condition(decay=0.02), 300).words == "its staleness curve shows no decay"


def test_a_training_is_due_when_decay_has_cost_as_much(store: SqlStore, champion: ModelVersion) -> None:
    """10,000 predictions a day, .001 of loss a day, .01 money a loss of 1: after t days .05 t^2 is lost."""
    curve(store, champion, per_day=0.001)
    costs = Condition(cost=Costs(training=5.0, loss=0.01))
    assert found(store, costs).words == "no monitor of delays counts predictions"
    row = {"monitor_id": "m", "name": "volume", "model": "delays", "endpoint": "delays", "kind": "volume"}
    store.append("monitor", {**row, "enabled": 1, "every_s": DAY_S, "owner": "ops", "detail": "{}"})
    for day in range(12):
        end = iso(BEGIN + (day + 1) * DAY)
        check = {"monitor_id": "m", "window": str(day), "status": "ok", "rows": 10_000, "ended": end}
        store.append("monitor_check", {**check, "mv_id": champion.mv_id})
        truth = found(store, costs, day + 1)
        assert truth.holds is (0.05 * (day + 1) ** 2 >= 5.0), truth.words


def test_new_rows_are_those_since_the_champion_was_trained(store: SqlStore, champion: ModelVersion) -> None:
    wants = Condition(new_data=NewData("flights", 30))
    assert found(store, wants).words == "flights has no new version"
    snapshot(store, "flights", pa.table({"x": list(range(120))}))
    assert found(store, wants).words == "20 new rows of flights, 10 are missing"
    snapshot(store, "flights", pa.table({"x": list(range(140))}))
    assert found(store, wants).holds


def test_what_its_own_pipeline_makes_starts_no_training(store: SqlStore, champion: ModelVersion) -> None:
    with start_run(store, "delays", model="delays") as run:
        made = snapshot(store, "flights", pa.table({"x": list(range(500))}))
        run.makes(made.artifact_id, made.name)
    assert found(store, Condition(new_data=NewData("flights"))).words == "flights has no new version"
    with start_run(store, "delays", model="delays") as run:
        made = snapshot(store, "scores", pa.table({"x": list(range(500))}))
        run.makes(made.artifact_id, made.name)
    assert found(store, Condition(new_data=NewData("scores")), 2).words == "delays itself makes scores"


def test_after_a_candidate_in_vain_new_rows_count_from_what_it_saw(store: SqlStore, champion: ModelVersion) -> None:
    snapshot(store, "flights", pa.table({"x": list(range(140))}))
    assert found(store, Condition(new_data=NewData("flights", 30))).holds
    (fired,) = fire_due(store, store.clock.latest())
    assert fired.run_type == "data"
    end_story(store, fired.fire_id, "refused", "worse")
    snapshot(store, "flights", pa.table({"x": list(range(150))}))
    again = found(store, Condition(new_data=NewData("flights", 30)), 9)
    assert again.words == "10 new rows of flights, 20 are missing"


def test_another_model_has_a_new_champion(store: SqlStore, champion: ModelVersion, tmp_path: Path) -> None:
    waits = Condition(upstream=Upstream("geo"))
    assert found(store, waits).holds is False
    store.clock.advance(BEGIN + 1.5 * DAY)
    version = add_version(store, tmp_path, "geo")
    promote(store, "geo", version.version, override="a test")
    assert found(store, waits, 2).words == "geo has a new champion"


def test_what_is_not_on_record_cannot_be_told(store: SqlStore, champion: ModelVersion) -> None:
    assert found(store, Condition(new_data=NewData("nothing"))).holds is None
    assert found(store, Condition(stale_features=StaleFeatures("nothing", "1d"))).holds is None
    assert found(store, Condition(harm="nothing")).holds is None


def test_a_drill_looks_up_all_that_the_condition_asks_and_is_on_record(store: SqlStore, champion: ModelVersion) -> None:
    rules = {
        "good": TriggerDefinition(any_of=[Condition(max_age="30d"), Condition(schedule="0 6 1 * *")]),
        "bad": TriggerDefinition(any_of=[Condition(max_age="30d"), Condition(harm="no such monitor")]),
    }
    declare_triggers(store, "delays", "flights", rules)
    good, bad = rehearse_trigger(store, "good"), rehearse_trigger(store, "bad")
    assert (good.result, bad.result) == ("pass", "fail")
    assert [part.words for part in bad.parts][1] == "delays has no monitor no such monitor"
    drills = {row["drill_id"]: row["result"] for row in store.query("drill", {"kind": "trigger"})}
    assert drills == {good.drill_id: "pass", bad.drill_id: "fail"}
    assert {one.outcome for one in trigger_history(store)} == {"drill"}
    assert store.query("retraining") == []


def test_a_list_says_where_each_trigger_stands(store: SqlStore, champion: ModelVersion) -> None:
    rules = {
        "old": TriggerDefinition(max_age="1d"),
        "planned": TriggerDefinition(schedule="0 6 20 * *", zone="Europe/Vienna"),
        "unknown": TriggerDefinition(harm="auc"),
        "not": TriggerDefinition(none_of=Condition(drift="inputs"), enabled=False),
    }
    declare_triggers(store, "delays", "flights", rules)
    store.clock.advance(BEGIN + 2 * DAY)
    states = {one.name: one for one in list_triggers(store)}
    assert {name: one.state for name, one in states.items()} == {
        "old": "due",
        "planned": "waiting",
        "unknown": "unknown",
        "not": "off",
    }
    assert states["planned"].next == "2013-05-20T04:00:00.000000Z"
    assert states["not"].condition == "not drift shown by inputs"
    fire_due(store, store.clock.latest())
    after = {one.name: one for one in list_triggers(store)}["old"]
    assert (after.state, after.fired) == ("blocked", 1)
    assert after.words.endswith("is under way")
