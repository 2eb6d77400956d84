"""What was served is computed once more from the log, and each difference is found and has its kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from tests.operate.features.feature_serving import (
    HOUR,
    NOON,
    ROW,
    Place,
    Served,
    Sum,
    airport,
    airports_of,
    carrier,
    make_place,
)
from tests.operate.serving_helpers import ENDPOINT, predict

from assay.build.views.arriving.erasing import erase
from assay.build.views.arriving.materialize import materialize
from assay.build.views.declared.aggregates import sum_of
from assay.build.views.declared.history import as_rows
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.training_set import training_set
from assay.build.views.log.log import append_rows
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import register
from assay.cli.render import show
from assay.errors import InvalidInput, NotFound
from assay.operate.features.replay import Replayed, replay
from assay.operate.features.skew import FeatureSkew
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.record.alerts.alert import close_alert
from assay.record.clock import iso, to_us


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = make_place(tmp_path / "store")
    yield made
    made.store.close()


@pytest.fixture
def served(place: Place) -> Iterator[Served]:
    made = Served(place)
    yield made
    made.close()


def ask(served: Served, moment: datetime = NOON, rows: int = 1, **changes: object) -> None:
    answer = predict(served.application, {"rows": [{**ROW, **changes}] * rows}, **{"assay-event-time": iso(moment)})
    assert answer.status == 200, answer.content


@contextmanager
def at(place: Place, moment: datetime) -> Iterator[None]:
    """The store's clock stands at a moment."""
    place.store.clock.event = moment
    yield
    place.store.clock.event = None


def ask_sum(served: Served, at: datetime) -> None:
    row = {"distance": 1.0, "airport": "JFK"}
    answer = predict(served.application, {"rows": [row]}, **{"assay-event-time": iso(at)})
    assert answer.status == 200, answer.content


def again(place: Place, **options: object) -> Replayed:
    return replay(place.store, ENDPOINT, **{"settle": "0s", **options})  # type: ignore[arg-type] # as the test says


def one(found: Replayed, feature: str) -> FeatureSkew:
    return next(one for one in found.features if one.input == feature)


def test_what_was_served_from_the_log_agrees_and_passes_with_enough_rows(place: Place, served: Served) -> None:
    ask(served)
    ask(served, NOON + HOUR, airport="LAX")
    place.arrive([airport(6.0, NOON + HOUR), airport(None, NOON, "LAX", None)], NOON + 2 * HOUR)
    ask(served, NOON + 2 * HOUR)
    ask(served, NOON + 40 * HOUR, 4000, airport="LAX")
    found = again(place)
    assert (found.verdict, found.predictions, found.sampled) == ("pass", 4003, 4003)
    assert found.rows_from == {"airports@1": "log", "carriers@1": "log"}
    assert [(one.mismatches, one.compared, one.kinds) for one in found.features] == [(0, 4003, {})] * 3
    assert found.differences == []
    assert place.store.query("alert") == []


def test_without_enough_rows_it_says_how_many_more_decide(place: Place, served: Served) -> None:
    ask(served, rows=100)
    found = again(place)
    assert found.verdict == "inconclusive"
    needed = {one.rows_needed for one in found.features}
    assert needed == {3738}  # Wilson: no wrong one of n is at most z²/(n + z²)
    assert found.reason == "100 rows do not decide about 0.1%; about 3,738 more rows would decide"
    ask(served, rows=3738)
    assert again(place).verdict == "pass"


