import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from assay.errors import Conflict, InvalidInput, NotFound
from assay.operate.triggers.definition import Budget, Condition, TriggerDefinition, Upstream
from assay.operate.triggers.firing import Firing, close_behind, consider, fire_by_hand, fire_due, firings, link_run
from assay.operate.triggers.records import declare_triggers, find_trigger, triggers_of
from assay.operate.triggers.stories import end_story
from assay.record.clock import iso
from assay.record.contract import in_threads
from assay.record.sqlstore import SqlStore

BEGIN = datetime(2013, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAILY = TriggerDefinition(schedule="0 6 * * *", cooldown="1h")
HARM = TriggerDefinition(harm="quality", cooldown="1d")


@pytest.fixture(autouse=True)
def early(store: SqlStore) -> None:
    store.clock.advance(BEGIN)


def watch(store: SqlStore, name: str = "quality", kind: str = "performance") -> None:
    row = {"monitor_id": name, "name": name, "model": "delays", "endpoint": "delays", "kind": kind, "enabled": 1}
    store.append("monitor", {**row, "every_s": 86_400, "owner": "ops", "detail": "{}"})


def checked(
    store: SqlStore, day: int, status: str, name: str = "quality", rows: int = 100, detail: str | None = None
) -> None:
    end = BEGIN + (day + 1) * DAY
    window = str((BEGIN + day * DAY).date())
    row = {"monitor_id": name, "window": window, "status": status, "value": 0.6, "rows": rows}
    store.append("monitor_check", {**row, "started": iso(end - DAY), "ended": iso(end), "detail": detail})


def declared(store: SqlStore, definition: TriggerDefinition, name: str = "only") -> None:
    declare_triggers(store, "delays", "flights", {name: definition})


def at(store: SqlStore, day: float) -> list[Firing]:
    store.clock.advance(BEGIN + day * DAY)
    return fire_due(store, store.clock.latest())


def ended(store: SqlStore, fired: Sequence[Firing], status: str = "promoted") -> None:
    for one in fired:
        end_story(store, one.fire_id, status, "as the test says")  # type: ignore[arg-type]


def test_a_planned_time_fires_once_however_often_one_looks(store: SqlStore) -> None:
    declared(store, DAILY)
    assert at(store, 0.2) == []
    fired = at(store, 0.3)
    assert [(one.planned, one.run_type) for one in fired] == [("2013-05-01T06:00:00.000000Z", "schedule")]
    assert at(store, 0.31) == []
    ended(store, fired)
    assert at(store, 0.9) == []
    assert [one.planned for one in at(store, 1.3)] == ["2013-05-02T06:00:00.000000Z"]


def test_of_planned_times_that_were_missed_the_last_fires(store: SqlStore) -> None:
    declared(store, DAILY)
    fired = at(store, 5.5)
    assert [one.planned for one in fired] == ["2013-05-06T06:00:00.000000Z"]


def test_an_alarm_fires_once_and_again_only_after_a_candidate_in_vain_and_a_rest(store: SqlStore) -> None:
    watch(store)
    declared(store, HARM)
    checked(store, 0, "ok")
    assert at(store, 1) == []
    checked(store, 1, "alarm")
    first = at(store, 2)
    assert [one.run_type for one in first] == ["performance"]
    checked(store, 2, "alarm")
    assert at(store, 3) == [], "its story is under way"
    ended(store, first, "refused")
    assert at(store, 3.5) == [], "it rests"
    second = at(store, 4.1)
    assert len(second) == 1
    ended(store, second, "refused")
    assert at(store, 5.5) == [], "a second one in vain doubles the rest"
    assert len(at(store, 6.2)) == 1
    reasons = {one.outcome: one.reason for one in firings(store)}
    assert "under way" in reasons["blocked"] or "rests" in reasons["blocked"]


def test_what_keeps_a_trigger_from_firing_is_noted_once(store: SqlStore) -> None:
    watch(store)
    declared(store, HARM)
    checked(store, 0, "alarm")
    ended(store, at(store, 1), "refused")
    for hour in range(5):
        at(store, 1 + hour / 24)
    blocked = [one for one in firings(store) if one.outcome == "blocked"]
    assert len(blocked) == 1
    assert "it rests until 2013-05-03 00:00 UTC" in blocked[0].reason


def test_broken_data_stop_it_until_they_are_mended(store: SqlStore) -> None:
    watch(store)
    watch(store, "feed", "quality")
    declared(store, HARM)
    checked(store, 0, "alarm")
    checked(store, 0, "alarm", "feed")
    assert at(store, 1) == []
    assert "the data are broken: feed alarms" in firings(store)[0].reason
    checked(store, 1, "ok", "feed")
    assert len(at(store, 2)) == 1


def test_values_that_are_only_new_keep_nothing_back_and_defects_do(store: SqlStore) -> None:
    watch(store)
    watch(store, "feed", "quality")
    declared(store, HARM)
    checked(store, 0, "alarm")
    checked(store, 0, "alarm", "feed", detail='{"defects": ["hour"]}')
    assert at(store, 1) == []
    checked(store, 1, "alarm", "feed", detail='{"defects": []}')
    assert len(at(store, 2)) == 1


def test_it_waits_for_new_labelled_rows(store: SqlStore) -> None:
    watch(store)
    declared(store, TriggerDefinition(harm="quality", new_rows=250))
    checked(store, 0, "alarm", rows=200)
    assert at(store, 1) == []
    assert "200 labelled rows are new since the last training, 250 are asked for" in firings(store)[0].reason
    checked(store, 1, "alarm", rows=60)
    assert len(at(store, 2)) == 1


def test_a_budget_of_two_a_week_holds(store: SqlStore) -> None:
    declared(store, TriggerDefinition(schedule="0 6 * * *", cooldown="1h", budget=Budget(runs=2)))
    fired = []
    for day in range(14):
        new = at(store, day + 0.3)
        ended(store, new)
        fired += [day] * len(new)
    assert fired == [0, 1, 7, 8]


def test_a_training_since_then_does_for_what_was_planned(store: SqlStore) -> None:
    watch(store)
    declare_triggers(store, "delays", "flights", {"decay": HARM, "monthly": DAILY})
    checked(store, 0, "alarm")
    fired = at(store, 1.3)
    assert [one.trigger for one in fired] == ["decay"], "one at a time"
    checked(store, 1, "ok")
    ended(store, fired)
    assert at(store, 1.9) == []
    assert [one.trigger for one in at(store, 2.3)] == ["monthly"]


def test_both_of_all_are_needed_and_none_of_not(store: SqlStore) -> None:
    watch(store)
    watch(store, "feed", "quality")
    quiet = Condition(none_of=Condition(drift="feed"))
    declared(store, TriggerDefinition(all_of=[Condition(harm="quality"), quiet], data_checks=False))
    checked(store, 0, "ok")
    checked(store, 0, "ok", "feed")
    assert at(store, 1) == []
    checked(store, 1, "alarm")
    checked(store, 1, "alarm", "feed")
    assert at(store, 2) == []
    checked(store, 2, "alarm")
    checked(store, 2, "ok", "feed")
    assert len(at(store, 3)) == 1


def test_what_cannot_be_told_does_not_fire_and_says_what_is_missing(store: SqlStore) -> None:
    declared(store, HARM)
    found = consider(store, find_trigger(store, "only"), store.clock.latest())
    assert (found.truth.holds, found.truth.words, found.fires) == (None, "delays has no monitor quality", False)
    assert at(store, 3) == []


def test_by_hand_needs_a_reason_and_waits_for_nothing_but_a_story_under_way(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="no reason"):
        fire_by_hand(store, "delays", "flights", " ")
    fired = fire_by_hand(store, "delays", "flights", "a new law")
    assert (fired.reason, fired.run_type, fired.outcome) == ("a new law", "manual", "fired")
    with pytest.raises(InvalidInput, match="under way"):
        fire_by_hand(store, "delays", "flights", "again")
    ended(store, [fired], "refused")
    again = fire_by_hand(store, "delays", "flights", "again")
    assert again.trigger_id == fired.trigger_id
    assert len(firings(store)) == 2


def test_the_alert_behind_a_firing_is_closed_with_the_run_that_answered_it(store: SqlStore) -> None:
    watch(store)
    declared(store, HARM)
    checked(store, 0, "alarm")
    alert = {"alert_id": "a", "monitor_id": "quality", "opened": iso(BEGIN), "message": "AUC fell"}
    store.append("alert", alert)
    (fired,) = at(store, 1)
    assert fired.reason == "AUC fell"
    assert store.get("alert", {"alert_id": "a"})["acked"] == iso(BEGIN + DAY)
    link_run(store, fired.fire_id, "run")
    closed = store.get("alert", {"alert_id": "a"})
    assert closed["closed"] is None, "nothing serves yet that was trained for it"
    close_behind(store, fired.fire_id, "version 2 serves")
    closed = store.get("alert", {"alert_id": "a"})
    assert (closed["action"], closed["reason"], closed["linked_run"]) == ("retrained", "version 2 serves", "run")
    assert store.get("retraining", {"story_id": fired.fire_id})["run_id"] == "run"
    with pytest.raises(NotFound):
        link_run(store, "no such firing", "run")


def test_a_story_ends_once(store: SqlStore) -> None:
    fired = fire_by_hand(store, "delays", "flights", "why not")
    ended(store, [fired])
    with pytest.raises(Conflict):
        ended(store, [fired], "failed")


def test_models_that_wait_for_each_other_are_refused(store: SqlStore) -> None:
    declare_triggers(store, "b", "p", {"follow": TriggerDefinition(upstream=Upstream("a"))})
    declare_triggers(store, "c", "p", {"follow": TriggerDefinition(upstream=Upstream("b"))})
    circle = {"follow": TriggerDefinition(any_of=[Condition(upstream=Upstream("c")), Condition(max_age="30d")])}
    with pytest.raises(InvalidInput, match="a <- c <- b <- a"):
        declare_triggers(store, "a", "p", circle)
    assert triggers_of(store, "a") == []
    with pytest.raises(InvalidInput, match="a <- a"):
        declare_triggers(store, "a", "p", {"self": TriggerDefinition(upstream=Upstream("a"))})


def test_declaring_again_changes_what_differs_and_switches_off_what_is_gone(store: SqlStore) -> None:
    declare_triggers(store, "delays", "flights", {"decay": HARM, "daily": DAILY})
    first = {one.name: one.trigger_id for one in triggers_of(store)}
    declare_triggers(store, "delays", "flights", {"decay": HARM, "daily": DAILY})
    assert store.query("history", {"subject_kind": "trigger"}) == []
    declare_triggers(store, "delays", "flights", {"decay": TriggerDefinition(harm="auc")})
    assert {one.name: one.trigger_id for one in triggers_of(store)} == {"decay": first["decay"]}
    assert find_trigger(store, "decay").definition.harm == "auc"
    changed = {row["what"] for row in store.query("history", {"subject_kind": "trigger"})}
    assert changed == {"definition", "enabled"}


def test_many_who_look_at_once_fire_it_once(store: SqlStore) -> None:
    declared(store, DAILY)
    store.clock.advance(BEGIN + 0.3 * DAY)
    found: list[Firing] = []
    in_threads(lambda _: found.extend(fire_due(store, store.clock.latest())), 8)
    assert len(found) == 1
    assert len(store.query("retraining")) == 1


class Died(Exception):
    """The process is gone."""


def test_thirty_days_with_crashes_at_every_point_lose_and_double_nothing(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash before, between or after any two writes of a look; then the next process looks."""
    chance = random.Random(8)
    declared(store, DAILY)
    writes = {name: getattr(SqlStore, name) for name in ("append", "append_many", "amend")}

    def dying(name: str) -> object:
        def write(self: SqlStore, *args: object, **options: object) -> object:
            if chance.random() < 0.3:
                raise Died
            done = writes[name](self, *args, **options)
            if chance.random() < 0.3:
                raise Died
            return done

        return write

    crashes = 0
    for hour in range(30 * 24):
        store.clock.advance(BEGIN + hour * DAY / 24)
        with monkeypatch.context() as patch:
            for name in writes:
                patch.setattr(SqlStore, name, dying(name))
            try:
                fire_due(store, store.clock.latest())
            except Died:
                crashes += 1
        for row in store.query("retraining", {"status": "open"}):
            end_story(store, row["story_id"], "promoted", "done")
    fired = [one for one in firings(store, limit=1000) if one.outcome == "fired"]
    planned = [iso(BEGIN + (day + 0.25) * DAY) for day in range(30)]
    assert sorted(str(one.planned) for one in fired) == planned
    assert {row["story_id"] for row in store.query("retraining")} == {one.fire_id for one in fired}
    assert crashes > 20
