"""A test looked at again and again, beside the same looks by the whole log."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from tests.operate.online_tests.online_world import BEGIN, coin, endpoint, names, serve
from tests.operate.serving_helpers import ENDPOINT

from assay.operate.labels.recording import Label, UnitLabel, record_labels
from assay.operate.online_tests.definition import OnlineTest, find_test
from assay.operate.online_tests.following import FollowedTest
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import keep_reading
from assay.operate.online_tests.starting import new_test
from assay.operate.online_tests.status import read_test
from assay.operate.online_tests.stopping import ramp_test
from assay.operate.predictions.compacting import compact_closed
from assay.operate.predictions.removing import erase_predictions
from assay.operate.predictions.tail import Tail
from assay.record.sqlstore import SqlStore

HOUR = timedelta(hours=1)
METRICS = (
    Metric(name="wrong", numerator="wrong", maturity="1h", window="0s"),
    Metric(name="loss", numerator="log_loss", kind="ratio", maturity="2h", window="3h"),
    Metric(name="orders", numerator="label", kind="total", direction="up", maturity="1h", window="1h", label="order"),
    Metric(name="slow", numerator="slow", slo_ms=6, window="0s", role="guardrail", margin=0.01),
)


@pytest.fixture
def test(store: SqlStore) -> OnlineTest:
    """An A/B test half and half."""
    endpoint(store)
    return new_test(store, ENDPOINT, ["2"], metrics=METRICS, override="a test of tests")


def _same(store: SqlStore, followed: FollowedTest, test: OnlineTest, at: datetime) -> None:
    """One look by what is new and one by the whole log say the same to the last bit, and the first is kept."""
    found = followed.read(at)
    assert found == read_test(store, find_test(store, test.test_id), at)
    keep_reading(store, found)


def _hour(store: SqlStore, number: int, *, share: float = 0.8) -> list[str]:
    """An hour of traffic, in which units return, its labels, and orders of units; the ids."""
    random = np.random.default_rng(number)
    at = BEGIN + number * HOUR
    units = ["u7", *(f"u{one}" for one in random.integers(0, 400, 149))]
    flip = coin(number, lambda variant: 0.7 if variant == "champion" else 0.8)
    rows = serve(
        store,
        units,
        at=at,
        every=timedelta(seconds=20),
        output=lambda _, place: float(random.random()),
        label=lambda variant, place: flip(variant, place) if random.random() < share else None,
    )
    bought = [(place, at + place * timedelta(seconds=21)) for place in range(0, 150, 11)]
    orders = [
        UnitLabel(ENDPOINT, units[place], f"{number} {place}", float(place), then, name="order")
        for place, then in bought
    ]
    record_labels(store, orders)
    return [row.id for row in rows]


def test_looks_at_what_is_new_say_what_looks_at_the_whole_log_say(store: SqlStore, test: OnlineTest) -> None:
    followed = FollowedTest(store, test.test_id)
    for number in range(10):
        _hour(store, number)
        if number == 4:
            ramp_test(store, test.name, weights="3,1")
        if number == 6:
            compact_closed(store, ENDPOINT)
        _same(store, followed, test, BEGIN + (number + 1) * HOUR)
    assert followed.begun == 1
    again = FollowedTest(store, test.test_id)
    assert again.read(BEGIN + 11 * HOUR) == followed.read(BEGIN + 11 * HOUR), "a new process goes on"


def test_late_revised_and_early_labels_are_seen(store: SqlStore, test: OnlineTest) -> None:
    followed = FollowedTest(store, test.test_id)
    ids = _hour(store, 0, share=0.5)
    _same(store, followed, test, BEGIN + 4 * HOUR)
    at = BEGIN + timedelta(minutes=20)
    labels = [Label(id, 1.0, at, 1) for id in ids[:5]] + [Label("nobody", 1.0, at)]
    labels += [Label(id, 1.0, at + 50 * HOUR, 2) for id in ids[100:110]]
    store.clock.advance(BEGIN + 5 * HOUR)
    record_labels(store, labels)
    record_labels(store, [UnitLabel(ENDPOINT, "u7", "late", 9.0, at, 0, "order")])
    _same(store, followed, test, BEGIN + 5 * HOUR)
    record_labels(store, [Label(ids[7], 0.0, at, 5)])  # at the moment of the last look
    _same(store, followed, test, BEGIN + 5 * HOUR)
    record_labels(store, [Label(id, 0.0, BEGIN + 60 * HOUR, 9) for id in ids[20:25]])
    _same(store, followed, test, BEGIN + 7 * HOUR)
    assert followed.begun == 1


def test_a_look_reads_only_what_is_new(store: SqlStore, test: OnlineTest, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    plain = Tail.read_new

    def counted(tail: Tail, *columns: list[str]) -> object:
        found = plain(tail, *columns)
        read.append(found.num_rows)
        return found

    monkeypatch.setattr(Tail, "read_new", counted)
    followed = FollowedTest(store, test.test_id)
    for number in range(3):
        _hour(store, number)
        followed.read(BEGIN + (number + 1) * HOUR)
    assert read == [150, 150, 150]


def test_what_was_erased_is_forgotten(store: SqlStore, test: OnlineTest) -> None:
    followed = FollowedTest(store, test.test_id)
    _hour(store, 0)
    _same(store, followed, test, BEGIN + 4 * HOUR)
    gone = erase_predictions(store, ENDPOINT, unit="u7", delete=True)
    assert gone.rows > 0
    _same(store, followed, test, BEGIN + 5 * HOUR)
    assert followed.begun == 2


def test_a_look_before_the_last_one_is_right_too(store: SqlStore, test: OnlineTest) -> None:
    followed = FollowedTest(store, test.test_id)
    _hour(store, 0)
    _same(store, followed, test, BEGIN + 4 * HOUR)
    _same(store, followed, test, BEGIN + 2 * HOUR)
    _same(store, followed, test, BEGIN + 5 * HOUR)


def test_a_covariate_is_followed_too(store: SqlStore) -> None:
    endpoint(store)
    serve(store, names(100), at=BEGIN, output=lambda _, place: place / 100)
    metrics = [Metric(name="out", numerator="output", direction="up", window="0s", covariate="before", lookback="1d")]
    test = new_test(store, ENDPOINT, ["2"], metrics=metrics, override="a test of tests")
    followed = FollowedTest(store, test.test_id)
    for number in range(3):
        serve(store, names(100)[number * 33 :], at=BEGIN + (number + 1) * HOUR, output=lambda _, place: place / 90)
        _same(store, followed, test, BEGIN + (number + 2) * HOUR)
    assert followed.read(BEGIN + 9 * HOUR).arms[0].metrics[0].effect is not None


PAIRED = (
    *METRICS[:2],
    Metric(name="errors", numerator="error", role="guardrail", margin=0.05, window="0s"),
)


@pytest.fixture
def shadow(store: SqlStore) -> OnlineTest:
    """A shadow beside the champion, after an hour that no test was about."""
    endpoint(store)
    _hour(store, 0)
    store.clock.advance(BEGIN + HOUR)
    return new_test(store, ENDPOINT, ["2"], metrics=PAIRED, kind="shadow")


def test_looks_at_what_is_new_of_a_shadow_say_what_looks_at_the_whole_log_say(
    store: SqlStore, shadow: OnlineTest
) -> None:
    followed = FollowedTest(store, shadow.test_id)
    _same(store, followed, shadow, BEGIN + HOUR)
    for number in range(1, 8):
        ids = _hour(store, number)
        if number == 3:
            compact_closed(store, ENDPOINT)
        if number == 5:
            at = BEGIN + number * HOUR + timedelta(minutes=9)
            record_labels(store, [Label(id, 1.0, at, 1) for id in ids[:5]] + [Label(ids[9], 0.0, at, 9)])
        _same(store, followed, shadow, BEGIN + (number + 1) * HOUR)
    assert followed.begun == 1
    (arm,) = followed.read(BEGIN + 12 * HOUR).arms
    assert arm.shift is not None
    assert arm.shift.rows == 7 * 150
    assert arm.pairs is not None
    assert arm.pairs["wrong"].pairs > 200
    again = FollowedTest(store, shadow.test_id)
    assert again.read(BEGIN + 12 * HOUR) == followed.read(BEGIN + 12 * HOUR), "a new process goes on"
    _same(store, followed, shadow, BEGIN + 3 * HOUR)
    assert followed.begun == 2, "a look before the last one"


def test_a_look_at_a_shadow_reads_only_what_is_new(
    store: SqlStore, shadow: OnlineTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    plain = Tail.read_new

    def counted(tail: Tail, *columns: list[str]) -> object:
        found = plain(tail, *columns)
        read.append(found.num_rows)
        return found

    monkeypatch.setattr(Tail, "read_new", counted)
    followed = FollowedTest(store, shadow.test_id)
    followed.read(BEGIN + HOUR)
    for number in range(1, 4):
        _hour(store, number)
        followed.read(BEGIN + (number + 1) * HOUR)
    assert read == [150, 300, 300, 300], "the hour before it, then answers of both"


def test_what_was_erased_of_a_shadow_is_forgotten(store: SqlStore, shadow: OnlineTest) -> None:
    followed = FollowedTest(store, shadow.test_id)
    _hour(store, 1)
    _same(store, followed, shadow, BEGIN + 5 * HOUR)
    assert erase_predictions(store, ENDPOINT, unit="u7", delete=True).rows > 0
    _same(store, followed, shadow, BEGIN + 6 * HOUR)
    assert followed.begun == 2