def test_a_changed_value_is_found_and_opens_an_alert_once(place: Place, served: Served) -> None:
    place.slip([airport(6.0, NOON + HOUR, flights=3), airport(5.0, NOON + HOUR, "LAX", 3)], NOON + HOUR)
    place.arrive([airport(5.0, NOON + HOUR, "LAX", 3)], NOON + HOUR, online=False)
    place.arrive([airport(5.0, NOON + HOUR, flights=3)], NOON + HOUR, online=False)
    ask(served, NOON + HOUR, 3)
    ask(served, NOON + HOUR, airport="LAX")
    found = again(place)
    assert found.verdict == "fail"
    assert one(found, "delay").kinds == {"value": 3}
    assert one(found, "delay").verdict == "fail"
    assert (one(found, "flights").kinds, one(found, "size").kinds) == ({}, {})
    first = found.differences[0]
    assert (first.feature, first.kind, first.served, first.offline) == ("airports@1:delay", "value", 6.0, 5.0)
    assert first.as_of == iso(NOON + HOUR)
    (alert,) = place.store.query("alert")
    assert alert["alert_id"] == found.alert_id
    assert (
        alert["message"] == "airports@1:delay of delays was served otherwise than training computes it in 3 of 4 rows"
    )
    assert again(place).alert_id == found.alert_id
    assert len(place.store.query("alert")) == 1
    close_alert(place.store, alert["alert_id"], action="fixed", reason="the value is right again")
    assert again(place).alert_id == found.alert_id  # it is back at once: still the same
    place.store.amend("alert", {"alert_id": alert["alert_id"]}, {"closed": iso(NOON - 30 * 24 * HOUR)})
    assert again(place).alert_id != found.alert_id


