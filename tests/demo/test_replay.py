from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from assay.demo.pipeline import FEATURES, LABEL
from assay.demo.replay import Replay, days_between, start_of
from assay.errors import AssayError
from assay.operate.labels.recording import labels_known
from assay.operate.predictions.tail import Tail
from assay.operate.serving.client import PredictionClient
from assay.operate.windows import ServingDays
from assay.record.sqlstore import SqlStore

DAY = date(2013, 8, 5)


class Recording(PredictionClient):
    """A client that answers by itself: ids count up; `broken` requests fail."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")
        self.requests: list[tuple[Sequence[Mapping[str, object]], datetime | None]] = []
        self.answered = 0
        self.broken: set[int] = set()

    def predict(
        self,
        rows: Sequence[Mapping[str, object]],
        *,
        ids: Sequence[str] | None = None,
        units: Sequence[str | None] | None = None,
        event_ts: datetime | None = None,
    ) -> list[tuple[str, float]]:
        self.requests.append((rows, event_ts))
        if len(self.requests) in self.broken:
            raise AssayError("no answer")
        start = self.answered
        self.answered += len(rows)
        return [(str(start + number), 0.5) for number in range(len(rows))]


@pytest.fixture
def client() -> Recording:
    return Recording()


@pytest.fixture
def heard() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def replay(
    store: SqlStore, client: Recording, features: pa.Table, tmp_path: Path, heard: list[tuple[str, str]]
) -> Replay:
    days = ServingDays(store, Tail(store, "delays"))
    return Replay(
        store, client, features, days, request_rows=50, acknowledged=lambda kind, key: heard.append((kind, key))
    )


def _flights_of(features: pa.Table, day: date) -> list[dict[str, object]]:
    start = start_of(day)
    end = start + timedelta(days=1)
    return [row for row in features.to_pylist() if start <= row["departure"] < end]


def test_days_go_up_to_the_last_without_it() -> None:
    days = list(days_between(date(2013, 2, 27), date(2013, 3, 2)))
    assert days == [date(2013, 2, 27), date(2013, 2, 28), date(2013, 3, 1)]
    assert list(days_between(DAY, DAY)) == []
    assert start_of(DAY) == datetime(2013, 8, 5, tzinfo=UTC)


def test_a_day_is_sent_as_requests_of_features_at_their_time(
    replay: Replay, client: Recording, features: pa.Table, heard: list[tuple[str, str]]
) -> None:
    replay.send_day(DAY)
    flights = _flights_of(features, DAY)
    assert len(flights) > 100
    asked = [row for rows, _ in client.requests for row in rows]
    assert asked == [{name: flight[name] for name in FEATURES} for flight in flights]
    assert [len(rows) for rows, _ in client.requests][:-1] == [50] * (len(client.requests) - 1)
    assert [moment for _, moment in client.requests] == [flight["departure"] for flight in flights[::50]]
    assert (replay.sent, replay.failed) == (len(flights), 0)
    assert heard == [("prediction", str(number)) for number in range(len(flights))]


def test_a_label_arrives_when_its_flight_has_and_not_before(
    replay: Replay, store: SqlStore, features: pa.Table
) -> None:
    for day in (DAY, DAY + timedelta(days=1)):
        replay.send_day(day)
    flights = _flights_of(features, DAY) + _flights_of(features, DAY + timedelta(days=1))
    ids = [str(number) for number in range(len(flights))]
    assert labels_known(store, ids) == {}
    delivered = []
    for day in days_between(DAY, DAY + timedelta(days=4)):
        replay.end_day(day)
        now = start_of(day + timedelta(days=1))
        assert store.clock.event == now
        expected = {
            id: float(str(flight[LABEL]))
            for id, flight in zip(ids, flights, strict=True)
            if isinstance(flight["arrived"], datetime) and flight["arrived"] <= now
        }
        assert labels_known(store, ids) == expected
        delivered.append(len(expected))
    assert 0 < delivered[0] < delivered[1]
    cancelled = sum(flight["arrived"] is None for flight in flights)
    assert delivered[-1] == len(flights) - cancelled, "a cancelled flight never gets one"
    happened = {row["prediction_id"]: row["event_ts"] for row in store.query("label")}
    first = next(number for number, flight in enumerate(flights) if str(number) in happened)
    arrived = flights[first]["arrived"]
    assert isinstance(arrived, datetime)
    assert happened[str(first)] == arrived.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_request_without_an_answer_is_counted_and_gets_no_labels(
    replay: Replay, client: Recording, store: SqlStore
) -> None:
    client.broken = {2}
    replay.send_day(DAY)
    assert replay.failed == 1
    assert replay.sent == sum(len(rows) for rows, _ in client.requests) - 50
    replay.end_day(DAY + timedelta(days=2))
    assert len(store.query("label")) <= replay.sent


def test_a_day_without_flights_sends_nothing(replay: Replay, client: Recording) -> None:
    replay.send_day(date(2015, 1, 1))
    assert (client.requests, replay.sent) == ([], 0)
