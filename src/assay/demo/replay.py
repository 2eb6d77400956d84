"""The year as it would have happened: each day's flights become requests, their labels arrive after they landed."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from assay.demo.pipeline import FEATURES, LABEL
from assay.errors import AssayError
from assay.operate.labels.recording import Label, record_labels
from assay.operate.windows import ServingDays
from assay.record.store import Observer, Store

__all__ = ["Client", "Replay", "days_between", "start_of"]


def start_of(day: date) -> datetime:
    """Midnight of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def days_between(first: date, last: date) -> Iterator[date]:
    """Days from `first` up to, but without, `last`."""
    while first < last:
        yield first
        first += timedelta(days=1)


class Client(Protocol):
    """Whoever answers: a client of a server, or what takes its place."""

    def predict(
        self, rows: Sequence[Mapping[str, object]], *, event_ts: datetime | None = None
    ) -> list[tuple[str, float]]:
        """Id and probability of each row; AssayError where there is no answer."""
        ...


class Replay:
    """Sends flights to the server and keeps the labels back until their time has come.

    `sent` counts answered predictions, `failed` requests that got no answer. `acknowledged` hears each answered id.
    """

    def __init__(
        self,
        store: Store,
        client: Client,
        features: pa.Table,
        days: ServingDays,
        *,
        request_rows: int,
        acknowledged: Observer | None,
    ) -> None:
        self._store = store
        self._client = client
        self._features = features
        self._days = days
        self._request_rows = request_rows
        self._acknowledged = acknowledged
        self._pending: list[tuple[datetime, str, float]] = []  # a heap by the moment the label becomes known
        self.sent = 0
        self.failed = 0

    def send_day(self, day: date) -> None:
        """Ask for a prediction of every flight that departs on that day."""
        low, high = (pa.scalar(start_of(d), self._features["departure"].type) for d in (day, day + timedelta(days=1)))
        departure = self._features["departure"]
        flights = self._features.filter(pc.and_(pc.greater_equal(departure, low), pc.less(departure, high)))
        for start in range(0, flights.num_rows, self._request_rows):
            self._send(flights.slice(start, self._request_rows))

    def end_day(self, day: date) -> None:
        """The day is over: time moves on, labels known by now arrive, and what was logged is read."""
        self._store.clock.advance(start_of(day + timedelta(days=1)))
        now = self._store.clock.latest()
        due = []
        while self._pending and self._pending[0][0] <= now:
            known_at, prediction_id, value = heapq.heappop(self._pending)
            due.append(Label(prediction_id, value, known_at))
        record_labels(self._store, due)
        self._days.read()

    def _send(self, flights: pa.Table) -> None:
        rows = flights.select(FEATURES).to_pylist()
        departed = flights["departure"][0].as_py()
        try:
            answers = self._client.predict(rows, event_ts=departed)
        except AssayError:
            self.failed += 1
            return
        self.sent += len(answers)
        known = zip(answers, flights["arrived"].to_pylist(), flights[LABEL].to_pylist(), strict=True)
        for (prediction_id, _), arrived, late in known:
            if self._acknowledged:
                self._acknowledged("prediction", prediction_id)
            if arrived is not None:
                heapq.heappush(self._pending, (arrived, prediction_id, float(late)))