def test_people_see_the_verdict_each_feature_and_the_first_differences(
    place: Place, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    place.slip([airport(6.0, NOON + HOUR)], NOON + HOUR)
    ask(served, NOON + HOUR, 3)
    place.arrive([carrier(30.0, NOON, told=NOON)], NOON + 2 * HOUR)
    found = again(place)
    show(found, as_json=False)
    said = capsys.readouterr().out
    assert "delays: fail, airports@1:delay was served otherwise than training computes it in 3 of 3 rows" in said
    assert "3 of 3 predictions compared, airports@1 with its log; carriers@1 with its log" in said
    assert "[43.8503%, 100.0000%]" in said
    assert said.count("late write") == 4
    assert "3 values differ because a row arrived after serving" in said
    assert f"alert {str(found.alert_id)[:8]} is open" in said


def test_all_is_recorded_about_the_version_that_answered(place: Place, served: Served) -> None:
    ask(served, rows=10)
    again(place, tolerated=0.5)
    (result,) = place.store.query("test_result")
    (version,) = place.store.query("model_version")
    assert (result["subject_kind"], result["subject_id"]) == ("model_version", version["mv_id"])
    assert (result["tag"], result["kind"], result["result"], result["mode"]) == ("O3", "feature skew", "pass", "auto")
    detail = msgspec.json.decode(result["detail"])
    assert (detail["endpoint"], detail["verdict"], detail["tolerated"]) == (ENDPOINT, "pass", 0.5)
    assert {feature["feature"]: feature["compared"] for feature in detail["features"]} == {
        "airports@1:delay": 10,
        "airports@1:flights": 10,
        "carriers@1:size": 10,
    }
    (monitor,) = place.store.query("monitor")
    assert (monitor["kind"], monitor["endpoint"], monitor["enabled"]) == ("feature skew", ENDPOINT, 1)
    (check,) = place.store.query("monitor_check", {"monitor_id": monitor["monitor_id"]})
    assert (check["status"], check["value"]) == ("ok", 0.0)


def test_a_row_that_never_reached_the_online_store_is_an_older_row(place: Place, served: Served) -> None:
    place.arrive([airport(6.0, NOON + HOUR)], NOON + HOUR, online=False)
    ask(served, NOON + 2 * HOUR)
    found = again(place)
    assert one(found, "delay").kinds == {"older row": 1}
    assert one(found, "flights").kinds == {}


def test_an_entity_that_never_reached_the_online_store_is_missing_there(place: Place, served: Served) -> None:
    place.arrive([airport(6.0, NOON + HOUR, "LAX")], NOON + HOUR, online=False)
    ask(served, NOON + 2 * HOUR, airport="LAX")
    assert one(again(place), "delay").kinds == {"missing online": 1}


def test_an_entity_that_is_not_in_the_log_is_missing_offline(place: Place, served: Served) -> None:
    place.slip([airport(6.0, NOON, "LAX")], NOON)
    ask(served, airport="LAX")
    assert one(again(place), "delay").kinds == {"missing offline": 1}


def test_a_value_that_was_served_although_it_had_expired_is_told_as_that(place: Place, served: Served) -> None:
    place.slip([airport(5.0, NOON + HOUR)], NOON + HOUR)
    ask(served, NOON + 25 * HOUR)
    assert one(again(place), "delay").kinds == {"expired on one side": 1}


def test_a_value_with_the_digits_of_a_smaller_type_is_one_of_precision(place: Place, served: Served) -> None:
    place.arrive([airport(0.1, NOON + HOUR)], NOON + HOUR)
    ask(served, NOON + HOUR)
    (logged,) = served.logged()
    narrow = (1.0, 0.10000000149011612, 3.0, 20.0)  # 0.1 in 32 bits
    with LogWriter(log_folder(place.store, ENDPOINT)) as log:
        log.append([msgspec.structs.replace(logged, id="narrow", features=narrow)])
        log.append([msgspec.structs.replace(logged, id="text", features=(1.0, "0.1", 3.0, 20.0))])
    assert one(again(place), "delay").kinds == {"type or precision": 2}


def test_a_value_of_another_version_of_the_view_is_told_as_that(place: Place, served: Served) -> None:
    ask(served)
    (logged,) = served.logged()
    assert logged.looked_up is not None
    views = tuple(msgspec.structs.replace(view, view=view.view.replace("@1", "@2")) for view in logged.looked_up.views)
    looked_up = msgspec.structs.replace(logged.looked_up, views=views)
    with LogWriter(log_folder(place.store, ENDPOINT)) as log:
        log.append([msgspec.structs.replace(logged, id="other", looked_up=looked_up)])
    found = again(place)
    assert [feature.kinds for feature in found.features] == [{"wrong version": 1}] * 3


def test_a_row_that_arrived_after_serving_is_late_and_counts_only_if_asked_for(place: Place, served: Served) -> None:
    ask(served, NOON + HOUR)
    place.arrive([carrier(30.0, NOON, told=NOON + timedelta(minutes=1))], NOON + 2 * HOUR)
    found = again(place, tolerated=0.1)
    size = one(found, "size")
    assert (size.kinds, size.mismatches, found.late) == ({"late write": 1}, 0, 1)
    assert (found.differences[0].served, found.differences[0].offline) == (20.0, 30.0)
    counted = again(place, tolerated=0.1, late_counts=True)
    assert (one(counted, "size").mismatches, counted.verdict) == (1, "fail")


def test_a_row_may_take_a_while_from_the_log_to_the_online_store(place: Place, served: Served) -> None:
    place.arrive([airport(6.0, NOON + HOUR)], NOON + HOUR, online=False)
    ask(served, NOON + HOUR + timedelta(seconds=30))
    ask(served, NOON + HOUR + timedelta(seconds=90))
    assert one(again(place, settle="60s"), "delay").kinds == {"late write": 1, "older row": 1}


def test_aggregates_that_were_served_are_computed_once_more(place: Place) -> None:
    source = pa.table({"airport": ["JFK"], "at": [NOON], "told": [NOON], "delay": [5.0]})
    sums = {"sum": sum_of("delay", over="2h")}
    view: FeatureView = feature_view(
        "recent", entity="airport", time="at", created="told", source=source, features=sums
    )
    version = register(place.store, view)

    def arrive(delay: float, at: datetime, *, came: datetime, online: bool = True) -> None:
        rows = as_rows(view, pa.table({"airport": ["JFK"], "at": [at], "told": [at], "delay": [delay]}), 0)
        logged = append_rows(place.store, version, rows, "push", to_us(came))
        if online:
            open_online(place.store).table(version).write(logged, to_us(came))

    labels = pa.table({"airport": ["JFK"], "when": [NOON], "distance": [1.0]})
    place.package(training_set(labels, ["recent:sum"], store=place.store), Sum(), ["distance", "sum"])
    served = Served(place)
    arrive(5.0, NOON, came=NOON)
    arrive(0.1, NOON + HOUR, came=NOON + HOUR)
    ask_sum(served, NOON + HOUR)
    assert served.logged()[0].features == (1.0, 5.1)
    assert again(place).features[0].kinds == {}
    arrive(7.0, NOON + HOUR / 2, came=NOON + 2 * HOUR)
    found = again(place)
    assert found.rows_from == {"recent@1": "log"}
    assert found.features[0].kinds == {"late write": 1}
    assert found.differences[0].offline == 12.1
    ask_sum(served, NOON + 2 * HOUR)
    arrive(9.0, NOON + 2 * HOUR, came=NOON + 2 * HOUR, online=False)
    ask_sum(served, NOON + 3 * HOUR)
    assert [one.features[1] for one in served.logged()] == [7.1, None]
    assert again(place).features[0].kinds == {"late write": 1, "older row": 1, "missing online": 1}
    served.close()


def test_what_a_request_brought_itself_is_not_compared(place: Place, served: Served) -> None:
    ask(served, delay=99.0)
    found = again(place)
    assert one(found, "delay").compared == 0
    assert one(found, "flights").compared == 1
    assert found.differences == []
    ask(served, rows=4000)
    assert again(place).verdict == "pass"


def test_a_share_of_the_requests_is_compared_the_same_each_time(place: Place, served: Served) -> None:
    for _ in range(40):
        ask(served, rows=2)
    found = again(place, share=0.5)
    assert found.predictions == 80
    assert 20 <= found.sampled <= 60
    assert found.sampled % 2 == 0, "rows of a request are compared together"
    assert again(place, share=0.5).sampled == found.sampled


def test_what_the_log_cannot_answer_any_more_is_left_out(place: Place, served: Served) -> None:
    place.arrive([airport(6.0, NOON, "LAX")], NOON + HOUR)
    ask(served, NOON + HOUR, airport="LAX")
    ask(served, NOON + HOUR)
    with at(place, NOON + 2 * HOUR):
        erase(place.store, "airports", entity=["airport=LAX"])
    found = again(place)
    assert (found.left_out, one(found, "delay").compared, one(found, "delay").kinds) == (1, 1, {})
    assert one(found, "size").compared == 2
    ask(served, NOON + 3 * HOUR, airport="LAX")
    assert one(again(place), "delay").compared == 2, "after the erasure both sides have nothing"
    with at(place, NOON + 4 * HOUR):
        materialize(place.store, ["carriers"], rebuild=True)
    found = again(place)
    assert (found.left_out, one(found, "size").compared) == (4, 0)


def test_only_predictions_since_a_moment_are_looked_at(place: Place, served: Served) -> None:
    ask(served)
    middle = iso(place.store.clock.now())
    ask(served, rows=2)
    assert again(place, since=middle).predictions == 2
    assert again(place, since="1h").predictions == 3


def test_a_view_that_never_logged_anything_is_compared_with_its_source(tmp_path: Path) -> None:
    place = make_place(tmp_path / "store")
    view = airports_of([airport(5.0, NOON, "SFO")], ttl="2d")
    place.versions["airports"] = register(place.store, view)
    place.package(place.train(NOON))
    served = Served(place)
    rows = [airport(5.0, NOON, "SFO")]
    place.airports = view
    place.slip(rows, NOON)
    ask(served, airport="SFO")
    found = again(place)
    assert found.rows_from == {"airports@2": "source, in event time", "carriers@1": "log"}
    assert [feature.kinds for feature in found.features] == [{}] * 3
    served.close()
    place.store.close()


def test_without_predictions_nothing_is_decided(place: Place) -> None:
    found = again(place)
    assert (found.verdict, found.features) == ("inconclusive", [])
    assert found.reason == "no prediction was logged with features that the server looked up"
    (check,) = place.store.query("monitor_check")
    assert check["status"] == "no_data"


@pytest.mark.parametrize(
    "options", [{"share": 0.0}, {"share": 1.5}, {"tolerated": 0.0}, {"every": 0.0}, {"since": "never"}, {"settle": "x"}]
)
def test_options_that_make_no_sense_are_refused_and_nothing_is_recorded(
    place: Place, options: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        again(place, **options)
    assert place.store.query("monitor") == []


def test_an_unknown_endpoint_is_told_what_there_is(place: Place) -> None:
    with pytest.raises(NotFound, match="delays"):
        replay(place.store, "delayz")
