"""A server looks up the features of a model by the keys that a request brings."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from tests.operate.features.feature_serving import (
    HOUR,
    INPUTS,
    KEYS,
    NOON,
    ROW,
    Place,
    Served,
    Sum,
    airport,
    carrier,
    make_place,
)
from tests.operate.serving_helpers import ENDPOINT, Answer, add_route, add_version, call, predict, prediction

from assay.build.features.declared import Features
from assay.build.features.featured import FeaturedClassifier
from assay.build.training.train import train
from assay.build.views.arriving.push import push
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.training_set import training_set
from assay.build.views.registry.registered import register
from assay.errors import StoreUnavailable, Tampered
from assay.operate.features.reading import FeatureReader
from assay.operate.features.replay import replay
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import LookedUp, Prediction, ViewRead
from assay.operate.predictions.reading import read_all
from assay.operate.routing.watching import Watcher
from assay.operate.serving.app import Application
from assay.record.clock import iso, to_us
from assay.record.models.routes import current_route


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


def ask(served: Served, row: dict[str, object], at: datetime = NOON, **more: object) -> Answer:
    return predict(served.application, {"rows": [row], **more}, **{"assay-event-time": iso(at)})


def probability(answer: Answer) -> float:
    assert answer.status == 200, answer.content
    ((one),) = msgspec.convert(answer.content["predictions"], list[dict[str, Any]])
    return float(one["probability"])


def read(served: Served) -> tuple[tuple[object, ...], LookedUp]:
    (logged,) = served.logged()
    assert logged.looked_up is not None
    return logged.features, logged.looked_up


def test_a_row_brings_keys_and_the_server_reads_the_rest(served: Served) -> None:
    assert probability(ask(served, ROW)) == pytest.approx(0.29)
    features, looked_up = read(served)
    assert features == (1.0, 5.0, 3.0, 20.0)
    assert looked_up == LookedUp(
        to_us(NOON),
        KEYS,
        (ViewRead("airports@1", "present", to_us(NOON)), ViewRead("carriers@1", "present", to_us(NOON))),
    )


def test_a_fresher_value_that_was_pushed_counts_from_its_moment_on(place: Place, served: Served) -> None:
    place.arrive([airport(50.0, NOON + HOUR)], NOON + HOUR)
    assert probability(ask(served, ROW, NOON + HOUR)) == pytest.approx(0.74)
    assert probability(ask(served, ROW, NOON + HOUR - timedelta(microseconds=1))) == pytest.approx(0.29)


def test_a_row_keeps_what_it_brings_itself(served: Served) -> None:
    assert probability(ask(served, {**ROW, "delay": 1.0, "size": None})) == pytest.approx(0.05)
    features, looked_up = read(served)
    assert features == (1.0, 1.0, 3.0, None)
    assert looked_up.given == ("delay", "size")


def test_a_row_that_brings_everything_needs_no_key(served: Served) -> None:
    row: dict[str, object] = {"distance": 1.0, "delay": 1.0, "flights": 1.0, "size": 1.0}
    assert probability(ask(served, row)) == pytest.approx(0.04)
    _, looked_up = read(served)
    assert looked_up.keys == {"airport": None, "carrier": None}
    assert (looked_up.views, looked_up.given) == ((), ("delay", "flights", "size"))


@pytest.mark.parametrize(
    ("keys", "at", "status", "size"),
    [
        ({"airport": "LAX"}, NOON, "missing", 20.0),
        ({"airport": None}, NOON, "null_key", 20.0),
        ({}, NOON + 25 * HOUR, "expired", 20.0),
        ({}, NOON + 24 * HOUR, "present", 20.0),
        ({}, NOON - HOUR, "missing", None),
    ],
)
def test_what_is_not_there_is_null_to_the_model_and_says_why_in_the_log(
    served: Served, keys: dict[str, object], at: datetime, status: str, size: float | None
) -> None:
    assert ask(served, {**ROW, **keys}, at).status == 200
    features, looked_up = read(served)
    assert looked_up.views[0].status == status
    assert features == (1.0, 5.0 if status == "present" else None, 3.0 if status == "present" else None, size)


def test_what_is_served_is_what_a_training_set_of_what_was_known_has(place: Place, served: Served) -> None:
    asked = []

    def ask_all(at: datetime) -> None:
        for key in ("JFK", "LAX", "SFO", None):
            for number in (7, 8, None):
                assert ask(served, {"distance": 1.0, "airport": key, "carrier": number}, at).status == 200
                asked.append((at, key, number))

    ask_all(NOON)
    ask_all(NOON + HOUR)
    place.arrive([airport(6.0, NOON + HOUR), airport(7.0, NOON, "LAX", None)], NOON + 2 * HOUR)
    place.arrive([carrier(30.0, NOON, told=NOON + 2 * HOUR)], NOON + 2 * HOUR)
    ask_all(NOON + 2 * HOUR)
    ask_all(NOON + 30 * HOUR)
    labels = pa.table(
        {
            "airport": pa.array([key for _, key, _ in asked], pa.string()),
            "carrier": pa.array([number for *_, number in asked], pa.int64()),
            "when": [at for at, *_ in asked],
        }
    )
    known = training_set(labels, ["airports:*", "carriers:*"], as_of="known", store=place.store).table
    expected = list(zip(*[known[name].to_pylist() for name in ("delay", "flights", "size")], strict=True))
    assert [one.features[1:] for one in served.logged()] == expected


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"distance": 1.0, "carrier": 7},
            "row 0: the key 'airport' is missing, by which 'delay', 'flights' are looked up",
        ),
        (
            {"distance": 1.0, "airport": "JFK", "carrier": "AA"},
            "row 0: the key 'carrier' is text, expected a whole number",
        ),
        ({"distance": 1.0, "airport": 3, "carrier": 7}, "row 0: the key 'airport' is a number, expected text"),
        (
            {"distance": 1.0, "airprot": "JFK", "carrier": 7},
            "row 0: unexpected column 'airprot', did you mean 'airport'?",
        ),
        ({"airport": "JFK", "carrier": 7}, "row 0: column 'distance' is missing"),
        ({**ROW, "delay": "much"}, "row 0: column 'delay' is text, expected a number"),
        ({**ROW, "carrier": 2**64}, "row 0: the key 'carrier' is a number, expected a whole number"),
    ],
)
def test_a_wrong_row_is_told_in_the_words_of_keys_and_columns(
    served: Served, row: dict[str, object], said: str
) -> None:
    answer = ask(served, row)
    assert answer.status == 400
    assert said in str(answer.content["error"])
    assert served.logged() == []


def test_nothing_is_answered_or_logged_where_features_cannot_be_read(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("the online store is away")

    with monkeypatch.context() as patch:
        patch.setattr(FeatureReader, "read", away)
        answer = ask(served, ROW)
    assert answer.status == 503
    assert "the features of airports@1, carriers@1 cannot be read: the online store is away" in str(answer.content)
    assert served.logged() == []
    assert ask(served, ROW).status == 200


def test_an_answer_explains_what_was_looked_up_where_that_is_asked_for(served: Served) -> None:
    answer = ask(served, {**ROW, "airport": "LAX"}, explain=True)
    (one,) = msgspec.convert(answer.content["predictions"], list[dict[str, Any]])
    assert one["features"] == {
        "values": {"delay": None, "flights": None, "size": 20.0},
        "views": {
            "airports@1": {"status": "missing", "ts": None},
            "carriers@1": {"status": "present", "ts": iso(NOON)},
        },
        "as_of": iso(NOON),
    }


def test_a_model_that_looks_up_nothing_has_nothing_to_explain(place: Place) -> None:
    add_route(place.store, add_version(place.store), endpoint="plain")
    watcher = Watcher(place.store, current_route(place.store, "plain"))
    with LogWriter(log_folder(place.store, "plain")) as log:
        answer = predict(Application(watcher, log), {"rows": [{"distance": 1.0, "carrier": "AA"}], "explain": True})
    (one,) = msgspec.convert(answer.content["predictions"], list[dict[str, Any]])
    assert "features" not in one
    assert read_all(log_folder(place.store, "plain"))[0].looked_up is None


def test_features_that_are_read_over_a_network_are_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = served.watcher.table.champion.lookup
    assert lookup is not None
    assert not lookup.is_remote
    threads = []

    def filled(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return type(lookup).filled(lookup, *given)

    monkeypatch.setattr(lookup, "filled", filled)
    assert probability(ask(served, ROW)) == pytest.approx(0.29)
    monkeypatch.setattr(lookup, "is_remote", True)
    assert probability(ask(served, ROW)) == pytest.approx(0.29)
    assert [thread is threading.main_thread() for thread in threads] == [True, False]


def test_what_reads_features_is_exchanged_together_with_the_model(place: Place, served: Served) -> None:
    labels = pa.table({"carrier": [7], "when": [NOON], "distance": [1.0], "delay": [1.0], "flights": [1.0]})
    place.package(training_set(labels, ["carriers:size"], store=place.store))
    with ThreadPoolExecutor(1) as elsewhere:  # as the watcher does it: it is read in another thread than it was made in
        assert elsewhere.submit(served.watcher._look).result() is None
    row: dict[str, object] = {"distance": 1.0, "delay": 2.0, "flights": 3.0, "carrier": 7}
    assert probability(ask(served, row)) == pytest.approx(0.26)
    said = call(served.application, "GET", "/version").content
    assert (said["keys"], said["looked_up"]) == (["carrier"], ["size"])
    assert "unexpected column 'airport'" in str(ask(served, ROW).content)


def test_a_version_whose_features_cannot_be_read_is_not_taken_over(
    place: Place, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.package(place.train(NOON))
    with monkeypatch.context() as patch:
        patch.setenv("ASSAY_ONLINE", "redis://127.0.0.1:1/0")
        problem = served.watcher._look()
    assert problem is not None
    assert "revision 2 cannot be loaded" in problem
    assert ask(served, ROW).content["version"] == 1
    served.watcher._retry_at = 0.0
    assert served.watcher._look() is None
    assert ask(served, ROW).content["version"] == 2


def test_on_request_features_are_made_of_what_is_looked_up_and_what_the_request_brings(place: Place) -> None:
    trained = place.train(NOON)
    made = Features({"ratio": "delay / distance", "twice": "2 * size"})
    inputs = ["distance", "delay", "size"]
    place.package(trained, FeaturedClassifier(made, Sum(), trained.table, inputs, ["ratio", "twice"]), inputs)
    served = Served(place)
    assert probability(ask(served, {**ROW, "distance": 2.0})) == pytest.approx(0.425)
    assert read(served)[0] == (2.0, 5.0, 20.0)
    served.close()


def test_a_key_may_be_an_input_of_the_model_too(place: Place) -> None:
    place.package(place.train(NOON), Sum(), ["carrier", "size"])
    served = Served(place)
    assert probability(ask(served, {"carrier": 7})) == pytest.approx(0.27)
    features, looked_up = read(served)
    assert (features, looked_up.keys) == ((7.0, 20.0), {"carrier": 7})
    assert "column 'carrier' is missing" in str(ask(served, {"size": 1.0}).content)
    served.close()


def test_keys_may_be_dates_bytes_and_booleans_and_a_replay_reads_them_back(place: Place) -> None:
    rows = pa.table({"day": [date(2026, 1, 1)], "raw": [b"\xff"], "open": [True], "at": [NOON], "load": [0.5]})
    view: FeatureView = feature_view("gates", entity=["day", "raw", "open"], time="at", source=rows)
    register(place.store, view)
    push("gates", rows, store=place.store, now_us=to_us(NOON))
    labels = rows.drop_columns(["load"]).append_column("distance", [[1.0]])
    place.package(training_set(labels, ["gates:load"], store=place.store), Sum(), ["distance", "load"])
    served = Served(place)
    keys: dict[str, object] = {"day": "2026-01-01", "raw": "/w==", "open": True}
    assert probability(ask(served, {"distance": 1.0, **keys})) == pytest.approx(0.015)
    assert read(served)[1].keys == {"day": "2026-01-01", "raw": b"\xff", "open": True}
    said = ask(served, {"distance": 1.0, **keys, "day": "tomorrow"}).content
    assert "the key 'day' is text, expected a date such as 2013-04-01" in str(said)

    def features(**changes: object) -> Answer:
        asked = {"features": ["gates:load"], "entities": [{**keys, **changes}]}
        body = msgspec.json.encode(asked)
        return call(served.application, "POST", "/features", body, {"assay-event-time": iso(NOON)})

    assert features().content["values"] == [{"load": 0.5}]
    assert features(day=None).content["status"] == [{"gates@1": "null_key"}]
    assert "the key 'day' is 'tomorrow'" in str(features(day="tomorrow").content["error"])
    body = msgspec.json.encode({"features": ["gates:load"], "entities": [{}]})
    assert call(served.application, "POST", "/features", body).status == 400
    assert replay(place.store, ENDPOINT).features[0].kinds == {}
    served.close()


def test_a_model_of_train_knows_its_columns_and_looks_them_up(place: Place) -> None:
    trained = place.train(NOON)
    table = pa.concat_tables([trained.table, trained.table.set_column(4, "late", [[0]])] * 2)
    place.package(trained, train(LogisticRegression(), table, label="late", features=INPUTS), None)
    served = Served(place)
    assert 0 < probability(ask(served, ROW)) < 1
    assert read(served)[0] == (1.0, 5.0, 3.0, 20.0)
    served.close()


def test_a_view_that_is_another_one_by_now_is_not_served(place: Place) -> None:
    with place.store.transaction():
        place.store.amend("feature_view", {"name": "carriers", "version": 1}, {"hash": "0" * 64})
    with pytest.raises(Tampered, match="carriers@1 is not what delays/1 was trained with"):
        Watcher(place.store, current_route(place.store, ENDPOINT))


def test_records_of_before_there_were_features_are_still_read(tmp_path: Path) -> None:
    old = msgspec.to_builtins(prediction())[:17]
    decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Prediction)
    assert decoded == prediction()
    assert decoded.looked_up is None
    assert read_all(tmp_path) == []


def test_features_are_given_to_whoever_has_keys_alone(served: Served) -> None:
    body = msgspec.json.encode(
        {"features": ["airports:delay", "carriers:size"], "entities": [KEYS, {**KEYS, "airport": "LAX"}]}
    )
    answer = call(served.application, "POST", "/features", body, {"assay-event-time": iso(NOON)})
    assert answer.status == 200
    assert answer.content == {
        "as_of": iso(NOON),
        "values": [{"delay": 5.0, "size": 20.0}, {"delay": None, "size": 20.0}],
        "status": [
            {"airports@1": "present", "carriers@1": "present"},
            {"airports@1": "missing", "carriers@1": "present"},
        ],
        "ts": [
            {"airports@1": iso(NOON), "carriers@1": iso(NOON)},
            {"airports@1": None, "carriers@1": iso(NOON)},
        ],
    }
    assert served.logged() == []


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"features": ["airports:delai"], "entities": [KEYS]}, "did you mean 'airports@1:delay'"),
        ({"features": ["airprots:delay"], "entities": [KEYS]}, "did you mean 'airports'"),
        ({"features": ["airports:delay"], "entities": []}, "the request has 0 entities"),
        ({"features": ["airports:delay"], "entities": [{}]}, "airport"),
        ({"features": ["airports:delay"]}, "missing required field `entities`"),
    ],
)
def test_a_wrong_request_for_features_is_told_what_is_wrong(served: Served, request_: object, said: str) -> None:
    answer = call(served.application, "POST", "/features", msgspec.json.encode(request_))
    assert answer.status == 400
    assert said in str(answer.content["error"])
